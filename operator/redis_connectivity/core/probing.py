"""From single probe results to a verdict: thresholds in both directions, so that one lost packet flips nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from redis_connectivity.api.checks import DEFAULT_CHAIN
from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = [
    "NO_CREDENTIALS",
    "CheckResult",
    "ProbeMemory",
    "ProbeResult",
    "answering",
    "path_changed",
    "reachable",
    "record",
    "verdict_of",
]

#: Failures to get at what spec.redis names: nothing is known about Redis.
NO_CREDENTIALS: Final = {
    reason.value: reason
    for reason in (
        Reason.SECRET_NOT_FOUND,
        Reason.SECRET_FORBIDDEN,
        Reason.SECRET_KEY_MISSING,
        Reason.CREDENTIALS_UNAVAILABLE,
    )
}
#: Redis' ways to refuse a user.
_REFUSED: Final = frozenset({"AuthenticationRequired", "WrongPassword", "NoPermission"})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a chain that was tried. `seconds` is what it took."""

    name: str
    ok: bool
    seconds: float
    code: str = ""
    message: str = ""


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
    #: The kind of check that failed (tcp, redisPing, redisReadWrite, http); empty when it was none.
    kind: str = ""
    #: The names of all checks, in order, and those that were tried.
    chain: tuple[str, ...] = DEFAULT_CHAIN
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeMemory:
    """What is remembered of the probes of one target from one origin, with one chain of checks."""

    origin: Literal["Prober", "Operator"]
    target: str
    chain: tuple[str, ...] = DEFAULT_CHAIN
    reachable: bool | None = None
    successes: int = 0
    failures: int = 0
    last: ProbeResult | None = None
    last_success: ProbeResult | None = None
    last_failure: ProbeResult | None = None
    #: Failures in a row since the path was last changed: right after a change, silence proves nothing yet.
    unexcused: int = 0
    #: Whether enough probes have failed since the last change.
    confirmed: bool = False
    #: When the verdict, or the way of failing, turned last; in seconds since the epoch.
    turned: float = 0.0

    @property
    def decisive(self) -> ProbeResult | None:
        """The result that the verdict rests on: the newest of those that say what the verdict says."""
        return self.last_success if self.reachable else self.last_failure


def path_changed(memory: ProbeMemory) -> ProbeMemory:
    """The memory after something on the path was changed: failures from before explain nothing any more."""
    return replace(memory, unexcused=0, confirmed=False)


def record(
    memory: ProbeMemory | None, result: ProbeResult, *, failure_threshold: int, success_threshold: int
) -> ProbeMemory:
    """The memory after one more result. Another target, origin or chain starts anew."""
    if memory is None or (memory.origin, memory.target, memory.chain) != (result.origin, result.target, result.chain):
        memory = ProbeMemory(origin=result.origin, target=result.target, chain=result.chain)
    if result.ok:
        successes = memory.successes + 1
        enough = memory.reachable is None or successes >= success_threshold
        after = replace(
            memory,
            successes=successes,
            failures=0,
            unexcused=0,
            confirmed=False,
            reachable=True if enough else memory.reachable,
            last=result,
            last_success=result,
        )
    else:
        failures, unexcused = memory.failures + 1, memory.unexcused + 1
        # With nothing known yet, the first failure is the truth so far.
        enough = memory.reachable is None or failures >= failure_threshold
        after = replace(
            memory,
            successes=0,
            failures=failures,
            unexcused=unexcused,
            confirmed=unexcused >= failure_threshold,
            reachable=False if enough else memory.reachable,
            last=result,
            last_failure=result,
        )
    return after if _way(after) == _way(memory) else replace(after, turned=result.at)


def _way(memory: ProbeMemory) -> tuple[bool | None, str, str, str]:
    """The verdict, and while it is bad the way of failing: at which check, and how.

    Of a password that cannot be had the message counts, too: one code stands for all that may be missing, and whoever
    has mended the first thing must be told of the next. Other messages have figures in them, and move.
    """
    failure = memory.last_failure if not memory.reachable else None
    if failure is None:
        return memory.reachable, "", "", ""
    return memory.reachable, failure.step, failure.code, failure.message if failure.code in NO_CREDENTIALS else ""


def reachable(memory: ProbeMemory | None, *, probed: bool = True, way: str = "the connector") -> Verdict:
    """The condition Reachable. The latency is left out on purpose: it moves all the time.

    `way` is what a prober's traffic goes through.
    """
    if not probed:
        return unknown(
            Reason.NOT_PROBED,
            "There is no prober, and the operator's own probes are turned off."
            " Set spec.probe.from to CloudRun, or spec.probe.proberUrl, to prove the path.",
        )
    if memory is None or memory.last is None:
        return unknown(Reason.PENDING, "Not probed yet.")
    through = memory.origin == "Prober"
    if memory.reachable:
        passed = _passed(memory)
        if through:
            return good(Reason.PROBE_SUCCEEDED, f"Redis at {memory.target} {passed} through {way}.")
        return unknown(
            Reason.OPERATOR_PROBE_SUCCEEDED,
            f"Redis at {memory.target} {passed} from the operator's pod, which does not cross {way}."
            " Set spec.probe.from to CloudRun, or spec.probe.proberUrl, to prove the path.",
        )
    failure = memory.last_failure
    if failure is not None and failure.code in NO_CREDENTIALS:
        return unknown(NO_CREDENTIALS[failure.code], f"Redis was not probed: {failure.message}.")
    told = f"{failure.step}: {failure.message}" if failure else "no answer"
    if not through:
        return unknown(
            Reason.OPERATOR_PROBE_FAILED,
            f"Redis at {memory.target} does not answer the operator's pod ({told}). That does not cross"
            f" {way} and says nothing about Cloud Run's path; set spec.probe.from to CloudRun, or spec.probe.proberUrl,"
            " to prove it.",
        )
    if failure is not None and not failure.conclusive:
        return unknown(Reason.PROBER_UNAVAILABLE, f"The prober could not be asked: {failure.message}")
    if failure is not None and failure.code in _REFUSED:
        return bad(
            Reason.AUTHENTICATION_FAILED,
            f"Redis at {memory.target} answers through {way}, and refuses what spec.redis.auth gives. {told}",
        )
    if failure is not None and failure.kind == "http":
        return bad(Reason.CHECK_FAILED, f"Redis at {memory.target} answers through {way}; check {told}")
    return bad(Reason.PROBE_FAILED, f"Redis at {memory.target} does not answer through {way}. {told}")


def _passed(memory: ProbeMemory) -> str:
    """What the checks have shown. What an instance with a password says to nobody is an answer, too."""
    more = [name for name in memory.chain if name not in DEFAULT_CHAIN]
    return f"answers PING, and passes {', '.join(more)}," if more else "answers PING"


def answering(memory: ProbeMemory | None) -> str:
    """The target from which probes through the connector get an answer; empty where they get none."""
    return memory.target if memory is not None and memory.origin == "Prober" and memory.reachable else ""


def verdict_of(memory: ProbeMemory | None) -> tuple[object, ...]:
    """What of the memory is news when it changes: the verdict and the way of failing, not times and figures."""
    if memory is None:
        return (None,)
    return (memory.origin, memory.target, memory.chain, *_way(memory), memory.confirmed and not memory.reachable)
