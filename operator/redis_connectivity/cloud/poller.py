"""Keeps the views that somebody is interested in fresh, each at its own pace.

One task per view, not per resource. The pace is the kind's interval times the governor's factor for the project, with
jitter; a view that cannot be read is tried less and less often. A read by somebody else counts: the next poll is due an
interval after the last attempt, whoever made it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from redis_connectivity.cloud.clock import Clock
from redis_connectivity.cloud.inventory import Inventory
from redis_connectivity.cloud.keys import AnyKey, Kind
from redis_connectivity.cloud.lanes import Lane

__all__ = ["SCARCE", "Pace", "Poller"]

log = logging.getLogger(__name__)

_FAST = frozenset({Kind.FIREWALLS, Kind.CONNECTORS})
#: What Google grants so few calls for that nobody may read it more often than is polled, however fresh it is wanted.
SCARCE = frozenset({Kind.REDIS_CLUSTERS, Kind.VALKEY_INSTANCES})


@dataclass(frozen=True, slots=True)
class Pace:
    """How often views are polled.

    Attributes:
        interval: Seconds between polls of firewall rules and connectors, which people change behind our back.
        slow: How many times slower networks, subnetworks and Redis instances are polled.
        scarce: Seconds between polls of Redis Clusters and Valkey instances, for which Google grants few calls.
        run_services: How many times slower Cloud Run services are polled: only people change ours, and rarely.
        policies: How many times slower effective policies are polled (one call a network).
        region_policies: How many times slower those of a region are polled: Google counts each call as a heavy-weight
            read, so every five minutes at the default interval.
        jitter: Each wait is this share longer or shorter, at random.
        max_backoff: The longest wait after failures, in seconds.
    """

    interval: float = 3.0
    slow: float = 5.0
    policies: float = 20.0
    run_services: float = 20.0
    scarce: float = 60.0
    region_policies: float = 100.0
    jitter: float = 0.1
    max_backoff: float = 300.0

    def of(self, kind: Kind) -> float:
        """The interval of a kind, in seconds."""
        if kind in SCARCE:
            return self.scarce
        if kind in _FAST:
            return self.interval
        slower = {
            Kind.EFFECTIVE_POLICIES: self.policies,
            Kind.REGION_POLICIES: self.region_policies,
            Kind.RUN_SERVICES: self.run_services,
        }
        return self.interval * slower.get(kind, self.slow)


@dataclass(eq=False, slots=True)
class _Watch:
    task: asyncio.Task[None]
    interested: set[Hashable]


class Poller:
    """Polls the views that resources declare an interest in.

    Args:
        inventory: The views.
        clock: For waiting.
        factor: The governor's `poll_factor`: by how much a project's polls are slower than set.
        pace: The intervals.
        rng: For jitter.
    """

    def __init__(
        self,
        inventory: Inventory,
        clock: Clock,
        factor: Callable[[str], float],
        pace: Pace | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._inventory = inventory
        self._clock = clock
        self._factor = factor
        self._pace = pace or Pace()
        self._rng = rng or random.Random()  # noqa: S311  (jitter, not a secret)
        self._watches: dict[AnyKey, _Watch] = {}
        self._interests: dict[Hashable, frozenset[AnyKey]] = {}
        self._closed = False

    def set_interest(self, resource: Hashable, keys: frozenset[AnyKey]) -> None:
        """Declare which views a resource depends on, replacing what it declared before."""
        if self._closed:
            return
        before = self._interests.get(resource, frozenset())
        self._interests[resource] = keys
        for key in keys - before:
            watch = self._watches.get(key)
            if watch is None:
                task = asyncio.create_task(self._poll(key), name=f"poll {key}")
                watch = self._watches[key] = _Watch(task, set())
            watch.interested.add(resource)
        for key in before - keys:
            self._lose(key, resource)

    def drop_interest(self, resource: Hashable) -> None:
        """The resource is gone, and with it its interests."""
        for key in self._interests.pop(resource, frozenset()):
            self._lose(key, resource)

    def interested(self, key: AnyKey) -> frozenset[Hashable]:
        """The resources that depend on a view."""
        watch = self._watches.get(key)
        return frozenset(watch.interested) if watch else frozenset()

    def watched(self) -> frozenset[AnyKey]:
        """The views being polled."""
        return frozenset(self._watches)

    async def close(self) -> None:
        """Stop all polls."""
        self._closed = True
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        self._interests.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _lose(self, key: AnyKey, resource: Hashable) -> None:
        watch = self._watches.get(key)
        if watch is None:
            return
        watch.interested.discard(resource)
        if not watch.interested:
            del self._watches[key]
            watch.task.cancel()
            self._inventory.forget(key)

    async def _poll(self, key: AnyKey) -> None:
        spread = self._spread()
        while True:
            wait = self._due(key, spread) - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep(wait)
                continue  # somebody may have read it meanwhile
            spread = self._spread()
            try:
                await self._inventory.attempt(key, Lane.POLL)
            except Exception:
                # Not a `CloudError` (those are recorded): a fault of ours. Said aloud, and the eyes stay open.
                log.exception("a poll failed unexpectedly", extra={"key": str(key)})
                await self._clock.sleep(self._pace.of(key.kind))

    def _due(self, key: AnyKey, spread: float) -> float:
        attempted, failures = self._inventory.last_attempt(key)
        if attempted is None:
            return self._clock.monotonic()
        interval = self._pace.of(key.kind) * self._factor(key.project) * spread
        if failures:
            interval = max(interval, min(self._pace.max_backoff, interval * 2 ** min(failures, 16)))
        return attempted + interval

    def _spread(self) -> float:
        return 1.0 + self._rng.uniform(-self._pace.jitter, self._pace.jitter)
