"""A deletion that cannot go on says so, names the way out, and ends by itself when it can."""

import json

import pytest
import yaml

from redis_connectivity_lab.stack import PROJECT_ROOT
from support.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

WAYS_OUT = ("deletionPolicy", "finalizer", "docs/deletion.md")
READS = ["*.list", "*.get", "*.getEffectiveFirewalls", "compute.networks.*", "compute.subnetworks.*"]


def blocked(place: Place, reason: str, word: str = "") -> str:
    """The message of a deletion that waits for this reason; condition and Event must both name the ways out."""

    def told() -> str:
        # The same reason may stand there from before the deletion began.
        one = place.lab.condition(place.namespace, "path", "Ready")
        message = str(one.get("message", ""))
        wanted = (word, *WAYS_OUT)
        return message if one.get("reason") == reason and all(part in message for part in wanted) else ""

    message = str(place.until(told, f"Ready to say {reason} and the ways out"))
    events = place.until(lambda: place.events("DeletionBlocked"), "an Event")
    assert all(way in event for event in events for way in WAYS_OUT)
    # Once for each cause: what was read before a loss may make the first one another.
    assert len(events) == len(set(events))
    return message


@pytest.mark.parametrize("lost", ["reading", "writing"])
def test_permission_is_lost_and_comes_back(place: Place, lost: str) -> None:
    place.apply()
    place.ready()
    granted = READS if lost == "writing" else ["vpcaccess.*", "compute.networks.*", "compute.subnetworks.*"]
    place.world.control.allow(place.world.project, {"*": granted})
    place.delete(wait=False)
    # What was read a moment before the loss may lead to a refused write first.
    blocked(place, "PermissionDenied", "compute.firewalls.list" if lost == "reading" else "compute.firewalls.")
    place.says("Stalled", "True", "PermissionDenied")
    place.says("Reconciling", "True", "Deleting")
    place.world.control.allow(place.world.project, None)
    place.gone(deadline=90)
    place.until(place.is_clean, "nothing to be left")


@pytest.mark.parametrize(
    "method", ["compute.firewalls.list", "compute.firewalls.delete", "vpcaccess.connectors.delete"]
)
def test_google_cannot_be_reached_for_a_while(place: Place, method: str) -> None:
    place.apply()
    place.ready()
    fault = place.fault(method, "status", status=503, message="Backend is down.")
    if method.endswith(".list"):
        # What was read a moment ago would be good enough for a deletion.
        place.says("FirewallReady", "Unknown", "CloudUnavailable")
    place.delete(wait=False)
    assert "Backend is down." in blocked(place, "CloudUnavailable")
    # It passes by itself: nobody has to do anything.
    place.says("Stalled", "False")
    place.world.control.remove_fault(fault)
    place.gone(deadline=90)
    place.until(place.is_clean, "nothing to be left")


@pytest.mark.parametrize("way", ["retain", "finalizer"])
def test_the_ways_out_really_lead_out(place: Place, way: str) -> None:
    place.apply()
    place.ready()
    place.world.control.remove_project(place.world.project)
    place.delete(wait=False)
    blocked(place, "ProjectNotFound")
    place.says("Stalled", "True", "ProjectNotFound")
    if way == "retain":
        kind, patch = "merge", json.dumps({"spec": {"deletionPolicy": "Retain"}})
    else:
        kind, patch = "json", json.dumps([{"op": "remove", "path": "/metadata/finalizers"}])
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, f"--type={kind}", "-p", patch)
    place.gone()


def test_its_namespace_is_going(place: Place) -> None:
    """As the namespace controller does it: the namespace terminates, then everything in it is deleted."""
    place.apply()
    place.ready()
    place.lab.kubectl("delete", "namespace", place.namespace, "--wait=false")
    phase = json.loads(place.lab.kubectl("get", "namespace", place.namespace, "-o", "json"))["status"]["phase"]
    assert phase == "Terminating"
    fault = place.fault("compute.firewalls.delete", "status", status=503, message="Backend is down.")
    place.delete(wait=False)
    # Events cannot be made there any more; the condition can.
    message = place.says("Ready", "False", "CloudUnavailable")
    assert all(way in message for way in WAYS_OUT)
    place.world.control.remove_fault(fault)
    place.gone(deadline=90)
    place.until(place.is_clean, "nothing to be left")


def test_a_status_that_is_refused_holds_up_nothing(place: Place) -> None:
    """Whoever may not tell how it stands any more still removes what there is, and lets go."""
    place.apply()
    place.ready()
    shipped = list(yaml.safe_load_all((PROJECT_ROOT / "manifests" / "base" / "rbac.yaml").read_text(encoding="utf-8")))
    (role,) = [
        one
        for one in shipped
        if one["kind"] == "ClusterRole"
        and any("redisconnectivities/status" in rule["resources"] for rule in one["rules"])
    ]
    without = {
        **role,
        "rules": [rule for rule in role["rules"] if "redisconnectivities/status" not in rule["resources"]],
    }
    try:
        place.lab.kubectl("replace", "-f", "-", stdin=json.dumps(without))
        place.until(
            lambda: place.lab.kubectl(
                "auth", "can-i", "patch", "redisconnectivities", "--subresource=status", "-n", place.namespace,
                "--as", f"system:serviceaccount:{place.operator_namespace}:redis-connectivity", check=False,
            ).strip() == "no",
            "the right to be gone",
        )  # fmt: skip
        place.delete(wait=False)
        place.gone(deadline=60)
    finally:
        place.lab.kubectl("replace", "-f", "-", stdin=json.dumps(role))
    place.until(place.is_clean, "nothing to be left")


def test_a_connector_that_other_projects_use_goes_with_consent_only(place: Place) -> None:
    place.apply()
    place.ready()
    users = [place.world.project, "other-team", "123456789012"]
    place.world.control.patch(*place.connector_key, connectedProjects=users)
    place.polls(2)
    place.delete(wait=False)
    message = blocked(place, "ConsentRequired")
    assert "other-team" in message
    assert "disruptionPolicy" in message
    assert place.world.own_rules() == {}
    assert place.world.connectors() == ["staging-connector"]
    patch = json.dumps({"spec": {"disruptionPolicy": "Allow"}})
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, "--type=merge", "-p", patch)
    place.gone()
    place.until(place.is_clean, "nothing to be left")


def test_a_connector_that_other_projects_left_goes_by_itself(place: Place) -> None:
    place.apply()
    place.ready()
    place.world.control.patch(*place.connector_key, connectedProjects=["other-team"])
    place.polls(2)
    place.delete(wait=False)
    blocked(place, "ConsentRequired")
    place.world.control.patch(*place.connector_key, connectedProjects=[place.world.project])
    place.gone(deadline=60)
    place.until(place.is_clean, "nothing to be left")
