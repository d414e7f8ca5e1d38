"""Replacing a connector: beside the old one where the range allows, never without consent, and from any crash."""

import re
from dataclasses import replace
from typing import Any

import pytest
from connector_cloud import Cloud, Kill
from connector_values import connector, desired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import (
    CONNECTOR_NAME_DOCUMENTED_WEIGHT,
    CONNECTOR_NAME_PATTERN,
    connector_name_weight,
)
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.actions import CreateConnector, DeleteConnector
from redis_connectivity.core.cloudvalues import ConnectorState
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, ConnectorOperation, Ledger
from redis_connectivity.core.lineage import is_of_lineage, successor_name
from redis_connectivity.core.observed import OperationResult, Sharer
from redis_connectivity.core.plan import make_plan
from redis_connectivity.core.runvalues import RunService, WayOut
from redis_connectivity.core.statusbuild import StatusInput, build_status

OLD, NEW = "10.2.0.0/28", "10.3.0.0/28"
NAME = "staging-connector"


def want(cidr: str = NEW, *, allow: bool = False, name: str = "", **connector_fields: Any) -> Desired:
    fields = {"ipCidrRange": cidr, "replacement": "Recreate", **connector_fields}
    fields = {key: value for key, value in fields.items() if value is not None}
    if name:
        fields["name"] = name
    return desired(fields, disruptionPolicy="Allow" if allow else "Deny")


def made(*, fails: int = 0, **fields: Any) -> tuple[Cloud, Ledger]:
    """A cloud with our connector, and the ledger that says so."""
    cloud = Cloud(connectors={NAME: connector(cidr=OLD, **fields)})
    claim = ConnectorClaim(connector=want(OLD).connector_path, state=ClaimState.CONFIRMED)
    cloud.fails = fails
    return cloud, Ledger(claim=claim)


def successor(cidr: str = NEW) -> str:
    return successor_name(want(cidr))


# --- names


@pytest.mark.parametrize(
    "name", ["staging-connector", "c1", "a-b-c-d-e-f-g", "x" * 25, "production-conn", "ab-" + "c" * 20]
)
def test_successors_names_obey_the_rules_and_are_known_again(name: str) -> None:
    wanted = want(name=name)
    made_name = successor_name(wanted)
    assert re.fullmatch(CONNECTOR_NAME_PATTERN, made_name)
    assert connector_name_weight(made_name) <= CONNECTOR_NAME_DOCUMENTED_WEIGHT
    assert made_name != name
    assert is_of_lineage(wanted.connector, made_name)
    assert is_of_lineage(wanted.connector, name)
    assert not is_of_lineage(wanted.connector, f"{made_name}0")
    assert successor_name(want(name=name)) == made_name
    assert successor_name(want("10.4.0.0/28", name=name)) != made_name


# --- without consent


def test_never_is_refused_as_ever() -> None:
    cloud, ledger = made()
    plan, _ = cloud.run(want(replacement="Never"), ledger)
    assert (plan.connector.reason, plan.connector.stalled) == (Reason.CONNECTOR_IMMUTABLE_FIELD, True)
    assert cloud.connectors.keys() == {NAME}
    # Rules go on following what carries the traffic.
    assert {str(one) for rule in cloud.rules.values() for one in rule.source_ranges} == {OLD}


def test_a_foreign_connector_is_never_replaced() -> None:
    cloud, _ = made()
    cloud.foreign = frozenset({NAME})
    plan, _ = cloud.run(want(), Ledger())
    assert plan.connector.reason is Reason.CONNECTOR_FOREIGN_DIFFERS
    assert cloud.connectors.keys() == {NAME}


# --- beside the old one


def test_another_range_is_made_beside_the_old_one_which_goes_only_by_consent() -> None:
    cloud, ledger = made()
    plan, ledger = cloud.step(want(), ledger)
    (create,) = [one for one in plan.actions if isinstance(one, CreateConnector)]
    assert create.connector.endswith(f"/{successor()}")
    assert plan.connector.ok
    assert plan.connector.reason is Reason.CONNECTOR_REPLACING
    plan, ledger = cloud.run(want(), ledger)
    assert cloud.connectors.keys() == {NAME, successor()}
    assert plan.connector.ok
    assert plan.connector.reason is Reason.CONNECTOR_RETIREMENT_WAITING
    assert f"set spec.connector.retire to {NAME}" in plan.connector.message
    assert (plan.in_sync.ok, plan.in_sync.reason) == (False, Reason.DRIFT_BLOCKED)
    # Rules are for both, as long as both are there.
    (ingress,) = cloud.rules.values()
    assert ingress.source_ranges == {OLD, NEW}

    plan, ledger = cloud.run(want(retire="another-one"), ledger)
    assert cloud.connectors.keys() == {NAME, successor()}
    plan, ledger = cloud.run(want(retire=NAME), ledger)
    assert cloud.connectors.keys() == {successor()}
    (ingress,) = cloud.rules.values()
    assert ingress.source_ranges == {NEW}
    assert plan.connector.reason is Reason.CONNECTOR_READY
    assert plan.in_sync.ok
    assert cloud.carried
    assert ledger.current == successor()


