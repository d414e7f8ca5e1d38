"""Short ways to write rules, policies and flows."""

from __future__ import annotations

from ipaddress import IPv4Network

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
from redis_connectivity.core.reachability import Flow, Receiver, Sender, Side

NETWORK = NetworkRef("acme-staging", "staging-vpc")
EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
ALLOW, DENY = Action.ALLOW, Action.DENY
GOTO_NEXT = PolicyAction.GOTO_NEXT
INSPECT = PolicyAction.APPLY_SECURITY_PROFILE_GROUP
HIERARCHY, SYSTEM = PolicyKind.HIERARCHY, PolicyKind.SYSTEM
GLOBAL, REGIONAL = PolicyKind.NETWORK, PolicyKind.NETWORK_REGIONAL
TAG = "vpc-connector-us-central1-staging-connector"
SENDER = Sender(IPv4Network("10.2.0.0/28"), frozenset({"vpc-connector", TAG}))
VM = Receiver(
    IPv4Network("10.128.0.5/32"), (6379, 6379), Side.VPC, frozenset({"redis-instance"}), frozenset({"redis@acme.iam"})
)
MANAGED = Receiver(IPv4Network("10.129.0.3/32"), (6379, 6379), Side.MANAGED)


def flow(receiver: Receiver = VM, sender: Sender = SENDER, protocol: str = "tcp") -> Flow:
    return Flow(NETWORK, sender, receiver, protocol)


def _layer4(protocol: str, ports: tuple[tuple[int, int], ...]) -> frozenset[Layer4]:
    return frozenset({Layer4(protocol, ports)})


def rule(
    name: str,
    action: Action,
    priority: int = 1000,
    direction: Direction = EGRESS,
    *,
    protocol: str = "tcp",
    ports: tuple[tuple[int, int], ...] = (),
    network: NetworkRef = NETWORK,
    disabled: bool = False,
    **sets: str | tuple[str, ...],
) -> FirewallRule:
    """A VPC rule; `sets` are its ranges, tags and accounts, one or several."""
    return FirewallRule(
        network,
        name,
        direction,
        action,
        priority,
        _layer4(protocol, ports),
        disabled=disabled,
        **{field: frozenset({given} if isinstance(given, str) else given) for field, given in sets.items()},
    )


def policy_rule(
    priority: int,
    action: PolicyAction | Action,
    direction: Direction = EGRESS,
    *,
    protocol: str = "all",
    ports: tuple[tuple[int, int], ...] = (),
    networks: tuple[NetworkRef, ...] = (),
    disabled: bool = False,
    **sets: str | tuple[str, ...],
) -> FirewallPolicyRule:
    """A policy's rule; `sets` are its ranges, accounts, secure tags and opaque matches."""
    return FirewallPolicyRule(
        priority,
        PolicyAction(action.value),
        direction,
        _layer4(protocol, ports),
        target_networks=frozenset(networks),
        disabled=disabled,
        **{field: frozenset({given} if isinstance(given, str) else given) for field, given in sets.items()},
    )


def policy(kind: PolicyKind, *rules: FirewallPolicyRule, name: str = "") -> FirewallPolicy:
    return FirewallPolicy(kind, name or f"{kind.lower()}-1", name or kind.lower(), rules)
