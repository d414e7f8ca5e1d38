"""What is ours and what is not, when people take away what we go by."""

import json

import pytest

from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_a_foreign_connector_is_used_and_never_changed_or_deleted(place: Place) -> None:
    place.world.control.put(
        *place.connector_key, network="staging-vpc", ipCidrRange="10.2.0.0/28", minInstances=2, maxInstances=3
    )
    place.apply(connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 7})
    place.ready()
    assert "not made by this resource" in place.says("ConnectorReady", "True", "ConnectorNotOurs")
    assert place.status()["connector"]["owned"] is False
    place.delete()
    assert place.world.connectors() == ["staging-connector"]
    assert [one for one in place.written() if one["method"].startswith("vpcaccess.")] == []


def test_a_foreign_connector_in_error_is_left_alone_and_its_replacement_is_used(place: Place) -> None:
    control = place.world.control
    control.put(*place.connector_key, network="staging-vpc", ipCidrRange="10.2.0.0/28", state="ERROR")
    place.apply()
    message = place.says("ConnectorReady", "False", "ConnectorError")
    assert "left alone" in message
    assert "delete it" in message
    assert place.written() == []
    control.delete(*place.connector_key)
    place.ready()
    assert place.count("vpcaccess.connectors.create") == 1
    assert place.status()["connector"]["owned"] is True


def test_a_foreign_connector_with_another_range_is_named_and_the_rules_follow_what_carries_traffic(
    place: Place,
) -> None:
    place.world.control.put(*place.connector_key, network="staging-vpc", ipCidrRange="10.8.0.0/28")
    place.apply()
    message = place.says("ConnectorReady", "False", "ConnectorForeignDiffers")
    assert "10.8.0.0/28" in message
    assert "10.2.0.0/28" in message
    place.until(
        lambda: place.world.own_rules().get(INGRESS, {}).get("sourceRanges") == ["10.8.0.0/28"],
        "the rule for the connector that is there",
    )


def test_a_foreign_rule_of_our_favourite_name_is_left_alone_and_ours_gets_another(place: Place) -> None:
    foreign = {
        "network": "staging-vpc",
        "direction": "INGRESS",
        "priority": 950,
        "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
        "sourceRanges": ["192.0.2.0/24"],
        "description": "ssh for the ops team",
    }
    before = place.world.control.put("firewalls", place.world.project, INGRESS, **foreign)
    place.apply()
    place.ready()
    own = place.world.own_rules()
    assert len(own) == 2
    assert INGRESS not in own
    assert any(name.startswith(f"{INGRESS}-") for name in own)
    place.delete()
    assert place.world.rules()[INGRESS] == before
    assert place.world.own_rules() == {}


def test_two_resources_with_the_same_wish_have_rules_of_their_own(place: Place) -> None:
    place.apply("one")
    place.apply("two", redis={"vm": {"host": "10.128.0.6"}}, probe={})
    place.ready("one")
    place.ready("two")
    own = place.world.own_rules()
    owners = sorted(rule["description"].split("resource=")[1].split()[0] for rule in own.values())
    assert owners == sorted([f"{place.namespace}/one"] * 2 + [f"{place.namespace}/two"] * 2)
    # Applied at the same moment, they make one connector between them.
    assert place.count("vpcaccess.connectors.create") == 1
    place.delete("one")
    place.delete("two")
    place.until(place.is_clean, "nothing to be left")


@pytest.mark.parametrize("first", ["owner", "guest", "both"])
def test_a_shared_connector_goes_with_its_last_user(place: Place, first: str) -> None:
    place.apply("owner")
    place.ready("owner")
    place.apply("guest")
    place.ready("guest")
    assert place.status("guest")["connector"]["owned"] is False
    if first == "both":
        place.lab.kubectl("delete", "rconn", "owner", "guest", "-n", place.namespace, "--wait=false")
        place.gone("owner")
        place.gone("guest")
    else:
        place.delete(first)
        second = "guest" if first == "owner" else "owner"
        assert place.world.connectors() == ["staging-connector"]
        place.until(lambda: place.status(second)["connector"]["owned"] is True, f"{second} to own the connector")
        place.ready(second)
        place.delete(second)
    place.until(place.is_clean, "nothing to be left")
    assert place.count("vpcaccess.connectors.create") == 1
    assert place.count("vpcaccess.connectors.delete") == 1


