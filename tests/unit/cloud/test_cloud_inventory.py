"""The shared views: single flight, ages, races with own writes, and what the listener hears."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from cloud_fakes import FakeClock, settle

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, Forbidden, NotFound, Retryable
from redis_connectivity.cloud.inventory import Inventory
from redis_connectivity.cloud.keys import AnyKey, Kind
from redis_connectivity.cloud.lanes import AnyLane, Lane, Ticket
from redis_connectivity.cloud.snapshot import AnySnapshot

KEY: keys.Key[Any] = keys.firewalls("acme")


@dataclass(frozen=True)
class Thing:
    value: int
    id: str = field(default="", compare=False)


class Shelf:
    """A source whose every reading is answered by hand: `calls[n].set_result({...})`."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[Mapping[str, Any]]] = []
        self.lanes: list[Ticket] = []

    async def __call__(self, _: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        assert isinstance(lane, Ticket)
        self.lanes.append(lane)
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self.calls.append(future)
        return await future


@dataclass
class Heard:
    changed: frozenset[str]
    before: AnySnapshot
    after: AnySnapshot


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def heard() -> list[Heard]:
    return []


@pytest.fixture
def inventory(clock: FakeClock, shelf: Shelf, heard: list[Heard]) -> Inventory:
    return Inventory(
        {Kind.FIREWALLS: shelf}, clock, lambda _, changed, before, after: heard.append(Heard(changed, before, after))
    )


async def filled(inventory: Inventory, shelf: Shelf, items: Mapping[str, Any]) -> None:
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    shelf.calls[-1].set_result(items)
    await task
    clock = inventory._clock
    assert isinstance(clock, FakeClock)
    await clock.advance(0.001)  # what is asked for from here on is later than this reading


async def test_many_callers_share_one_call(inventory: Inventory, shelf: Shelf, clock: FakeClock) -> None:
    tasks = [asyncio.create_task(inventory.need(KEY, 1)) for _ in range(50)]
    await settle()
    assert len(shelf.calls) == 1
    shelf.calls[0].set_result({"a": Thing(1)})
    results = await asyncio.gather(*tasks)
    assert all(result is results[0] for result in results)
    assert results[0].items == {"a": Thing(1)}
    assert results[0].observed is not None
    assert results[0].observed.wall == clock.now()


async def test_a_fresh_enough_answer_costs_nothing(inventory: Inventory, shelf: Shelf, clock: FakeClock) -> None:
    await filled(inventory, shelf, {"a": Thing(1)})
    await clock.advance(2)
    assert (await inventory.need(KEY, 3)).items == {"a": Thing(1)}
    assert len(shelf.calls) == 1
    assert inventory.age(KEY) == pytest.approx(2.001)
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    assert len(shelf.calls) == 2
    shelf.calls[1].set_result({})
    assert (await task).items == {}


async def test_age_counts_from_the_beginning_of_the_call(inventory: Inventory, shelf: Shelf, clock: FakeClock) -> None:
    task = asyncio.create_task(inventory.need(KEY, 1))
    await clock.advance(5)
    shelf.calls[0].set_result({})
    await settle()
    # What arrives was read five seconds ago at worst; a caller from then accepts it, one from now does not.
    assert (await task).age(clock.monotonic()) == 5
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    assert len(shelf.calls) == 2
    shelf.calls[1].set_result({})
    await task


async def test_who_needs_newer_data_waits_for_the_next_call_and_shares_it(
    inventory: Inventory, shelf: Shelf, clock: FakeClock
) -> None:
    early = asyncio.create_task(inventory.need(KEY, 1))
    await clock.advance(5)
    late = [asyncio.create_task(inventory.refresh(KEY)) for _ in range(3)]
    await settle()
    assert len(shelf.calls) == 1
    shelf.calls[0].set_result({"a": Thing(1)})
    await settle()
    assert early.done()
    assert len(shelf.calls) == 2
    shelf.calls[1].set_result({"a": Thing(2)})
    assert all(result.items == {"a": Thing(2)} for result in await asyncio.gather(*late))


async def test_a_reading_from_before_an_invalidation_is_thrown_away(
    inventory: Inventory, shelf: Shelf, heard: list[Heard]
) -> None:
    await filled(inventory, shelf, {"a": Thing(1)})
    task = asyncio.create_task(inventory.refresh(KEY))
    await settle()
    inventory.invalidate(KEY)  # a write with an unknown end, while the list is under way
    shelf.calls[1].set_result({"a": Thing(1), "stale": Thing(0)})
    await settle()
    assert not task.done()
    assert "stale" not in inventory.peek(KEY).items
    assert len(shelf.calls) == 3
    shelf.calls[2].set_result({"a": Thing(2)})
    assert (await task).items == {"a": Thing(2)}
    assert [sorted(item.changed) for item in heard] == [["a"], ["a"]]


async def test_after_an_invalidation_no_age_is_young_enough(inventory: Inventory, shelf: Shelf) -> None:
    await filled(inventory, shelf, {})
    inventory.invalidate(KEY)
    task = asyncio.create_task(inventory.need(KEY, 1e9))
    await settle()
    assert len(shelf.calls) == 2
    shelf.calls[1].set_result({})
    await task


async def test_an_own_write_shows_at_once_and_survives_an_older_reading(
    inventory: Inventory, shelf: Shelf, clock: FakeClock
) -> None:
    await filled(inventory, shelf, {"a": Thing(1), "gone": Thing(9)})
    task = asyncio.create_task(inventory.refresh(KEY))
    await settle()
    inventory.patch_local(KEY, "new", Thing(7))
    inventory.patch_local(KEY, "gone", None)
    assert inventory.peek(KEY).items == {"a": Thing(1), "new": Thing(7)}
    # The list began before the writes: it lacks the new thing, still has the deleted one, and saw a foreign change.
    shelf.calls[1].set_result({"a": Thing(2), "gone": Thing(9)})
    assert (await task).items == {"a": Thing(2), "new": Thing(7)}
    await clock.advance(1)
    # The next one began after them, and is the truth.
    task = asyncio.create_task(inventory.refresh(KEY))
    await settle()
    shelf.calls[2].set_result({"a": Thing(2)})
    assert (await task).items == {"a": Thing(2)}


async def test_an_own_write_during_the_very_first_reading_is_laid_over_it(inventory: Inventory, shelf: Shelf) -> None:
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    inventory.patch_local(KEY, "new", Thing(7))
    assert not inventory.peek(KEY).known
    shelf.calls[0].set_result({"a": Thing(1)})
    assert (await task).items == {"a": Thing(1), "new": Thing(7)}


async def test_a_list_that_lags_behind_does_not_hide_a_new_thing(
    inventory: Inventory, shelf: Shelf, clock: FakeClock
) -> None:
    await filled(inventory, shelf, {})
    inventory.patch_local(KEY, "new", Thing(1), hold=5)
    for wait, expected in [(1, {"new": Thing(1)}), (5, {})]:
        await clock.advance(wait)
        task = asyncio.create_task(inventory.refresh(KEY))
        await settle()
        shelf.calls[-1].set_result({})
        assert (await task).items == expected


async def test_a_single_get_enters_the_view_unless_a_later_list_did(inventory: Inventory, shelf: Shelf) -> None:
    await filled(inventory, shelf, {"a": Thing(1)})
    answer: asyncio.Future[Thing] = asyncio.get_running_loop().create_future()

    async def get() -> Thing:
        return await answer

    slow = asyncio.create_task(inventory.fresh(KEY, "a", get()))
    await settle()
    task = asyncio.create_task(inventory.refresh(KEY))
    await settle()
    shelf.calls[1].set_result({"a": Thing(3)})
    await task
    answer.set_result(Thing(2))
    assert await slow == Thing(2)
    assert inventory.peek(KEY).items == {"a": Thing(3)}

    async def missing() -> Thing:
        msg = "gone"
        raise NotFound(msg)

    assert await inventory.fresh(KEY, "a", missing()) is None
    assert inventory.peek(KEY).items == {}


async def test_an_older_get_does_not_undo_a_later_own_write(inventory: Inventory, shelf: Shelf) -> None:
    await filled(inventory, shelf, {})
    mark = inventory.mark()
    inventory.patch_local(KEY, "a", Thing(2))
    inventory.patch_local(KEY, "a", None, as_of=mark)
    assert inventory.peek(KEY).items == {"a": Thing(2)}


async def test_the_listener_hears_additions_removals_changes_and_new_ids(
    inventory: Inventory, shelf: Shelf, heard: list[Heard], clock: FakeClock
) -> None:
    first = {"same": Thing(1, "1"), "changed": Thing(1, "2"), "gone": Thing(1, "3"), "remade": Thing(1, "4")}
    second = {"same": Thing(1, "1"), "changed": Thing(2, "2"), "added": Thing(1, "5"), "remade": Thing(1, "6")}
    await filled(inventory, shelf, first)
    for items in (second, dict(second)):
        await clock.advance(10)
        await filled(inventory, shelf, items)
    assert [item.changed for item in heard] == [
        frozenset(first),
        frozenset({"changed", "gone", "added", "remade"}),
    ]
    assert heard[0].before.known is False
    assert dict(heard[1].before.items) == first
    assert dict(heard[1].after.items) == second


async def test_a_failure_is_shared_told_and_leaves_the_last_good_content(
    inventory: Inventory, shelf: Shelf, heard: list[Heard], clock: FakeClock
) -> None:
    await filled(inventory, shelf, {"a": Thing(1)})
    await clock.advance(10)

    async def failing(error: CloudError) -> None:
        tasks = [asyncio.create_task(inventory.need(KEY, 3)) for _ in range(5)]
        await settle()
        shelf.calls[-1].set_exception(error)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is error for result in results)

    await failing(Forbidden("no", permission="compute.firewalls.list"))
    assert len(shelf.calls) == 2
    seen = inventory.peek(KEY)
    assert isinstance(seen.error, Forbidden)
    assert seen.items == {"a": Thing(1)}
    assert seen.age(clock.monotonic()) == pytest.approx(10.001)
    # A "no" not older than asked for is an answer too.
    with pytest.raises(Forbidden):
        await inventory.need(KEY, 3)
    assert len(shelf.calls) == 2
    await clock.advance(4)
    await failing(Forbidden("no", permission="compute.firewalls.list"))  # the same story again is no news
    await clock.advance(4)
    await failing(Retryable("later"))
    await clock.advance(4)
    await filled(inventory, shelf, {"a": Thing(1)})
    assert inventory.peek(KEY).error is None
    assert [(sorted(item.changed), item.after.error and item.after.error.kind) for item in heard] == [
        (["a"], None),
        ([], "Forbidden"),
        ([], "Retryable"),
        ([], None),
    ]


