"""What is foretold is what happens: the forecast against the planner run step by step, from any state."""

import copy
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convergence import NETWORK, OWNER, Cloud, clouds, connector, desired, ledgers, run

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.actions import CreateConnector, DeleteConnector, InsertRule
from redis_connectivity.core.cloudvalues import Action, Connector, ConnectorState, Direction, FirewallRule, Layer4
from redis_connectivity.core.forecast import forecast, happened
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outlook import HopName, Outlook, outlook
from redis_connectivity.core.risk import RiskLevel

OPEN, BROKEN, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def deny(direction: Direction, priority: int = 900) -> FirewallRule:
    anywhere = frozenset({"0.0.0.0/0"})
    return FirewallRule(
        NETWORK,
        f"deny-{direction.lower()}-{priority}",
        direction,
        Action.DENY,
        priority,
        frozenset({Layer4("all")}),
        source_ranges=anywhere if direction is Direction.INGRESS else frozenset(),
        destination_ranges=anywhere if direction is Direction.EGRESS else frozenset(),
    )


def hardened(*more: FirewallRule) -> Cloud:
    return Cloud({one.name: one for one in (deny(Direction.INGRESS), deny(Direction.EGRESS), *more)}, None)


def seen(cloud: Cloud, **more: object) -> Outlook:
    want = desired(**more)
    ledger = Ledger()
    return outlook(want, forecast(want, cloud.observed(ledger), ledger, 0.0), 0.0)


@settings(deadline=None, max_examples=300)
@given(clouds(), ledgers(), st.sampled_from([{}, {"driftPolicy": "Report"}, {"firewall": {"priority": 1000}}]))
def test_it_ends_where_the_operator_ends(cloud: Cloud, ledger: Ledger, more: dict[str, object]) -> None:
    want = desired(**more)
    foretold = forecast(want, cloud.observed(ledger), ledger, 0.0)
    real = copy.deepcopy(cloud)
    run(want, real, ledger)

    assert foretold.settled
    assert foretold.after.connector == real.connector
    assert not isinstance(foretold.after.rules, Unseen)
    assert {one.name: one for one in foretold.after.rules} == real.rules
    # A plan promises at least what it does at once.
    assert foretold.actions[: len(foretold.now.actions)] == foretold.now.actions


@settings(deadline=None, max_examples=200)
@given(clouds(), ledgers())
def test_hops_agree_with_the_verdicts_of_the_planner(cloud: Cloud, ledger: Ledger) -> None:
    want = desired()
    foretold = forecast(want, cloud.observed(ledger), ledger, 0.0)
    told = outlook(want, foretold, 0.0)
    if foretold.then.firewall.ok:
        assert told.after is OPEN
        assert told.still_broken == ()
    else:
        assert told.after is not OPEN
        assert told.still_broken != ()


def test_rules_that_wait_for_the_connector_are_foretold() -> None:
    want = desired()
    foretold = forecast(want, hardened().observed(Ledger()), Ledger(), 0.0)

    first, *later = foretold.steps
    assert (first.round, type(first.action)) == (0, CreateConnector)
    assert [(step.round, step.action.rule.direction) for step in later if isinstance(step.action, InsertRule)] == [
        (1, Direction.EGRESS),
        (1, Direction.INGRESS),
    ]
    told = outlook(want, foretold, 0.0)
    assert (told.before, told.after) == (BROKEN, OPEN)
    assert [hop.name for hop in told.hops if hop.changes] == [HopName.CONNECTOR, HopName.EGRESS, HopName.INGRESS]
    assert told.hops[1].before.reason is Reason.CONNECTOR_NOT_FOUND


def test_what_no_rule_can_beat_stays_and_is_named() -> None:
    told = seen(hardened(deny(Direction.EGRESS, 0)))

    assert (told.before, told.after) == (BROKEN, BROKEN)
    (stuck,) = told.still_broken
    assert (stuck.name, stuck.after.reason) == (HopName.EGRESS, Reason.FIREWALL_DENY_UNBEATABLE)
    assert "deny-egress-0 (priority 0)" in stuck.after.message


@pytest.mark.parametrize(
    ("firewall", "hop", "reason"),
    [
        ({"ingress": "Never"}, HopName.INGRESS, Reason.FIREWALL_RULE_FORBIDDEN),
        ({"egress": "Never"}, HopName.EGRESS, Reason.FIREWALL_RULE_FORBIDDEN),
        ({"priority": 900}, HopName.EGRESS, Reason.FIREWALL_SHADOWED),
    ],
)
def test_what_the_spec_forbids_stays_and_is_named(firewall: dict[str, object], hop: HopName, reason: Reason) -> None:
    told = seen(hardened(), firewall=firewall)

    assert told.after is BROKEN
    assert (told.still_broken[0].name, told.still_broken[0].after.reason) == (hop, reason)


