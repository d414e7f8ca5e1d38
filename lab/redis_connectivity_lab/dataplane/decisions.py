"""What one rule comes down to for a packet filter: whose traffic, which traffic, and what becomes of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

from redis_connectivity_lab.topology import L4Match

__all__ = ["PORT_PROTOCOLS", "Decision", "Traffic", "check_name", "ipv4_ranges", "traffic_of"]

_PROTOCOLS: Final = MappingProxyType(
    {"icmp": 1, "ipip": 4, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "sctp": 132},
)
#: IP protocols whose packets have ports; elsewhere a rule's ports are ignored (the API refuses them).
PORT_PROTOCOLS: Final = frozenset({6, 17, 132})
#: What names may look like: they reach the packet filter's own language.
_SAFE_NAME: Final = re.compile(r"^[a-zA-Z0-9][-_.a-zA-Z0-9]{0,62}$")


@dataclass(frozen=True, slots=True)
class Traffic:
    """An IP protocol number (None: any) and inclusive, sorted, disjoint port ranges (empty: every port)."""

    protocol: int | None
    ports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule as it applies to a host: what it does with traffic from (ingress) or to (egress) these peers.

    It is the same for every host that the rule applies to. `allow` None sends the packet on to the next stage
    (`goto_next`), past what else is in its own.
    """

    rule: str
    priority: int
    allow: bool | None
    peers: tuple[IPv4Network, ...]
    traffic: tuple[Traffic, ...]
    stage: int = 0

    @property
    def order(self) -> tuple[int, int, bool, str]:
        """Sorts decisions as they are asked: by stage and priority, denies first; the name only settles the rest."""
        return self.stage, self.priority, bool(self.allow), self.rule


def check_name(name: str) -> str:
    """The name; raises ValueError for one that no rule or policy can have."""
    if not _SAFE_NAME.match(name):
        raise ValueError(f"rule {name!r}: not a rule's name")
    return name


def ipv4_ranges(rule: str, ranges: Iterable[str]) -> list[IPv4Network]:
    """The IPv4 ones: no host of the lab has an IPv6 address, so the others match nothing."""
    try:
        networks = [ipaddress.ip_network(text, strict=False) for text in ranges]
    except ValueError as error:
        raise ValueError(f"rule {rule}: {error}") from error
    return [network for network in networks if isinstance(network, IPv4Network)]


def traffic_of(rule: str, matches: Iterable[L4Match]) -> tuple[Traffic, ...]:
    """What the matches are about, merged by protocol; one entry for everything where a match says `all`."""
    ports_of: dict[int | None, tuple[tuple[int, int], ...]] = {}
    for match in matches:
        number = _protocol(rule, match)
        ports = _ports(rule, match) if number in PORT_PROTOCOLS else ()
        earlier = ports_of.get(number, ports)
        ports_of[number] = _merged((*earlier, *ports)) if earlier and ports else ()
    if None in ports_of:
        return (Traffic(None),)
    return tuple(Traffic(number, ports) for number, ports in sorted(ports_of.items(), key=lambda item: item[0] or 0))


def _protocol(rule: str, match: L4Match) -> int | None:
    name = match.protocol.lower()
    if name == "all":
        return None
    number = _PROTOCOLS.get(name, int(name) if name.isdecimal() else -1)
    if not 0 <= number <= 255:
        raise ValueError(f"rule {rule}: {match.protocol!r} is no IP protocol")
    return number


def _ports(rule: str, match: L4Match) -> tuple[tuple[int, int], ...]:
    for first, last in match.ports:
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"rule {rule}: {first}-{last} is no port range")
    return _merged(match.ports)


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)