def test_rules_do_not_open_for_the_new_range_before_google_has_it() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(OLD), ledger)
    plan, ledger = cloud.step(want(), ledger)
    assert {str(one) for rule in cloud.rules.values() for one in rule.source_ranges} == {OLD}
    assert [source.connector for source in plan.sources] == [NAME]


def test_the_services_that_still_use_the_old_one_are_named_where_they_are_known() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(), ledger)
    old = f"projects/{want().connector.project}/locations/{want().region}/connectors/{NAME}"
    services = (RunService("acme-staging", "us-central1", "chat", "image", (), WayOut(connector=old)),)
    seen = replace(cloud.observed(ledger), run_services=services)
    plan = make_plan(want(), seen, ledger, cloud.now)
    assert plan.connector.reason is Reason.CONNECTOR_RETIREMENT_WAITING
    assert "(of project acme-staging still: chat)" in plan.connector.message
    # Once they have moved, nothing is left to be named.
    assert "still: " not in make_plan(want(), cloud.observed(ledger), ledger, cloud.now).connector.message


def test_status_tells_what_waits_for_whom() -> None:
    cloud, ledger = made()
    plan, ledger = cloud.run(want(), ledger)
    given_ = StatusInput(want(), cloud.observed(ledger), plan, None, 1, RedisConnectivityStatus(), cloud.now)
    told = build_status(given_).connector
    assert told is not None
    assert (told.name, told.owned, told.ip_cidr_range) == (successor(), True, NEW)
    (old,) = told.retiring
    assert (old.name, old.state, old.ip_cidr_range) == (NAME, "READY", OLD)
    assert old.waits_for is not None
    assert "move every Cloud Run service" in old.waits_for


