"""How long the emulated Google takes, in the words of the lab's commands."""

from __future__ import annotations

import enum

from redis_connectivity_lab.emulator.timings import Timings

__all__ = ["Speed", "timings_of"]


class Speed(enum.StrEnum):
    """instant: no time at all; quick: to watch; realistic: minutes, as the real thing."""

    INSTANT = "instant"
    QUICK = "quick"
    REALISTIC = "realistic"


def timings_of(speed: Speed) -> Timings:
    """Google's operation times for a speed."""
    if speed is Speed.INSTANT:
        return Timings.instant()
    return Timings.realistic() if speed is Speed.REALISTIC else Timings()
