"""Probes each resource's target at its interval, within a bound of probes in flight; tells when a verdict changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import structlog

from redis_connectivity.core.probing import ProbeMemory, ProbeResult, record, verdict_of
from redis_connectivity.core.timing import backoff_delay
from redis_connectivity.metrics import Metrics
from redis_connectivity.probes.check import check
from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import FailureCode, ProbeAnswer, ProbeRequest
from redis_connectivity.reconcile.store import Key

__all__ = ["ProbeJob", "ProbeScheduler"]

_log = structlog.get_logger(__name__)

#: Codes that say something about the prober, not about Redis.
_INCONCLUSIVE = frozenset(
    {
        FailureCode.PROBER_UNAVAILABLE,
        FailureCode.PROBER_TIMEOUT,
        FailureCode.PROBER_REFUSED,
        FailureCode.PROBER_INVALID_ANSWER,
        FailureCode.PROBER_FAULT,
        FailureCode.TARGET_NOT_ALLOWED,
    }
)

#: Seconds until a prober that could not be asked is asked again, at first.
_SOON = 0.25


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """What to probe for one resource, and how often. Times in seconds."""

    host: str
    port: int
    interval: float
    timeout: float
    prober_url: str | None
    failure_threshold: int
    success_threshold: int

    @property
    def target(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"


class _Task:
    def __init__(self, job: ProbeJob) -> None:
        self.job = job
        self.kick = asyncio.Event()
        self.memory: ProbeMemory | None = None
        self.runner: asyncio.Task[None] | None = None


class ProbeScheduler:
    """One task per probed resource. `changed` is called when a verdict changes; `now` gives seconds since the epoch.

    `own`: probe by ourselves where a resource names no prober.
    """

    def __init__(
        self,
        *,
        in_flight: int,
        metrics: Metrics,
        changed: Callable[[Key], None],
        now: Callable[[], float],
        own: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        self._own = own
        self._places = asyncio.Semaphore(in_flight)
        self._metrics = metrics
        self._changed = changed
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._tasks: dict[Key, _Task] = {}
        self._session: aiohttp.ClientSession | None = None

    def memory(self, key: Key) -> ProbeMemory | None:
        """What is remembered of the resource's probes."""
        task = self._tasks.get(key)
        return task.memory if task else None

    def probes(self, prober_url: str | None) -> bool:
        """Whether a resource with this prober, or none, is probed at all."""
        return self._own or prober_url is not None

    def ensure(self, key: Key, job: ProbeJob) -> None:
        """Probe the resource from now on; a changed job starts at once."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = _Task(job)
            task.runner = asyncio.create_task(self._run(key, task), name=f"probe {key}")
        elif task.job != job:
            task.job = job
            task.kick.set()

    def kick(self, key: Key) -> None:
        """Probe now: something changed that may have opened or cut the path."""
        task = self._tasks.get(key)
        if task is not None:
            task.kick.set()

    def forget(self, key: Key) -> None:
        """Stop probing the resource."""
        task = self._tasks.pop(key, None)
        if task is not None and task.runner is not None:
            task.runner.cancel()

    async def close(self) -> None:
        """Stop all probes."""
        runners = [task.runner for task in self._tasks.values() if task.runner is not None]
        self._tasks.clear()
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self, key: Key, task: _Task) -> None:
        while True:
            task.kick.clear()
            async with self._places:
                await self._once(key, task)
            # A tenth of jitter, so that resources made together are not probed together for ever.
            wait = self._pause(task) * self._rng.uniform(0.9, 1.1)
            try:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the kick.
                async with asyncio.timeout(wait):
                    await task.kick.wait()
            except TimeoutError:
                continue

    @staticmethod
    def _pause(task: _Task) -> float:
        """Seconds to the next probe. A prober that is only just starting is asked again sooner than at the interval."""
        memory = task.memory
        if memory is None or memory.last is None or memory.last.conclusive:
            return task.job.interval
        return min(task.job.interval, backoff_delay(memory.failures, base=_SOON))

    async def _once(self, key: Key, task: _Task) -> None:
        job = task.job
        try:
            answer = await self._answer(job)
        except Exception:  # noqa: BLE001 - the edge of one resource's work, see below
            # A fault of ours must not end the probing of this resource; the traceback says where it is.
            _log.exception("probe.fault", resource=str(key))
            return
        if task.job != job:
            return  # the answer is about a target that is not wanted any more; the kick brings the next one
        result = self._result(job, answer)
        before = verdict_of(task.memory)
        task.memory = record(
            task.memory, result, failure_threshold=job.failure_threshold, success_threshold=job.success_threshold
        )
        code = result.code or "Ok"
        self._metrics.probes.labels(key.namespace, key.name, code).inc()
        if result.ok and result.seconds is not None:
            self._metrics.probe_seconds.labels(key.namespace, key.name).observe(result.seconds)
        if verdict_of(task.memory) != before:
            self._changed(key)

    async def _answer(self, job: ProbeJob) -> ProbeAnswer:
        request = ProbeRequest(host=job.host, port=job.port, timeout_seconds=job.timeout)
        if job.prober_url is None:
            return await check(request, via="operator")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=False), cookie_jar=aiohttp.DummyCookieJar()
            )
        return await ask(job.prober_url, request, session=self._session)

    def _result(self, job: ProbeJob, answer: ProbeAnswer) -> ProbeResult:
        failure = answer.failure
        # Redis asking for a password is an answer of Redis: the path works.
        answered = failure is not None and failure.code is FailureCode.AUTHENTICATION_REQUIRED
        return ProbeResult(
            at=self._now(),
            ok=answer.ok or answered,
            origin="Prober" if job.prober_url is not None else "Operator",
            target=job.target,
            seconds=answer.latency_seconds,
            step=failure.step if failure else "",
            code=failure.code.value if failure else "",
            message=failure.message if failure else "",
            conclusive=failure is None or failure.code not in _INCONCLUSIVE,
        )