def test_a_connector_is_handed_over_to_a_guest_that_is_still_being_built(place: Place) -> None:
    """The guest is in the middle of its work, from a ledger that it read before: the claim must not get lost."""
    place.apply("owner")
    place.ready("owner")
    fault = place.fault("compute.firewalls.insert", "stall_operation", resource=f"*/{INGRESS}-*")
    mark = place.mark()
    place.apply("guest")
    place.until(lambda: place.count("compute.firewalls.insert", since=mark) >= 2, "the guest to be in the middle")
    place.delete("owner", wait=False)
    place.until(lambda: len(place.world.own_rules()) <= 1, "the owner to be at the point of handing over")
    place.polls(2)
    place.world.control.remove_fault(fault)
    place.gone("owner")
    place.ready("guest")
    place.until(lambda: place.status("guest")["connector"]["owned"] is True, "the guest to own the connector")
    place.delete("guest")
    place.until(place.is_clean, "nothing to be left")


def test_a_lost_status_is_written_again_and_nothing_else_happens(place: Place) -> None:
    place.apply()
    place.ready()
    mark = place.mark()
    place.lab.kubectl(
        "patch", "rconn", "path", "-n", place.namespace, "--subresource=status", "--type=json",
        "-p", json.dumps([{"op": "remove", "path": "/status"}]),
    )  # fmt: skip
    place.ready()
    assert place.status()["connector"]["owned"] is True
    assert place.written(since=mark) == []


def test_with_its_ledger_lost_the_rules_are_still_ours_and_the_connector_is_not(place: Place) -> None:
    """The marker is on the rules; the connector can carry none, so the safe answer is that it is somebody else's."""
    place.apply()
    place.ready()
    name = f"rconn-ledger-{place.uid()}"
    place.stop_operator()
    place.lab.kubectl("delete", "configmap", name, "-n", place.operator_namespace)
    place.start_operator()
    place.says("ConnectorReady", "True", "ConnectorNotOurs")
    place.break_rule(priority=3000)
    place.until(lambda: place.world.rules()[INGRESS]["priority"] == 899, "the rule to be repaired")
    place.delete()
    assert place.world.own_rules() == {}
    assert place.world.connectors() == ["staging-connector"]


def test_an_unreadable_ledger_stops_everything_until_it_is_mended(place: Place) -> None:
    place.apply()
    place.ready()
    name = f"rconn-ledger-{place.uid()}"
    good = place.ledger()
    place.stop_operator()

    def store(text: str) -> None:
        place.lab.kubectl(
            "patch", "configmap", name, "-n", place.operator_namespace, "--type=merge",
            "-p", json.dumps({"data": {"ledger.json": text}}),
        )  # fmt: skip

    store("{")
    mark = place.mark()
    place.world.control.delete("firewalls", place.world.project, INGRESS)
    place.start_operator()
    assert name in place.says("Stalled", "True", "LedgerUnreadable")
    assert place.written(since=mark) == []
    store(json.dumps(good))
    place.ready()
    assert INGRESS in place.world.own_rules()
    assert place.status()["connector"]["owned"] is True


def test_a_removed_finalizer_gives_everything_up_and_the_orphan_is_named(place: Place) -> None:
    place.apply()
    place.ready()
    uid = place.uid()
    mark = place.mark()
    patch = json.dumps([{"op": "remove", "path": "/metadata/finalizers"}])
    place.stop_operator()  # else it puts it back, as it should
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, "--type=json", "-p", patch)
    place.delete()
    place.start_operator()
    place.until(
        lambda: any(
            one.get("event") == "ledger.orphaned" and uid in one.get("configmap", "")
            for one in place.operators[0].records()
        ),
        "the orphaned ledger to be named in the log",
    )
    assert place.written(since=mark) == []
    assert sorted(place.world.own_rules()) == [EGRESS, INGRESS]
    place.lab.kubectl("delete", "configmap", f"rconn-ledger-{uid}", "-n", place.operator_namespace)


