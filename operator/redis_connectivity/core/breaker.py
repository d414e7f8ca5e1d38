"""The circuit breaker between probes and what they probe. Pure: every time is given, in seconds since the epoch.

A target that has not answered for long is asked ever more rarely, by one chain of checks at a time, whatever number of
resources probe it; the first answer lets them all ask again. It bounds what probes cost a Redis that is in trouble or
just comes back, and never what is known: a resource whose own verdict does not stand yet is not held back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from redis_connectivity.api.status import CircuitState
from redis_connectivity.core.probing import ProbeMemory, ProbeResult

__all__ = ["Circuit", "Pacing", "admit", "answers", "cap", "heard", "holds", "release", "told", "wait"]

#: The circuit opens after this many times `failureThreshold` intervals without an answer: the verdict is long known.
_PATIENCE: Final = 3
#: Trials are at most this many intervals apart, and not more than so many seconds, unless the interval itself is.
_CAP_INTERVALS: Final = 4
_CAP_SECONDS: Final = 300.0

#: What says that nobody serves: no answer, or one that more connections make worse. Any other failure is an answer.
_SILENCE: Final = frozenset(
    {
        "ResolveFailed",
        "ConnectTimeout",
        "ConnectionRefused",
        "NetworkUnreachable",
        "ConnectionReset",
        "ReadTimeout",
        "TooManyClients",
        "Loading",
        "MasterDown",
        "ClusterDown",
    }
)
_REDIS_CHECKS: Final = frozenset({"tcp", "redisPing", "redisReadWrite"})


@dataclass(frozen=True, slots=True)
class Pacing:
    """What a circuit takes from spec.probe: the interval in seconds, and the thresholds of the verdict."""

    interval: float
    failure_threshold: int
    success_threshold: int

    @property
    def patience(self) -> float:
        """Seconds without any answer after which the circuit opens."""
        return _PATIENCE * self.failure_threshold * self.interval


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit.

    Attributes:
        since: When it left Closed, or returned to it; 0 where it never did.
        silent_since: The first of the probes that all went unanswered; None after an answer.
        next_trial: When one chain may try, while it is not Closed.
        trial: Whether that one is under way.
        failed_trials: Since it opened.
        successes: Answers in a row while it is not Closed.
    """

    state: CircuitState = CircuitState.CLOSED
    since: float = 0.0
    silent_since: float | None = None
    next_trial: float = 0.0
    trial: bool = False
    failed_trials: int = 0
    successes: int = 0


def cap(pacing: Pacing) -> float:
    """The most seconds between two trials: so late, at the latest, a target that has healed is found to have."""
    return min(_CAP_INTERVALS * pacing.interval, max(pacing.interval, _CAP_SECONDS))


def answers(result: ProbeResult) -> bool | None:
    """Whether the target answered, be it with a refusal; None where nobody asked it.

    A wrong password, TLS in place of plain, a full memory, or a service behind Redis that fails are for people to mend:
    Redis itself serves, so there is nothing to spare, and the mending should be seen at the next interval.
    """
    if not result.conclusive:
        return None
    return result.ok or result.kind not in _REDIS_CHECKS or result.code not in _SILENCE


def holds(memory: ProbeMemory | None) -> bool:
    """Whether a resource may be held back: its verdict is bad, and stands since whatever changed on the path last."""
    if memory is None or memory.last is None or memory.reachable is not False:
        return False
    return memory.confirmed or memory.last.ok


def admit(circuit: Circuit, now: float, pacing: Pacing) -> Circuit | None:
    """The circuit with one more chain under way; None where it must wait. A closed circuit lets everything through."""
    if circuit.state is CircuitState.CLOSED:
        return circuit
    if circuit.trial or wait(circuit, now, pacing) > 0:
        return None
    return replace(circuit, state=CircuitState.HALF_OPEN, trial=True)


def wait(circuit: Circuit, now: float, pacing: Pacing) -> float:
    """Seconds until the next trial may begin."""
    left = circuit.next_trial - now
    # Longer than it was ever set to: the clock was set back.
    return left if 0 < left <= cap(pacing) else 0.0


def heard(circuit: Circuit, at: float, pacing: Pacing, *, answered: bool, trial: bool, jitter: float = 1.0) -> Circuit:
    """The circuit after a probe that ended at `at`.

    Args:
        circuit: As it was.
        at: Now.
        pacing: Of the resources that share the circuit.
        answered: See `answers`.
        trial: Whether it was the one that `admit` let through while the circuit was not closed.
        jitter: From 0 (excluded) to 1: the share of the wait that is waited.
    """
    if circuit.state is CircuitState.CLOSED:
        return _heard_closed(circuit, at, pacing, answered=answered, jitter=jitter)
    after = replace(circuit, trial=False) if trial else circuit
    if answered:
        successes = after.successes + 1
        if successes >= pacing.success_threshold:
            return Circuit(since=max(at, circuit.since))
        return replace(after, state=CircuitState.HALF_OPEN, successes=successes, next_trial=at + pacing.interval)
    if not trial:
        return after  # a resource that asked on its own account: it takes no trial from the others
    failed = after.failed_trials + 1
    return replace(
        after,
        state=CircuitState.OPEN,
        successes=0,
        failed_trials=failed,
        next_trial=at + jitter * _delay(failed + 1, pacing),
    )


def _heard_closed(circuit: Circuit, at: float, pacing: Pacing, *, answered: bool, jitter: float) -> Circuit:
    if answered:
        return replace(circuit, silent_since=None)
    silent_since = circuit.silent_since if circuit.silent_since is not None else at
    if at - silent_since < pacing.patience:
        return replace(circuit, silent_since=silent_since)
    return Circuit(CircuitState.OPEN, at, silent_since, next_trial=at + jitter * _delay(1, pacing))


def _delay(number: int, pacing: Pacing) -> float:
    """Seconds before trial `number`: two intervals, then four, up to the cap."""
    return float(min(cap(pacing), pacing.interval * 2 ** min(number, 10)))


def release(circuit: Circuit) -> Circuit:
    """The circuit after a trial that asked nobody (the prober was out of reach, the resource went): it is still due."""
    return replace(circuit, trial=False)


def told(circuit: Circuit) -> CircuitState:
    """The state for people: half-open once a trial was answered. That one is under way again changes nothing."""
    if circuit.state is CircuitState.CLOSED:
        return CircuitState.CLOSED
    return CircuitState.HALF_OPEN if circuit.successes else CircuitState.OPEN