async def test_a_good_answer_young_enough_is_better_than_a_younger_failure(
    inventory: Inventory, shelf: Shelf, clock: FakeClock
) -> None:
    await filled(inventory, shelf, {"a": Thing(1)})
    await clock.advance(1)
    poll = asyncio.create_task(inventory.attempt(KEY, Lane.POLL))
    await settle()
    shelf.calls[1].set_exception(Retryable("later"))
    await poll
    assert (await inventory.need(KEY, 5)).items == {"a": Thing(1)}


async def test_a_cancelled_caller_does_not_stop_the_others(inventory: Inventory, shelf: Shelf) -> None:
    gone = asyncio.create_task(inventory.need(KEY, 1))
    stays = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    gone.cancel()
    await settle()
    shelf.calls[0].set_result({"a": Thing(1)})
    assert (await stays).items == {"a": Thing(1)}
    assert len(shelf.calls) == 1


async def test_an_urgent_caller_lifts_the_shared_call_to_its_lane(inventory: Inventory, shelf: Shelf) -> None:
    poll = asyncio.create_task(inventory.attempt(KEY, Lane.POLL))
    await settle()
    assert shelf.lanes[0].lane is Lane.POLL
    repair = asyncio.create_task(inventory.need(KEY, 1, Lane.REPAIR))
    await settle()
    assert shelf.lanes[0].lane is Lane.REPAIR
    shelf.calls[0].set_result({})
    await asyncio.gather(poll, repair)


