"""How long the emulated Google takes, in the words of the lab's commands."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis_connectivity_lab.emulator.timings import Timings

__all__ = ["Speed", "patience", "timings_of"]

#: Seconds that anything may take beyond Google's own time, on a busy machine.
_SLACK = 45.0


class Speed(enum.StrEnum):
    """instant: no time at all; quick: to watch; realistic: minutes, as the real thing."""

    INSTANT = "instant"
    QUICK = "quick"
    REALISTIC = "realistic"


def timings_of(speed: Speed) -> Timings:
    """Google's operation times for a speed."""
    # Here and not at the top: the words are for `--help`, which shall not wait for the whole emulator.
    from redis_connectivity_lab.emulator.timings import Timings  # noqa: PLC0415

    if speed is Speed.INSTANT:
        return Timings.instant()
    return Timings.realistic() if speed is Speed.REALISTIC else Timings()


def patience(speed: Speed) -> float:
    """Seconds after which something that should have happened has not."""
    took = timings_of(speed)
    longest = max(took.connector_create, took.connector_delete)
    # The longest story is a connector in ERROR: removed, then made anew, then the rules.
    return _SLACK + longest * 3 + took.firewall * 4
