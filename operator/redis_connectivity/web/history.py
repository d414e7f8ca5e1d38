"""The recent latencies of each path, for the sparkline, in bounded memory; not kept over a restart."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["SAMPLES_KEPT", "History"]

#: Latencies kept per path: an hour at the default interval of 30 s.
SAMPLES_KEPT: Final = 120

#: Seconds since the epoch, and milliseconds; None for a failure.
_Sample = tuple[float, float | None]


class History:
    """The last probes of each path since this process began to look."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[_Sample]] = {}

    def probed(self, key: str, at: float, seconds: float | None) -> None:
        """One probe: its latency, or None when it failed."""
        milliseconds = None if seconds is None else round(seconds * 1000, 2)
        self._samples.setdefault(key, deque(maxlen=SAMPLES_KEPT)).append((at, milliseconds))

    def forget(self, key: str) -> None:
        """The path is gone."""
        self._samples.pop(key, None)

    def of(self, key: str) -> list[_Sample]:
        """The path's probes, the newest last."""
        return list(self._samples.get(key, ()))