async def test_content_is_immutable_and_unknown_is_not_empty(inventory: Inventory, shelf: Shelf) -> None:
    assert inventory.peek(KEY).known is False
    assert inventory.age(KEY) == float("inf")
    await filled(inventory, shelf, {})
    assert inventory.peek(KEY).known is True
    with pytest.raises(TypeError):
        inventory.peek(KEY).items["x"] = Thing(1)  # type: ignore[index]


async def test_a_listener_s_fault_is_said_and_stops_nobody(
    clock: FakeClock, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        msg = "listener"
        raise LookupError(msg)

    inventory = Inventory({Kind.FIREWALLS: shelf}, clock, broken)
    await filled(inventory, shelf, {"a": Thing(1)})
    assert inventory.peek(KEY).items == {"a": Thing(1)}
    assert "LookupError" in caplog.text


async def test_a_fault_of_the_source_reaches_the_caller_as_it_is(inventory: Inventory, shelf: Shelf) -> None:
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    shelf.calls[0].set_exception(KeyError("bug"))
    with pytest.raises(KeyError):
        await task


async def test_close_ends_readings_and_says_so(inventory: Inventory, shelf: Shelf) -> None:
    task = asyncio.create_task(inventory.need(KEY, 1))
    await settle()
    await inventory.close()
    with pytest.raises(RuntimeError, match="closed"):
        await task
    with pytest.raises(RuntimeError, match="closed"):
        await inventory.refresh(KEY)