def test_a_removed_finalizer_comes_back_while_the_resource_lives(place: Place) -> None:
    place.apply()
    place.ready()
    patch = json.dumps([{"op": "remove", "path": "/metadata/finalizers"}])
    place.lab.kubectl("patch", "rconn", "path", "-n", place.namespace, "--type=json", "-p", patch)
    place.until(lambda: bool(place.body()["metadata"].get("finalizers")), "the finalizer to come back")
    place.delete()
    place.until(place.is_clean, "nothing to be left")


def test_deleted_while_its_connector_is_being_made(place: Place) -> None:
    fault = place.fault("vpcaccess.connectors.create", "stall_operation", count=1)
    place.apply()
    place.says("ConnectorReady", "False", "ConnectorCreating")
    place.until(lambda: place.ledger().get("operation", {}).get("name"), "the operation to be known")
    place.delete(wait=False)
    assert "finish" in place.says("Ready", "False", "Deleting")
    assert place.world.connectors() == ["staging-connector"]
    place.world.control.remove_fault(fault)
    place.gone()
    place.until(place.is_clean, "nothing to be left")


def test_deleted_while_nothing_could_be_made_yet(place: Place) -> None:
    place.apply(network={"name": "never-vpc"})
    place.says("NetworkReady", "False", "NetworkNotFound")
    place.delete()
    assert place.written() == []
    assert place.is_clean()


def test_made_again_under_the_same_name_it_is_another_one(place: Place) -> None:
    place.apply()
    place.ready()
    first = place.uid()
    place.delete(wait=False)
    place.gone()
    place.apply()
    place.ready()
    assert place.uid() != first
    assert all(f"uid={place.uid()}" in rule["description"] for rule in place.world.own_rules().values())
    assert place.status()["connector"]["owned"] is True
    assert list(place.ledgers()) == ["path"]
    place.delete()
    place.until(place.is_clean, "nothing to be left")


def test_a_connector_on_a_subnet_that_does_not_fit_waits_for_one_that_does(place: Place) -> None:
    control, project = place.world.control, place.world.project
    place.apply(connector={"subnet": {"name": "connector"}})
    place.says("NetworkReady", "False", "SubnetNotFound")
    control.put(
        "subnetworks", project, REGION, "connector",
        network="staging-vpc", ipCidrRange="10.9.0.0/28", purpose="REGIONAL_MANAGED_PROXY", role="ACTIVE",
    )  # fmt: skip
    assert "REGIONAL_MANAGED_PROXY" in place.says("NetworkReady", "False", "SubnetUnsuitable")
    control.delete("subnetworks", project, REGION, "connector")
    control.put("subnetworks", project, REGION, "connector", network="staging-vpc", ipCidrRange="10.9.0.0/27")
    place.until(lambda: "/27" in place.says("NetworkReady", "False"), "the size of the subnet to be named")
    assert place.written() == []
    control.delete("subnetworks", project, REGION, "connector")
    control.put("subnetworks", project, REGION, "connector", network="staging-vpc", ipCidrRange="10.9.0.0/28")
    place.ready()
    assert place.connector()["subnet"]["name"] == "connector"


def test_what_overlaps_is_said_before_google_is_asked(place: Place) -> None:
    place.apply(connector={"ipCidrRange": "10.128.0.0/28"})
    message = place.says("ConnectorReady", "False", "ConnectorRangeConflict")
    assert "10.128.0.0/20" in message
    place.says("Stalled", "True", "ConnectorRangeConflict")
    assert place.written() == []
    place.apply(connector={"ipCidrRange": "10.2.0.0/28"})
    place.ready()


def test_one_annotation_is_one_look(place: Place) -> None:
    place.apply()
    place.ready()
    mark = place.mark()
    place.lab.kubectl("annotate", "rconn", "path", "-n", place.namespace, "redisconnectivity.io/reconcile-at=one")
    place.until(lambda: place.status().get("lastHandledReconcileAt") == "one", "the request to be served")
    place.polls(6)
    # It read by itself and did not wait for the next poll of this view, which comes every ten seconds; and only once.
    assert 1 <= place.count("compute.networks.getEffectiveFirewalls", since=mark) <= 2
    assert place.written(since=mark) == []
