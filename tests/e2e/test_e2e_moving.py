"""A live path that moves to another Redis: the old way stays open until the new one answers."""

import pytest

from support.hardened import REGION
from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

OTHER = {"vm": {"host": "10.128.0.6"}}
EGRESS = "allow-vpc-connector-egress-to-redis"


def second_redis(place: Place) -> None:
    place.world.control.put(
        "instances", place.world.project, f"{REGION}-a", "second",
        network="staging-vpc", address="10.128.0.6", tags=["redis-instance"], redisPort=6379,
    )  # fmt: skip


def destinations(place: Place) -> list[str]:
    return sorted(place.world.rules()[EGRESS]["destinationRanges"])


def test_make_before_break(place: Place) -> None:
    place.apply()
    place.ready()
    assert destinations(place) == ["10.128.0.5/32"]
    place.apply(redis=OTHER)
    place.until(
        lambda: "10.128.0.6:6379 answers" in place.says("InSync", "False", "Progressing"),
        "what it waits for to be told",
    )
    place.says("Reachable", "False", "ProbeFailed")
    place.polls(4)
    assert destinations(place) == ["10.128.0.5/32", "10.128.0.6/32"]
    # A restart does not forget that the old way is in use.
    place.stop_operator()
    place.start_operator()
    place.polls(4)
    assert destinations(place) == ["10.128.0.5/32", "10.128.0.6/32"]
    mark = place.mark()
    second_redis(place)
    place.ready()
    assert destinations(place) == ["10.128.0.6/32"]
    assert place.count("compute.firewalls.update", since=mark) == 1
    assert place.status()["drift"] == []
    assert INGRESS in place.world.own_rules()


def test_consent_closes_the_old_way_at_once(place: Place) -> None:
    place.apply()
    place.ready()
    place.apply(redis=OTHER)
    place.until(lambda: destinations(place) == ["10.128.0.5/32", "10.128.0.6/32"], "both ways to be open")
    place.apply(redis=OTHER, disruptionPolicy="Allow")
    place.until(lambda: destinations(place) == ["10.128.0.6/32"], "the old way to be closed")
