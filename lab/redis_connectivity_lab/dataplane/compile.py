"""From a topology to what each host may send and be sent: one compiled form, which nft.py and verdict.py render.

How Google Cloud decides, in short: firewall policies and VPC rules are asked in stages (see compile_policies.py); in
the stage of VPC rules, for each host and direction, the matching rule with the lowest priority number wins, a deny
before an allow at the same number; without any decision, egress is allowed and ingress denied. Both directions are
asked for a new connection, its answers need no rule. Managed hosts have no rules of their own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

from redis_connectivity_lab.dataplane.compile_policies import arrange
from redis_connectivity_lab.dataplane.decisions import (
    PORT_PROTOCOLS,
    Decision,
    Traffic,
    check_name,
    ipv4_ranges,
    traffic_of,
)
from redis_connectivity_lab.topology import Direction, Host, HostKind, NetworkId, Rule, Topology

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


@dataclass(frozen=True, slots=True)
class CompiledHost:
    """A host and its decisions in order; a managed host has none, and no implied rules either.

    The first match decides; one that sends on to the next stage passes over the rest of its own.
    """

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
    stages = arrange(
        (policy for policy in topology.policies if policy.network == network),
        policies_first=network in topology.policies_first,
    )
    rules = [rule for rule in topology.rules if rule.network == network and not rule.disabled]
    decided = [(rule, _decision(rule, members, stages.vpc_rules)) for rule in rules]

    def compiled(host: Host) -> CompiledHost:
        if host.kind is HostKind.MANAGED:
            return CompiledHost(host)
        # A decision without peers or traffic matches nothing: its sources are tags that nobody has, or IPv6 ranges.
        own = [(rule.direction, one) for rule, one in decided if one.peers and one.traffic and _targets(rule, host)]
        own += [(one.direction, one.decision) for one in stages.decisions if one.applies_to(host)]
        return CompiledHost(host, _in(Direction.EGRESS, own), _in(Direction.INGRESS, own))

    everyone = tuple(compiled(host) for host in sorted(hosts.values(), key=lambda h: h.id))
    return CompiledNetwork(network, everyone, (*problems, *stages.problems))


def _in(direction: Direction, decisions: Iterable[tuple[Direction, Decision]]) -> tuple[Decision, ...]:
    return tuple(sorted((one for way, one in decisions if way is direction), key=lambda one: one.order))


def _targets(rule: Rule, host: Host) -> bool:
    """Whether the rule is asked about the host's packets: by its own address, and by tag or account."""
    own = rule.source_ranges if rule.direction is Direction.EGRESS else rule.destination_ranges
    if own and not any(host.address in network for network in ipv4_ranges(rule.name, own)):
        return False
    if not rule.target_tags and not rule.target_service_accounts:
        return True
    by_tag = not set(rule.target_tags).isdisjoint(host.tags)
    return by_tag or (host.service_account is not None and host.service_account in rule.target_service_accounts)


def _decision(rule: Rule, members: Iterable[Host], stage: int) -> Decision:
    name = check_name(rule.name)
    if rule.direction is Direction.EGRESS:
        peers = ipv4_ranges(name, rule.destination_ranges) if rule.destination_ranges else [_EVERYWHERE]
    else:
        peers = _sources(rule, members)
    collapsed = tuple(ipaddress.collapse_addresses(peers))
    return Decision(name, rule.priority, rule.allow, collapsed, traffic_of(name, rule.matches), stage)


def _sources(rule: Rule, members: Iterable[Host]) -> list[IPv4Network]:
    if not (rule.source_ranges or rule.source_tags or rule.source_service_accounts):
        return [_EVERYWHERE]
    tags, accounts = set(rule.source_tags), set(rule.source_service_accounts)
    members = [host for host in members if host.kind is not HostKind.DIRECT]
    named = [h for h in members if not tags.isdisjoint(h.tags) or h.service_account in accounts]
    return ipv4_ranges(rule.name, rule.source_ranges) + [IPv4Network(host.address) for host in named]
