"""How long to wait: pure functions of what happened, in seconds."""

from __future__ import annotations

__all__ = [
    "CONNECTOR_OPERATION_LIMIT",
    "backoff_delay",
    "contention_delay",
    "operation_poll_delay",
    "recreate_delay",
    "rework_delay",
]

#: Seconds that Google gives an operation on a connector, as Terraform's provider waits for it.
CONNECTOR_OPERATION_LIMIT = 1200.0


def operation_poll_delay(elapsed: float) -> float:
    """Seconds until the next look at an operation that has run for `elapsed` seconds.

    A tenth of its age: the wait for the answer is never longer than a tenth of the operation itself, and an operation
    of minutes is asked about every few seconds only.
    """
    return min(10.0, max(0.1, elapsed / 10))


def recreate_delay(attempts: int) -> float:
    """Seconds between a failed creation of a connector and the next try: 1 min doubling up to 1 h."""
    return float(min(3600, 60 * 2 ** (max(attempts, 1) - 1)))


def rework_delay(attempts: int) -> float:
    """Seconds between a failed change or deletion of a connector and the next try: 5 s doubling up to 1 h."""
    return backoff_delay(attempts, base=5.0, ceiling=3600.0)


def contention_delay(rounds: int) -> float:
    """Seconds between two repairs of what somebody else keeps undoing: 1 min doubling up to 1 h."""
    return backoff_delay(rounds, base=60.0, ceiling=3600.0)


def backoff_delay(failures: int, *, base: float = 0.5, ceiling: float = 300.0) -> float:
    """Seconds before the next try after `failures` failures in a row; the caller adds jitter."""
    return min(ceiling, base * 2.0 ** min(max(failures, 1) - 1, 30))
