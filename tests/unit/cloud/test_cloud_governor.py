"""The quota governor on a clock turned by hand."""

from __future__ import annotations

import asyncio
import random

import pytest
from cloud_fakes import FakeClock, settle

from redis_connectivity.cloud.errors import NotFound, QuotaExhausted, QuotaScope
from redis_connectivity.cloud.governor import (
    PAUSE_JITTER,
    Budget,
    Governor,
    GovernorClosedError,
    QuotaGroup,
)
from redis_connectivity.cloud.lanes import Lane, Ticket

READ, WRITE = QuotaGroup.COMPUTE_READ, QuotaGroup.COMPUTE_WRITE


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def governor(clock: FakeClock, per_minute: float = 60, burst: float = 2) -> Governor:
    return Governor(clock, dict.fromkeys(QuotaGroup, Budget(per_minute, burst)), random.Random(1))


async def drain(subject: Governor, project: str = "a", group: QuotaGroup = READ, tokens: int = 2) -> None:
    for _ in range(tokens):
        await subject.acquire(project, group, Lane.POLL)


async def test_a_burst_passes_and_then_the_rate_rules(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    late = asyncio.create_task(subject.acquire("a", READ, Lane.POLL))
    await clock.advance(0.9)
    assert not late.done()
    await clock.advance(0.2)
    assert late.done()
    (stats,) = subject.stats()
    assert (stats.granted, stats.waits) == (3, 1)
    assert stats.waited_seconds == pytest.approx(1.0)


async def test_lanes_go_before_queued_polls_and_first_come_within_a_lane(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    served: list[str] = []

    async def ask(name: str, lane: Lane) -> None:
        await subject.acquire("a", READ, lane)
        served.append(name)

    tasks = []
    for name, lane in [
        ("poll1", Lane.POLL),
        ("poll2", Lane.POLL),
        ("repair1", Lane.REPAIR),
        ("user", Lane.USER_CHANGE),
        ("repair2", Lane.REPAIR),
    ]:
        tasks.append(asyncio.create_task(ask(name, lane)))
        await settle()
    await clock.advance(10)
    assert served == ["user", "repair1", "repair2", "poll1", "poll2"]
    await asyncio.gather(*tasks)


async def test_a_promoted_ticket_overtakes(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    served: list[str] = []
    shared = Ticket(Lane.POLL)

    async def ask(name: str, lane: Lane | Ticket) -> None:
        await subject.acquire("a", READ, lane)
        served.append(name)

    first = asyncio.create_task(ask("poll", Lane.POLL))
    second = asyncio.create_task(ask("shared", shared))
    await settle()
    shared.promote(Lane.REPAIR)
    await clock.advance(5)
    assert served == ["shared", "poll"]
    await asyncio.gather(first, second)


async def test_projects_and_groups_have_budgets_of_their_own(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    await asyncio.wait_for(subject.acquire("b", READ, Lane.POLL), 1)
    await asyncio.wait_for(subject.acquire("a", WRITE, Lane.POLL), 1)


async def test_a_rate_answer_pauses_one_project_to_the_next_minute(clock: FakeClock) -> None:
    subject = governor(clock)  # the wall clock stands at 15 s past the minute
    subject.report("a", READ, QuotaExhausted("slow down"))
    waiting = asyncio.create_task(subject.acquire("a", READ, Lane.USER_CHANGE))
    await asyncio.wait_for(subject.acquire("b", READ, Lane.POLL), 1)
    await asyncio.wait_for(subject.acquire("a", WRITE, Lane.POLL), 1)
    until = subject.throttled_until("a")
    assert until is not None
    assert 45 <= (until - clock.now()).total_seconds() <= 45 + PAUSE_JITTER
    assert subject.throttled_until("b") is None
    assert (subject.poll_factor("a"), subject.poll_factor("b")) == (2.0, 1.0)
    await clock.advance(44.9)
    assert not waiting.done()
    await clock.advance(PAUSE_JITTER + 0.2)
    assert waiting.done()
    assert subject.throttled_until("a") is None


async def test_a_volley_counts_once_and_repeats_last_longer(clock: FakeClock) -> None:
    subject = governor(clock)
    for _ in range(10):
        subject.report("a", READ, QuotaExhausted("slow down"))
    assert subject.poll_factor("a") == 2.0
    (stats,) = subject.stats()
    assert stats.throttled == 10
    await clock.advance(stats.paused_seconds + 0.1)
    subject.report("a", READ, QuotaExhausted("again"))
    assert subject.stats()[0].paused_seconds > 60
    assert subject.poll_factor("a") == 4.0


async def test_the_poll_factor_is_bounded_and_decays_after_quiet_minutes(clock: FakeClock) -> None:
    subject = governor(clock)
    for _ in range(10):
        subject.report("a", READ, QuotaExhausted("x", retry_after=1))
        await clock.advance(subject.stats()[0].paused_seconds + 0.01)
        if subject.poll_factor("a") == 16:
            break
    else:
        pytest.fail("the factor never reached its bound")
    factors = []
    for _ in range(5):
        await clock.advance(60)
        factors.append(subject.poll_factor("a"))
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == 1.0


async def test_google_s_own_wait_is_respected(clock: FakeClock) -> None:
    subject = governor(clock)
    subject.report("a", READ, QuotaExhausted("x", retry_after=120))
    assert 120 <= subject.stats()[0].paused_seconds <= 120 + PAUSE_JITTER


async def test_a_number_of_resources_is_not_a_rate(clock: FakeClock) -> None:
    subject = governor(clock)
    subject.report("a", WRITE, QuotaExhausted("Quota 'FIREWALLS' exceeded", scope=QuotaScope.ALLOCATION))
    subject.report("a", WRITE, NotFound("no"))
    assert subject.throttled_until("a") is None
    assert subject.poll_factor("a") == 1.0


async def test_too_many_operations_pause_shortly_and_leave_polls_alone(clock: FakeClock) -> None:
    subject = governor(clock)
    subject.report("a", WRITE, QuotaExhausted("x", scope=QuotaScope.CONCURRENCY))
    assert 5 <= subject.stats()[0].paused_seconds <= 5 + PAUSE_JITTER
    assert subject.poll_factor("a") == 1.0


async def test_a_caller_who_gives_up_takes_no_token_with_it(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    gone = asyncio.create_task(subject.acquire("a", READ, Lane.USER_CHANGE))
    stays = asyncio.create_task(subject.acquire("a", READ, Lane.POLL))
    await settle()
    gone.cancel()
    await clock.advance(1.1)
    assert stays.done()
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_giving_up_in_the_moment_of_the_grant_returns_the_token(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    gone = asyncio.create_task(subject.acquire("a", READ, Lane.POLL))
    await settle()
    bucket = subject._buckets["a", READ]
    clock.time += 1
    bucket.refill(clock.time)
    bucket.tokens -= 1
    bucket.granted += 1
    assert bucket.queue.serve()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert bucket.tokens == pytest.approx(1)
    await subject.close()


async def test_close_sends_everybody_away(clock: FakeClock) -> None:
    subject = governor(clock)
    await drain(subject)
    waiting = asyncio.create_task(subject.acquire("a", READ, Lane.POLL))
    await settle()
    await subject.close()
    with pytest.raises(GovernorClosedError):
        await waiting
    with pytest.raises(GovernorClosedError):
        await subject.acquire("a", READ, Lane.POLL)
