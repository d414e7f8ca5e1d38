"""Taking over what somebody else made, and giving it back."""

from typing import Any

import pytest

from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

#: As somebody made it by hand, a while ago.
LEGACY: dict[str, Any] = {
    "network": "staging-vpc",
    "direction": "INGRESS",
    "priority": 850,
    "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
    "sourceRanges": ["10.2.0.0/28"],
    "targetTags": ["redis-instance"],
    "description": "ticket 4711, made by hand",
}
#: What Google counts by itself, or tells of how it was asked.
FLEETING = ("fingerprint",)


def legacy(place: Place, name: str = "ops-redis", **changes: Any) -> dict[str, Any]:
    return dict(place.world.control.put("firewalls", place.world.project, name, **{**LEGACY, **changes}))


def as_it_is(rule: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name not in FLEETING}


def connector(place: Place, **changes: Any) -> None:
    given = {"network": "staging-vpc", "ipCidrRange": "10.2.0.0/28", "minInstances": 2, "maxInstances": 3}
    place.world.control.put(*place.connector_key, **{**given, **changes})


def test_adopted_kept_and_restored(place: Place) -> None:
    before = legacy(place)
    connector(place)
    place.apply(adoptionPolicy="Adopt", deletionPolicy="Restore")
    place.ready()
    own = place.world.own_rules()
    assert "ops-redis" in own
    assert own["ops-redis"]["id"] == before["id"]
    assert place.count("vpcaccess.connectors.create") == 0
    status = place.status()
    assert status["connector"]["owned"] is True
    baseline = status["baseline"]
    assert baseline["connector"]["adopted"] is True
    assert baseline["connector"]["state"] == "READY"
    (adopted,) = baseline["adoptedRules"]
    assert (adopted["name"], adopted["priority"], adopted["description"]) == (
        "ops-redis", 850, "ticket 4711, made by hand",
    )  # fmt: skip
    # The hardened network's own deny of egress stood in the way before.
    assert {one["direction"]: one["answer"] for one in baseline["directions"]} == {
        "EGRESS": "Denied",
        "INGRESS": "Allowed",
    }
    # Kept like our own.
    place.break_rule("ops-redis", sourceRanges=["192.0.2.0/24"])
    place.until(
        lambda: place.world.rules()["ops-redis"]["sourceRanges"] == ["10.2.0.0/28"], "the adopted rule to be repaired"
    )
    place.ready()
    assert place.status()["baseline"] == baseline
    place.delete()
    assert as_it_is(place.world.rules()["ops-redis"]) == as_it_is(before)
    assert place.world.own_rules() == {}
    assert place.world.connectors() == ["staging-connector"]
    assert place.count("vpcaccess.connectors.delete") == 0
    event = place.until(lambda: place.events("Released"), "an Event that tells what stays")
    assert "ops-redis is as it was before" in event[0]


def test_delete_releases_what_was_adopted_and_removes_what_was_made(place: Place) -> None:
    legacy(place, INGRESS)
    place.apply(adoptionPolicy="Adopt")
    place.ready()
    assert place.count("compute.firewalls.insert") == 1  # egress only
    place.delete()
    rule = place.world.rules()[INGRESS]
    assert rule["description"] == "ticket 4711, made by hand"
    assert rule["sourceRanges"] == ["10.2.0.0/28"]
    assert place.world.connectors() == []  # this one was made
    assert place.world.own_rules() == {}


def test_a_wider_rule_is_adopted_with_consent_only(place: Place) -> None:
    wide = legacy(place, INGRESS, sourceRanges=["10.0.0.0/8"])
    place.apply(adoptionPolicy="Adopt")
    place.ready()
    assert place.world.rules()[INGRESS] == wide
    assert "disruptionPolicy" in place.says("FirewallReady", "True")
    place.apply(adoptionPolicy="Adopt", disruptionPolicy="Allow")
    place.ready()
    # It has a rule of its own by now, and needs no other.
    assert place.world.rules()[INGRESS] == wide
    place.delete()
    place.apply(adoptionPolicy="Adopt", disruptionPolicy="Allow")
    place.ready()
    assert place.world.rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28"]
    assert place.status()["baseline"]["adoptedRules"][0]["sourceRanges"] == ["10.0.0.0/8"]


def test_an_adopted_connector_grows_and_stays(place: Place) -> None:
    connector(place)
    place.apply(adoptionPolicy="Adopt", connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 6})
    place.until(lambda: place.connector()["maxInstances"] == 6, "the connector to grow")
    place.ready()
    place.delete()
    assert place.connector()["maxInstances"] == 6
    events = place.until(lambda: place.events("Released"), "an Event that tells what stays")
    assert "maxInstances was 3 and is 6" in events[0]


def test_a_foreign_connector_with_another_range_is_not_adopted(place: Place) -> None:
    connector(place, ipCidrRange="10.8.0.0/28")
    place.apply(adoptionPolicy="Adopt")
    place.says("ConnectorReady", "False", "ConnectorForeignDiffers")
    assert place.status()["connector"]["owned"] is False


def test_the_connector_of_another_resource_is_not_adopted(place: Place) -> None:
    place.apply("owner")
    place.ready("owner")
    place.apply("guest", adoptionPolicy="Adopt")
    place.ready("guest")
    assert place.status("guest")["connector"]["owned"] is False
    place.delete("owner")
    place.until(lambda: place.status("guest")["connector"]["owned"] is True, "the guest to inherit it")
    place.delete("guest")
    # It was made here, not adopted: so it goes.
    place.until(place.is_clean, "nothing to be left")


def test_adoption_survives_a_restart_between_record_and_write(place: Place) -> None:
    before = legacy(place)
    connector(place)
    fault = place.fault("compute.firewalls.update", "status", status=503)
    place.apply(adoptionPolicy="Adopt", deletionPolicy="Restore")
    place.until(lambda: place.ledger().get("adopted", {}).get("ops-redis"), "the earlier state to be recorded")
    place.stop_operator()
    place.world.control.remove_fault(fault)
    place.start_operator()
    place.ready()
    place.delete()
    assert as_it_is(place.world.rules()["ops-redis"]) == as_it_is(before)
