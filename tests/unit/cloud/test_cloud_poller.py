"""Polls: one task a view, at the kind's pace, slower when quota is short, slower still when it fails."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from cloud_fakes import FakeClock

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, Forbidden
from redis_connectivity.cloud.inventory import Inventory
from redis_connectivity.cloud.keys import AnyKey, Kind
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.poller import Pace, Poller
from redis_connectivity.core.cloudvalues import NetworkRef

RULES = keys.firewalls("acme")
NETS = keys.networks("acme")
POLICIES = keys.effective_policies(NetworkRef("acme", "net"))
REGION_POLICIES = keys.region_policies(NetworkRef("acme", "net"), "us-central1")


class World:
    """Sources, factor and counts in one place."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.calls: dict[str, int] = {}
        self.factor = 1.0
        self.error: Exception | None = None
        self.inventory = Inventory(dict.fromkeys(Kind, self.read), self.clock)
        self.poller = Poller(self.inventory, self.clock, lambda _: self.factor, Pace(jitter=0), random.Random(1))

    async def read(self, key: AnyKey, _: AnyLane) -> Mapping[str, Any]:
        self.calls[str(key)] = self.calls.get(str(key), 0) + 1
        if self.error is not None:
            raise self.error
        return {}

    def count(self, key: AnyKey) -> int:
        return self.calls.get(str(key), 0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.poller.close()
    await made.inventory.close()


async def test_each_kind_has_its_pace(world: World) -> None:
    world.poller.set_interest("r", frozenset({RULES, NETS, POLICIES}))
    await world.clock.advance(60.5)
    assert (world.count(RULES), world.count(NETS), world.count(POLICIES)) == (21, 5, 2)


async def test_a_regions_policies_are_read_every_five_minutes(world: World) -> None:
    """Google counts each call as a heavy-weight read."""
    world.poller.set_interest("r", frozenset({REGION_POLICIES}))
    await world.clock.advance(299)
    assert world.count(REGION_POLICIES) == 1
    await world.clock.advance(2)
    assert world.count(REGION_POLICIES) == 2


async def test_calls_do_not_grow_with_resources(world: World) -> None:
    for number in range(1000):
        world.poller.set_interest(f"r{number}", frozenset({RULES}))
    await world.clock.advance(30.5)
    assert world.count(RULES) == 11
    assert len(world.poller.interested(RULES)) == 1000


async def test_the_last_one_to_leave_turns_off_the_light(world: World) -> None:
    world.poller.set_interest("a", frozenset({RULES, NETS}))
    world.poller.set_interest("b", frozenset({RULES}))
    await world.clock.advance(1)
    world.poller.set_interest("a", frozenset({NETS}))
    assert world.poller.interested(RULES) == {"b"}
    world.poller.drop_interest("b")
    assert world.poller.watched() == {NETS}
    before = world.count(RULES)
    await world.clock.advance(30)
    assert world.count(RULES) == before
    assert not world.inventory.peek(RULES).known
    world.poller.drop_interest("nobody")


async def test_short_quota_slows_polls(world: World) -> None:
    world.poller.set_interest("a", frozenset({RULES}))
    world.factor = 16
    await world.clock.advance(47)
    assert world.count(RULES) == 1
    await world.clock.advance(2)
    assert world.count(RULES) == 2


async def test_a_reading_by_somebody_else_counts(world: World) -> None:
    world.poller.set_interest("a", frozenset({RULES}))
    await world.clock.advance(2)
    await world.inventory.refresh(RULES)
    await world.clock.advance(2)  # the poll would have been due at 3 s
    assert world.count(RULES) == 2
    await world.clock.advance(1.5)
    assert world.count(RULES) == 3


async def test_failures_back_off_and_recover(world: World) -> None:
    world.error = Forbidden("no")
    world.poller.set_interest("a", frozenset({RULES}))
    await world.clock.advance(3600)
    assert 12 < world.count(RULES) < 22  # 6, 12, 24, … 300 s apart, not 1,200 times
    assert isinstance(world.inventory.peek(RULES).error, CloudError)
    world.error = None
    await world.clock.advance(301)
    before = world.count(RULES)
    await world.clock.advance(30)
    assert world.count(RULES) - before == 10


async def test_a_fault_of_ours_is_said_and_the_eyes_stay_open(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.error = KeyError("bug")
    world.poller.set_interest("a", frozenset({RULES}))
    await world.clock.advance(1)
    assert "KeyError" in caplog.text
    world.error = None
    await world.clock.advance(10)
    assert world.inventory.peek(RULES).known


async def test_nothing_begins_after_the_end(world: World) -> None:
    await world.poller.close()
    world.poller.set_interest("a", frozenset({RULES}))
    await world.clock.advance(10)
    assert world.count(RULES) == 0


def test_what_google_grants_few_calls_for_has_a_pace_of_its_own() -> None:
    quick = Pace(interval=0.2)
    for kind in (Kind.REDIS_CLUSTERS, Kind.VALKEY_INSTANCES):
        assert quick.of(kind) == 60.0
        assert Pace(scarce=5.0).of(kind) == 5.0
    assert quick.of(Kind.REDIS_INSTANCES) == 1.0
