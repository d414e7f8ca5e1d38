"""Threads for Google's synchronous clients, bounded and entered by lane.

Two pools, because the two kinds of call differ in nature: ordinary calls take a fraction of a second and
matter all alike; `operations.wait` sleeps on the server by design. A wait must never hold a thread that a
read needs.

A place is given back when the thread is done, not when the caller stops waiting: a cancelled caller's request
still occupies its thread until Google answers or the timeout strikes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from redis_connectivity.cloud.lanes import AnyLane, Gate, Lane

__all__ = ["CallPool"]

R = TypeVar("R")


class CallPool:
    """A thread pool whose queue is a `Gate`: the pool itself never queues, so lanes hold to the last moment.

    Args:
        threads: The most calls at once.
        reserve: Places that polls never take.
        name: Prefix of the threads' names.
    """

    def __init__(self, threads: int, *, reserve: int = 0, name: str = "google") -> None:
        self._gate = Gate(threads, reserve)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    @property
    def busy(self) -> int:
        """Calls in progress."""
        return self._gate.taken

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread."""
        return self._gate.waiting

    async def run(self, call: Callable[[], R], lane: AnyLane = Lane.REPAIR) -> R:
        """Run `call` in a thread and give its result or raise what it raised."""
        await self._gate.enter(lane)
        loop = asyncio.get_running_loop()
        try:
            future = self._threads.submit(call)
        except RuntimeError:  # closed meanwhile
            self._gate.leave()
            raise

        def give_back(_: Future[Any]) -> None:
            # The loop may be gone when a thread outlives it at a hard stop; then nobody waits for the place
            # either.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._gate.leave)

        future.add_done_callback(give_back)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take no more calls. Threads in a request end with it (within its timeout); nobody is waited for."""
        self._gate.close(RuntimeError("the call pool was closed"))
        self._threads.shutdown(wait=False, cancel_futures=True)
