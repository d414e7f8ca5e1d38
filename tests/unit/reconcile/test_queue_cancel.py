"""A worker that is told to stop stops, also in the very moment in which work arrives."""

import asyncio

import pytest

from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.reconcile.queue import WorkQueue


@pytest.mark.parametrize("delay", [None, 60.0], ids=["nothing-due", "something-due-later"])
async def test_a_cancellation_is_not_lost_when_work_arrives_at_once(delay: float | None) -> None:
    queue: WorkQueue[str] = WorkQueue(asyncio.get_running_loop().time)
    if delay is not None:
        queue.add("later", Lane.REPAIR, delay)
    takers = [asyncio.create_task(queue.take()) for _ in range(3)]
    await asyncio.sleep(0)

    # One of them will get it; the others wake for nothing, and are cancelled before they know.
    queue.add("work", Lane.REPAIR)
    await asyncio.sleep(0)
    for taker in takers:
        taker.cancel()

    _, waiting = await asyncio.wait(takers, timeout=5)
    assert not waiting
