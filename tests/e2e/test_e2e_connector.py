"""How traffic enters the network, on real servers: Shared VPC, Direct VPC egress, connectors replaced and shared."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import pytest
import requests

from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import Lab
from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place
from support.shared_vpc import SERVICE_RULES, SharedVpc

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def shared(lab: Lab, operator: OperatorProcess, request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place.make(lab, (operator,), kind=SharedVpc, in_host=request.param == "host")
    try:
        yield made
        made.assert_unhurt()
    finally:
        made.clear()


@pytest.mark.parametrize("shared", ["service"], indirect=True)
def test_shared_vpc_with_the_connector_in_the_service_project(shared: Place) -> None:
    world = shared.world
    assert isinstance(world, SharedVpc)
    shared.apply()
    message = shared.says("ConnectorReady", "False", "SharedVpcRulesMissing")
    assert all(name in message for name in SERVICE_RULES)
    assert f"--project={world.host_project}" in message
    assert shared.written() == []

    world.make_service_rules()
    shared.ready()
    shared.says("Ready", "True", "PathProven")
    assert world.control.list("connectors", world.host_project) == []
    assert [one["subnet"] for one in world.control.list("connectors", world.project)] == [
        {"name": "conn", "projectId": world.host_project}
    ]
    assert world.own_rules().keys() == {INGRESS, EGRESS}
    assert world.control.list("firewalls", world.project) == []
    assert world.own_rules()[INGRESS]["sourceRanges"] == ["10.8.0.0/28"]

    shared.break_rule(sourceRanges=["10.99.0.0/28"])
    shared.until(lambda: shared.status()["drift"], "the change to be seen")
    shared.ready()
    shared.delete()
    assert shared.is_clean()
    assert set(SERVICE_RULES) < world.rules().keys()


@pytest.mark.parametrize("shared", ["host"], indirect=True)
def test_shared_vpc_with_the_connector_in_the_host_project(shared: Place) -> None:
    world = shared.world
    assert isinstance(world, SharedVpc)
    shared.apply(connector={"projectId": world.host_project, "ipCidrRange": "10.2.0.0/28"})
    shared.ready()
    shared.says("Ready", "True", "PathProven")
    assert world.control.list("connectors", world.project) == []
    assert world.connectors() == ["staging-connector"]
    assert world.own_rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28"]
    shared.delete()
    assert shared.is_clean()


@pytest.mark.parametrize("shared", ["service"], indirect=True)
def test_a_permission_that_lacks_in_the_host_project_is_named_there(shared: Place) -> None:
    world = shared.world
    assert isinstance(world, SharedVpc)
    world.make_service_rules()
    world.control.allow(world.host_project, {"*": ["compute.*.list", "compute.*.get*"]})
    shared.apply()
    message = shared.says("FirewallReady", "False", "PermissionDenied")
    assert "compute.firewalls.create" in message
    assert world.host_project in message
    world.control.allow(world.host_project, None)
    shared.ready(deadline=60)


def enter_by_direct_vpc(place: Place, *tags: str) -> None:
    """A Cloud Run service that stands in a subnet of the network, with these network tags."""
    control, project = place.world.control, place.world.project
    control.put("subnetworks", project, REGION, "run", network=place.world.network, ipCidrRange="10.20.0.0/26")
    control.put("services", project, REGION, "prober", subnet="run", tags=list(tags))


def test_direct_vpc_egress_is_opened_proven_broken_and_repaired(place: Place) -> None:
    enter_by_direct_vpc(place, "chat")
    place.apply(connector=None, directVpcEgress={"subnet": "run", "tags": ["chat"]})
    place.ready()
    place.says("Ready", "True", "PathProven")
    assert "Direct VPC egress" in place.says("Reachable", "True", "ProbeSucceeded")
    place.says("ConnectorReady", "True", "DirectVpcEgress")
    assert "connector" not in place.status()
    own = place.world.own_rules()
    assert own[INGRESS]["sourceRanges"] == ["10.20.0.0/26"]
    assert "sourceTags" not in own[INGRESS]
    assert own[EGRESS]["targetTags"] == ["chat"]

    place.fault("compute.firewalls.insert", "status", status=503)
    place.world.control.delete("firewalls", place.world.project, EGRESS)
    place.says("Reachable", "False", "ProbeFailed")
    place.world.control.clear_faults()
    place.ready(deadline=60)
    place.says("Ready", "True", "PathProven")
    place.delete()
    assert place.is_clean()
    assert [one for one in place.written() if one["method"].startswith("vpcaccess.")] == []


def test_direct_vpc_egress_without_tags_is_named_and_tags_are_the_way_out(place: Place) -> None:
    enter_by_direct_vpc(place)
    place.apply(connector=None, directVpcEgress={"subnet": "run"})
    message = place.says("FirewallReady", "False", "FirewallNotAimed")
    assert "deny-all-egress" in message
    place.until(lambda: place.world.own_rules().keys() == {INGRESS}, "the ingress rule, and no other")
    enter_by_direct_vpc(place, "chat")
    place.apply(connector=None, directVpcEgress={"subnet": "run", "tags": ["chat"]})
    place.ready()
    place.says("Ready", "True", "PathProven", deadline=60)


@dataclass
class Pinger:
    """PINGs through a service on Cloud Run, again and again, and remembers what failed."""

    url: str
    host: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while not self._stop.is_set():
            body = {"host": self.host, "port": 6379, "timeout_seconds": 2.0}
            answer = session.post(f"{self.url}/v1/probe", json=body, timeout=10).json()
            if answer["ok"]:
                self.passed += 1
            else:
                self.failed.append(f"{datetime.now(UTC):%H:%M:%S.%f} {answer}")
            self._stop.wait(0.05)


def move_service(place: Place, connector: str, service: str = "prober") -> None:
    """Deploy a Cloud Run service with another connector."""
    world = place.world
    path = f"projects/{world.project}/locations/{REGION}/connectors/{connector}"
    world.control.put("services", world.project, REGION, service, connector=path)


def test_another_range_is_made_beside_the_old_one_and_no_ping_is_lost(place: Place) -> None:
    place.apply()
    place.ready()
    place.says("Ready", "True", "PathProven")
    with Pinger(place.world.prober_url, place.world.host) as pinger:
        place.until(lambda: pinger.passed, "pings to pass")
        place.apply(connector={"ipCidrRange": "10.3.0.0/28", "replacement": "Recreate"})
        message = place.says("ConnectorReady", "True", "ConnectorRetirementWaiting", deadline=60)
        assert "set spec.connector.retire to staging-connector" in message
        shown = place.status()["connector"]
        new = shown["name"]
        assert (shown["ipCidrRange"], shown["owned"]) == ("10.3.0.0/28", True)
        assert [(one["name"], one["ipCidrRange"]) for one in shown["retiring"]] == [
            ("staging-connector", "10.2.0.0/28")
        ]
        assert sorted(place.world.connectors()) == sorted([new, "staging-connector"])
        own = place.world.own_rules()
        place.until(
            lambda: place.world.own_rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28", "10.3.0.0/28"],
            "rules for both",
        )
        tags = [f"vpc-connector-{REGION}-{one}" for one in sorted(["staging-connector", new])]
        assert sorted(place.world.own_rules()[EGRESS]["targetTags"]) == tags
        assert own.keys() == {INGRESS, EGRESS}
        # At rest: it waits, and does nothing meanwhile.
        mark = place.mark()
        place.polls(4)
        assert place.written(since=mark) == []
        passed = pinger.passed
        place.until(lambda: pinger.passed > passed + 10, "pings to go on passing")
        assert pinger.failed == []

    move_service(place, new)
    place.says("Ready", "True", "PathProven")
    place.apply(connector={"ipCidrRange": "10.3.0.0/28", "replacement": "Recreate", "retire": "staging-connector"})
    place.ready(deadline=60)
    assert place.world.connectors() == [new]
    assert place.world.own_rules()[INGRESS]["sourceRanges"] == ["10.3.0.0/28"]
    place.says("Ready", "True", "PathProven", deadline=60)
    place.delete()
    assert place.is_clean()


def test_a_resource_that_is_deleted_in_the_middle_of_a_replacement_leaves_nothing(place: Place) -> None:
    place.apply()
    place.ready()
    place.apply(connector={"ipCidrRange": "10.3.0.0/28", "replacement": "Recreate"})
    place.says("ConnectorReady", "True", "ConnectorRetirementWaiting", deadline=60)
    place.delete()
    place.until(place.is_clean, "nothing to be left")
    assert place.count("vpcaccess.connectors.delete") == 2


def test_shrinking_takes_two_consents_and_then_happens(place: Place) -> None:
    place.apply(connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 7})
    place.ready()
    smaller = {"ipCidrRange": "10.2.0.0/28", "maxInstances": 4, "replacement": "Recreate"}
    place.apply(connector=smaller)
    assert "disruptionPolicy" in place.says("InSync", "False", "DriftBlocked")
    place.says("ConnectorReady", "True")
    assert place.count("vpcaccess.connectors.delete") == 0
    place.apply(connector=smaller, disruptionPolicy="Allow")
    place.until(lambda: place.count("vpcaccess.connectors.create") == 2, "it to be made anew", 60)
    place.ready(deadline=60)
    assert place.connector()["maxInstances"] == 4
    place.says("Ready", "True", "PathProven", deadline=60)


def test_two_resources_that_disagree_about_their_connector(place: Place) -> None:
    place.apply("first", connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 5})
    place.ready("first")
    place.apply("second", connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 7}, probe={})
    message = place.says("InSync", "False", "ConnectorConflict", name="second")
    assert f"{place.namespace}/first, which declares maxInstances 5 and not 7" in message
    place.apply("third", connector={"ipCidrRange": "10.4.0.0/28"}, probe={})
    message = place.says("ConnectorReady", "False", "Conflict", name="third")
    assert f"{place.namespace}/first" in message
    # The connector that there is serves all three; each has its own rules for it.
    place.until(lambda: len(place.world.own_rules()) == 6, "everybody's rules")
    mark = place.mark()
    place.polls(5)
    assert place.written(since=mark) == []
    assert place.connector()["maxInstances"] == 5
    assert place.says("InSync", "True", name="first")


def test_connectors_that_are_observed_or_not_looked_at(place: Place) -> None:
    control, project = place.world.control, place.world.project
    observed = {"ipCidrRange": "10.2.0.0/28", "management": "Observed"}
    place.apply("observed", connector=observed)
    assert "management to Managed" in place.says("ConnectorReady", "False", "ConnectorNotFound", name="observed")
    control.put(*place.connector_key, network="staging-vpc", ipCidrRange="10.2.0.0/28")
    place.ready("observed")
    place.says("Ready", "True", "PathProven", name="observed")
    # Whose range it is that rules are for is declared; nothing of it need be there.
    place.apply("by-range", connector={"ipCidrRange": "10.5.0.0/28", "management": "None"}, probe={})
    place.says("ConnectorReady", "True", "ConnectorNotManaged", name="by-range")
    control.put("subnetworks", project, REGION, "conn", network="staging-vpc", ipCidrRange="10.6.0.0/28")
    place.apply("by-subnet", connector={"subnet": {"name": "conn"}, "management": "None"}, probe={})
    place.says("ConnectorReady", "True", "ConnectorNotManaged", name="by-subnet")
    place.until(
        lambda: (
            {"10.2.0.0/28", "10.5.0.0/28", "10.6.0.0/28"}
            == {source for rule in place.world.own_rules().values() for source in rule.get("sourceRanges", [])}
        ),
        "rules for all three",
    )
    for name in ("observed", "by-range", "by-subnet"):
        place.delete(name)
    assert place.world.own_rules() == {}
    assert place.world.connectors() == ["staging-connector"]
    assert [one for one in place.written() if one["method"].startswith("vpcaccess.")] == []
