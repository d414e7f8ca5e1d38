"""Values that are read once for all who want them, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Keeper"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    at: float
    until: float
    value: T


class Keeper(Generic[T]):
    """Keeps values by key, in memory. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[Hashable, _Kept[T]] = {}
        #: Until when a failure is believed, and which.
        self._failed: dict[Hashable, tuple[float, Exception]] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def get(
        self,
        key: Hashable,
        read: Callable[[], Awaitable[tuple[T, float]]],
        *,
        fresh: bool = False,
        rest: float = 0.0,
        failure: float = 0.0,
    ) -> T:
        """What is kept under the key, or else read. What `read` raises is raised, and kept for `failure` seconds.

        Who comes while it is being read waits for that. With `fresh` they want one that was begun after they asked: the
        first of them reads it for all of them.

        Args:
            key: Whose value.
            read: Gives the value, and for how many seconds it is good.
            fresh: Read anew, but not what was read less than `rest` seconds ago.
            rest: See `fresh`.
            failure: See above; `fresh` makes no difference to it.
        """
        asked = self._clock()
        if (kept := self._usable(key, asked - rest if fresh else None)) is not None:
            return kept.value
        async with self._locks.setdefault(key, asyncio.Lock()):
            if (kept := self._usable(key, asked - rest if fresh else None)) is not None:
                return kept.value
            if (failed := self._failed.get(key)) is not None and self._clock() < failed[0]:
                raise failed[1].with_traceback(None)
            began = self._clock()
            try:
                value, seconds = await read()
            except Exception as error:
                if failure > 0:
                    self._failed[key] = self._clock() + failure, error
                raise
            now = self._clock()
            self._forget_old(now)
            self._kept[key] = _Kept(began, now + seconds, value)
            return value

    def _usable(self, key: Hashable, since: float | None) -> _Kept[T] | None:
        """What is kept and still good, and was asked for after `since`, where that is given."""
        kept = self._kept.get(key)
        if kept is None or self._clock() >= kept.until or (since is not None and kept.at <= since):
            return None
        return kept

    def _forget_old(self, now: float) -> None:
        self._kept = {key: one for key, one in self._kept.items() if now < one.until}
        self._failed = {key: one for key, one in self._failed.items() if now < one[0]}
        self._locks = {key: lock for key, lock in self._locks.items() if lock.locked() or key in self._kept}
