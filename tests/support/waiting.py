"""Waiting with a deadline, for plain and for asynchronous tests; nothing else in the tests sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis_connectivity_lab.controlplane import DeadlineExceededError, wait_until

__all__ = ["DeadlineExceededError", "eventually", "wait_until"]

T = TypeVar("T")


async def eventually(
    predicate: Callable[[], Awaitable[T | None]],
    *,
    deadline: float,
    describe: str | Callable[[], str],
    interval: float = 0.05,
) -> T:
    """`wait_until` for a coroutine function: its first true answer, or DeadlineExceededError."""
    end = time.monotonic() + deadline
    while True:
        last = time.monotonic() >= end
        answer = await predicate()
        if answer:
            return answer
        if last:
            told = describe if isinstance(describe, str) else describe()
            raise DeadlineExceededError(f"waited {deadline:g} s for: {told}")
        await asyncio.sleep(interval)
