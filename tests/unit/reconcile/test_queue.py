"""The work queue: each key once, urgent first, one worker a key."""

import asyncio

import pytest

from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.reconcile.queue import WorkQueue


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def taken(queue: WorkQueue[str]) -> tuple[str, Lane] | None:
    """What a worker gets right now, or None when it would have to wait."""
    task = asyncio.ensure_future(queue.take())
    for _ in range(5):
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def test_a_key_added_twice_comes_once() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a", Lane.REPAIR)
    queue.add("a", Lane.REPAIR)
    assert await taken(queue) == ("a", Lane.REPAIR)
    queue.done("a")
    assert await taken(queue) is None


async def test_the_urgent_lane_goes_first() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("poll", Lane.POLL)
    queue.add("repair", Lane.REPAIR)
    queue.add("user", Lane.USER_CHANGE)
    assert [(await taken(queue) or ("", 0))[0] for _ in range(3)] == ["user", "repair", "poll"]


async def test_a_lane_can_improve_while_waiting() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a", Lane.POLL)
    queue.add("b", Lane.REPAIR)
    queue.add("a", Lane.USER_CHANGE)
    assert await taken(queue) == ("a", Lane.USER_CHANGE)
    assert await taken(queue) == ("b", Lane.REPAIR)
    assert await taken(queue) is None


async def test_a_delayed_key_waits_until_it_is_due_and_the_earliest_time_counts() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a", Lane.REPAIR, delay=10)
    assert await taken(queue) is None
    queue.add("a", Lane.REPAIR, delay=60)
    clock.now = 10.0
    assert await taken(queue) == ("a", Lane.REPAIR)
    queue.done("a")
    clock.now = 100.0
    assert await taken(queue) is None


async def test_no_second_worker_gets_a_key_that_one_has_and_it_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a", Lane.REPAIR)
    assert await taken(queue) is not None
    queue.add("a", Lane.POLL)
    queue.add("a", Lane.USER_CHANGE)
    assert await taken(queue) is None
    assert queue.running == 1
    queue.done("a")
    assert await taken(queue) == ("a", Lane.USER_CHANGE)


async def test_a_dropped_key_does_not_come() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a", Lane.REPAIR)
    queue.drop("a")
    assert await taken(queue) is None
    assert len(queue) == 0


async def test_a_waiting_worker_is_woken_by_news() -> None:
    queue: WorkQueue[str] = WorkQueue(asyncio.get_running_loop().time)
    workers = [asyncio.ensure_future(queue.take()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in "abc":
        queue.add(key, Lane.REPAIR)
    done = await asyncio.wait_for(asyncio.gather(*workers), 5)
    assert sorted(key for key, _ in done) == ["a", "b", "c"]


async def test_a_waiting_worker_is_woken_when_a_key_falls_due() -> None:
    queue: WorkQueue[str] = WorkQueue(asyncio.get_running_loop().time)
    queue.add("later", Lane.REPAIR, delay=0.05)
    assert await asyncio.wait_for(queue.take(), 5) == ("later", Lane.REPAIR)


@pytest.mark.parametrize("count", [1000])
async def test_many_keys_all_come_once(count: int) -> None:
    queue: WorkQueue[int] = WorkQueue(asyncio.get_running_loop().time)
    for key in range(count):
        queue.add(key, Lane(key % 3))
    seen = [await queue.take() for _ in range(count)]
    assert sorted(key for key, _ in seen) == list(range(count))
    assert [lane for _, lane in seen] == sorted(lane for _, lane in seen)
