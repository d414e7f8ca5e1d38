"""Waiting for something to become true, with a deadline and a name for what was waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["DeadlineExceededError", "wait_until"]

T = TypeVar("T")


class DeadlineExceededError(Exception):
    """It did not become true in time."""


def wait_until(
    predicate: Callable[[], T | None],
    *,
    deadline: float,
    describe: str | Callable[[], str],
    interval: float = 0.05,
    wake: threading.Event | None = None,
) -> T:
    """Asks `predicate` until it answers with something true, and returns that.

    Args:
        predicate: Asked at once and then every `interval` seconds; what it raises ends the waiting.
        deadline: Seconds from now; the predicate is asked one last time when they are over.
        describe: What is waited for (or a function that tells the last state), for the error.
        interval: Seconds between two questions.
        wake: An event that makes the next question come at once (a process that ended, say).

    Raises:
        DeadlineExceededError: It was not true in time.
    """
    pause = wake or threading.Event()
    end = time.monotonic() + deadline
    while True:
        last = time.monotonic() >= end
        answer = predicate()
        if answer:
            return answer
        if last:
            told = describe if isinstance(describe, str) else describe()
            raise DeadlineExceededError(f"waited {deadline:g} s for: {told}")
        if pause.is_set():  # already woken: fall back to plain pauses
            pause = threading.Event()
        pause.wait(min(interval, max(0.0, end - time.monotonic())))
