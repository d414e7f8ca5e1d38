"""Google refuses, stalls, loses answers: the operator outlives it, does nothing twice, and says what is the matter."""

import pytest

from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

#: Each write after the path is built, and what makes it happen.
LATER_WRITES = (
    "compute.firewalls.update",
    "compute.firewalls.delete",
    "vpcaccess.connectors.patch",
    "vpcaccess.connectors.delete",
)


def provoke(place: Place, method: str) -> None:
    if method == "compute.firewalls.update":
        place.break_rule(priority=3000)
    elif method == "vpcaccess.connectors.patch":
        place.apply(connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 7})
    else:
        place.delete(wait=False)


def is_done(place: Place, method: str) -> bool:
    if method == "compute.firewalls.update":
        return bool(place.world.rules()[INGRESS]["priority"] == 899)
    if method == "vpcaccess.connectors.patch":
        return bool(place.connector()["maxInstances"] == 7)
    return not place.body()


def finish(place: Place, method: str) -> None:
    """Whatever was provoked, the end of every life is clean."""
    if method.endswith(("update", "patch")):
        place.ready()
        assert not place.ledger().get("pending")
        place.until(lambda: not place.ledger().get("operation"), "the operation to be forgotten")
        assert sorted(place.world.own_rules()) == [EGRESS, INGRESS]
        place.delete()
    place.until(place.is_clean, "nothing to be left")


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("method", [one for one in LATER_WRITES if one.startswith("vpcaccess.")])
def test_a_refusal_at_a_later_connector_write_is_outlived(place: Place, method: str, status: int) -> None:
    place.apply()
    place.ready()
    fault = place.fault(method, "status", status=status, count=1 if status == 429 else 2)
    provoke(place, method)
    # A 429 pauses the project's group of calls until the next minute.
    place.until(lambda: is_done(place, method), f"{method} to be done", 90)
    place.world.control.remove_fault(fault)
    assert place.count(method) == 1
    finish(place, method)


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("method", [one for one in LATER_WRITES if one.startswith("compute.")])
def test_a_refusal_at_a_later_rule_write_is_outlived(place: Place, method: str, status: int) -> None:
    place.apply()
    place.ready()
    place.fault(method, "status", status=status, count=2)
    provoke(place, method)
    place.until(lambda: is_done(place, method), f"{method} to be done", 40)
    finish(place, method)


@pytest.mark.parametrize("kind", ["reset", "drop_answer"])
@pytest.mark.parametrize("method", LATER_WRITES)
def test_a_cut_connection_at_a_later_write_is_outlived(place: Place, method: str, kind: str) -> None:
    place.apply()
    place.ready()
    place.fault(method, kind, count=1)
    provoke(place, method)
    place.until(lambda: is_done(place, method), f"{method} to be done", 40)
    finish(place, method)


@pytest.mark.parametrize("method", ["compute.firewalls.insert", "compute.firewalls.update", "compute.firewalls.delete"])
def test_a_rule_operation_that_fails_is_told_and_tried_again(place: Place, method: str) -> None:
    if method != "compute.firewalls.insert":
        place.apply()
        place.ready()
    place.fault(method, "fail_operation", code="RESOURCE_OPERATION_RATE_EXCEEDED", message="Try later.", count=1)
    if method == "compute.firewalls.insert":
        place.apply()
        place.ready()
        place.delete()
        place.until(place.is_clean, "nothing to be left")
    else:
        provoke(place, method)
        place.until(lambda: is_done(place, method), f"{method} to be done", 40)
        finish(place, method)
    failures = [one for one in place.operators[0].records() if one.get("event") == "apply.failed"]
    assert any("Try later." in one["error"] and one["resource"] == f"{place.namespace}/path" for one in failures)


@pytest.mark.parametrize("method", ["compute.firewalls.insert", "compute.firewalls.update"])
def test_a_rule_operation_that_stalls_holds_up_its_own_resource_only(place: Place, method: str) -> None:
    if method == "compute.firewalls.update":
        place.apply()
        place.ready()
    fault = place.fault(method, "stall_operation", resource=f"*/{INGRESS}")
    if method == "compute.firewalls.update":
        place.break_rule(priority=3000)
    else:
        place.apply()
    place.until(lambda: place.count(method) >= 1, "the stalled write")
    place.apply("other", redis={"vm": {"host": "10.128.0.6"}}, probe={})
    place.ready("other")
    place.says("FirewallReady", "False", "FirewallApplying")
    place.world.control.remove_fault(fault)
    place.ready()
    inserted = [one["resource"] for one in place.world.calls("compute.firewalls.insert")]
    assert len(inserted) == len(set(inserted)) == 4


def test_a_patch_that_fails_is_told_and_the_connector_goes_on(place: Place) -> None:
    place.apply()
    place.ready()
    place.fault("vpcaccess.connectors.patch", "fail_operation", code=13, message="An internal error occurred.", count=1)
    provoke(place, "vpcaccess.connectors.patch")
    place.until(lambda: is_done(place, "vpcaccess.connectors.patch"), "the second try", 60)
    place.ready()
    assert place.count("vpcaccess.connectors.patch") == 2
    assert place.count("vpcaccess.connectors.create") == 1


