"""Firewall policies that the lab puts into a project: hierarchical, network and system ones."""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.store import Policy, Project

__all__ = ["policy_json", "put_policy"]

_POLICY_KINDS: Final = {"HIERARCHY", "NETWORK", "NETWORK_REGIONAL", "SYSTEM"}
_POLICY_FIELDS: Final = {"networks", "priority", "region", "rules", "shortName", "type"}


def put_policy(_world: World, project: Project, key: tuple[str, ...], body: Json) -> Json:
    """Put a policy in force: type, networks, priority, region, rules, shortName; raises 400 for what makes no sense."""
    kind = body.get("type", "HIERARCHY")
    if kind not in _POLICY_KINDS:
        raise ApiError(400, f"a policy's type is one of {', '.join(sorted(_POLICY_KINDS))}, not {kind!r}")
    if unknown := set(body) - _POLICY_FIELDS:
        raise ApiError(400, f"unknown fields {sorted(unknown)}; a policy takes {', '.join(sorted(_POLICY_FIELDS))}")
    policy = Policy(
        kind=kind,
        name=key[0],
        short_name=body.get("shortName", key[0]),
        rules=tuple({"kind": "compute#firewallPolicyRule"} | rule for rule in body.get("rules", ())),
        priority=body.get("priority"),
        networks=frozenset(body.get("networks", ())),
        region=body.get("region"),
    )
    project.policies[key[0]] = policy
    return policy_json(policy)


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
