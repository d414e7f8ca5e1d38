"""A budget per project and quota group, so that one project's shortage is that project's alone.

Google counts requests per project, per minute and per group of methods ("API rate limits" of Compute Engine:
buckets per project that refill at the next synchronised minute, and a 403 `rateLimitExceeded` when one is
empty). The governor therefore

* hands out tokens per (project, group), in the order of lanes: a user's change, then repairs, then polls;
* pauses a (project, group) that Google calls exhausted until the next minute plus jitter, longer when it
  repeats;
* slows the polls of that whole project (`poll_factor`), and of nobody else, and speeds up again after quiet
  minutes.

The default budgets are deliberately far below what Google is said to grant and are settings: the default
quotas are not published (UNCONFIRMED), each project may have its own, and other tools draw from the same
buckets.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from redis_connectivity.cloud.clock import Clock
from redis_connectivity.cloud.errors import CloudError, QuotaExhausted, QuotaScope
from redis_connectivity.cloud.lanes import AnyLane, LaneQueue, ticket, was_served

__all__ = ["DEFAULT_BUDGETS", "BucketStats", "Budget", "Governor", "GovernorClosedError", "QuotaGroup"]

MAX_POLL_FACTOR = 16.0
#: A pause never exceeds this, however often Google repeats itself: seconds.
MAX_PAUSE = 600.0
#: Jitter on top of the minute's boundary, so that many operators do not return in the same instant: seconds.
PAUSE_JITTER = 5.0
#: First pause after "too many operations at once"; it doubles when repeated: seconds.
CONCURRENCY_PAUSE = 5.0
#: Without a new refusal for this long the poll factor halves, and strikes are forgotten: seconds.
QUIET = 60.0


class QuotaGroup(enum.StrEnum):
    """Methods that Google counts together, as far as documented; operations.wait counts as a read here."""

    COMPUTE_READ = "compute-read"
    COMPUTE_WRITE = "compute-write"
    VPCACCESS = "vpcaccess"
    REDIS = "redis"
    REDIS_CLUSTER = "redis-cluster"
    MEMORYSTORE = "memorystore"
    LOGGING = "logging"
    RUN = "run"
    IAM_CREDENTIALS = "iam-credentials"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of a quota this operator allows itself in one project.

    Attributes:
        per_minute: Requests per minute, sustained.
        burst: Requests at once after a quiet time; half a minute's worth unless given.
    """

    per_minute: float
    burst: float | None = None

    @property
    def capacity(self) -> float:
        """The bucket's size in requests, at least one."""
        return max(1.0, self.per_minute / 2 if self.burst is None else self.burst)


#: Half of what Google grants a project in a minute for Redis Cluster and for Valkey, which no request can raise.
#: Source: Google's pages on the quotas of both.
SCARCE = 30

#: UNCONFIRMED: Google publishes no default for Compute or Serverless VPC Access; older texts speak of 1,500
#: reads a minute, and Memorystore for Redis is said to grant 3,000. These stay well below and are settings.
DEFAULT_BUDGETS: Mapping[QuotaGroup, Budget] = {
    QuotaGroup.COMPUTE_READ: Budget(600),
    QuotaGroup.COMPUTE_WRITE: Budget(120),
    QuotaGroup.VPCACCESS: Budget(120),
    QuotaGroup.REDIS: Budget(120),
    QuotaGroup.REDIS_CLUSTER: Budget(SCARCE),
    QuotaGroup.MEMORYSTORE: Budget(SCARCE),
    # entries.list: 60 a minute and project. Source: Google's page on Logging quotas.
    QuotaGroup.LOGGING: Budget(SCARCE),
    # Cloud Run Admin: 1,200 reads and 60 mutations a minute and region. Source: Google's page on Cloud Run quotas.
    QuotaGroup.RUN: Budget(120),
    # Generating tokens: 60,000 a minute. Source: Google's page on IAM quotas.
    QuotaGroup.IAM_CREDENTIALS: Budget(120),
}


@dataclass(frozen=True, slots=True)
class BucketStats:
    """What a metric wants to know about one (project, group)."""

    project: str
    group: QuotaGroup
    granted: int
    waits: int
    waited_seconds: float
    throttled: int
    queued: int
    tokens: float
    paused_seconds: float


class GovernorClosedError(RuntimeError):
    """A token was asked for after (or while) the governor was closed."""


@dataclass(eq=False, slots=True)
class _Bucket:
    budget: Budget
    tokens: float
    filled_at: float
    paused_until: float = float("-inf")
    strikes: int = 0
    granted: int = 0
    waits: int = 0
    waited: float = 0.0
    throttled: int = 0
    queue: LaneQueue = field(default_factory=LaneQueue)
    pump: asyncio.Task[None] | None = None

    def refill(self, now: float) -> None:
        elapsed = max(0.0, now - self.filled_at)
        self.tokens = min(self.budget.capacity, self.tokens + elapsed * self.budget.per_minute / 60)
        self.filled_at = now

    def delay(self, now: float) -> float:
        """Seconds until one request may go; zero or less for at once."""
        self.refill(now)
        # A tolerance far below a request: a token that is all but whole must not cost another round of
        # waiting.
        missing = (1 - self.tokens) * 60 / self.budget.per_minute if self.tokens < 1 - 1e-9 else 0.0
        return max(missing, self.paused_until - now)


@dataclass(slots=True)
class _Slowness:
    factor: float
    since: float


