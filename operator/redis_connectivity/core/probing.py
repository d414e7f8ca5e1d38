"""From single probe results to a verdict: thresholds in both directions, so that one lost packet flips nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = ["ProbeMemory", "ProbeResult", "reachable", "record", "verdict_of"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe. `at` is in seconds since the epoch, `seconds` the latency of a success."""

    at: float
    ok: bool
    origin: Literal["Prober", "Operator"]
    target: str
    seconds: float | None = None
    step: str = ""
    code: str = ""
    message: str = ""
    #: False when the prober itself could not be asked, which says nothing about Redis.
    conclusive: bool = True


@dataclass(frozen=True, slots=True)
class ProbeMemory:
    """What is remembered of the probes of one target from one origin."""

    origin: Literal["Prober", "Operator"]
    target: str
    reachable: bool | None = None
    successes: int = 0
    failures: int = 0
    last: ProbeResult | None = None
    last_success: ProbeResult | None = None
    last_failure: ProbeResult | None = None


def record(
    memory: ProbeMemory | None, result: ProbeResult, *, failure_threshold: int, success_threshold: int
) -> ProbeMemory:
    """The memory after one more result. Another target or origin starts anew."""
    if memory is None or (memory.origin, memory.target) != (result.origin, result.target):
        memory = ProbeMemory(origin=result.origin, target=result.target)
    if result.ok:
        successes = memory.successes + 1
        enough = memory.reachable is None or successes >= success_threshold
        return replace(
            memory,
            successes=successes,
            failures=0,
            reachable=True if enough else memory.reachable,
            last=result,
            last_success=result,
        )
    failures = memory.failures + 1
    # With nothing known yet, the first failure is the truth so far.
    enough = memory.reachable is None or failures >= failure_threshold
    return replace(
        memory,
        successes=0,
        failures=failures,
        reachable=False if enough else memory.reachable,
        last=result,
        last_failure=result,
    )


def reachable(memory: ProbeMemory | None, *, probed: bool = True) -> Verdict:
    """The condition Reachable. The latency is left out on purpose: it moves all the time."""
    if not probed:
        return unknown(
            Reason.NOT_PROBED,
            "There is no prober, and the operator's own probes are turned off."
            " Set spec.probe.proberUrl to prove the path.",
        )
    if memory is None or memory.last is None:
        return unknown(Reason.PENDING, "Not probed yet.")
    through = memory.origin == "Prober"
    if memory.reachable:
        if through:
            return good(Reason.PROBE_SUCCEEDED, f"Redis at {memory.target} answers PING through the connector.")
        return unknown(
            Reason.OPERATOR_PROBE_SUCCEEDED,
            f"Redis at {memory.target} answers PING from the operator's pod, which does not cross the connector."
            " Set spec.probe.proberUrl to prove the path.",
        )
    failure = memory.last_failure
    told = f"{failure.step}: {failure.message}" if failure else "no answer"
    if not through:
        return unknown(
            Reason.OPERATOR_PROBE_FAILED,
            f"Redis at {memory.target} does not answer the operator's pod ({told}). That does not cross the"
            " connector and says nothing about Cloud Run's path; set spec.probe.proberUrl to prove it.",
        )
    if failure is not None and not failure.conclusive:
        return unknown(Reason.PROBER_UNAVAILABLE, f"The prober could not be asked: {failure.message}")
    return bad(Reason.PROBE_FAILED, f"Redis at {memory.target} does not answer through the connector. {told}")


def verdict_of(memory: ProbeMemory | None) -> tuple[object, ...]:
    """What of the memory is news when it changes: the verdict and the way of failing, not times and figures."""
    if memory is None:
        return (None,)
    failure = memory.last_failure if not memory.reachable else None
    return (memory.origin, memory.target, memory.reachable, failure.code if failure else "")
