"""From a topology to what each host may send and be sent: one compiled form, which nft.py and verdict.py render.

How Google Cloud decides, in short: for each host and direction the matching rule with the lowest priority number
wins, a deny before an allow at the same number; without one, egress is allowed and ingress denied. Both directions
are asked for a new connection, its answers need no rule. Managed hosts have no rules of their own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, NetworkId, Rule, Topology

__all__ = [
    "IMPLIED_ALLOW_EGRESS",
    "IMPLIED_DENY_INGRESS",
    "PORT_PROTOCOLS",
    "CompiledHost",
    "CompiledNetwork",
    "Decision",
    "Traffic",
    "compile_topology",
]

IMPLIED_ALLOW_EGRESS: Final = "implied-allow-egress"
IMPLIED_DENY_INGRESS: Final = "implied-deny-ingress"
_EVERYWHERE: Final = IPv4Network("0.0.0.0/0")
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

    It is the same for every host that the rule applies to.
    """

    rule: str
    priority: int
    allow: bool
    peers: tuple[IPv4Network, ...]
    traffic: tuple[Traffic, ...]

    @property
    def order(self) -> tuple[int, bool, str]:
        """Sorts decisions as they are asked: by priority, denies first; the name only settles the rest."""
        return self.priority, self.allow, self.rule


@dataclass(frozen=True, slots=True)
class CompiledHost:
    """A host and its decisions, first match wins; a managed host has none, and no implied rules either."""

    host: Host
    egress: tuple[Decision, ...] = ()
    ingress: tuple[Decision, ...] = ()

    @property
    def in_vpc(self) -> bool:
        """Whether the user's rules apply to it."""
        return self.host.kind is not HostKind.MANAGED


@dataclass(frozen=True, slots=True)
class CompiledNetwork:
    """Everything on one network, hosts in the order of their ids. `problems` tells what could not be honoured."""

    network: NetworkId
    hosts: tuple[CompiledHost, ...] = ()
    problems: tuple[str, ...] = ()


def compile_topology(topology: Topology) -> Mapping[NetworkId, CompiledNetwork]:
    """Each network's hosts with their decisions in order; deterministic whatever the topology's own order.

    Networks that only hosts mention count too. Where two hosts claim one address the first by id has it.

    Raises:
        ValueError: A rule has a name, range, port or protocol that no rule can have.
    """
    networks = topology.networks | {host.network for host in topology.hosts}
    return MappingProxyType({network: _network(network, topology) for network in sorted(networks)})


def _network(network: NetworkId, topology: Topology) -> CompiledNetwork:
    hosts: dict[object, Host] = {}
    problems: list[str] = []
    for host in sorted((h for h in topology.hosts if h.network == network), key=lambda h: h.id):
        holder = hosts.setdefault(host.address, host)
        if holder is not host:
            problems.append(f"{host.id} has no address: {host.address} is {holder.id}'s")
    members = [host for host in hosts.values() if host.kind is not HostKind.MANAGED]
    rules = sorted(
        (rule for rule in topology.rules if rule.network == network and not rule.disabled),
        key=lambda rule: (rule.priority, rule.allow, rule.name),
    )
    decisions = [(rule, _decision(rule, members)) for rule in rules]
    compiled = [_host(host, decisions) for host in sorted(hosts.values(), key=lambda h: h.id)]
    return CompiledNetwork(network, tuple(compiled), tuple(problems))


def _host(host: Host, decisions: Iterable[tuple[Rule, Decision]]) -> CompiledHost:
    if host.kind is HostKind.MANAGED:
        return CompiledHost(host)
    # A decision without peers or traffic matches nothing: its sources are tags that nobody has, or IPv6 ranges.
    own = [(rule, d) for rule, d in decisions if d.peers and d.traffic and _targets(rule, host)]
    return CompiledHost(
        host,
        egress=tuple(decision for rule, decision in own if rule.direction is Direction.EGRESS),
        ingress=tuple(decision for rule, decision in own if rule.direction is Direction.INGRESS),
    )


def _targets(rule: Rule, host: Host) -> bool:
    if not rule.target_tags and not rule.target_service_accounts:
        return True
    by_tag = not set(rule.target_tags).isdisjoint(host.tags)
    return by_tag or (host.service_account is not None and host.service_account in rule.target_service_accounts)


def _decision(rule: Rule, members: Iterable[Host]) -> Decision:
    if not _SAFE_NAME.match(rule.name):
        raise ValueError(f"rule {rule.name!r}: not a rule's name")
    if rule.direction is Direction.EGRESS:
        peers = _ranges(rule, rule.destination_ranges) if rule.destination_ranges else [_EVERYWHERE]
    else:
        peers = _sources(rule, members)
    return Decision(rule.name, rule.priority, rule.allow, tuple(ipaddress.collapse_addresses(peers)), _traffic(rule))


def _sources(rule: Rule, members: Iterable[Host]) -> list[IPv4Network]:
    if not (rule.source_ranges or rule.source_tags or rule.source_service_accounts):
        return [_EVERYWHERE]
    tags, accounts = set(rule.source_tags), set(rule.source_service_accounts)
    named = [h for h in members if not tags.isdisjoint(h.tags) or h.service_account in accounts]
    return _ranges(rule, rule.source_ranges) + [IPv4Network(host.address) for host in named]


def _ranges(rule: Rule, ranges: Iterable[str]) -> list[IPv4Network]:
    """The IPv4 ones: no host of the lab has an IPv6 address, so the others match nothing."""
    try:
        networks = [ipaddress.ip_network(text, strict=False) for text in ranges]
    except ValueError as error:
        raise ValueError(f"rule {rule.name}: {error}") from error
    return [network for network in networks if isinstance(network, IPv4Network)]


def _traffic(rule: Rule) -> tuple[Traffic, ...]:
    """What the rule matches, merged by protocol; one entry for everything where a match says `all`."""
    ports_of: dict[int | None, tuple[tuple[int, int], ...]] = {}
    for match in rule.matches:
        number = _protocol(rule, match)
        ports = _ports(rule, match) if number in PORT_PROTOCOLS else ()
        earlier = ports_of.get(number, ports)
        ports_of[number] = _merged((*earlier, *ports)) if earlier and ports else ()
    if None in ports_of:
        return (Traffic(None),)
    return tuple(Traffic(number, ports) for number, ports in sorted(ports_of.items(), key=lambda item: item[0] or 0))


def _protocol(rule: Rule, match: L4Match) -> int | None:
    name = match.protocol.lower()
    if name == "all":
        return None
    number = _PROTOCOLS.get(name, int(name) if name.isdecimal() else -1)
    if not 0 <= number <= 255:
        raise ValueError(f"rule {rule.name}: {match.protocol!r} is no IP protocol")
    return number


def _ports(rule: Rule, match: L4Match) -> tuple[tuple[int, int], ...]:
    for first, last in match.ports:
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"rule {rule.name}: {first}-{last} is no port range")
    return _merged(match.ports)


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)
