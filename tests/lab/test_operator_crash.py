"""kill -9 at each write, and the same end: no duplicate, no orphan."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import OPERATOR_NAMESPACE, Lab
from support.hardened import Hardened
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

#: Google's operations are long enough to be killed in the middle of.
TIMINGS = Timings(firewall=0.6, connector_create=1.2, connector_update=0.8, connector_delete=0.8)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(TIMINGS, settings={"POLL_INTERVAL": "0.5"}) as running:
        yield running


@dataclass
class Life:
    """One resource's life, and an operator that may be killed in it."""

    lab: Lab
    world: Hardened
    namespace: str
    operator: OperatorProcess

    def apply(self, **spec: Any) -> None:
        self.lab.apply(self.world.resource(self.namespace, **spec))

    def settled(self) -> None:
        self.lab.wait_condition(self.namespace, "path", "Ready", deadline=60)
        self.lab.wait_condition(self.namespace, "path", "InSync", deadline=30)

    def uid(self) -> str:
        return str((self.lab.get(self.namespace, "path") or {})["metadata"]["uid"])

    def ledger(self) -> dict[str, Any]:
        for one in self.lab.config_maps(OPERATOR_NAMESPACE):
            annotations = one["metadata"].get("annotations", {})
            if annotations.get("redisconnectivity.io/resource") == f"{self.namespace}/path":
                return dict(json.loads(one["data"]["ledger.json"]))
        return {}

    def restart(self) -> None:
        self.operator.kill()
        self.operator.start()


@pytest.fixture
def life(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Life]:
    namespace = f"crash-{secrets.token_hex(3)}"
    lab.control_plane.create_namespace(namespace)
    world = Hardened(lab.cloud.control, lab.cloud.url).build()
    # One identity for all of its lives, as a pod keeps its name when its container is restarted.
    operator = lab.new_operator(NAMESPACES=namespace, IDENTITY="crash-test")
    try:
        yield Life(lab, world, namespace, operator)
    finally:
        if getattr(request.node, "failed", True):
            print(operator.log_tail(80))  # shown by pytest for a test that failed
        lab.cloud.control.clear_faults()
        operator.kill()
        lab.control_plane.purge_namespace(namespace)
        lab.cloud.control.remove_project(world.project)


def google_call(life: Life, method: str, count: int = 1) -> bool:
    return len(life.world.control.audit(project=life.world.project, method=method)) >= count


def kube_write(life: Life, resource: str, verb: str, subresource: str | None = None) -> Callable[[], bool]:
    mark = life.lab.control_plane.audit.mark()

    def written() -> bool:
        return any(
            one.verb == verb and one.resource == resource and (one.subresource or None) == subresource
            for one in life.lab.control_plane.audit.writes(mark)
            if "redis-connectivity" in one.user
        )

    return written


def assert_whole(life: Life) -> None:
    """Exactly one connector, made once; exactly one rule a direction; nothing in flight."""
    assert life.world.connectors() == ["staging-connector"]
    assert sorted(life.world.own_rules()) == ["allow-vpc-connector-egress-to-redis", "allow-vpc-connector-to-redis"]
    assert len(life.world.calls("vpcaccess.connectors.create")) == 1
    inserted = [one["resource"] for one in life.world.calls("compute.firewalls.insert")]
    effective = {one["resource"] for one in life.world.calls("compute.firewalls.insert")}
    assert len(effective) == 2, inserted
    ledger = life.ledger()
    assert not ledger.get("pending"), ledger
    assert not ledger.get("operation"), ledger


def assert_gone(life: Life) -> None:
    wait_until(
        lambda: life.lab.get(life.namespace, "path") is None,
        deadline=60,
        describe=lambda: f"the resource to go: {life.lab.get(life.namespace, 'path')}\n{life.operator.log_tail(40)}",
    )
    assert life.world.own_rules() == {}
    assert life.world.connectors() == []
    assert life.ledger() == {}
    assert sorted(life.world.rules()) == ["deny-all-egress", "deny-all-ingress"]


