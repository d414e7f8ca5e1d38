"""Durations as Kubernetes writes them (`30s`, `1m30s`, `500ms`), kept as text in the resource and read as seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from redis_connectivity.api.base import rule
from redis_connectivity.api.form import Constraint, Form

__all__ = ["DURATION", "Between", "not_longer", "parse_duration"]

#: What Go's time.ParseDuration takes, without sign, fractions or units below a millisecond; not so long that it
#: overflows there.
DURATION: Final = Form(r"^([0-9]{1,6}(h|m|s|ms))+$", "must be a duration such as 30s, 1m30s or 500ms")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]+)(ms|h|m|s)")


def parse_duration(text: str) -> float:
    """Seconds meant by `text`.

    Raises:
        ValueError: the text is not a duration such as 30s, 1m30s or 500ms.
    """
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(DURATION.check(text)))


@dataclass(frozen=True, slots=True)
class Between(Constraint):
    """A duration's least and greatest value, as durations."""

    least: str
    greatest: str

    def check(self, value: str) -> str:
        """The value, when it is in bounds."""
        if not parse_duration(self.least) <= parse_duration(value) <= parse_duration(self.greatest):
            raise ValueError(f"{value!r} must be between {self.least} and {self.greatest}")
        return value

    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule; silent about what is no duration at all, which another rule tells."""
        bounds = f"duration(self) >= duration('{self.least}') && duration(self) <= duration('{self.greatest}')"
        return rule(f"!{DURATION.matches('self')} || ({bounds})", f"must be between {self.least} and {self.greatest}")


def not_longer(shorter: str, longer: str) -> str:
    """CEL: one duration is at most as long as another; silent about what is no duration."""
    malformed = " || ".join(f"!{DURATION.matches(one)}" for one in (shorter, longer))
    return f"{malformed} || duration({shorter}) <= duration({longer})"