class Governor:
    """Hands out permission to call; see the module. All methods belong to one event loop."""

    def __init__(
        self,
        clock: Clock,
        budgets: Mapping[QuotaGroup, Budget] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._budgets = {**DEFAULT_BUDGETS, **(budgets or {})}
        self._rng = rng or random.Random()  # noqa: S311  (jitter, not a secret)
        self._buckets: dict[tuple[str, QuotaGroup], _Bucket] = {}
        self._slow: dict[str, _Slowness] = {}
        self._closed = False

    async def acquire(self, project: str, group: QuotaGroup, lane: AnyLane) -> None:
        """Wait for the right to make one request.

        Raises:
            GovernorClosedError: The operator is stopping.
        """
        if self._closed:
            msg = "the quota governor is closed"
            raise GovernorClosedError(msg)
        bucket = self._bucket(project, group)
        now = self._clock.monotonic()
        if not len(bucket.queue) and bucket.delay(now) <= 0:
            bucket.tokens -= 1
            bucket.granted += 1
            return
        place = bucket.queue.join(ticket(lane))
        if bucket.pump is None or bucket.pump.done():
            bucket.pump = asyncio.create_task(self._pump(bucket), name=f"quota {project} {group}")
        try:
            await place
        except asyncio.CancelledError:
            if was_served(place):
                bucket.tokens += 1  # granted in the moment the wait was given up
                bucket.granted -= 1
            raise
        bucket.waits += 1
        bucket.waited += self._clock.monotonic() - now

    async def _pump(self, bucket: _Bucket) -> None:
        while len(bucket.queue):
            delay = bucket.delay(self._clock.monotonic())
            if delay > 0:
                await self._clock.sleep(delay)
            elif bucket.queue.serve():
                bucket.tokens -= 1
                bucket.granted += 1
            else:
                await self._clock.sleep(0)  # only cancelled waiters are left; let them leave the queue

    def report(self, project: str, group: QuotaGroup, error: CloudError | None) -> None:
        """Tell how a call ended; only quota errors and the first success after one change anything."""
        bucket = self._bucket(project, group)
        now = self._clock.monotonic()
        if not isinstance(error, QuotaExhausted):
            if error is None and bucket.strikes and now - bucket.paused_until > QUIET:
                bucket.strikes = 0
            return
        if error.scope is QuotaScope.ALLOCATION:
            return  # a number of resources is short; calling slower would not help
        bucket.throttled += 1
        if now < bucket.paused_until:
            return  # a straggler of the volley that caused the pause
        bucket.strikes += 1
        repeats = 2 ** min(bucket.strikes - 1, 7)
        if error.scope is QuotaScope.CONCURRENCY:
            pause = (error.retry_after or CONCURRENCY_PAUSE) * repeats
        else:
            base = error.retry_after if error.retry_after is not None else self._to_next_minute()
            pause = base + 60.0 * (repeats - 1)
        bucket.paused_until = now + min(pause, MAX_PAUSE) + self._rng.uniform(0, PAUSE_JITTER)
        if error.scope is QuotaScope.RATE:
            # Quiet is counted from the end of the pause: silence during it proves nothing.
            factor = min(MAX_POLL_FACTOR, self._factor(project, now) * 2)
            self._slow[project] = _Slowness(factor, bucket.paused_until)

    def _to_next_minute(self) -> float:
        now = self._clock.now()
        return 60.0 - now.second - now.microsecond / 1e6

    def _factor(self, project: str, now: float) -> float:
        slow = self._slow.get(project)
        if slow is None:
            return 1.0
        factor: float = slow.factor / 2.0 ** int(max(0.0, now - slow.since) / QUIET)
        if factor <= 1.0:
            del self._slow[project]
            return 1.0
        return factor

    def poll_factor(self, project: str) -> float:
        """By how much polls of this project are to be slower than set: 1 (normal) to 16."""
        return self._factor(project, self._clock.monotonic())

    def throttled_until(self, project: str) -> datetime | None:
        """When (UTC) the last pause of any of the project's groups ends; None when nothing is paused."""
        now = self._clock.monotonic()
        left = max(
            (bucket.paused_until - now for (owner, _), bucket in self._buckets.items() if owner == project),
            default=0.0,
        )
        return self._clock.now() + timedelta(seconds=left) if left > 0 else None

    def stats(self) -> tuple[BucketStats, ...]:
        """A reading of every bucket, for metrics."""
        now = self._clock.monotonic()
        readings = []
        for (project, group), bucket in sorted(self._buckets.items()):
            bucket.refill(now)
            readings.append(
                BucketStats(
                    project=project,
                    group=group,
                    granted=bucket.granted,
                    waits=bucket.waits,
                    waited_seconds=bucket.waited,
                    throttled=bucket.throttled,
                    queued=len(bucket.queue),
                    tokens=bucket.tokens,
                    paused_seconds=max(0.0, bucket.paused_until - now),
                )
            )
        return tuple(readings)

    async def close(self) -> None:
        """Refuse further tokens and send the waiting away."""
        self._closed = True
        pumps = [bucket.pump for bucket in self._buckets.values() if bucket.pump is not None]
        for bucket in self._buckets.values():
            bucket.queue.fail(GovernorClosedError("the quota governor was closed"))
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def _bucket(self, project: str, group: QuotaGroup) -> _Bucket:
        key = (project, group)
        bucket = self._buckets.get(key)
        if bucket is None:
            budget = self._budgets[group]
            bucket = _Bucket(budget, tokens=budget.capacity, filled_at=self._clock.monotonic())
            self._buckets[key] = bucket
        return bucket