#: Where the operator is killed while it builds: a name, a fault to set before, and what tells that the moment is there.
BUILDING: dict[str, tuple[dict[str, Any] | None, Callable[[Life], Callable[[], bool]]]] = {
    "finalizer added": (None, lambda life: kube_write(life, "redisconnectivities", "patch")),
    "status told": (None, lambda life: kube_write(life, "redisconnectivities", "patch", "status")),
    "ledger written": (None, lambda life: kube_write(life, "configmaps", "patch")),
    "connector create refused to answer": (
        {"method": "vpcaccess.connectors.create", "kind": "drop_answer", "count": 1},
        lambda life: lambda: google_call(life, "vpcaccess.connectors.create"),
    ),
    "connector create called": (
        {"method": "vpcaccess.connectors.create", "kind": "delay", "delay": 5.0, "count": 1},
        lambda life: lambda: bool(life.ledger().get("operation")),
    ),
    "connector create running": (None, lambda life: lambda: bool(life.ledger().get("operation", {}).get("name"))),
    "firewall insert called": (
        {"method": "compute.firewalls.insert", "kind": "delay", "delay": 5.0, "count": 2},
        lambda life: lambda: bool(life.ledger().get("pending")),
    ),
    "firewall insert answer lost": (
        {"method": "compute.firewalls.insert", "kind": "drop_answer", "count": 1},
        lambda life: lambda: google_call(life, "compute.firewalls.insert"),
    ),
    "firewall insert running": (None, lambda life: lambda: google_call(life, "compute.firewalls.insert", 2)),
}


@pytest.mark.parametrize("moment", BUILDING)
def test_killed_while_building_it_ends_whole(life: Life, moment: str) -> None:
    fault, arm = BUILDING[moment]
    if fault is not None:
        life.world.control.fault(fault["method"], fault["kind"], project=life.world.project, **_more(fault))
    life.operator.start()
    reached = arm(life)
    life.apply()
    wait_until(reached, deadline=30, interval=0.005, describe=moment)
    life.restart()
    life.settled()
    assert_whole(life)
    life.lab.kubectl("delete", "rconn", "path", "-n", life.namespace, "--wait=false")
    assert_gone(life)


def _more(fault: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fault.items() if name not in ("method", "kind")}


CHANGING: dict[str, tuple[str, str]] = {
    "firewall update": ("compute.firewalls.update", "rule"),
    "connector patch": ("vpcaccess.connectors.patch", "connector"),
}


@pytest.mark.parametrize("kind", ["delay", "drop_answer"])
@pytest.mark.parametrize("change", CHANGING)
def test_killed_while_changing_it_ends_as_declared(life: Life, change: str, kind: str) -> None:
    method, what = CHANGING[change]
    life.operator.start()
    life.apply()
    life.settled()
    more = {"delay": 5.0} if kind == "delay" else {}
    life.world.control.fault(method, kind, project=life.world.project, count=1, **more)
    if what == "rule":
        life.world.control.patch(
            "firewalls", life.world.project, "allow-vpc-connector-to-redis", sourceRanges=["192.0.2.1/32"]
        )
        key = "pending"
    else:
        life.apply(connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 7})
        key = "operation"
    # A lost answer leaves its trace at Google, and the ledger's entry may be gone again a moment later; a call that is
    # held up has not been answered, so only the ledger tells of it.
    begun = (lambda: google_call(life, method)) if kind == "drop_answer" else (lambda: bool(life.ledger().get(key)))
    wait_until(begun, deadline=30, interval=0.005, describe=f"{method} to be begun")
    life.restart()
    wait_until(
        lambda: (
            life.world.rules()["allow-vpc-connector-to-redis"]["sourceRanges"] == ["10.2.0.0/28"]
            and (what == "rule" or life.world.control.list("connectors", life.world.project)[0]["maxInstances"] == 7)
        ),
        deadline=40,
        describe=lambda: f"{change} to be done; {life.operator.log_tail(30)}",
    )
    life.settled()
    wait_until(
        lambda: not life.ledger().get("pending") and not life.ledger().get("operation"),
        deadline=20,
        describe=lambda: f"nothing to be in flight: {life.ledger()}",
    )
    assert_whole(life)


DELETING: dict[str, tuple[dict[str, Any] | None, Callable[[Life], Callable[[], bool]]]] = {
    "firewall delete called": (
        {"method": "compute.firewalls.delete", "kind": "delay", "delay": 5.0, "count": 2},
        lambda life: lambda: bool(life.ledger().get("pending")),
    ),
    "firewall delete answer lost": (
        {"method": "compute.firewalls.delete", "kind": "drop_answer", "count": 2},
        lambda life: lambda: google_call(life, "compute.firewalls.delete"),
    ),
    "firewall delete running": (None, lambda life: lambda: google_call(life, "compute.firewalls.delete", 2)),
    "connector delete called": (
        {"method": "vpcaccess.connectors.delete", "kind": "delay", "delay": 5.0, "count": 1},
        lambda life: lambda: bool(life.ledger().get("operation")),
    ),
    "connector delete answer lost": (
        {"method": "vpcaccess.connectors.delete", "kind": "drop_answer", "count": 1},
        lambda life: lambda: google_call(life, "vpcaccess.connectors.delete"),
    ),
    "connector delete running": (None, lambda life: lambda: google_call(life, "vpcaccess.connectors.delete")),
    "ledger deleted": (None, lambda life: kube_write(life, "configmaps", "delete")),
    "finalizer removed": (None, lambda life: kube_write(life, "redisconnectivities", "patch")),
}


