"""Which firewall rule decides about a flow, in the order Google evaluates them.

Source of the order: Google's page on firewall policy and rule evaluation. Lower priority numbers are stronger, DENY
beats ALLOW at equal numbers, the first match with allow or deny ends the evaluation, `goto_next` goes on.

A connector sends from any address of its range, so a flow has a source *range*. To be safe, an allow counts only when
it covers the whole range, a deny as soon as it touches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, ip_network

from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    FirewallRule,
    Layer4,
    NetworkRef,
    PolicyAction,
    PolicyKind,
)

__all__ = ["Decision", "Flow", "denies_in_the_way", "judge", "rule_matches"]

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Flow:
    """TCP from a connector's range to a Redis.

    `target_in_vpc` is False for a managed Redis: Google's side of a peering, where no ingress rule can apply.
    """

    network: NetworkRef
    source: IPv4Network
    source_tags: frozenset[str]
    destination: IPv4Address
    destination_tags: frozenset[str]
    port: int
    target_in_vpc: bool
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one direction is allowed, and by what.

    `by` names a rule (`rule NAME`, `policy NAME rule N`) or `implied`. `beatable` says whether a VPC firewall rule
    could win against what denies.
    """

    allowed: bool
    by: str
    priority: int | None
    beatable: bool = True
    unknown: frozenset[str] = field(default=frozenset())


@lru_cache(maxsize=65536)
def _network(text: str) -> IPv4Network | None:
    parsed = ip_network(text, strict=False)
    return parsed if isinstance(parsed, IPv4Network) else None


def _touches(ranges: Iterable[str], subject: IPv4Network, *, whole: bool) -> bool:
    for text in ranges:
        network = _network(text)
        if network is None:
            continue
        if subject.subnet_of(network) or (not whole and network.overlaps(subject)):
            return True
    return False


def _layer4_matches(layer4: Iterable[Layer4], protocol: str, port: int) -> bool:
    for one in layer4:
        if one.protocol in ("all", protocol, {"tcp": "6"}.get(protocol, protocol)) and (
            not one.ports or any(first <= port <= last for first, last in one.ports)
        ):
            return True
    return False


def rule_matches(rule: FirewallRule, flow: Flow) -> bool:
    """Whether a VPC firewall rule applies to the flow, in the rule's own direction."""
    if rule.disabled or rule.network != flow.network:
        return False
    if not _layer4_matches(rule.layer4, flow.protocol, flow.port):
        return False
    whole = rule.action is Action.ALLOW
    destination = IPv4Network(flow.destination)
    if rule.direction is Direction.EGRESS:
        if rule.target_service_accounts:
            return False  # a connector's machines have no service account of the user's
        if rule.target_tags and not rule.target_tags & flow.source_tags:
            return False
        return _touches(rule.destination_ranges or (ANYWHERE,), destination, whole=whole)
    if not flow.target_in_vpc or rule.target_service_accounts:
        return False
    if rule.target_tags and not rule.target_tags & flow.destination_tags:
        return False
    if rule.destination_ranges and not _touches(rule.destination_ranges, destination, whole=whole):
        return False
    if not (rule.source_ranges or rule.source_tags or rule.source_service_accounts):
        return True
    return bool(rule.source_tags & flow.source_tags) or _touches(rule.source_ranges, flow.source, whole=whole)


def _policy_rule_matches(rule: FirewallPolicyRule, flow: Flow, direction: Direction) -> bool:
    if rule.disabled or rule.direction is not direction:
        return False
    if rule.target_networks and flow.network not in rule.target_networks:
        return False
    if rule.target_service_accounts or rule.target_secure_tags:
        return False
    if not _layer4_matches(rule.layer4, flow.protocol, flow.port):
        return False
    whole = rule.action is PolicyAction.ALLOW
    if rule.source_ranges and not _touches(rule.source_ranges, flow.source, whole=whole):
        return False
    destination = IPv4Network(flow.destination)
    return not rule.destination_ranges or _touches(rule.destination_ranges, destination, whole=whole)


def _by_strength(rule: FirewallRule) -> tuple[int, bool, str]:
    return rule.priority, rule.action is Action.ALLOW, rule.name


def _policy_decision(policy: FirewallPolicy, flow: Flow, direction: Direction, *, beatable: bool) -> Decision | None:
    unknown: set[str] = set()
    for rule in sorted(policy.rules, key=lambda one: one.priority):
        if not _policy_rule_matches(rule, flow, direction):
            continue
        if rule.opaque:
            unknown |= rule.opaque
            continue
        if rule.action is PolicyAction.GOTO_NEXT:
            return None
        name = f"policy {policy.short_name or policy.name} rule {rule.priority}"
        return Decision(
            allowed=rule.action is not PolicyAction.DENY,
            by=name,
            priority=rule.priority,
            beatable=beatable,
            unknown=frozenset(unknown),
        )
    return None


def _stages(policies: Iterable[FirewallPolicy], enforcement_order: str) -> Iterator[tuple[FirewallPolicy | None, bool]]:
    """Policies in order of evaluation with None for the VPC rules, and whether a VPC rule could come before each."""
    before_classic = enforcement_order == "BEFORE_CLASSIC_FIREWALL"
    kinds = list(policies)
    first = [p for p in kinds if p.kind in (PolicyKind.HIERARCHY, PolicyKind.SYSTEM)]
    network = [p for p in kinds if p.kind is PolicyKind.NETWORK]
    network += [p for p in kinds if p.kind is PolicyKind.NETWORK_REGIONAL]
    yield from ((policy, False) for policy in first)
    if before_classic:
        yield from ((policy, False) for policy in network)
        yield None, True
    else:
        yield None, True
        yield from ((policy, True) for policy in network)


def judge(
    direction: Direction,
    flow: Flow,
    rules: Iterable[FirewallRule],
    policies: Iterable[FirewallPolicy] = (),
    enforcement_order: str = "AFTER_CLASSIC_FIREWALL",
) -> Decision:
    """Whether the flow is allowed in one direction, and which rule decides."""
    if direction is Direction.INGRESS and not flow.target_in_vpc:
        return Decision(allowed=True, by="no ingress rule applies to a managed Redis", priority=None)
    for policy, beatable in _stages(policies, enforcement_order):
        if policy is not None:
            decision = _policy_decision(policy, flow, direction, beatable=beatable)
            if decision is not None:
                return decision
            continue
        for rule in sorted((r for r in rules if r.direction is direction and rule_matches(r, flow)), key=_by_strength):
            return Decision(
                allowed=rule.action is Action.ALLOW,
                by=f"rule {rule.name}",
                priority=rule.priority,
                beatable=rule.priority > 0,
            )
    return Decision(allowed=direction is Direction.EGRESS, by="implied", priority=65535)


def denies_in_the_way(direction: Direction, flow: Flow, rules: Iterable[FirewallRule]) -> tuple[FirewallRule, ...]:
    """VPC deny rules that touch the flow, strongest first."""
    return tuple(
        sorted(
            (
                rule
                for rule in rules
                if rule.action is Action.DENY and rule.direction is direction and rule_matches(rule, flow)
            ),
            key=_by_strength,
        )
    )
