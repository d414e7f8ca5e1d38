"""Threads entered by lane: reserves, order, and places that are held as long as the thread really works."""

from __future__ import annotations

import asyncio
import threading

import pytest
from cloud_fakes import settle

from redis_connectivity.cloud.clients import Lending
from redis_connectivity.cloud.executor import CallPool
from redis_connectivity.cloud.lanes import Gate, Lane, Ticket


async def test_polls_never_take_the_reserve() -> None:
    gate = Gate(3, reserve=1)
    await gate.enter(Lane.POLL)
    await gate.enter(Lane.POLL)
    poll = asyncio.create_task(gate.enter(Lane.POLL))
    await settle()
    assert not poll.done()
    await asyncio.wait_for(gate.enter(Lane.REPAIR), 1)
    assert (gate.taken, gate.waiting) == (3, 1)
    gate.leave()
    await settle()
    assert not poll.done()  # two places are taken: the third is the reserve
    gate.leave()
    await settle()
    assert poll.done()


async def test_a_promotion_opens_the_reserve() -> None:
    gate = Gate(2, reserve=1)
    await gate.enter(Lane.POLL)
    shared = Ticket(Lane.POLL)
    waiting = asyncio.create_task(gate.enter(shared))
    await settle()
    assert not waiting.done()
    shared.promote(Lane.REPAIR)
    await settle()
    assert waiting.done()


async def test_a_place_given_to_somebody_who_left_is_not_lost() -> None:
    gate = Gate(1)
    await gate.enter(Lane.REPAIR)
    gone = asyncio.create_task(gate.enter(Lane.REPAIR))
    await settle()
    gate.leave()  # gives the place to `gone`, whose task has not run yet
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert gate.taken == 0


def test_a_gate_needs_room() -> None:
    with pytest.raises(ValueError, match="at least one place"):
        Gate(2, reserve=2)


async def test_a_cancelled_call_keeps_its_thread_until_it_ends() -> None:
    pool = CallPool(1)
    started, finish = threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        finish.wait(10)

    call = asyncio.create_task(pool.run(slow))
    await asyncio.to_thread(started.wait, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert pool.busy == 1
    following = asyncio.create_task(pool.run(lambda: "next"))
    await settle()
    assert pool.waiting == 1
    finish.set()
    assert await asyncio.wait_for(following, 10) == "next"
    pool.close()


async def test_a_closed_pool_refuses() -> None:
    pool = CallPool(1)
    pool.close()
    with pytest.raises(RuntimeError):
        await pool.run(lambda: None)
    assert pool.busy == 0


def test_no_client_is_lent_twice_at_once_and_the_last_one_back_goes_first() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    lending = Lending(make)
    with lending.borrow() as first, lending.borrow() as second:
        assert (first, second) == (0, 1)
    with lending.borrow() as again:
        assert again == 0
    assert made == [0, 1]
