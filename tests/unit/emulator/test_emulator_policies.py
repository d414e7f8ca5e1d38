"""Firewall policies of the emulated cloud: what the lab refuses, and what the data plane is told."""

from __future__ import annotations

from typing import Any

import pytest

from redis_connectivity_lab.emulator.control_client import ControlClient
from redis_connectivity_lab.emulator.thread import EmulatorThread
from redis_connectivity_lab.topology import Direction, L4Match, NetworkId, PolicyAction, PolicyKind, PolicyRule
from unit.emulator.emulator_support import PROJECT, REGION

NET = NetworkId(PROJECT, "staging-vpc")


def rule(**more: Any) -> dict[str, Any]:
    return {
        "priority": 10,
        "action": "deny",
        "direction": "EGRESS",
        "match": {"destIpRanges": ["10.0.0.0/8"], "layer4Configs": [{"ipProtocol": "tcp", "ports": ["6379", "80-90"]}]},
        **more,
    }


def link(network: str, project: str = PROJECT) -> str:
    return f"https://www.googleapis.com/compute/v1/projects/{project}/global/networks/{network}"


def test_the_data_plane_is_told_of_policies(emulator: EmulatorThread, control: ControlClient) -> None:
    control.put("networks", PROJECT, "other-vpc", networkFirewallPolicyEnforcementOrder="BEFORE_CLASSIC_FIREWALL")
    rules = [
        rule(targetServiceAccounts=["redis@acme.iam"], disabled=True),
        rule(priority=11, match={"layer4Configs": [{"ipProtocol": "all"}], "destFqdns": ["redis.example"]}),
        rule(priority=12, targetResources=[link("other-vpc")]),
        rule(priority=13, targetResources=[link("staging-vpc")], targetSecureTags=[{"name": "tagValues/1"}]),
    ]
    control.put("policies", PROJECT, "org", type="HIERARCHY", rules=rules, networks=["staging-vpc"])
    control.put("policies", PROJECT, "team", type="NETWORK_REGIONAL", rules=[rule()], region=REGION, priority=3)
    topology = emulator.topology()
    assert topology.policies_first == {NetworkId(PROJECT, "other-vpc")}
    on_staging = {one.name: one for one in topology.policies if one.network == NET}
    assert {one.name for one in topology.policies if one.network != NET} == {"team"}
    org, team = on_staging["org"], on_staging["team"]
    assert (org.kind, org.region, team.kind, team.region) == (
        PolicyKind.HIERARCHY, None, PolicyKind.NETWORK_REGIONAL, REGION,
    )  # fmt: skip
    assert org.rules[0] == PolicyRule(
        10,
        Direction.EGRESS,
        PolicyAction.DENY,
        (L4Match("tcp", ((6379, 6379), (80, 90))),),
        destination_ranges=("10.0.0.0/8",),
        target_service_accounts=("redis@acme.iam",),
        disabled=True,
    )
    assert [(one.priority, one.beyond) for one in org.rules[1:]] == [
        (11, ("destFqdns",)),
        (13, ("targetSecureTags",)),
    ]
    control.delete("policies", PROJECT, "org")
    assert {one.name for one in emulator.topology().policies} == {"team"}


def test_an_ipv6_range_beside_a_tag_leaves_the_tag(emulator: EmulatorThread, control: ControlClient) -> None:
    """Sources add up: the rule was lost altogether before."""
    control.put(
        "firewalls", PROJECT, "both", network="staging-vpc", sourceRanges=["fd00::/8"], sourceTags=["web"],
        allowed=[{"IPProtocol": "tcp"}],
    )  # fmt: skip
    (told,) = emulator.topology().rules
    assert (told.source_ranges, told.source_tags) == (("fd00::/8",), ("web",))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"action": "drop"}, "action is one of"),
        ({"direction": "BOTH"}, "INGRESS or EGRESS"),
        ({"priority": -1}, "0 to 2147483647"),
        ({"priority": 2**31}, "0 to 2147483647"),
        ({"match": {"destIpRanges": ["10.0.0.0/8"]}}, "layer4Configs"),
        ({"match": {"layer4Configs": [{"ipProtocol": "tcp"}], "destIpRanges": ["10.0.0.1/8"]}}, "no range"),
        ({"match": {"layer4Configs": [{"ipProtocol": "tcp"}], "destRanges": ["10.0.0.0/8"]}}, "destRanges"),
        ({"targetTags": ["web"]}, "targetTags"),
    ],
)
def test_a_rule_that_no_policy_can_have_is_refused(control: ControlClient, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        control.put("policies", PROJECT, "org", rules=[rule(**bad)])


def test_two_rules_cannot_share_a_priority(control: ControlClient) -> None:
    with pytest.raises(Exception, match="priority of its own"):
        control.put("policies", PROJECT, "org", rules=[rule(), rule(action="allow")])