def test_a_patch_that_always_fails_is_not_hammered(place: Place) -> None:
    place.apply()
    place.ready()
    place.fault("vpcaccess.connectors.patch", "fail_operation", code=13, message="An internal error occurred.")
    provoke(place, "vpcaccess.connectors.patch")
    place.until(lambda: place.count("vpcaccess.connectors.patch") >= 1, "the first try")
    place.polls(20)  # ten seconds
    assert place.count("vpcaccess.connectors.patch") <= 5
    assert "internal error" in place.says("InSync", "False", "DriftBlocked")
    place.says("Ready", "True")  # what is there goes on carrying traffic


def test_a_delete_that_fails_leaves_an_error_that_is_removed_in_the_end(place: Place) -> None:
    place.apply()
    place.ready()
    place.fault("vpcaccess.connectors.delete", "fail_operation", code=13, message="An internal error.", count=1)
    place.delete(wait=False)
    place.gone(deadline=60)
    place.until(place.is_clean, "nothing to be left")
    assert place.count("vpcaccess.connectors.delete") == 2


def test_a_delete_that_always_fails_is_not_hammered_and_names_the_way_out(place: Place) -> None:
    place.apply()
    place.ready()
    place.fault("vpcaccess.connectors.delete", "fail_operation", code=13, message="an internal error")
    place.delete(wait=False)
    message = place.says("Ready", "False", "RejectedByGoogle")
    assert "internal error" in message
    assert "Retain" in message
    place.polls(20)  # ten seconds
    assert place.count("vpcaccess.connectors.delete") <= 5
    # The user's way out really is one.
    patch = '{"spec": {"deletionPolicy": "Retain"}}'
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, "--type=merge", "-p", patch)
    place.gone(deadline=60)


@pytest.mark.parametrize("permission", ["compute.firewalls.delete", "vpcaccess.connectors.delete"])
def test_a_permission_that_is_missing_at_deletion_is_named_and_its_return_ends_it(
    place: Place, permission: str
) -> None:
    place.apply()
    place.ready()
    service = permission.split(".", 1)[0]
    granted = ["compute.*" if service != "compute" else "vpcaccess.*", "*.list", "*.get", "*.wait", "*.update"]
    granted += ["compute.networks.*", "compute.subnetworks.*"]
    place.world.control.allow(place.world.project, {"*": granted})
    place.delete(wait=False)
    message = place.says("Ready", "False", "PermissionDenied")
    assert permission in message
    assert "Retain" in message
    place.world.control.allow(place.world.project, None)
    place.gone(deadline=60)
    place.until(place.is_clean, "nothing to be left")


def test_a_project_that_is_gone_does_not_hold_its_resource_for_ever(place: Place) -> None:
    place.apply()
    place.ready()
    place.world.control.remove_project(place.world.project)
    place.says("NetworkReady", "False", "ProjectNotFound")
    place.delete(wait=False)
    place.says("Ready", "False", "ProjectNotFound")
    patch = '{"spec": {"deletionPolicy": "Retain"}}'
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, "--type=merge", "-p", patch)
    place.gone()


def test_google_that_cannot_be_asked_is_told_and_so_is_its_return(place: Place) -> None:
    place.apply()
    place.ready()
    fault = place.fault("compute.firewalls.list", "status", status=503, message="Backend is down.")
    assert "Backend is down." in place.says("FirewallReady", "Unknown", "CloudUnavailable")
    place.says("Ready", "Unknown", "CloudUnavailable")
    place.world.control.remove_fault(fault)
    place.ready(deadline=60)


def test_a_quota_is_told_though_another_runs_out_just_after_it(place: Place) -> None:
    place.apply()
    place.ready()
    mark = place.mark()
    # The second slows the project's polls further, and what was read is believed for three of those.
    for method, status in (("compute.firewalls.list", 403), ("vpcaccess.connectors.list", 429)):
        place.fault(method, "status", status=status, reason="rateLimitExceeded", message="Quota exceeded.")
        place.until(lambda name=method: place.refused(name, since=mark), f"{method} to be refused")
    place.says("Ready", "Unknown", "QuotaExhausted", deadline=40)


def test_a_network_that_is_deleted_under_everything_is_named(place: Place) -> None:
    control, project = place.world.control, place.world.project
    place.apply()
    place.ready()
    control.delete(*place.connector_key)
    control.delete("instances", project, f"{REGION}-a", "redis-vm")
    control.delete("subnetworks", project, REGION, "redis")
    fault = place.fault("vpcaccess.connectors.create", "status", status=503)
    for name in tuple(place.world.rules()):
        control.delete("firewalls", project, name)
    fault_rules = place.fault("compute.firewalls.insert", "status", status=503)
    for name in tuple(place.world.rules()):
        control.delete("firewalls", project, name)
    control.delete("networks", project, "staging-vpc")
    place.says("NetworkReady", "False", "NetworkNotFound")
    control.remove_fault(fault)
    control.remove_fault(fault_rules)
    place.delete()
    place.until(place.is_clean, "nothing to be left")


def test_a_failed_creation_is_tried_again_after_its_back_off(place: Place) -> None:
    """The whole minute, once."""
    place.fault("vpcaccess.connectors.create", "fail_operation", code=13, message="failed to get healthy.", count=1)
    place.apply()
    message = place.says("ConnectorReady", "False", "ConnectorCreationFailed")
    assert "attempt 1" in message
    assert place.lab.condition(place.namespace, "path", "Stalled")["status"] == "False"
    place.until(lambda: place.world.connectors() == [], "the dead connector to be removed")
    place.until(lambda: place.count("vpcaccess.connectors.create") == 2, "the second try", 90)
    place.ready()
    assert place.count("vpcaccess.connectors.delete") == 1
