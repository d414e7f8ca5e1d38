"""Rules made ready for one sender, receiver and protocol: what is left of each is ranges, ports and an effect.

A rule whose match depends on something that is not known becomes a clause in doubt: it may apply, or not.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, ip_network

from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    FirewallRule,
    Layer4,
    PolicyAction,
    PolicyKind,
)
from redis_connectivity.core.reachability.boxes import Box, Span, merged, span_of
from redis_connectivity.core.reachability.values import Decider, DeciderKind, Doubt, DoubtKind, Flow

__all__ = ["Clause", "Effect", "Share", "policy_clauses", "ports_of", "rule_clauses"]

#: Numbers of the protocols that Google lets be written as names (IANA's protocol numbers).
_PROTOCOL_NUMBERS = {"icmp": "1", "ipip": "4", "tcp": "6", "udp": "17", "esp": "50", "ah": "51", "sctp": "132"}
_WITH_PORTS = frozenset({"6", "17", "132"})
_ALL_ADDRESSES: tuple[Span, ...] = ((0, 2**32 - 1),)
_ALL_PORTS: tuple[Span, ...] = ((0, 65535),)


class Effect(enum.Enum):
    """What a clause does with what it matches."""

    ALLOW = enum.auto()
    DENY = enum.auto()
    #: Leave this policy, ask the next stage.
    NEXT = enum.auto()
    #: Decide in a way that cannot be foretold.
    OPEN = enum.auto()


class Share(enum.Enum):
    """How much of a box a clause matches."""

    NONE = enum.auto()
    SOME = enum.auto()
    ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class Clause:
    """What a rule does with traffic of the given (sorted, disjoint) spans; with `doubts` it may not match at all."""

    effect: Effect
    sources: tuple[Span, ...]
    destinations: tuple[Span, ...]
    ports: tuple[Span, ...]
    decider: Decider
    doubts: tuple[Doubt, ...] = ()

    def share_of(self, box: Box) -> Share:
        """How much of the box's traffic matches."""
        share = Share.ALL
        for spans, first, last in (
            (self.sources, box[0], box[1]),
            (self.destinations, box[2], box[3]),
            (self.ports, box[4], box[5]),
        ):
            for low, high in spans:
                if low <= last and high >= first:
                    if low > first or high < last:
                        share = Share.SOME
                    break
            else:
                return Share.NONE
        return share


@lru_cache(maxsize=65536)
def _span(text: str) -> Span | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    return span_of(network) if isinstance(network, IPv4Network) else None


@lru_cache(maxsize=65536)
def _spans(ranges: frozenset[str]) -> tuple[Span, ...]:
    """The IPv4 ranges; what is IPv6 matches none of the traffic asked about."""
    return merged(span for span in map(_span, ranges) if span is not None)


def _number(protocol: str) -> str:
    return _PROTOCOL_NUMBERS.get(protocol, protocol)


@lru_cache(maxsize=65536)
def ports_of(layer4: frozenset[Layer4], protocol: str) -> tuple[Span, ...]:
    """The ports that are matched for a protocol; empty when it is not matched at all."""
    wanted = _number(protocol)
    spans: list[Span] = []
    for one in layer4:
        if one.protocol == "all":
            return _ALL_PORTS
        if _number(one.protocol) == wanted:
            if not one.ports or wanted not in _WITH_PORTS:
                return _ALL_PORTS
            spans += one.ports
    return merged(spans)


def _unknown(name: str, decider: Decider) -> Doubt:
    return Doubt(DoubtKind.MATCH, name, decider)


def rule_clauses(rule: FirewallRule, flow: Flow) -> Iterator[Clause]:
    """A VPC rule as clauses for the sender, receiver and protocol of a flow, for any of its addresses and ports."""
    if rule.disabled or rule.network != flow.network:
        return
    ports = ports_of(rule.layer4, flow.protocol)
    if not ports:
        return
    decider = Decider(
        DeciderKind.VPC_RULE,
        rule.name,
        rule.priority,
        rule.direction,
        rule.action,
        # An allow beats a deny only with a smaller number, and there is none below 0.
        beatable=rule.priority > 0,
        rule=rule,
    )
    effect = Effect.ALLOW if rule.action is Action.ALLOW else Effect.DENY
    doubts: list[Doubt] = []
    if not _targeted(rule, flow, decider, doubts):
        return
    destinations = _spans(rule.destination_ranges) if rule.destination_ranges else _ALL_ADDRESSES
    for sources, more in _sources(rule, flow, decider):
        if sources and destinations:
            yield Clause(effect, sources, destinations, ports, decider, (*doubts, *more))


