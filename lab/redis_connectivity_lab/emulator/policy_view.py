"""The emulated cloud's firewall policies as the data plane needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.names import network_of
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.topology import (
    Direction,
    L4Match,
    NetworkId,
    Policy,
    PolicyAction,
    PolicyKind,
    PolicyRule,
)

__all__ = ["policies_first_in", "policies_of"]

#: What the data plane can honour of a rule's match.
_HONOURED: Final = {"srcIpRanges", "destIpRanges", "layer4Configs"}


def policies_of(project: Project) -> Iterator[Policy]:
    """All policies, once for each network that they are in force on."""
    in_order = sorted(project.policies.values(), key=lambda policy: policy.priority or 0)
    for place, policy in enumerate(in_order):
        for network in sorted(policy.networks or project.networks):
            here = NetworkId(project.id, network)
            yield Policy(
                here,
                PolicyKind(policy.kind),
                place,
                policy.name,
                tuple(_rule(rule) for rule in policy.rules if _is_about(here, project, rule)),
                policy.region,
            )


def policies_first_in(project: Project) -> Iterator[NetworkId]:
    """Networks that ask network policies before VPC rules."""
    for name, network in project.networks.items():
        if network.get("networkFirewallPolicyEnforcementOrder") == "BEFORE_CLASSIC_FIREWALL":
            yield NetworkId(project.id, name)


def _is_about(network: NetworkId, project: Project, rule: Json) -> bool:
    links = rule.get("targetResources", ())
    targets = [network_of(link, project.id, "targetResources") for link in links]
    return not targets or any(
        target.name == network.name and target.project in {project.id, project.number} for target in targets
    )


def _rule(rule: Json) -> PolicyRule:
    match = rule["match"]
    beyond = {field for field, value in match.items() if value and field not in _HONOURED}
    beyond |= {field for field in ("targetSecureTags", "targetForwardingRules") if rule.get(field)}
    if rule.get("targetType", "INSTANCES") != "INSTANCES":
        beyond.add("targetType")
    return PolicyRule(
        priority=rule["priority"],
        direction=Direction(rule["direction"]),
        action=PolicyAction(rule["action"]),
        matches=tuple(_match(config) for config in match["layer4Configs"]),
        source_ranges=tuple(match.get("srcIpRanges", ())),
        destination_ranges=tuple(match.get("destIpRanges", ())),
        target_service_accounts=tuple(rule.get("targetServiceAccounts", ())),
        beyond=tuple(sorted(beyond)),
        disabled=rule.get("disabled", False),
    )


def _match(config: Json) -> L4Match:
    pairs = []
    for port in config.get("ports", ()):
        first, _, last = str(port).partition("-")
        pairs.append((int(first), int(last or first)))
    return L4Match(config.get("ipProtocol", "all"), tuple(pairs))
