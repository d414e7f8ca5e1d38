"""networks.getEffectiveFirewalls and its regional sister: the VPC's rules and the firewall policies above them.

Compute API: the global call covers VPC rules, hierarchical and global network policies only; the regional one adds
regional network policies and has a permission of its own. The answer's field really is called `firewallPolicys`.
"""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method
from redis_connectivity_lab.emulator.errors import compute_not_found, required_field
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.lab_policies import in_force
from redis_connectivity_lab.emulator.names import network_of
from redis_connectivity_lab.emulator.store import Policy, Project

__all__ = ["effective_answer", "methods"]

_GLOBAL_KINDS: Final = ("HIERARCHY", "NETWORK")
_REGIONAL_KINDS: Final = ("HIERARCHY", "SYSTEM", "NETWORK", "NETWORK_REGIONAL")


def _policy_answer(policy: Policy, *, regional: bool) -> Json:
    """The two answers are not alike: the regional one has no `shortName`, and says which system policies it means."""
    answer: Json = {
        "displayName": policy.short_name,
        "name": policy.name,
        "rules": list(policy.rules),
        "type": "SYSTEM_REGIONAL" if policy.kind == "SYSTEM" else policy.kind,
    }
    if not regional:
        answer["shortName"] = policy.short_name
    if policy.priority is not None and policy.kind != "HIERARCHY":
        answer["priority"] = policy.priority
    return answer


def effective_answer(project: Project, network: str, region: str | None = None) -> Json:
    """What the global call answers, or with a region the regional one."""
    kinds = _GLOBAL_KINDS if region is None else _REGIONAL_KINDS
    link = f"{COMPUTE}projects/{project.id}/global/networks/{network}"
    rules = [rule for rule in project.visible_firewalls() if rule["network"] == link]
    policies = in_force(project, network, kinds, region)
    answer: Json = {}
    if rules:
        answer["firewalls"] = rules
    if policies:
        answer["firewallPolicys"] = [_policy_answer(policy, regional=region is not None) for policy in policies]
    return answer


async def _global(call: Call) -> Answer:
    name = call.params["network"]
    if name not in call.project.networks:
        raise compute_not_found(f"projects/{call.project.id}/global/networks/{name}")
    return effective_answer(call.project, name)


async def _regional(call: Call) -> Answer:
    link = call.query.get("network", "")
    if not link:
        raise required_field("network")
    network = network_of(link, call.project.id, "network")
    path = f"projects/{call.project.id}/global/networks/{network.name}"
    if network.project not in {call.project.id, call.project.number} or network.name not in call.project.networks:
        raise compute_not_found(path)
    call.require("compute.networks.getRegionEffectiveFirewalls", path)
    return effective_answer(call.project, network.name, call.params["region"])


def methods() -> list[Method]:
    """Both calls."""
    base = "/compute/v1/projects/{project}"
    name = "compute.networks.getEffectiveFirewalls"
    return [
        Method(name, "GET", f"{base}/global/networks/{{network}}/getEffectiveFirewalls", _global, name, cached=True),
        Method(
            "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls",
            "GET",
            f"{base}/regions/{{region}}/firewallPolicies/getEffectiveFirewalls",
            _regional,
        ),
    ]