def test_a_replacement_that_fails_leaves_the_old_one_at_work_and_is_tried_again() -> None:
    cloud, ledger = made(fails=2)
    plan, ledger = cloud.step(want(), ledger)
    plan, ledger = cloud.step(want(), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_ERROR
    assert f"{NAME} goes on carrying traffic" in plan.connector.message
    assert [source.connector for source in plan.sources] == [NAME]
    plan, _ = cloud.run(want(), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_RETIREMENT_WAITING
    assert cloud.carried


def test_going_back_makes_the_old_one_the_one_in_use_again() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(), ledger)
    plan, ledger = cloud.run(want(OLD), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_RETIREMENT_WAITING
    assert f"set spec.connector.retire to {successor()}" in plan.connector.message
    plan, ledger = cloud.run(want(OLD, retire=successor()), ledger)
    assert cloud.connectors.keys() == {NAME}
    assert plan.connector.reason is Reason.CONNECTOR_READY
    assert cloud.carried


def test_going_back_while_the_new_one_is_dead_needs_no_consent_for_that_one() -> None:
    cloud, ledger = made(fails=1)
    _, ledger = cloud.step(want(), ledger)
    assert cloud.connectors[successor()].state is ConnectorState.ERROR
    plan, _ = cloud.run(want(OLD), ledger)
    assert cloud.connectors.keys() == {NAME}
    assert plan.connector.reason is Reason.CONNECTOR_READY


def test_a_chain_of_replacements_keeps_all_until_each_may_go() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(), ledger)
    third = "10.4.0.0/28"
    plan, ledger = cloud.run(want(third), ledger)
    assert cloud.connectors.keys() == {NAME, successor(), successor(third)}
    assert [one.connector for one in plan.sources] == [successor(third), NAME, successor()]
    _, ledger = cloud.run(want(third, retire=successor()), ledger)
    assert cloud.connectors.keys() == {NAME, successor(third)}
    _, ledger = cloud.run(want(third, retire=NAME), ledger)
    assert cloud.connectors.keys() == {successor(third)}
    assert cloud.carried


def test_from_range_to_subnet() -> None:
    cloud, ledger = made()
    to_subnet = desired({"subnet": {"name": "conn-a"}, "replacement": "Recreate"})
    plan, _ = cloud.run(to_subnet, ledger)
    assert plan.connector.reason is Reason.CONNECTOR_RETIREMENT_WAITING
    assert [str(one.range) for one in plan.sources] == ["10.6.0.0/28", OLD]


def test_a_name_that_somebody_else_has_is_left_alone() -> None:
    cloud, ledger = made()
    cloud.foreign = frozenset({successor()})
    cloud.connectors[successor()] = connector(successor(), "10.9.0.0/28")
    plan, _ = cloud.run(want(), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_IMMUTABLE_FIELD
    assert successor() in plan.connector.message
    assert cloud.connectors[successor()].ip_cidr_range == connector("x", "10.9.0.0/28").ip_cidr_range


def test_a_range_that_is_taken_is_told_before_google_makes_a_dead_one() -> None:
    cloud, ledger = made()
    plan, _ = cloud.run(want("10.6.0.0/28"), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_RANGE_CONFLICT
    assert "conn-a" in plan.connector.message
    assert cloud.connectors.keys() == {NAME}
    assert [source.connector for source in plan.sources] == [NAME]


# --- in the old one's stead


def test_shrinking_in_the_same_range_asks_for_one_more_consent() -> None:
    cloud, ledger = made(max_instances=7)
    plan, ledger = cloud.run(want(OLD, maxInstances=4), ledger)
    assert plan.connector.ok
    assert (plan.in_sync.ok, plan.in_sync.reason) == (False, Reason.DRIFT_BLOCKED)
    assert "spec.disruptionPolicy to Allow" in plan.in_sync.message
    assert cloud.connectors[NAME].max_instances == 7

    plan, ledger = cloud.step(want(OLD, maxInstances=4, allow=True), ledger)
    (delete,) = [one for one in plan.actions if isinstance(one, DeleteConnector)]
    assert "has no way until that is READY" in delete.why
    plan, _ = cloud.run(want(OLD, maxInstances=4, allow=True), ledger)
    assert cloud.connectors.keys() == {NAME}
    assert cloud.connectors[NAME].max_instances == 4
    assert plan.connector.reason is Reason.CONNECTOR_READY


def test_shrinking_a_successor_keeps_its_name() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(maxInstances=7), ledger)
    _, ledger = cloud.run(want(maxInstances=7, retire=NAME), ledger)
    plan, _ = cloud.run(want(maxInstances=4, allow=True), ledger)
    assert cloud.connectors.keys() == {successor()}
    assert cloud.connectors[successor()].max_instances == 4
    assert plan.connector.reason is Reason.CONNECTOR_READY


def test_shrinking_with_another_range_goes_beside() -> None:
    cloud, ledger = made(max_instances=7)
    _, ledger = cloud.run(want(maxInstances=4), ledger)
    assert cloud.connectors[successor()].max_instances == 4
    assert cloud.connectors[NAME].max_instances == 7
    assert cloud.carried


# --- others


def sharer(key: str = "ns/other", cidr: str = OLD, *, older: bool = False, **fields: Any) -> Sharer:
    theirs = want(cidr, **fields)
    return Sharer(key, theirs.connector, theirs.network.project, successor_name(theirs), older)


def test_what_another_resource_uses_is_not_replaced_under_it() -> None:
    cloud, ledger = made()
    cloud.sharers = (sharer(),)
    plan, ledger = cloud.run(want(), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_IMMUTABLE_FIELD
    assert "ns/other uses it" in plan.connector.message
    assert cloud.connectors.keys() == {NAME}
    cloud.sharers = (sharer(cidr=NEW),)  # it came along
    _, ledger = cloud.run(want(), ledger)
    cloud.sharers = (sharer(),)  # and went back
    plan, ledger = cloud.run(want(retire=NAME), ledger)
    assert cloud.connectors.keys() == {NAME, successor()}
    assert "ns/other uses it" in plan.connector.message


def test_who_did_not_make_it_finds_the_successor_by_itself() -> None:
    cloud, ledger = made()
    _, ledger = cloud.run(want(), ledger)
    cloud.rules.clear()
    plan, theirs = cloud.step(want(), Ledger())
    assert plan.connector.reason is Reason.CONNECTOR_NOT_OURS
    assert [source.connector for source in plan.sources] == [successor()]
    assert theirs.claim is None
    old = desired({"ipCidrRange": OLD})
    plan, _ = cloud.step(old, Ledger())
    assert [source.connector for source in plan.sources] == [NAME]


def test_the_older_one_makes_the_connector_and_the_younger_is_told() -> None:
    cloud = Cloud(sharers=(sharer(older=True, maxInstances=5),))
    younger = want(OLD, maxInstances=4)
    plan, ledger = cloud.run(younger, Ledger())
    assert plan.connector.reason is Reason.CONNECTOR_CONFLICT
    assert plan.connector.stalled
    assert "ns/other, which declares maxInstances 5 and not 4" in plan.connector.message
    assert cloud.connectors == {}
    cloud.foreign = frozenset({NAME})
    cloud.connectors[NAME] = connector(max_instances=5)  # the older one has made it
    plan, _ = cloud.run(younger, ledger)
    assert plan.connector.ok
    cloud.sharers = (sharer(older=True, maxInstances=3),)
    cloud.connectors[NAME] = connector(max_instances=3)
    plan, _ = cloud.run(younger, Ledger())
    assert plan.connector.ok
    assert (plan.in_sync.ok, plan.in_sync.reason) == (False, Reason.CONNECTOR_CONFLICT)
    assert "ns/other" in plan.in_sync.message


def test_who_made_it_has_its_way_and_nothing_flaps() -> None:
    cloud, ledger = made()
    cloud.sharers = (sharer(older=True, machineType="e2-standard-4"),)
    plan, ledger = cloud.run(want(OLD), ledger)
    assert plan.connector.reason is Reason.CONNECTOR_READY
    assert plan.in_sync.ok
    before = dict(cloud.connectors)
    cloud.foreign = frozenset({NAME})  # to the other one's eyes
    plan, _ = cloud.run(want(OLD, machineType="e2-standard-4"), Ledger())
    assert plan.connector.reason is Reason.CONNECTOR_NOT_OURS
    assert cloud.connectors == before


def test_another_range_of_another_resource_is_a_conflict_and_rules_follow_what_is_there() -> None:
    cloud, _ = made()
    cloud.foreign = frozenset({NAME})
    cloud.sharers = (sharer(older=True),)
    plan, _ = cloud.run(want(), Ledger())
    assert plan.connector.reason is Reason.CONNECTOR_CONFLICT
    assert "ns/other, which declares ipCidrRange 10.2.0.0/28 and not 10.3.0.0/28" in plan.connector.message
    assert [str(source.range) for source in plan.sources] == [OLD]


# --- stuck


@pytest.mark.parametrize("state", [ConnectorState.CREATING, ConnectorState.UPDATING, ConnectorState.DELETING])
@pytest.mark.parametrize("minutes", [19, 21])
def test_what_takes_longer_than_google_says_is_stuck(state: ConnectorState, minutes: int) -> None:
    cloud, ledger = made(state=state)
    operation = ConnectorOperation(kind="create", name="op-1", started=0.0)
    ledger = ledger.model_copy(update={"operation": operation})
    there = replace(cloud.observed(ledger), operation=OperationResult(done=False))
    plan = make_plan(want(OLD), there, ledger, minutes * 60.0)
    if minutes < 20:
        assert plan.connector.reason is not Reason.CONNECTOR_STUCK
        return
    assert plan.connector.reason is Reason.CONNECTOR_STUCK
    assert f"has been {state} since 1970-01-01T00:00:00Z, for 21 minutes" in plan.connector.message
    assert "delete the connector by hand" in plan.connector.message
    assert not plan.connector.stalled


def test_since_when_survives_a_lost_answer() -> None:
    cloud = Cloud()
    _, ledger = cloud.step(want(OLD), Ledger(), "after")
    cloud.connectors[NAME] = replace(cloud.connectors[NAME], state=ConnectorState.CREATING)
    _, ledger = cloud.step(want(OLD), ledger)
    assert ledger.operation is not None
    assert ledger.operation.started == 0.0
    assert ledger.claim is not None
    _, ledger = cloud.run(want(OLD), ledger)
    assert ledger.operation is None


# --- from any crash, through any wishes

wishes = st.builds(
    want,
    st.sampled_from([OLD, NEW, "10.4.0.0/28"]),
    allow=st.booleans(),
    replacement=st.sampled_from(["Never", "Recreate"]),
    maxInstances=st.sampled_from([None, 3, 4, 7]),
    machineType=st.sampled_from(["e2-micro", "e2-standard-4"]),
    retire=st.sampled_from([None, NAME, successor(), successor(OLD), successor("10.4.0.0/28")]),
)
kills: st.SearchStrategy[tuple[Kill, ...]] = st.lists(st.sampled_from(["never", "before", "after"]), max_size=4).map(
    tuple
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(wishes, kills, st.integers(0, 2)), min_size=1, max_size=4), st.booleans())
def test_through_any_wishes_and_crashes_no_orphan_and_an_end(
    life: list[tuple[Desired, tuple[Kill, ...], int]], foreign: bool
) -> None:
    cloud = Cloud()
    if foreign:
        theirs = successor("10.4.0.0/28")
        cloud.foreign = frozenset({theirs})
        cloud.connectors[theirs] = connector(theirs, "10.9.0.0/28")
    ledger = Ledger()
    for wish, killed, fails in life:
        cloud.fails = fails
        plan, ledger = cloud.run(wish, ledger, killed)
        again, after = cloud.run(wish, ledger)
        assert (again.connector, again.in_sync, after) == (plan.connector, plan.in_sync, ledger)
        used = [source.connector for source in plan.sources]
        assert len(set(used)) == len(used)
    cloud.delete(wish, ledger)
    assert cloud.connectors.keys() == cloud.foreign
    assert cloud.rules == {}
