"""Keys that are due: each once, one worker at a time per key, urgent ones first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

from redis_connectivity.cloud.lanes import Lane

__all__ = ["WorkQueue"]

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """A queue of due keys. A key that is added again keeps its earliest due time and its most urgent lane.

    While a worker has a key, adding it marks it dirty: it comes again after the worker is done. `clock` is the running
    loop's time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[K, tuple[float, Lane]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._ready: list[tuple[Lane, int, K]] = []
        self._running: dict[K, tuple[float, Lane] | None] = {}
        self._order = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many keys workers have."""
        return len(self._running)

    def add(self, key: K, lane: Lane, delay: float = 0.0) -> None:
        """Make the key due in `delay` seconds, or sooner where it already was."""
        due = self._clock() + delay
        if key in self._running:
            before = self._running[key]
            self._running[key] = (min(due, before[0]), min(lane, before[1])) if before else (due, lane)
            return
        before = self._waiting.get(key)
        if before is not None:
            due, lane = min(due, before[0]), min(lane, before[1])
            if (due, lane) == before:
                return
        self._waiting[key] = (due, lane)
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._wake.set()

    def drop(self, key: K) -> None:
        """Forget a key that is no more."""
        self._waiting.pop(key, None)
        if key in self._running:
            self._running[key] = None

    async def take(self) -> tuple[K, Lane]:
        """The next due key, most urgent lane first. The caller must call `done`."""
        while True:
            self._collect_due()
            while self._ready:
                lane, _, key = heapq.heappop(self._ready)
                entry = self._waiting.get(key)
                if entry is None or entry[1] != lane or entry[0] > self._clock():
                    continue
                del self._waiting[key]
                self._running[key] = None
                return key, lane
            self._wake.clear()
            timeout = self._heap[0][0] - self._clock() if self._heap else None
            try:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the wake-up.
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """A worker finished with the key."""
        again = self._running.pop(key)
        if again is not None:
            due, lane = again
            self.add(key, lane, max(0.0, due - self._clock()))

    def _collect_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, order, key = heapq.heappop(self._heap)
            entry = self._waiting.get(key)
            if entry is not None and entry[0] <= now:
                heapq.heappush(self._ready, (entry[1], order, key))
        if self._ready:
            self._wake.set()
