"""Each drift with who made it and when, where the audit log may be read."""

import secrets
from collections.abc import Iterator

import pytest

from redis_connectivity_lab.stack import Lab
from support.place import INGRESS, Place, grant_operator_namespace

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def audited(lab: Lab) -> Iterator[Place]:
    """A place with an operator of its own that asks the audit log; the shared one rests."""
    lab.operator.stop()
    namespace = f"audit-{secrets.token_hex(3)}"
    home = grant_operator_namespace(lab)
    operator = lab.new_operator(identity=namespace, NAMESPACE=home, NAMESPACES=namespace, AUDIT_LOG="true")
    operator.start()
    made = Place.make(lab, (operator,), namespace=namespace, operator_namespace=home)
    try:
        yield made
        made.assert_unhurt()
    finally:
        operator.kill()
        made.clear()
        lab.control_plane.purge_namespace(home)


def test_each_drift_names_who_made_it(audited: Place) -> None:
    control, project = audited.world.control, audited.world.project
    audited.apply()
    audited.ready()
    control.patch("firewalls", project, INGRESS, actor="eve@example.com", priority=3000)
    audited.until(
        lambda: [one.get("actor") for one in audited.status().get("drift", [])] == ["eve@example.com"],
        "the change to be attributed",
    )
    audited.ready()
    control.delete("firewalls", project, INGRESS, actor="mallory@example.com")
    audited.until(
        lambda: (
            [one.get("actor") for one in audited.status().get("drift", [])]
            == ["eve@example.com", "mallory@example.com"]
        ),
        "the deletion to be attributed",
    )
    audited.ready()
    control.delete(*audited.connector_key, actor="oscar@example.com")
    audited.until(
        lambda: "oscar@example.com" in [one.get("actor") for one in audited.status().get("drift", [])],
        "the connector's deletion to be attributed",
    )
    audited.ready()
    assert all(one["changedAt"] <= one["seen"] for one in audited.status()["drift"])
    # At rest nothing is asked any more.
    mark = audited.mark()
    audited.polls(4)
    assert audited.count("logging.entries.list", since=mark) == 0


def test_without_the_permission_nobody_is_named_and_it_is_said_once(audited: Place) -> None:
    everything_else = ["compute.*", "vpcaccess.*", "redis.*", "memorystore.*"]
    audited.world.control.allow(audited.world.project, {"*": everything_else})
    audited.apply()
    audited.ready()
    for priority in (3000, 3001):
        audited.break_rule(priority=priority)
        audited.until(lambda: audited.world.rules()[INGRESS]["priority"] == 899, "the repair")
        audited.ready()

    def told() -> int:
        return sum(1 for one in audited.operators[0].records() if one.get("event") == "attribution.refused")

    audited.until(lambda: told() >= 1, "the refusal to be told")
    audited.polls(6)
    assert told() == 1
    assert len(audited.status()["drift"]) == 2
    assert all("actor" not in one for one in audited.status()["drift"])


def test_it_is_off_unless_turned_on(place: Place) -> None:
    place.apply()
    place.ready()
    place.world.control.patch("firewalls", place.world.project, INGRESS, actor="eve@example.com", priority=3000)
    place.until(lambda: (place.status().get("drift") or [{}])[-1].get("repaired"), "the repair")
    place.polls(6)
    assert [one for one in place.world.control.audit(project=place.world.project) if "logging" in one["method"]] == []
