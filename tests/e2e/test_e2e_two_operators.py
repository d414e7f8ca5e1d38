"""More than one operator, and an API server that goes away: one writes, nothing is missed, nothing happens twice."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import Lab
from support.hardened import Hardened
from support.place import EGRESS, INGRESS, Place, grant_operator_namespace
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

LEASE = 4.0
ACCOUNT = "system:serviceaccount:redis-connectivity-system:redis-connectivity"


@pytest.fixture
def alone(lab: Lab) -> Iterator[Place]:
    """A place with two operators of its own, not started; the shared one rests."""
    lab.operator.stop()
    namespace = f"two-{os.urandom(3).hex()}"
    home = grant_operator_namespace(lab)
    operators = tuple(
        lab.new_operator(
            identity=f"{namespace}-{letter}", NAMESPACE=home, NAMESPACES=namespace, LEASE_DURATION=str(LEASE)
        )
        for letter in "ab"
    )
    made = Place.make(lab, operators, namespace=namespace, operator_namespace=home)
    try:
        yield made
    finally:
        for operator in operators:
            operator.kill()
        made.clear()
        lab.control_plane.purge_namespace(home)


def holder(place: Place) -> str:
    text = place.lab.kubectl(
        "get", "lease", "redis-connectivity", "-n", place.operator_namespace, "-o", "json", check=False
    )
    return str(json.loads(text)["spec"].get("holderIdentity", "")) if text.startswith("{") else ""


def leads(place: Place, operator: OperatorProcess) -> None:
    place.until(lambda: holder(place) == operator.identity, f"{operator.identity} to lead", LEASE * 3)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process as a node that hangs does: it knows nothing of the time that goes by."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def events_of(operator: OperatorProcess, name: str) -> int:
    return sum(1 for one in operator.records() if one.get("event") == name)


def test_only_the_leader_writes_and_the_follower_takes_over_when_it_dies(alone: Place) -> None:
    leader, follower = alone.operators
    leader.start()
    leads(alone, leader)
    follower.start()
    kube = alone.lab.control_plane.audit.mark()
    alone.apply()
    alone.ready()
    alone.break_rule(priority=3000)
    alone.until(lambda: alone.world.rules()[INGRESS]["priority"] == 899, "the repair")
    assert events_of(follower, "applied") == 0
    assert events_of(follower, "status") == 0
    # Followers look at the Lease; they do not even try to take it.
    assert [one for one in alone.lab.control_plane.audit.writes(kube, user=ACCOUNT) if one.code >= 400] == []
    leader.kill()
    mark = alone.mark()
    alone.world.control.delete("firewalls", alone.world.project, INGRESS)
    alone.until(lambda: INGRESS in alone.world.own_rules(), "the follower to repair", LEASE * 3)
    assert holder(alone) == follower.identity
    alone.ready()
    assert alone.count("compute.firewalls.insert", since=mark) == 1
    assert alone.count("vpcaccess.connectors.create") == 1
    alone.delete()
    alone.until(alone.is_clean, "nothing to be left")


def test_a_leader_that_stops_in_good_order_hands_over_at_once(alone: Place) -> None:
    leader, follower = alone.operators
    leader.start()
    leads(alone, leader)
    follower.start()
    alone.apply()
    alone.ready()
    alone.stop_operator()
    # The Lease was given back, so nobody has to wait for its end: the follower looks every eighth of its duration.
    alone.until(lambda: holder(alone) == follower.identity, "the follower to lead", LEASE / 2)
    mark = alone.mark()
    alone.break_rule(priority=3000)
    alone.until(lambda: alone.world.rules()[INGRESS]["priority"] == 899, "the repair")
    assert [one["method"] for one in alone.written(since=mark)] == ["compute.firewalls.update"]


def test_a_leader_that_dies_in_the_middle_of_a_creation_has_it_finished_by_the_follower(alone: Place) -> None:
    leader, follower = alone.operators
    leader.start()
    leads(alone, leader)
    follower.start()
    fault = alone.fault("vpcaccess.connectors.create", "stall_operation", count=1)
    alone.apply()
    alone.until(lambda: alone.ledger().get("operation", {}).get("name"), "the operation to be known")
    leader.kill()
    leads(alone, follower)
    alone.world.control.remove_fault(fault)
    alone.ready()
    assert alone.count("vpcaccess.connectors.create") == 1
    assert alone.status()["connector"]["owned"] is True
    alone.delete()
    alone.until(alone.is_clean, "nothing to be left")


def test_a_leader_that_was_frozen_finds_out_before_it_writes(alone: Place) -> None:
    leader, follower = alone.operators
    leader.start()
    leads(alone, leader)
    follower.start()
    alone.apply()
    alone.ready()
    with frozen(leader.pid):
        leads(alone, follower)
        before = events_of(leader, "applied")
        alone.apply(firewall={"priority": 700})
        alone.until(lambda: alone.world.rules()[INGRESS]["priority"] == 700, "the new leader to follow the spec")
        alone.ready()
        mark = alone.mark()
        alone.break_rule(priority=3000)
    alone.until(lambda: events_of(leader, "lease.lost") >= 1, "the old leader to see that it leads no more")
    alone.until(lambda: alone.world.rules()[INGRESS]["priority"] == 700, "the repair")
    alone.ready()
    assert events_of(leader, "applied") == before
    assert [one["method"] for one in alone.written(since=mark)] == ["compute.firewalls.update"]
    assert holder(alone) == follower.identity


def test_what_happens_while_the_api_server_is_away_is_noticed(alone: Place) -> None:
    (operator, _) = alone.operators
    operator.start()
    alone.pids = [operator.pid]
    for name in ("changed", "deleted", "forced"):
        alone.apply(name, redis={"vm": {"host": "10.128.0.5"}})
    for name in ("changed", "deleted", "forced"):
        alone.ready(name)
    with frozen(operator.pid):
        alone.lab.control_plane.restart_apiserver(crash=True)
        alone.apply("changed", redis={"vm": {"host": "10.128.0.5"}}, firewall={"priority": 700})
        alone.apply("new", redis={"vm": {"host": "10.128.0.5"}})
        alone.delete("deleted", wait=False)
        alone.delete("forced", wait=False)
        patch = json.dumps([{"op": "remove", "path": "/metadata/finalizers"}])
        alone.lab.kubectl("patch", "rconn", "forced", "-n", alone.namespace, "--type=json", "-p", patch)
        assert alone.body("forced") == {}
    alone.gone("deleted")
    alone.until(
        lambda: any(
            rule["priority"] == 700 and f"{alone.namespace}/changed" in rule["description"]
            for rule in alone.world.own_rules().values()
        ),
        "the change to be followed",
    )
    alone.ready("changed")
    alone.ready("new")
    owners = {rule["description"].split("resource=")[1].split()[0] for rule in alone.world.own_rules().values()}
    # What was torn away by force cannot be cleaned up by anybody who knows what it was: its rules stay.
    assert owners == {f"{alone.namespace}/{name}" for name in ("changed", "new", "forced")}
    alone.until(
        lambda: f'name="forced",namespace="{alone.namespace}"' not in operator.metrics(),
        "the forced one to be forgotten",
    )
    alone.assert_unhurt()


def test_an_api_server_that_hangs_for_longer_than_the_lease_stops_writes_and_not_the_operator(alone: Place) -> None:
    (operator, _) = alone.operators
    operator.start()
    alone.pids = [operator.pid]
    alone.apply()
    alone.ready()
    mark = alone.mark()
    server = alone.lab.control_plane._server
    assert server is not None
    with frozen(server.pid):
        # Nothing that asks the API server may be used in here.
        wait_until(
            lambda: events_of(operator, "lease.lost") >= 1,
            deadline=60,
            describe=lambda: f"the operator to see that it cannot lead: {operator.log_tail(10)}",
        )
        alone.world.control.delete("firewalls", alone.world.project, EGRESS)
        polled = alone.mark()
        wait_until(
            lambda: alone.count("compute.firewalls.list", since=polled) >= 8,
            deadline=30,
            describe="the polls to go on",
        )
        assert alone.written(since=mark) == []
    alone.until(lambda: EGRESS in alone.world.own_rules(), "the repair after the outage", 60)
    alone.ready()
    assert alone.count("compute.firewalls.insert", since=mark) == 1
    alone.assert_unhurt()


def test_a_project_without_quota_keeps_no_worker_from_the_others(alone: Place) -> None:
    operator = alone.lab.new_operator(
        identity="few-workers", NAMESPACE=alone.operator_namespace, NAMESPACES=alone.namespace, WORKERS="2"
    )
    alone.operators = (operator,)
    other = Hardened(alone.lab.cloud.control, alone.lab.cloud.url).build()
    names = ("one", "two", "three", "four")
    try:
        operator.start()
        for name in names:
            alone.apply(name)
        alone.lab.apply(other.resource(alone.namespace, "neighbour"))
        for name in (*names, "neighbour"):
            alone.ready(name)
        alone.fault(
            "compute.firewalls.list", "status", status=403, reason="rateLimitExceeded", message="Quota exceeded."
        )
        for name in names:
            alone.says("FirewallReady", "Unknown", "QuotaExhausted", name=name)
            # A user's change asks for a reconcile of each, and not one of them may wait for the quota.
            alone.apply(name, probe={"interval": "3s", "timeout": "1s", "proberUrl": alone.world.prober_url})
        alone.until(
            lambda: all(alone.status(name)["observedGeneration"] == 2 for name in names), "the changes to be seen"
        )
        other.control.delete("firewalls", other.project, INGRESS)
        alone.until(lambda: INGRESS in other.own_rules(), "the neighbour's repair", 8)
    finally:
        operator.kill()
        alone.lab.cloud.control.remove_project(other.project)
