"""Time as a thing that is handed in: what waits, ages or backs off is tested without waiting."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "Stamp", "SystemClock", "stamp"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment on both clocks: `monotonic` seconds for ages, `wall` (UTC) for people and status."""

    monotonic: float
    wall: datetime


class Clock(Protocol):
    """The clocks and the one way to wait."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def now(self) -> datetime:
        """The present, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less only yields to others."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """The system's wall clock, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait as asyncio does."""
        await asyncio.sleep(max(0.0, seconds))


def stamp(clock: Clock) -> Stamp:
    """This moment on both of the clock's faces."""
    return Stamp(clock.monotonic(), clock.now())
