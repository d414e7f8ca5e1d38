"""Keeps every resource coming: what wakes one, how many are worked on at once, and how failures back off."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from redis_connectivity.api.conditions import ConditionType
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.keys import AnyKey
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.snapshot import AnySnapshot
from redis_connectivity.core.guardrails import Policy
from redis_connectivity.core.timing import backoff_delay
from redis_connectivity.kube.errors import Gone, KubeConflict, KubeError
from redis_connectivity.kube.lease import NotLeader
from redis_connectivity.metrics import Metrics
from redis_connectivity.reconcile.explain import is_transient
from redis_connectivity.reconcile.outcome import TryAgain
from redis_connectivity.reconcile.queue import WorkQueue
from redis_connectivity.reconcile.reconciler import Reconciler
from redis_connectivity.reconcile.store import Body, Key, ResourceStore
from redis_connectivity.reconcile.wakeups import concerned
from redis_connectivity.tracing import Traced, span

__all__ = ["Controller"]

_log = structlog.get_logger(__name__)


class Controller:
    """The queue and its workers. Everything runs on one loop."""

    def __init__(
        self,
        *,
        store: ResourceStore,
        metrics: Metrics,
        workers: int,
        lead: Callable[[], Awaitable[None]],
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._workers = workers
        self._lead = lead
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._queue: WorkQueue[Key] = WorkQueue(asyncio.get_running_loop().time)
        self._failures: dict[Key, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._busy: set[asyncio.Task[None]] = set()
        self._reconciler: Reconciler | None = None
        self._cloud: GoogleCloud | None = None
        self._stopping = False

    def start(self, reconciler: Reconciler, cloud: GoogleCloud) -> None:
        """Begin to work on what is due."""
        self._reconciler = reconciler
        self._cloud = cloud
        self._tasks = [asyncio.create_task(self._work(), name=f"worker {n}") for n in range(self._workers)]

    async def stop(self, grace: float) -> None:
        """Take nothing new; let work in flight finish for `grace` seconds, then leave it: the ledger knows it."""
        self._stopping = True
        for task in self._tasks:
            if task not in self._busy:
                task.cancel()
        if self._busy:
            _log.info("stopping", in_flight=len(self._busy))
            await asyncio.wait(self._busy, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def alive(self) -> bool:
        """Whether all workers live; one that died is a fault that only a restart mends."""
        return not any(task.done() for task in self._tasks) or self._stopping

    # --- what wakes a resource

    def saw(self, body: Body) -> None:
        """News of a resource from the watch or a list."""
        key = self._store.saw(body)
        if key is not None:
            self._failures.pop(key, None)
            self._queue.add(key, Lane.USER_CHANGE)

    def vanished(self, body: Body) -> None:
        """The watch says that a resource is gone."""
        self._queue.add(self._store.vanished(body), Lane.USER_CHANGE)

    def relisted(self, bodies: list[Body], known_before: tuple[Key, ...]) -> None:
        """A whole list: the safety net below the watch."""
        for body in bodies:
            self.saw(body)
        for key in self._store.missing_from(bodies, known_before):
            self._store.forget(key)
            self._queue.add(key, Lane.USER_CHANGE)

    def policies_changed(self, policies: Iterable[Policy]) -> None:
        """Policies came, went or changed: look at all that they are about."""
        changed = tuple(policies)
        for key in self._store:
            if any(policy.selects(key.namespace) for policy in changed):
                self._failures.pop(key, None)
                self._queue.add(key, Lane.USER_CHANGE)

    def probe_turned(self, key: Key) -> None:
        """A probe's verdict changed."""
        self._queue.add(key, Lane.REPAIR)

    def wake(self, keys: Iterable[Key]) -> None:
        """Look at these: what another resource declares matters to them, and it has changed."""
        for key in keys:
            self._failures.pop(key, None)
            self._queue.add(key, Lane.REPAIR)

    def everything(self) -> None:
        """Look at all resources, after a change of leader."""
        for key in self._store:
            self._queue.add(key, Lane.REPAIR)

    def cloud_changed(self, key: AnyKey, changed: frozenset[str], before: AnySnapshot, after: AnySnapshot) -> None:
        """The inventory noticed a difference, or that it cannot read (any more, or again)."""
        if self._cloud is None or self._reconciler is None:
            return
        interested = {one for one in self._cloud.poller.interested(key) if isinstance(one, Key)}
        wake: frozenset[Key] = frozenset(interested)
        if changed and after.error is None and before.error is None and before.known:
            desired = {one: self._reconciler.desired[one] for one in interested if one in self._reconciler.desired}
            wake = concerned(key.kind, changed, before.items, after.items, desired)
        # What was read before stays good for its time; who cannot be asked any more is told of after that.
        passing = after.error is not None and is_transient(after.error)
        delay = self._reconciler.trusted_for(key) if passing else 0.0
        for one in wake:
            self._queue.add(one, Lane.REPAIR, delay)

    # --- work

    async def _work(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a worker runs as a task")
        while not self._stopping:
            await self._lead()
            key, lane = await self._queue.take()
            self._busy.add(task)
            try:
                await self._one(key, lane)
            finally:
                self._queue.done(key)
                self._busy.discard(task)
                self._metrics.queue_length.set(len(self._queue))
                self._metrics.resources.set(len(self._store))

    async def _one(self, key: Key, lane: Lane) -> None:
        if self._reconciler is None:
            raise RuntimeError("the controller was not started")
        with span("reconcile", root=True, resource=str(key), lane=lane.name) as traced:
            await self._reconciled(self._reconciler, key, lane, traced)

    async def _reconciled(self, reconciler: Reconciler, key: Key, lane: Lane, traced: Traced) -> None:
        begun = time.perf_counter()
        retry_after: float | None = None
        try:
            outcome = await reconciler.reconcile(key, lane)
        except Gone:
            # Deleted between our look and our write; the watch will say so, or the next list.
            result = "gone"
            self._store.forget(key)
            self._queue.add(key, Lane.USER_CHANGE)
        except KubeConflict as error:
            result = "conflict"
            _log.info("conflict", resource=str(key), error=str(error))
            retry_after = 0.05
        except NotLeader:
            result = "not_leader"
            retry_after = 0.0
        except TryAgain as again:
            result, retry_after = "retry", again.retry_after
            _log.info("retry", resource=str(key), why=str(again))
        except KubeError as error:
            result = "kube_error"
            _log.warning("kubernetes", resource=str(key), error=str(error))
        except Exception:  # noqa: BLE001 - the edge of one resource's work, see below
            # A fault of ours on one resource must not stop the others; the traceback says where it is.
            result = "fault"
            _log.exception("fault", resource=str(key))
        else:
            self._failures.pop(key, None)
            self._metrics.reconciles.labels("ok").inc()
            traced.ended("ok", ok=True, reason=self._reason_of(key))
            self._metrics.reconcile_seconds.observe(time.perf_counter() - begun)
            if outcome.due_in is not None:
                self._queue.add(key, Lane.REPAIR, outcome.due_in)
            for other in outcome.wake:
                self._queue.add(other, Lane.REPAIR)
            return
        self._metrics.reconciles.labels(result).inc()
        traced.ended(result, ok=result != "fault", reason=self._reason_of(key))
        self._metrics.reconcile_seconds.observe(time.perf_counter() - begun)
        if result == "gone":
            return
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(backoff_delay(failures), retry_after or 0.0) if retry_after is None or failures > 1 else retry_after
        self._queue.add(key, lane, delay * self._rng.uniform(0.8, 1.2))

    def _reason_of(self, key: Key) -> str:
        """The reason that the resource's Ready gives now; empty where it has none, or is gone."""
        conditions = ((self._store.get(key) or {}).get("status") or {}).get("conditions", ())
        return next((str(one["reason"]) for one in conditions if one["type"] == ConditionType.READY.value), "")
