"""Success rate and percentiles of the probes of the last five minutes, hour and day, in bounded memory.

Latencies are counted in buckets that grow by a fixed ratio, as in DDSketch (Masson, Rim and Lee, VLDB 2019): a
percentile is off by at most `ACCURACY` of itself, and buckets of different times add up. The libraries that do so keep
kilobytes in each sketch, and a window needs a sketch per step to forget the oldest; here a step that is over is a few
packed integers.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

__all__ = ["ACCURACY", "WINDOWS", "WindowFigures", "Windows"]

#: Names and lengths in seconds.
WINDOWS: Final = (("5m", 300.0), ("1h", 3600.0), ("24h", 86400.0))
#: A window moves by so many steps: it covers the last 11 to 12 of them.
_STEPS: Final = 12
#: The most that a percentile is off, as a share of itself.
ACCURACY: Final = 0.03
#: Milliseconds between which latencies are told apart; none is longer, for a chain has a deadline of 30 s at most.
_LEAST, _MOST = 0.01, 60_000.0

_RATIO: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG: Final = math.log(_RATIO)
#: A packed count: the bucket in the upper bits, how often in the lower.
_COUNT_BITS: Final = 20
_COUNT_MAX: Final = (1 << _COUNT_BITS) - 1


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """One window. Percentiles in milliseconds (nearest rank, of those that succeeded); None without a success."""

    name: str
    probes: int
    successes: int
    p50: float | None
    p95: float | None
    p99: float | None


class _Window:
    __slots__ = ("counts", "failed", "name", "number", "over", "width")

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.width = seconds / _STEPS
        #: The step that is being counted, by number.
        self.number = 0
        self.failed = 0
        self.counts: dict[int, int] = {}
        #: Those before it: number, failures, packed counts.
        self.over: deque[tuple[int, int, array[int]]] = deque(maxlen=_STEPS - 1)

    def add(self, at: float, bucket: int | None) -> None:
        number = int(at // self.width)
        if number > self.number:  # with a clock that was set back, the newest step goes on
            if self.failed or self.counts:
                packed = array("I", [(one << _COUNT_BITS) | times for one, times in self.counts.items()])
                self.over.append((self.number, self.failed, packed))
            self.number, self.failed, self.counts = number, 0, {}
        if bucket is None:
            self.failed += 1
        else:
            self.counts[bucket] = min(_COUNT_MAX, self.counts.get(bucket, 0) + 1)

    def figures(self, now: float) -> WindowFigures:
        oldest = int(now // self.width) - _STEPS + 1
        failed, counts = 0, Counter[int]()
        if self.number >= oldest:
            failed, counts = self.failed, Counter(self.counts)
        for number, failures, packed in self.over:
            if number >= oldest:
                failed += failures
                for one in packed:
                    counts[one >> _COUNT_BITS] += one & _COUNT_MAX
        successes = counts.total()
        p50, p95, p99 = _percentiles(counts, successes, (50, 95, 99))
        return WindowFigures(self.name, failed + successes, successes, p50, p95, p99)


class Windows:
    """The probes of one path. Times are in seconds since the epoch."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows = tuple(_Window(name, seconds) for name, seconds in WINDOWS)

    def add(self, at: float, milliseconds: float | None) -> None:
        """One probe: its latency, or None when it failed."""
        bucket = None if milliseconds is None else _bucket(milliseconds)
        for window in self._windows:
            window.add(at, bucket)

    def figures(self, now: float) -> tuple[WindowFigures, ...]:
        """All windows as they end now."""
        return tuple(window.figures(now) for window in self._windows)


def _bucket(milliseconds: float) -> int:
    within = min(max(milliseconds, _LEAST), _MOST)
    return math.ceil(math.log(within / _LEAST) / _LOG - 1e-9)


def _value(bucket: int) -> float:
    """What is off by the same share from both ends of the bucket."""
    return float(2 * _LEAST * _RATIO**bucket / (_RATIO + 1))


def _percentiles(counts: Counter[int], total: int, percents: tuple[int, ...]) -> list[float | None]:
    found: list[float | None] = []
    ranks = [max(1, -(-percent * total // 100)) for percent in percents]
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        while len(found) < len(ranks) and ranks[len(found)] <= seen:
            found.append(_value(bucket))
    return found + [None] * (len(ranks) - len(found))