@pytest.mark.parametrize("moment", DELETING)
def test_killed_while_deleting_nothing_is_left(life: Life, moment: str) -> None:
    fault, arm = DELETING[moment]
    life.operator.start()
    life.apply()
    life.settled()
    if fault is not None:
        life.world.control.fault(fault["method"], fault["kind"], project=life.world.project, **_more(fault))
    reached = arm(life)
    life.lab.kubectl("delete", "rconn", "path", "-n", life.namespace, "--wait=false")
    wait_until(reached, deadline=30, interval=0.005, describe=moment)
    life.restart()
    assert_gone(life)


def test_asked_to_stop_in_the_middle_it_stops_in_good_order_and_goes_on_later(life: Life) -> None:
    life.operator.start()
    life.apply()
    wait_until(lambda: google_call(life, "compute.firewalls.insert"), deadline=30, interval=0.005, describe="an insert")
    begun = time.monotonic()
    assert life.operator.stop() == 0
    assert time.monotonic() - begun < 25
    life.operator.start()
    life.settled()
    assert_whole(life)


#: Where the operator is killed while it replaces the connector by one with another range.
REPLACING: dict[str, tuple[dict[str, Any] | None, Callable[[Life], Callable[[], bool]]]] = {
    "create called": (
        {"method": "vpcaccess.connectors.create", "kind": "delay", "delay": 5.0, "count": 1},
        lambda life: lambda: life.ledger().get("operation", {}).get("kind") == "create",
    ),
    "create answer lost": (
        {"method": "vpcaccess.connectors.create", "kind": "drop_answer", "count": 1},
        lambda life: lambda: google_call(life, "vpcaccess.connectors.create", 2),
    ),
    "create running": (None, lambda life: lambda: bool(life.ledger().get("operation", {}).get("name"))),
    "delete called": (
        {"method": "vpcaccess.connectors.delete", "kind": "delay", "delay": 5.0, "count": 1},
        lambda life: lambda: life.ledger().get("operation", {}).get("kind") == "delete",
    ),
    "delete answer lost": (
        {"method": "vpcaccess.connectors.delete", "kind": "drop_answer", "count": 1},
        lambda life: lambda: google_call(life, "vpcaccess.connectors.delete"),
    ),
}


@pytest.mark.parametrize("moment", REPLACING)
def test_killed_while_replacing_there_is_one_in_the_end_and_no_orphan(life: Life, moment: str) -> None:
    fault, arm = REPLACING[moment]
    life.operator.start()
    life.apply()
    life.settled()
    if fault is not None:
        life.world.control.fault(fault["method"], fault["kind"], project=life.world.project, **_more(fault))
    reached = arm(life)
    # The consent stands there from the start, as in a Git repository that is replayed.
    life.apply(
        connector={"ipCidrRange": "10.3.0.0/28", "replacement": "Recreate", "retire": "staging-connector"},
        probe={"proberUrl": life.world.prober_url, "interval": "1h"},
    )
    wait_until(reached, deadline=30, interval=0.005, describe=moment)
    life.restart()

    def one_left() -> bool:
        found = life.world.control.list("connectors", life.world.project)
        rules = life.world.own_rules()
        return (
            [(one["ipCidrRange"], one["state"]) for one in found] == [("10.3.0.0/28", "READY")]
            and rules["allow-vpc-connector-to-redis"]["sourceRanges"] == ["10.3.0.0/28"]
            and not life.ledger().get("operation")
            and not life.ledger().get("retiring")
        )

    wait_until(one_left, deadline=60, describe=lambda: f"one connector: {life.ledger()}\n{life.operator.log_tail(40)}")
    assert len(life.world.calls("vpcaccess.connectors.create")) == 2
    assert len(life.world.calls("vpcaccess.connectors.delete")) == 1
    life.lab.kubectl("delete", "rconn", "path", "-n", life.namespace, "--wait=false")
    assert_gone(life)
