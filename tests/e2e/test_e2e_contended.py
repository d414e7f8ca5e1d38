"""Somebody else who keeps undoing what the operator repairs."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from redis_connectivity.core.contention import FIELD_ROUNDS
from redis_connectivity_lab.emulator import ControlError
from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@contextmanager
def opponent(place: Place, **fields: object) -> Iterator[threading.Event]:
    """Another controller, which knows better: it puts its own values back as soon as it sees others."""
    stop = threading.Event()

    def fight() -> None:
        while not stop.wait(0.1):
            try:
                rule = place.world.rules().get(INGRESS)
                if rule is not None and any(rule.get(name) != value for name, value in fields.items()):
                    place.break_rule(**fields)
            except ControlError:
                return  # the project is gone: the test is over

    thread = threading.Thread(target=fight, daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def contended(place: Place) -> float:
    """The metric, as Prometheus reads it."""
    port = next(one["health_port"] for one in place.operators[0].records() if one.get("event") == "starting")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    start = f'redis_connectivity_drift_contended{{name="path",namespace="{place.namespace}"}} '
    return float(next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start))


def test_a_fight_is_given_up_told_once_and_won_when_the_other_stops(place: Place) -> None:
    place.apply()
    place.ready()
    mark = place.mark()
    with opponent(place, sourceRanges=["192.0.2.0/24"]) as stop:
        message = place.says("InSync", "False", "DriftContended")
        assert f"sourceRanges was put right {FIELD_ROUNDS} times since" in message
        place.says("Ready", "False", "DriftContended")
        assert contended(place) == 1
        assert place.count("compute.firewalls.update", since=mark) == FIELD_ROUNDS
        place.until(lambda: place.events("DriftContended"), "an Event")
        place.polls(10)
        assert place.count("compute.firewalls.update", since=mark) == FIELD_ROUNDS
        # A restart starts no new fight.
        place.stop_operator()
        place.start_operator()
        place.polls(6)
        place.says("InSync", "False", "DriftContended")
        assert place.count("compute.firewalls.update", since=mark) == FIELD_ROUNDS
        assert len(place.events("DriftContended")) == 1
        stop.set()
    # Repaired by itself once the wait is over, and at rest from then on.
    place.ready(deadline=90)
    assert place.count("compute.firewalls.update", since=mark) == FIELD_ROUNDS + 1
    assert contended(place) == 0
    assert place.world.rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28"]


def test_a_change_of_the_spec_ends_the_wait(place: Place) -> None:
    place.apply()
    place.ready()
    with opponent(place, disabled=True):
        place.says("InSync", "False", "DriftContended")
    place.apply(firewall={"logging": "DISABLED"})
    place.ready()
    assert place.world.rules()[INGRESS].get("disabled", False) is False
    assert place.ledger().get("contests", {}).get("INGRESS/disabled", {}).get("rounds", 0) <= 1


def test_different_things_in_a_row_are_no_fight(place: Place) -> None:
    place.apply()
    place.ready()
    for fields in ({"disabled": True}, {"priority": 3000}, {"sourceRanges": ["192.0.2.0/24"]}, {"targetTags": ["web"]}):
        place.break_rule(**fields)
        place.until(
            lambda fields=fields: all(place.world.rules()[INGRESS].get(k) != v for k, v in fields.items()),
            f"{json.dumps(fields)} to be repaired",
        )
        place.ready()
