"""Firewall policies that the lab puts into a project: hierarchical, network and system ones.

What a rule may be is from the Compute API's description of `FirewallPolicyRule`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.store import Policy, Project

__all__ = ["in_force", "policy_json", "put_policy"]

#: In the order in which getEffectiveFirewalls lists them.
_POLICY_KINDS: Final = ("HIERARCHY", "SYSTEM", "NETWORK", "NETWORK_REGIONAL")
_POLICY_FIELDS: Final = {"networks", "priority", "region", "rules", "shortName", "type"}
_RULE_FIELDS: Final = {
    "action", "description", "direction", "disabled", "enableLogging", "kind", "match", "priority", "ruleName",
    "securityProfileGroup", "targetForwardingRules", "targetResources", "targetSecureTags", "targetServiceAccounts",
    "targetType", "tlsInspect",
}  # fmt: skip
_MATCH_FIELDS: Final = {"layer4Configs"} | {
    f"{side}{kind}"
    for side in ("src", "dest")
    for kind in ("IpRanges", "Fqdns", "RegionCodes", "ThreatIntelligences", "AddressGroups", "NetworkContext")
} | {"srcSecureTags", "srcNetworks"}  # fmt: skip
_ACTIONS: Final = {"allow", "deny", "goto_next", "apply_security_profile_group"}
_PRIORITIES: Final = range(2**31)


def put_policy(_world: World, project: Project, key: tuple[str, ...], body: Json) -> Json:
    """Put a policy in force: type, networks, priority, region, rules, shortName; raises 400 for what makes no sense."""
    kind = body.get("type", "HIERARCHY")
    if kind not in _POLICY_KINDS:
        raise ApiError(400, f"a policy's type is one of {', '.join(sorted(_POLICY_KINDS))}, not {kind!r}")
    if unknown := set(body) - _POLICY_FIELDS:
        raise ApiError(400, f"unknown fields {sorted(unknown)}; a policy takes {', '.join(sorted(_POLICY_FIELDS))}")
    rules = tuple(_checked(rule) for rule in body.get("rules", ()))
    priorities = [rule["priority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        raise ApiError(400, "each rule of a policy needs a priority of its own")
    policy = Policy(
        kind=kind,
        name=key[0],
        short_name=body.get("shortName", key[0]),
        rules=rules,
        priority=body.get("priority"),
        networks=frozenset(body.get("networks", ())),
        region=body.get("region"),
    )
    project.policies[key[0]] = policy
    return policy_json(policy)


def _checked(rule: Json) -> Json:
    match = rule.get("match", {})
    if unknown := (set(rule) - _RULE_FIELDS) | (set(match) - _MATCH_FIELDS):
        raise ApiError(400, f"unknown fields {sorted(unknown)} in a policy's rule")
    if rule.get("action") not in _ACTIONS:
        raise ApiError(400, f"a policy rule's action is one of {', '.join(sorted(_ACTIONS))}")
    if rule.get("direction") not in {"INGRESS", "EGRESS"}:
        raise ApiError(400, "a policy rule's direction is INGRESS or EGRESS")
    if rule.get("priority") not in _PRIORITIES:
        raise ApiError(400, "a policy rule's priority is from 0 to 2147483647")
    if not match.get("layer4Configs"):
        raise ApiError(400, "a policy rule needs match.layer4Configs")
    for text in (*match.get("srcIpRanges", ()), *match.get("destIpRanges", ())):
        try:
            ip_network(text)
        except ValueError as error:
            raise ApiError(400, f"{text!r} is no range") from error
    return {"kind": "compute#firewallPolicyRule"} | rule


def in_force(project: Project, network: str, kinds: tuple[str, ...], region: str | None) -> list[Policy]:
    """The policies of these kinds on a network, in order of evaluation within each kind.

    `region` leaves out what is regional elsewhere; None leaves out all that is regional.
    """
    found = [
        policy
        for policy in project.policies.values()
        if policy.kind in kinds
        and (not policy.networks or network in policy.networks)
        and (policy.region is None or policy.region == region)
    ]
    return sorted(found, key=lambda policy: (kinds.index(policy.kind), policy.priority or 0))


def policy_json(policy: Policy) -> Json:
    """The policy as the control endpoint shows it."""
    return {
        "type": policy.kind,
        "name": policy.name,
        "shortName": policy.short_name,
        "rules": list(policy.rules),
        "priority": policy.priority,
        "networks": sorted(policy.networks),
        "region": policy.region,
    }
