"""Firewall policies as stages of decisions, before and after the stage of the VPC rules.

Google's page on firewall policy and rule evaluation gives the order: hierarchical policies, system policies, then
either VPC rules and network policies (global, then regional), or these the other way round.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from redis_connectivity_lab.dataplane.decisions import Decision, check_name, ipv4_ranges, traffic_of
from redis_connectivity_lab.topology import Direction, Host, Policy, PolicyAction, PolicyKind

__all__ = ["PolicyDecision", "Stages", "arrange"]

_EVERYWHERE: Final = IPv4Network("0.0.0.0/0")
_ALWAYS_FIRST: Final = (PolicyKind.HIERARCHY, PolicyKind.SYSTEM)
_AROUND_VPC_RULES: Final = (PolicyKind.NETWORK, PolicyKind.NETWORK_REGIONAL)
#: An inspection of the lab finds nothing: it lets through.
_CONSENT: Final = {
    PolicyAction.ALLOW: True,
    PolicyAction.DENY: False,
    PolicyAction.GOTO_NEXT: None,
    PolicyAction.APPLY_SECURITY_PROFILE_GROUP: True,
}


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """A decision of a policy, and the hosts that it is made at."""

    decision: Decision
    direction: Direction
    region: str | None
    accounts: tuple[str, ...]
    own: tuple[IPv4Network, ...]

    def applies_to(self, host: Host) -> bool:
        """Whether the host's packets are judged by it."""
        if self.region is not None and host.region != self.region:
            return False
        if self.accounts and host.service_account not in self.accounts:
            return False
        return any(host.address in network for network in self.own)


@dataclass(frozen=True, slots=True)
class Stages:
    """The decisions of all policies of a network, the number of the VPC rules' stage, and what is not honoured."""

    decisions: tuple[PolicyDecision, ...]
    vpc_rules: int
    problems: tuple[str, ...]


def arrange(policies: Iterable[Policy], *, policies_first: bool) -> Stages:
    """Number the stages of a network's policies.

    Raises:
        ValueError: A rule has a range, port or protocol that no rule can have, or shares its priority with another.
    """
    in_place = sorted(policies, key=lambda policy: (policy.place, policy.name))
    first = [one for kind in _ALWAYS_FIRST for one in in_place if one.kind is kind]
    around = [one for kind in _AROUND_VPC_RULES for one in in_place if one.kind is kind]
    before, after = ([*first, *around], []) if policies_first else (first, around)
    numbered = [*enumerate(before), *enumerate(after, start=len(before) + 1)]
    decisions = tuple(one for stage, policy in numbered for one in _decisions(policy, stage))
    problems = tuple(
        f"rule {rule.priority} of policy {policy.name} matches nothing here: it needs {', '.join(rule.beyond)}"
        for policy in in_place
        for rule in policy.rules
        if rule.beyond and not rule.disabled
    )
    return Stages(decisions, len(before), problems)


def _decisions(policy: Policy, stage: int) -> Iterator[PolicyDecision]:
    priorities = [rule.priority for rule in policy.rules]
    if len(set(priorities)) < len(priorities):
        raise ValueError(f"policy {policy.name}: two rules have the same priority")
    for rule in policy.rules:
        if rule.disabled or rule.beyond:
            continue
        name = f"{check_name(policy.name)}.{rule.priority}"
        sources, destinations = _networks(name, rule.source_ranges), _networks(name, rule.destination_ranges)
        own, peers = (sources, destinations) if rule.direction is Direction.EGRESS else (destinations, sources)
        traffic = traffic_of(name, rule.matches)
        if own and peers and traffic:
            decision = Decision(name, rule.priority, _CONSENT[rule.action], peers, traffic, stage)
            yield PolicyDecision(decision, rule.direction, policy.region, rule.target_service_accounts, own)


def _networks(rule: str, ranges: tuple[str, ...]) -> tuple[IPv4Network, ...]:
    if not ranges:
        return (_EVERYWHERE,)
    return tuple(ipaddress.collapse_addresses(ipv4_ranges(rule, ranges)))
