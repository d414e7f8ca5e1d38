"""Two resources that cannot both have what they declare."""

import time

import pytest

from support.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

OTHER = {"ipCidrRange": "10.3.0.0/28"}


def next_second(place: Place, name: str) -> None:
    """Wait until what is made now is younger: creation times have whole seconds."""
    created = place.body(name)["metadata"]["creationTimestamp"]
    place.until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > created, "the next second")


def both_have_rules(place: Place) -> None:
    """Rules follow the connector that is there, also those of the one that gives way."""
    place.until(lambda: len(place.world.own_rules()) == 4, "two rules for each")


def test_one_connector_with_two_ranges(place: Place) -> None:
    place.apply("older")
    next_second(place, "older")
    place.apply("younger", connector=OTHER)
    message = place.says("Ready", "False", "Conflict", name="younger")
    assert f"{place.namespace}/older" in message
    assert "10.3.0.0/28" in message
    assert "10.2.0.0/28" in message
    place.says("Stalled", "True", "Conflict", name="younger")
    place.ready("older")
    # Nothing flaps: the connector was made once, and neither of them writes any more.
    both_have_rules(place)
    mark = place.mark()
    place.polls(4)
    assert place.written(since=mark) == []
    assert place.count("vpcaccess.connectors.create") == 1
    # When the older one goes, its connector goes with it, and the younger has its way without a resync.
    place.delete("older")
    place.until(
        lambda: (
            [one.get("ipCidrRange") for one in place.world.control.list("connectors", place.world.project)]
            == ["10.3.0.0/28"]
        ),
        "the younger's own connector",
        40,
    )
    place.ready("younger")
    assert place.status("younger")["connector"]["owned"] is True
    place.delete("younger")
    place.until(place.is_clean, "nothing to be left")


def test_two_connectors_with_one_range(place: Place) -> None:
    place.apply("older")
    next_second(place, "older")
    place.apply("younger", connector={"ipCidrRange": "10.2.0.0/28", "name": "second"})
    message = place.says("Ready", "False", "Conflict", name="younger")
    assert "free /28" in message
    place.ready("older")
    assert place.world.connectors() == ["staging-connector"]
    # The younger changes its mind: a spec is all it takes.
    place.apply("younger", connector={"ipCidrRange": "10.3.0.0/28", "name": "second"})
    place.until(lambda: sorted(place.world.connectors()) == ["second", "staging-connector"], "both connectors")
    place.says("ConnectorReady", "True", name="younger")


def test_the_younger_proceeds_when_the_older_moves_away_before_it_has_anything(place: Place) -> None:
    place.apply("older", network={"name": "never-vpc"}, connector={"ipCidrRange": "10.2.0.0/28", "name": "one"})
    place.says("NetworkReady", "False", name="older")
    next_second(place, "older")
    place.apply("younger", network={"name": "never-vpc"}, connector={"ipCidrRange": "10.2.0.0/28", "name": "two"})
    # The network comes first on the path, so that is what it says; and nothing is made.
    place.says("NetworkReady", "False", name="younger")
    place.world.control.put("networks", place.world.project, "never-vpc")
    place.says("ConnectorReady", "False", "Conflict", name="younger")
    place.until(lambda: place.world.connectors() == ["one"], "the older one's connector")
    place.delete("older")
    place.until(lambda: place.world.connectors() == ["two"], "the younger one's connector", 40)


def test_a_restart_sees_the_same_conflict(place: Place) -> None:
    place.apply("older")
    next_second(place, "older")
    place.apply("younger", connector=OTHER)
    place.says("Ready", "False", "Conflict", name="younger")
    place.ready("older")
    both_have_rules(place)
    mark = place.mark()
    place.stop_operator()
    place.start_operator()
    place.polls(3)
    place.says("Ready", "False", "Conflict", name="younger")
    assert place.written(since=mark) == []
