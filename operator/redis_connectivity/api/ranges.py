"""IPv4 ranges as text, checked here and, in the same words, at the API server."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final

from redis_connectivity.api import limits
from redis_connectivity.api.base import rule
from redis_connectivity.api.form import Constraint

__all__ = ["Ipv4Range", "NarrowWhenPublic", "PrivateRange"]

_IS_RANGE: Final = "isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self) == cidr(self).masked()"
_IS_PRIVATE: Final = " || ".join(f"cidr('{network}').containsCIDR(self)" for network in limits.PRIVATE_RANGES)


def _parsed(text: str) -> IPv4Network | None:
    """The range, or None for what `Ipv4Range` refuses."""
    try:
        network = IPv4Network(text)
    except ValueError:
        return None
    return network if str(network) == text else None


@dataclass(frozen=True, slots=True)
class Ipv4Range(Constraint):
    """A range in its one right form."""

    sentence: str = "must be an IPv4 range such as 10.2.0.0/16, written with the network's first address"

    def check(self, value: str) -> str:
        """The value, when it is a range."""
        if _parsed(value) is None:
            raise ValueError(f"{value!r} {self.sentence}")
        return value

    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule."""
        return rule(_IS_RANGE, self.sentence)


@dataclass(frozen=True, slots=True)
class PrivateRange(Constraint):
    """A range within RFC 1918; silent about what is no range."""

    sentence: str = "must be private (RFC 1918), as connectors are: within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"

    def check(self, value: str) -> str:
        """The value, when it is private."""
        network = _parsed(value)
        if network is not None and not limits.is_private(network):
            raise ValueError(f"{value} {self.sentence}")
        return value

    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule."""
        return rule(f"!({_IS_RANGE}) || {_IS_PRIVATE}", self.sentence)


@dataclass(frozen=True, slots=True)
class NarrowWhenPublic(Constraint):
    """A range that is private, or not wide; silent about what is no range."""

    sentence: str = (
        f"is wider than a /{limits.PUBLIC_RANGE_WIDEST} and not private (RFC 1918): name the ranges that Redis is in"
    )

    def check(self, value: str) -> str:
        """The value, unless it is wide and public."""
        network = _parsed(value)
        if network is not None and not limits.is_private(network) and network.prefixlen < limits.PUBLIC_RANGE_WIDEST:
            raise ValueError(f"{value} {self.sentence}")
        return value

    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule."""
        return rule(
            f"!({_IS_RANGE}) || cidr(self).prefixLength() >= {limits.PUBLIC_RANGE_WIDEST} || {_IS_PRIVATE}",
            self.sentence,
        )