def test_only_the_cause_is_named_not_what_waits_for_it() -> None:
    cloud = hardened()
    want = desired(redis={"memorystore": {"instance": "absent"}})
    told = outlook(want, forecast(want, cloud.observed(Ledger()), Ledger(), 0.0), 0.0)

    assert [hop.name for hop in told.still_broken] == [HopName.REDIS]
    assert told.hops[2].after.reason is Reason.EARLIER_HOP_NOT_READY


def test_a_connector_in_error_is_remade_and_that_is_foretold() -> None:
    want = desired()
    cloud = hardened()
    cloud.connector = connector(ConnectorState.ERROR)
    claim = ConnectorClaim(connector=want.connector_path, state=ClaimState.CONFIRMED)
    ledger = Ledger(claim=claim)
    foretold = forecast(want, cloud.observed(ledger), ledger, 0.0)

    kinds = [type(step.action) for step in foretold.steps]
    assert kinds[:2] == [DeleteConnector, CreateConnector]
    assert foretold.steps[1].action.why == "it does not exist"  # not "deleted by somebody else"
    assert foretold.steps[0].risk.level is RiskLevel.NONE
    assert outlook(want, foretold, 0.0).after is OPEN


def test_unread_policies_leave_the_path_unknown() -> None:
    want = desired()
    hidden = Unseen(Reason.PERMISSION_DENIED, "Grant compute.networks.getEffectiveFirewalls.")
    observed = replace(hardened().observed(Ledger()), policies=hidden, regional_policies=hidden)
    told = outlook(want, forecast(want, observed, Ledger(), 0.0), 0.0)

    assert told.after is UNKNOWN
    assert "getEffectiveFirewalls" in told.still_broken[0].after.message


def test_unread_rules_leave_both_directions_unjudged() -> None:
    want = desired()
    hidden = Unseen(Reason.PERMISSION_DENIED, "Grant compute.firewalls.list.")
    observed = replace(hardened().observed(Ledger()), rules=hidden, connector=connector())
    told = outlook(want, forecast(want, observed, Ledger(), 0.0), 0.0)

    assert {hop.name for hop in told.still_broken} == {HopName.EGRESS, HopName.INGRESS}
    assert all("compute.firewalls.list" in hop.after.message for hop in told.still_broken)


def test_what_another_resource_will_have_made_counts() -> None:
    """Two resources of one file: the second finds the first one's connector, and its name taken."""
    first = desired()
    made = forecast(first, hardened().observed(Ledger()), Ledger(), 0.0).actions
    other = replace(first, owner=ResourceId("cluster", "ns", "second", "uid-9"))
    observed = happened(hardened().observed(Ledger()), made, other)
    foretold = forecast(other, observed, Ledger(), 0.0)

    assert isinstance(observed.connector, Connector)
    assert foretold.now.connector.reason is Reason.CONNECTOR_NOT_OURS
    names = {step.action.rule.name for step in foretold.steps if isinstance(step.action, InsertRule)}
    assert names.isdisjoint({action.rule.name for action in made if isinstance(action, InsertRule)})


def test_what_happens_in_another_project_does_not_concern_it() -> None:
    want = desired()
    made = forecast(want, hardened().observed(Ledger()), Ledger(), 0.0).actions
    elsewhere = replace(
        want,
        project="acme-other",
        network=replace(want.network, project="acme-other"),
        entry=replace(want.connector, project="acme-other"),
    )
    observed = Observed(network=None, connector=None, redis=None, rules=())
    assert happened(observed, made, elsewhere) == observed


def test_an_overlap_with_what_is_planned_is_seen() -> None:
    first = desired()
    made = forecast(first, hardened().observed(Ledger()), Ledger(), 0.0).actions
    other = desired(connector={"name": "second", "ipCidrRange": "10.2.0.0/28"})
    observed = happened(hardened().observed(Ledger()), made, other)
    foretold = forecast(other, observed, Ledger(), 0.0)

    assert foretold.now.connector.reason is Reason.CONNECTOR_RANGE_CONFLICT
    assert "staging-connector" in foretold.now.connector.message
    assert IPv4Network("10.2.0.0/28") in {one.ip_cidr_range for one in observed.connectors}
    assert OWNER.uid == first.owner.uid
