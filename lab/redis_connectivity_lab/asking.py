"""Asks a prober through the emulated Cloud Run front end, as any client on the internet would."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp

from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import ProbeAnswer, ProbeRequest

__all__ = ["Asked", "Vigil", "ask_prober"]

REDIS_PORT: Final = 6379
#: Between two questions of a vigil, and how long each may take.
_PAUSE: Final = 0.1
_VIGIL_SECONDS: Final = 0.5


def ask_prober(url: str, host: str, port: int = REDIS_PORT, seconds: float = 1.0) -> ProbeAnswer:
    """One PING, over a new connection, from where the prober runs."""

    async def once() -> ProbeAnswer:
        async with aiohttp.ClientSession() as session:
            return await ask(url, ProbeRequest(host=host, port=port, timeout_seconds=seconds), session=session)

    return asyncio.run(once())


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its answer; times as `time.monotonic` has them."""

    begun: float
    ended: float
    answer: ProbeAnswer


class Vigil:
    """Asks a prober again and again, in a thread of its own, while something happens. A context manager."""

    def __init__(self, url: str, host: str) -> None:
        self._url = url
        self._host = host
        self._over = threading.Event()
        self._asked: list[Asked] = []
        self._thread = threading.Thread(target=self._run, name="vigil", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_PAUSE):
            begun = time.monotonic()
            answer = ask_prober(self._url, self._host, seconds=_VIGIL_SECONDS)
            self._asked.append(Asked(begun, time.monotonic(), answer))

    def first(self, *, ok: bool, since: float) -> Asked | None:
        """The first question asked after `since` whose PING was answered (or was not)."""
        return next((one for one in tuple(self._asked) if one.begun >= since and one.answer.ok is ok), None)
