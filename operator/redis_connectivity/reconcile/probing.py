"""Probes each resource's target at its interval, within bounds of probes in flight; tells when a verdict changes.

A target that has been silent for long is asked more rarely, and by one resource for all that probe it alike: see
core/breaker.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
import structlog

from redis_connectivity.api.status import CircuitState
from redis_connectivity.cloud.doors import TokenDoor
from redis_connectivity.core.breaker import Circuit, holds, told
from redis_connectivity.core.probing import ProbeMemory, ProbeResult, path_changed, record, verdict_of
from redis_connectivity.core.timing import backoff_delay
from redis_connectivity.core.windows import WindowFigures, Windows
from redis_connectivity.metrics import Metrics
from redis_connectivity.probes.check import check, prober_info
from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import MAX_MESSAGE, ProbeAnswer, ProbeFailure
from redis_connectivity.reconcile.circuits import Circuits, SharedCircuit
from redis_connectivity.reconcile.credentials import CredentialReader, CredentialTrouble
from redis_connectivity.reconcile.deployed import ask_deployed
from redis_connectivity.reconcile.probejob import (
    CREDENTIALS_STEP,
    ProbeJob,
    refused_auth,
    refused_ca,
    request_of,
    result_of,
)
from redis_connectivity.reconcile.store import Key
from redis_connectivity.tracing import CLIENT, span

__all__ = ["ProbeScheduler"]

_log = structlog.get_logger(__name__)

#: Seconds until a prober that could not be asked is asked again, at first.
_SOON = 0.25


class _Task:
    def __init__(self, job: ProbeJob, circuit: SharedCircuit) -> None:
        self.job = job
        self.circuit = circuit
        #: Whether it waits for the circuit, and whether somebody wants a probe whatever the circuit says.
        self.held = self.wanted = False
        self.kick = asyncio.Event()
        #: Probes begun and ended, and what is set (and replaced) at each end.
        self.begun = self.ended = 0
        self.over = asyncio.Event()
        self.memory: ProbeMemory | None = None
        self.windows = Windows()
        #: Grows when something on the path changes; a probe that was under way then proves nothing.
        self.changes = 0
        self.path: object = None
        self.runner: asyncio.Task[None] | None = None


class ProbeScheduler:
    """One task per probed resource. `changed` is called when a verdict changes; `now` gives seconds since the epoch.

    `own`: probe by ourselves where a resource names no prober. `heard` is called with every result.
    """

    def __init__(
        self,
        *,
        in_flight: int,
        metrics: Metrics,
        changed: Callable[[Key], None],
        now: Callable[[], float],
        credentials: CredentialReader,
        own: bool = True,
        heard: Callable[[Key, ProbeResult], None] | None = None,
        tokens: TokenDoor | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._own = own
        self._credentials = credentials
        self._places = asyncio.Semaphore(in_flight)
        self._metrics = metrics
        self._changed = changed
        self._now = now
        self._heard = heard
        self._tokens = tokens
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._circuits = Circuits(self._rng)
        self._tasks: dict[Key, _Task] = {}
        self._session: aiohttp.ClientSession | None = None

    def memory(self, key: Key) -> ProbeMemory | None:
        """What is remembered of the resource's probes."""
        task = self._tasks.get(key)
        return task.memory if task else None

    def circuit(self, key: Key) -> Circuit | None:
        """How the circuit stands that the resource's target has."""
        task = self._tasks.get(key)
        return task.circuit.value if task else None

    def windows(self, key: Key) -> tuple[WindowFigures, ...]:
        """The resource's probes of late."""
        task = self._tasks.get(key)
        return task.windows.figures(self._now()) if task else ()

    def probes(self, prober_url: str | None) -> bool:
        """Whether a resource with this prober, or none, is probed at all."""
        return self._own or prober_url is not None

    def ensure(self, key: Key, job: ProbeJob) -> None:
        """Probe the resource from now on; a changed job starts at once."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = _Task(job, self._circuits.of(job, self._moved))
            task.runner = asyncio.create_task(self._run(key, task), name=f"probe {key}")
        elif task.job != job:
            if (task.job.target, task.job.prober_url) != (job.target, job.prober_url):
                task.windows = Windows()
            task.job, task.circuit = job, self._circuits.of(job, self._moved)
            task.kick.set()

    async def probe_now(self, key: Key, seconds: float) -> None:
        """Probe, and wait until a probe that began after this call has ended; at most `seconds`."""
        task = self._tasks.get(key)
        if task is None:
            return
        wanted, task.wanted = task.begun + 1, True
        task.kick.set()
        with contextlib.suppress(TimeoutError):  # then what is known is what there is to tell
            async with asyncio.timeout(seconds):
                while task.ended < wanted and self._tasks.get(key) is task:
                    await task.over.wait()

    def path_changed(self, key: Key) -> None:
        """Something on the path was changed: probe now, and let failures from before explain nothing any more."""
        task = self._tasks.get(key)
        if task is not None:
            task.changes += 1
            task.memory = path_changed(task.memory) if task.memory is not None else None
            task.kick.set()

    def path_seen(self, key: Key, path: object) -> None:
        """How the path looks now, as any value that can be compared; another than last time is a change."""
        task = self._tasks.get(key)
        if task is not None and task.path != path:
            known, task.path = task.path is not None, path
            if known:
                self.path_changed(key)

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
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            task.kick.clear()
            circuit = task.circuit
            async with circuit.places, self._places:
                late = clock() - due
                went = await self._go(key, task, circuit)
            if went:
                self._metrics.probe_lateness.observe(late)
            # A tenth of jitter, so that resources made together are not probed together for ever.
            wait = self._pause(task) * self._rng.uniform(0.9, 1.1) if went else circuit.due_in(self._now())
            due = clock() + wait if wait is not None else math.inf
            try:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the kick.
                async with asyncio.timeout_at(due):
                    await task.kick.wait()
                due = clock()
            except TimeoutError:
                continue

    async def _go(self, key: Key, task: _Task, circuit: SharedCircuit) -> bool:
        """Probe, unless the circuit holds it back; whether it did."""
        if task.circuit is not circuit:
            task.kick.set()  # the job changed while it waited for its place: again, at the new target
            return False
        wanted, task.wanted = task.wanted, False
        may_be_held = not wanted and holds(task.memory)
        task.held = may_be_held and not circuit.admits(self._now())
        if task.held:
            return False
        task.begun += 1
        # What is not held back is no trial, whatever the circuit's state.
        trial = may_be_held and circuit.value.state is not CircuitState.CLOSED
        result: ProbeResult | None = None
        try:
            result = await self._once(key, task)
        finally:
            if result is not None:
                circuit.heard(result, trial=trial)
            elif trial:
                circuit.released()
        task.ended += 1
        over, task.over = task.over, asyncio.Event()
        over.set()
        return True

    def _moved(self, circuit: SharedCircuit, before: Circuit) -> None:
        """A circuit changed: whoever waits for it looks again, and a state that people are told is news."""
        news = told(circuit.value) is not told(before)
        for key, task in self._tasks.items():
            if task.circuit is not circuit:
                continue
            if task.held:
                task.kick.set()
            if news:
                self._changed(key)

    @staticmethod
    def _pause(task: _Task) -> float:
        """Seconds to the next probe. A prober that is only just starting is asked again sooner than at the interval."""
        memory = task.memory
        if memory is None or memory.last is None or memory.last.conclusive:
            return task.job.interval
        return min(task.job.interval, backoff_delay(memory.failures, base=_SOON))

    async def _once(self, key: Key, task: _Task) -> ProbeResult | None:
        """One probe; None where it says nothing about what is wanted now."""
        job, changes = task.job, task.changes
        try:
            answer = await self._traced(key, job)
        except Exception:  # noqa: BLE001 - the edge of one resource's work, see below
            # A fault of ours must not end the probing of this resource; the traceback says where it is.
            _log.exception("probe.fault", resource=str(key))
            return None
        if task.job != job:
            return None  # the answer is about a target that is not wanted any more; the kick brings the next one
        result = result_of(job, answer, self._now())
        before = verdict_of(task.memory)
        task.memory = record(
            task.memory, result, failure_threshold=job.failure_threshold, success_threshold=job.success_threshold
        )
        if task.changes != changes:
            task.memory = path_changed(task.memory)
        code = result.code or "Ok"
        self._metrics.probes.labels(key.namespace, key.name, code).inc()
        if result.ok:
            self._metrics.probe_last_success.labels(key.namespace, key.name).set(result.at)
        if result.ok and result.seconds is not None:
            self._metrics.probe_seconds.labels(key.namespace, key.name).observe(result.seconds)
        if result.conclusive:  # that the prober could not be asked says nothing about the path
            task.windows.add(result.at, result.seconds * 1000 if result.ok and result.seconds is not None else None)
        if self._heard is not None:
            self._heard(key, result)
        if verdict_of(task.memory) != before:
            self._changed(key)
        return result

    async def _traced(self, key: Key, job: ProbeJob) -> ProbeAnswer:
        """The answer; the probe is a span, and each check that was made is one in it."""
        origin = "Prober" if job.prober_url is not None else "Operator"
        with span("probe", CLIENT, root=True, resource=str(key), target=job.target, origin=origin) as one:
            answer = await self._answer(key, job)
            for step in answer.steps:
                one.part(f"check {step.name}", step.seconds, ok=step.ok)
            one.ended(answer.failure.code.value if answer.failure else "Ok", ok=answer.ok)
            return answer

    async def _answer(self, key: Key, job: ProbeJob) -> ProbeAnswer:
        try:
            answer = await self._ask(key, job)
        except CredentialTrouble as trouble:
            message = str(trouble)[:MAX_MESSAGE]
            return ProbeAnswer(
                ok=False,
                steps=(),
                latency_seconds=0.0,
                failure=ProbeFailure(step=CREDENTIALS_STEP, code=trouble.code, message=message),
                observed_at=datetime.now(UTC),
                prober=prober_info("operator"),
            )
        # What was not accepted may have been changed since it was read.
        auth, tls = refused_auth(job, answer.failure), refused_ca(job, answer.failure)
        if not auth and not tls:
            return answer
        try:
            return await self._ask(key, job, auth_anew=auth, tls_anew=tls)
        except CredentialTrouble:
            return answer  # that it cannot be read again says less than what Redis said

    async def _ask(self, key: Key, job: ProbeJob, *, auth_anew: bool = False, tls_anew: bool = False) -> ProbeAnswer:
        auth = await self._credentials.credentials(key.namespace, job.access, fresh=auth_anew)
        tls = await self._credentials.tls(key.namespace, job.access, fresh=tls_anew)
        request = request_of(job, auth, tls)
        if job.prober_url is None:
            return await check(request, via="operator")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=False), cookie_jar=aiohttp.DummyCookieJar()
            )
        if not job.deployed or self._tokens is None:
            return await ask(job.prober_url, request, session=self._session)
        return await ask_deployed(job.prober_url, request, session=self._session, tokens=self._tokens)