def _targeted(rule: FirewallRule, flow: Flow, decider: Decider, doubts: list[Doubt]) -> bool:
    """Whether the rule applies to the machine it is judged at; adds to `doubts` what makes that uncertain."""
    if not rule.target_tags and not rule.target_service_accounts:
        return True
    at = flow.sender if rule.direction is Direction.EGRESS else flow.receiver
    if rule.target_tags & at.tags:
        return True
    if not rule.target_service_accounts:
        return False
    if at.service_accounts is None:
        doubts.append(_unknown("targetServiceAccounts", decider))
        return True
    return bool(rule.target_service_accounts & at.service_accounts)


def _sources(rule: FirewallRule, flow: Flow, decider: Decider) -> Iterator[tuple[tuple[Span, ...], tuple[Doubt, ...]]]:
    """The source addresses that match for certain, then those that may."""
    if rule.direction is Direction.EGRESS or not (
        rule.source_ranges or rule.source_tags or rule.source_service_accounts
    ):
        yield _spans(rule.source_ranges) if rule.source_ranges else _ALL_ADDRESSES, ()
        return
    sender = flow.sender
    by_tag = bool(rule.source_tags & sender.tags)
    if by_tag and sender.tags_as_source:
        yield _ALL_ADDRESSES, ()  # all that send have the tag
        return
    accounts = sender.service_accounts
    if accounts is not None and rule.source_service_accounts & accounts:
        yield _ALL_ADDRESSES, ()
        return
    yield _spans(rule.source_ranges), ()
    if by_tag:
        yield _ALL_ADDRESSES, (_unknown("sourceTags of Direct VPC egress", decider),)
    if accounts is None and rule.source_service_accounts:
        yield _ALL_ADDRESSES, (_unknown("sourceServiceAccounts", decider),)


_KINDS = {
    PolicyKind.HIERARCHY: DeciderKind.HIERARCHICAL_POLICY,
    PolicyKind.SYSTEM: DeciderKind.SYSTEM_POLICY,
    PolicyKind.NETWORK: DeciderKind.NETWORK_POLICY,
    PolicyKind.NETWORK_REGIONAL: DeciderKind.REGIONAL_POLICY,
}
_EFFECTS = {
    PolicyAction.ALLOW: Effect.ALLOW,
    PolicyAction.DENY: Effect.DENY,
    PolicyAction.GOTO_NEXT: Effect.NEXT,
    PolicyAction.APPLY_SECURITY_PROFILE_GROUP: Effect.OPEN,
}


def policy_clauses(policy: FirewallPolicy, rule: FirewallPolicyRule, flow: Flow, *, beatable: bool) -> Iterator[Clause]:
    """A policy's rule as a clause for the flow's sender, receiver and protocol; none when it cannot match."""
    if rule.disabled:
        return
    ports = ports_of(rule.layer4, flow.protocol)
    if not ports:
        return
    decider = Decider(
        _KINDS[policy.kind],
        policy.short_name or policy.name,
        rule.priority,
        rule.direction,
        rule.action,
        beatable=beatable,
        rule_name=rule.name,
    )
    doubts: list[Doubt] = []
    if not _policy_targets(rule, flow, decider, doubts):
        return
    opaque = sorted(rule.opaque)
    doubts += [_unknown(name, decider) for name in opaque]
    # Ranges and a match of another kind on the same side may add up or narrow each other: both are in doubt then.
    loose_sources = any(name.startswith("src") for name in opaque)
    loose_destinations = any(name.startswith("dest") for name in opaque)
    sources = _ALL_ADDRESSES if loose_sources or not rule.source_ranges else _spans(rule.source_ranges)
    destinations = (
        _ALL_ADDRESSES if loose_destinations or not rule.destination_ranges else _spans(rule.destination_ranges)
    )
    if sources and destinations:
        yield Clause(_EFFECTS[rule.action], sources, destinations, ports, decider, tuple(doubts))


def _policy_targets(rule: FirewallPolicyRule, flow: Flow, decider: Decider, doubts: list[Doubt]) -> bool:
    if rule.target_networks and flow.network not in rule.target_networks:
        # A project may be named by its number, which nothing here can translate.
        numbered = any(one.name == flow.network.name and one.project.isdigit() for one in rule.target_networks)
        if not numbered:
            return False
        doubts.append(_unknown("targetResources by project number", decider))
    egress = rule.direction is Direction.EGRESS
    accounts = flow.sender.service_accounts if egress else flow.receiver.service_accounts
    if rule.target_service_accounts:
        if accounts is None:
            doubts.append(_unknown("targetServiceAccounts", decider))
        elif not rule.target_service_accounts & accounts:
            return False
    if rule.target_secure_tags:
        # Neither a connector nor a revision can carry secure tags.
        tags = frozenset() if egress else flow.receiver.secure_tags
        if tags is None:
            doubts.append(_unknown("targetSecureTags", decider))
        elif not rule.target_secure_tags & tags:
            return False
    return True
