"""Firewall policies in the data plane: Google's order, goto_next, whose packets they judge, and their ruleset."""

from __future__ import annotations

import dataclasses

import pytest

from redis_connectivity_lab.dataplane.compile import compile_topology
from redis_connectivity_lab.dataplane.nft import render
from redis_connectivity_lab.dataplane.verdict import Verdict, verdict
from redis_connectivity_lab.topology import (
    Direction,
    Host,
    HostKind,
    L4Match,
    Policy,
    PolicyAction,
    PolicyKind,
    PolicyRule,
    Topology,
)
from unit.dataplane.dataplane_values import ALL, ALLOW, CONNECTOR, MANAGED, NETWORK, OTHER_NETWORK, VM, rule, topology

EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
ALLOWS, DENIES, NEXT = PolicyAction.ALLOW, PolicyAction.DENY, PolicyAction.GOTO_NEXT
KINDS = {
    "org": (PolicyKind.HIERARCHY, 1),
    "folder": (PolicyKind.HIERARCHY, 2),
    "system": (PolicyKind.SYSTEM, 0),
    "global": (PolicyKind.NETWORK, 0),
    "regional": (PolicyKind.NETWORK_REGIONAL, 0),
}


def policy_rule(priority: int, action: PolicyAction, direction: Direction = EGRESS, **more: object) -> PolicyRule:
    return PolicyRule(priority, direction, action, (ALL,), **more)


def policy(name: str, *rules: PolicyRule, **more: object) -> Policy:
    kind, place = KINDS[name]
    return Policy(NETWORK, kind, place, name, rules, **more)


def world(*policies: Policy, rules: tuple[object, ...] = (), first: bool = False, **hosts: object) -> Topology:
    made = topology(*rules, **hosts)
    return dataclasses.replace(made, policies=frozenset(policies), policies_first=frozenset({NETWORK} if first else ()))


def ask(what: Topology, to: Host = MANAGED, source: Host = CONNECTOR) -> Verdict:
    return verdict(compile_topology(what), source.id, to.address, 6379)


def order(*, first: bool) -> list[str]:
    """Who denies when everybody does, then when the first no longer does, and so on."""
    policies = {name: policy(name, policy_rule(5, DENIES)) for name in KINDS}
    rules = {"vpc": rule("vpc", allow=False, direction=EGRESS, priority=0)}
    found = []
    while (told := ask(world(*policies.values(), rules=tuple(rules.values()), first=first))).allowed is False:
        name = (told.rule or "").partition(".")[0]
        found.append(name)
        policies.pop(name, None)
        rules.pop(name, None)
    return found


def test_the_order_of_stages() -> None:
    assert order(first=False) == ["org", "folder", "system", "vpc", "global", "regional"]
    assert order(first=True) == ["org", "folder", "system", "global", "regional", "vpc"]


@pytest.mark.parametrize(
    ("policies", "rules", "decided_by", "allowed"),
    [
        ((policy("org", policy_rule(9, DENIES), policy_rule(3, ALLOWS)),), (), "org.3", True),
        ((policy("org", policy_rule(1, NEXT), policy_rule(2, DENIES)),), (), "implied-allow-egress", True),
        (
            (policy("org", policy_rule(1, NEXT), policy_rule(2, ALLOWS)), policy("folder", policy_rule(1, DENIES))),
            (),
            "folder.1",
            False,
        ),
        ((policy("org", policy_rule(1, ALLOWS)),), (rule("r", allow=False, direction=EGRESS),), "org.1", True),
        ((policy("org", policy_rule(1, DENIES, disabled=True)),), (), "implied-allow-egress", True),
        ((policy("org", policy_rule(1, DENIES, INGRESS)),), (), "implied-allow-egress", True),
        ((policy("org", policy_rule(1, DENIES, source_ranges=("10.3.0.0/16",))),), (), "implied-allow-egress", True),
        ((policy("org", policy_rule(1, DENIES, source_ranges=("10.2.0.0/16",))),), (), "org.1", False),
        ((policy("org", policy_rule(1, DENIES, destination_ranges=("10.9.0.3/32",))),), (), "org.1", False),
        ((policy("org", policy_rule(1, DENIES, target_service_accounts=("x",))),), (), "implied-allow-egress", True),
        (
            (policy("org", policy_rule(1, PolicyAction.APPLY_SECURITY_PROFILE_GROUP)),),
            (rule("r", allow=False, direction=EGRESS),),
            "org.1",
            True,
        ),
    ],
)
def test_decisions(policies: tuple[Policy, ...], rules: tuple[object, ...], decided_by: str, allowed: bool) -> None:
    told = ask(world(*policies, rules=rules))
    assert (told.rule, told.allowed) == (decided_by, allowed)


