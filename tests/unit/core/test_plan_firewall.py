"""The firewall's part of a plan: what the analyser tells it, and what it does about that."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import ConditionStatus, RedisConnectivityStatus
from redis_connectivity.core.actions import InsertRule
from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallPolicy,
    FirewallRule,
    Network,
    NetworkRef,
    PolicyKind,
    RedisInstance,
    RedisInstanceState,
    Subnetwork,
)
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.probing import ProbeMemory, ProbeResult
from redis_connectivity.core.questions import (
    firewall_of,
    flows_of,
    question_of,
    rules_after,
    rules_in_force,
    target_region,
)
from redis_connectivity.core.reachability import Answer, HopName, analyse
from redis_connectivity.core.statusbuild import StatusInput, build_status
from redis_connectivity.core.targets import Destination
from unit.core.connector_values import connector, desired, network, observed, rule
from unit.core.reachability_values import DENY, GOTO_NEXT, HIERARCHY, INGRESS, REGIONAL, policy, policy_rule

EVERYWHERE = {"0.0.0.0/0"}
REGION_UNREAD = Unseen(Reason.PERMISSION_DENIED, "Grant compute.networks.getRegionEffectiveFirewalls.")


def deny(name: str, priority: int, direction: Direction = INGRESS, **more: Any) -> FirewallRule:
    return rule(name, direction, EVERYWHERE, action=Action.DENY, priority=priority, **more)


def plan_for(*rules: FirewallRule, spec: dict[str, Any] | None = None, **more: Any) -> Plan:
    return make_plan(desired(**(spec or {})), observed(connector(), rules=rules, **more), Ledger(), 0.0)


def settled(*rules: FirewallRule, spec: dict[str, Any] | None = None, **more: Any) -> tuple[Plan, Any, Any]:
    """The plan when its rules are in force, with what was desired and observed."""
    first = plan_for(*rules, spec=spec, **more)
    want, seen = desired(**(spec or {})), observed(connector(), rules=rules_after(rules, first.actions), **more)
    return make_plan(want, seen, first.ledger, 1.0), want, seen


def inserted(plan: Plan, direction: Direction = INGRESS) -> FirewallRule:
    (found,) = [one.rule for one in plan.actions if isinstance(one, InsertRule) and one.rule.direction is direction]
    return found


def test_the_rule_goes_before_the_strongest_deny_that_touches_the_range() -> None:
    harmless = deny("web", 100, target_tags=frozenset({"web"}))
    half = replace(deny("half", 500), source_ranges=frozenset({"10.2.0.0/29"}))
    assert inserted(plan_for(deny("all", 900), harmless, half)).priority == 499


def test_the_rule_goes_before_a_deny_for_an_account_that_the_machine_may_have() -> None:
    by_account = deny("accounts", 700, target_service_accounts=frozenset({"db@acme.iam"}))
    plan, _, _ = settled(by_account)
    assert inserted(plan_for(by_account)).priority == 699
    assert plan.firewall.reason is Reason.FIREWALL_OPEN


def test_an_egress_rule_is_made_when_only_a_part_of_the_range_is_denied() -> None:
    part = replace(deny("part", 800, Direction.EGRESS), source_ranges=frozenset({"10.2.0.8/30"}))
    assert inserted(plan_for(part), Direction.EGRESS).priority == 799


def test_a_network_policy_that_denies_egress_is_beaten_by_a_rule() -> None:
    guard = policy(PolicyKind.NETWORK, policy_rule(10, DENY))
    plan, _, _ = settled(policies=(guard,))
    assert inserted(plan_for(policies=(guard,)), Direction.EGRESS).priority == 1000
    assert plan.firewall.reason is Reason.FIREWALL_OPEN


@pytest.mark.parametrize(
    ("guard", "place"),
    [
        (policy(HIERARCHY, policy_rule(10, DENY, INGRESS), name="org"), "policies"),
        (policy(PolicyKind.SYSTEM, policy_rule(10, DENY, INGRESS), name="org"), "regional_policies"),
        (policy(PolicyKind.SYSTEM, policy_rule(10, DENY, INGRESS), name="org"), "target_region_policies"),
    ],
)
def test_a_policy_that_no_rule_can_beat_is_named(guard: FirewallPolicy, place: str) -> None:
    plan = plan_for(**{place: (guard,)})
    assert plan.firewall.reason is Reason.FIREWALL_DENY_UNBEATABLE
    assert plan.firewall.stalled
    assert "firewall policy org, rule (priority 10)" in plan.firewall.message


def test_before_classic_firewall_a_network_policy_cannot_be_beaten() -> None:
    guard = policy(REGIONAL, policy_rule(10, DENY, INGRESS), name="team")
    before = Network(network(), enforcement_order="BEFORE_CLASSIC_FIREWALL")
    assert plan_for(regional_policies=(guard,), network=before).firewall.reason is Reason.FIREWALL_DENY_UNBEATABLE
    assert settled(regional_policies=(guard,))[0].firewall.reason is Reason.FIREWALL_OPEN


def test_every_destination_is_judged_not_only_the_first() -> None:
    """A read endpoint behind a deny is a broken path."""
    lock = replace(deny("replica", 0, Direction.EGRESS), destination_ranges=frozenset({"10.129.0.4/32"}))
    spec = {"redis": {"memorystore": {"instance": "chat-cache"}}}
    plan = plan_for(lock, spec=spec, redis=memorystore())
    assert plan.firewall.reason is Reason.FIREWALL_DENY_UNBEATABLE
    assert "replica" in plan.firewall.message


def memorystore() -> Any:
    return RedisInstance(
        "acme-staging",
        "us-central1",
        "chat-cache",
        RedisInstanceState.READY,
        host="10.129.0.3",
        port=6379,
        read_endpoint="10.129.0.4",
        read_endpoint_port=6379,
        authorized_network=network(),
    )


# --- what cannot be told


def status_of(plan: Plan, want: Any, seen: Any, *, proven: bool) -> dict[str, tuple[str, str]]:
    target = "10.128.0.5:6379"
    result = ProbeResult(1.0, ok=True, origin="Prober", target=target)
    memory = ProbeMemory("Prober", target, reachable=True, last=result) if proven else None
    given = StatusInput(want, seen, plan, memory, 1, RedisConnectivityStatus(), 1.0, probed=proven)
    return {one.type: (one.status, one.reason) for one in build_status(given).conditions}


def test_unread_regional_policies_leave_the_firewall_unknown_and_name_the_permission() -> None:
    plan, want, seen = settled(regional_policies=REGION_UNREAD)
    assert plan.actions == ()
    assert (plan.firewall.status, plan.firewall.reason) == (ConditionStatus.UNKNOWN, Reason.PERMISSION_DENIED)
    assert "Grant compute.networks.getRegionEffectiveFirewalls." in plan.firewall.message
    conditions = status_of(plan, want, seen, proven=False)
    assert conditions["Ready"] == ("Unknown", "PermissionDenied")
    # It stays so until somebody grants it: nothing is under way, and what is declared is in force.
    assert conditions["Reconciling"] == ("False", "Settled")
    assert conditions["InSync"] == ("True", "InSync")


def test_what_the_paths_own_region_denies_does_not_matter_to_a_machine_in_another() -> None:
    guard = policy(PolicyKind.SYSTEM, policy_rule(10, DENY, INGRESS), name="org")
    plan, _, _ = settled(regional_policies=(guard,), target_region_policies=())
    assert plan.firewall.reason is Reason.FIREWALL_OPEN


def test_unread_policies_of_the_machines_region_name_the_permission() -> None:
    plan, _, _ = settled(target_region_policies=REGION_UNREAD)
    assert (plan.firewall.status, plan.firewall.reason) == (ConditionStatus.UNKNOWN, Reason.PERMISSION_DENIED)


def test_where_the_machine_stands_is_not_known_without_subnets_and_the_permission_is_named() -> None:
    unread = Unseen(Reason.PERMISSION_DENIED, "Grant compute.subnetworks.list.")
    plan, want, seen = settled(target_region_policies=unread, subnetworks=unread)
    assert (plan.firewall.status, plan.firewall.reason) == (ConditionStatus.UNKNOWN, Reason.PERMISSION_DENIED)
    assert "Grant compute.subnetworks.list." in plan.firewall.message
    where = [Destination(IPv4Address("10.128.0.5"), 6379, 6379)]
    judged = firewall_of(seen, seen.rules).judge(Direction.INGRESS, flows_of(want, plan.sources, where)[0])
    assert [doubt.missing for doubt in judged.doubts] == ["compute.subnetworks.list"]


@pytest.mark.parametrize(
    ("redis", "more", "region"),
    [
        ({"vm": {"host": "10.128.0.5"}}, {}, "europe-west1"),
        ({"vm": {"host": "10.200.0.5"}}, {}, ""),
        # Of an endpoint only who asks for an ingress rule says that it is a machine of the network.
        ({"endpoint": {"host": "10.128.0.5", "port": 6379}}, {"firewall": {"ingress": "Always"}}, "europe-west1"),
        ({"endpoint": {"host": "10.128.0.5", "port": 6379}}, {}, ""),
        ({"endpoint": {"host": "redis.acme.internal", "port": 6379}}, {"firewall": {"ingress": "Always"}}, ""),
        ({"memorystore": {"instance": "chat-cache"}}, {}, ""),
    ],
)
def test_a_machine_stands_in_the_region_of_its_subnet(redis: Any, more: Any, region: str) -> None:
    want = desired(**({"redis": redis} | more))
    elsewhere = NetworkRef("acme-staging", "other-vpc")
    subnets = (
        Subnetwork("acme-staging", "asia-east1", "twin", elsewhere, IPv4Network("10.128.0.0/20")),
        Subnetwork("acme-staging", "europe-west1", "redis", want.network, IPv4Network("10.128.0.0/20")),
    )
    assert target_region(want, subnets) == region


def test_real_traffic_settles_what_the_rules_leave_open() -> None:
    plan, want, seen = settled(regional_policies=REGION_UNREAD)
    conditions = status_of(plan, want, seen, proven=True)
    assert conditions["Ready"] == ("True", "PathProven")
    assert conditions["FirewallReady"] == ("Unknown", "PermissionDenied")


def test_a_match_that_cannot_be_judged_is_named() -> None:
    guard = policy(HIERARCHY, policy_rule(10, DENY, INGRESS, opaque="srcThreatIntelligences"), name="org")
    plan, _, _ = settled(policies=(guard,))
    assert (plan.firewall.status, plan.firewall.reason) == (ConditionStatus.UNKNOWN, Reason.FIREWALL_UNCERTAIN)
    assert "org, rule (priority 10) matches by srcThreatIntelligences" in plan.firewall.message


# --- the path, now and after the plan


def test_the_path_as_it_is_and_as_it_will_be() -> None:
    want, seen = desired(), observed(connector(), rules=(deny("lock", 900),))
    plan = make_plan(want, seen, Ledger(), 0.0)
    assert plan.destination is not None
    rules = rules_in_force(want, seen, plan.sources)
    assert not isinstance(rules, Unseen)
    where = [Destination(IPv4Address("10.128.0.5"), 6379, 6379)]
    now = analyse(question_of(want, seen, rules, plan.sources[0], where))
    then = analyse(question_of(want, seen, rules_after(rules, plan.actions), plan.sources[0], where))
    ingress = now.hop(HopName.INGRESS)
    assert ingress is not None
    assert ingress.answer is Answer.DENIED
    assert "rule lock (priority 900)" in ingress.message
    assert {hop.name: hop.answer for hop in then.hops}[HopName.INGRESS] is Answer.ALLOWED


def test_ingress_is_open_on_a_plain_network_by_googles_own_rules_that_no_list_shows() -> None:
    plan = plan_for(spec={"firewall": {"ingress": "Never"}})
    assert plan.firewall.reason is Reason.FIREWALL_OPEN


def test_goto_next_hands_the_question_to_the_vpc_rules() -> None:
    org = policy(HIERARCHY, policy_rule(1, GOTO_NEXT), policy_rule(2, DENY), name="org")
    assert settled(policies=(org,))[0].firewall.reason is Reason.FIREWALL_OPEN
