"""What the probes of one target share: a circuit, and a bound on the chains that are under way at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from redis_connectivity.core.breaker import Circuit, Pacing, admit, answers, heard, release, wait
from redis_connectivity.core.probing import ProbeResult
from redis_connectivity.probes.model import HttpCheck
from redis_connectivity.reconcile.probejob import ProbeJob

__all__ = ["PROBES_PER_TARGET", "Circuits", "SharedCircuit"]

#: Chains under way at one target, of all the resources that probe it: what a Redis gets at once when it comes back.
PROBES_PER_TARGET: Final = 8
Moved = Callable[["SharedCircuit", Circuit], None]
#: Of a trial's wait, the least share that is waited: circuits that opened together do not try together for ever.
_JITTER: Final = 0.9


class SharedCircuit:
    """The circuit of all resources that probe one target alike. `moved` is told when it changes, and from what."""

    def __init__(self, job: ProbeJob, places: asyncio.Semaphore, moved: Moved, rng: random.Random) -> None:
        self.value = Circuit()
        self.pacing = Pacing(job.interval, job.failure_threshold, job.success_threshold)
        #: To be held by each chain that is under way.
        self.places = places
        self._moved = moved
        self._rng = rng

    def admits(self, now: float) -> bool:
        """Whether a chain that may be held back may go now. While the circuit is not closed it is the trial then."""
        after = admit(self.value, now, self.pacing)
        if after is None:
            return False
        self.value = after
        return True

    def due_in(self, now: float) -> float | None:
        """Seconds until a trial may go; None while one is under way: its end will be told."""
        return None if self.value.trial else wait(self.value, now, self.pacing)

    def heard(self, result: ProbeResult, *, trial: bool) -> None:
        """A chain ended."""
        answered = answers(result)
        if answered is None:
            if trial:
                self.released()
            return
        jitter = self._rng.uniform(_JITTER, 1.0)
        self._becomes(heard(self.value, result.at, self.pacing, answered=answered, trial=trial, jitter=jitter))

    def released(self) -> None:
        """The trial ended and asked nobody."""
        self._becomes(release(self.value))

    def _becomes(self, after: Circuit) -> None:
        before, self.value = self.value, after
        if before != after:
            self._moved(self, before)


class Circuits:
    """The circuits and places of all targets that are probed; each lasts as long as a resource has it."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._shared: WeakValueDictionary[tuple[object, ...], SharedCircuit] = WeakValueDictionary()
        self._places: WeakValueDictionary[tuple[str, str, int], asyncio.Semaphore] = WeakValueDictionary()

    def of(self, job: ProbeJob, moved: Moved) -> SharedCircuit:
        """The circuit for a job; `moved` is called whenever it changes, with it and what it was."""
        way = _way(job)
        shared = self._shared.get(way)
        if shared is None:
            shared = self._shared[way] = SharedCircuit(job, self._places_of(job), moved, self._rng)
        return shared

    def _places_of(self, job: ProbeJob) -> asyncio.Semaphore:
        target = (job.network, job.host, job.port)
        places = self._places.get(target)
        if places is None:
            places = self._places[target] = asyncio.Semaphore(PROBES_PER_TARGET)
        return places


def _way(job: ProbeJob) -> tuple[object, ...]:
    """What makes an answer one for all: who asks whom, over which network, what, and how patiently.

    Passwords and services behind Redis are left out: what fails by them is no silence of the target's.
    """
    asked = tuple(check for check in job.checks if not isinstance(check, HttpCheck))
    thresholds = (job.failure_threshold, job.success_threshold)
    said = (job.access.cluster, job.access.tls)
    return (job.network, job.prober_url, job.host, job.port, job.interval, job.timeout, thresholds, said, asked)