def test_a_hierarchical_deny_of_ingress_beats_every_vpc_rule() -> None:
    guard = policy("org", policy_rule(1, DENIES, INGRESS, destination_ranges=("10.0.0.0/24",)))
    told = ask(world(guard, rules=(dataclasses.replace(ALLOW, priority=0),)), to=VM)
    assert (told.allowed, told.direction, told.rule) == (False, INGRESS, "org.1")


def test_a_regional_policy_judges_the_hosts_of_its_region() -> None:
    guard = policy("regional", policy_rule(1, DENIES), region="us-central1")
    here = dataclasses.replace(CONNECTOR, region="us-central1")
    there = dataclasses.replace(CONNECTOR, region="europe-west1")
    assert not ask(world(guard, hosts=(here, MANAGED))).allowed
    assert ask(world(guard, hosts=(there, MANAGED))).allowed


def test_accounts_select_machines() -> None:
    guard = policy("org", policy_rule(1, DENIES, INGRESS, target_service_accounts=("redis@p.iam",)))
    machine = dataclasses.replace(VM, service_account="redis@p.iam")
    assert ask(world(guard, rules=(ALLOW,)), to=VM).allowed
    assert not ask(world(guard, rules=(ALLOW,), hosts=(CONNECTOR, machine)), to=machine).allowed


def test_policies_of_other_networks_say_nothing() -> None:
    guard = dataclasses.replace(policy("org", policy_rule(1, DENIES)), network=OTHER_NETWORK)
    assert ask(world(guard)).allowed


def test_what_cannot_be_honoured_matches_nothing_and_is_told() -> None:
    guard = policy("org", policy_rule(1, DENIES, beyond=("destFqdns",)))
    (compiled,) = compile_topology(world(guard)).values()
    assert compiled.problems == ("rule 1 of policy org matches nothing here: it needs destFqdns",)
    assert ask(world(guard)).allowed


def test_equal_priorities_in_a_policy_are_refused() -> None:
    with pytest.raises(ValueError, match="same priority"):
        compile_topology(world(policy("org", policy_rule(1, DENIES), policy_rule(1, ALLOWS))))


def test_stages_in_the_ruleset() -> None:
    guard = policy("org", policy_rule(1, NEXT), policy_rule(2, DENIES))
    text = render(compile_topology(world(guard, rules=(rule("r", direction=EGRESS),)))[NETWORK])
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index("chain egress-0 {")
    assert lines[start : start + 15] == [
        "chain egress-0 {",
        'counter return comment "org.1"',
        'counter drop comment "org.2"',
        "}",
        "chain egress-1 {",
        'meta l4proto 6 th dport 6379 counter meta mark set 1 return comment "r"',
        "}",
        "chain egress {",
        "meta mark set 0",
        "jump egress-0",
        "meta mark 1 return",
        "jump egress-1",
        "meta mark 1 return",
        'counter return comment "implied-allow-egress"',
        "}",
    ]


# --- VPC rules with ranges on their own side


@pytest.mark.parametrize(("own", "applies"), [("10.2.0.0/28", True), ("10.2.0.16/28", False)])
def test_an_egress_rule_may_name_sources(own: str, applies: bool) -> None:
    lock = rule("lock", allow=False, direction=EGRESS, sources=(own,), matches=(L4Match("tcp"),))
    assert ask(topology(lock)).allowed is not applies


@pytest.mark.parametrize(("own", "applies"), [("10.0.0.0/24", True), ("10.0.1.0/24", False)])
def test_an_ingress_rule_may_name_destinations(own: str, applies: bool) -> None:
    open_it = rule("open", destinations=(own,))
    assert ask(topology(open_it), to=VM).allowed is applies


def test_a_managed_host_is_judged_by_no_policy() -> None:
    guard = policy("org", policy_rule(1, DENIES, INGRESS), policy_rule(2, DENIES))
    assert MANAGED.kind is HostKind.MANAGED
    assert ask(world(guard, rules=(rule("in", matches=(ALL,)),)), to=VM, source=MANAGED).rule == "org.1"
