"""The complete path tried once: each hop as configured, then each check of the chain as it really went."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.probing import ProbeResult
from redis_connectivity.core.verdict import Verdict

__all__ = ["Outcome", "VerifiedStep", "overall", "probe_steps", "unproven", "verified_hops"]


class Outcome(enum.StrEnum):
    """How a step ended."""

    PASSED = "Passed"
    FAILED = "Failed"
    #: Not tried: an earlier step failed.
    SKIPPED = "Skipped"
    #: Tried or looked at, and it could not be told.
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class VerifiedStep:
    """One step; `group` is `configuration` or `probe`, `seconds` what a probe's check took."""

    group: str
    name: str
    outcome: Outcome
    message: str
    seconds: float = 0.0


_OF_STATUS = {
    ConditionStatus.TRUE: Outcome.PASSED,
    ConditionStatus.FALSE: Outcome.FAILED,
    ConditionStatus.UNKNOWN: Outcome.UNKNOWN,
}


def verified_hops(hops: Mapping[str, Verdict]) -> tuple[VerifiedStep, ...]:
    """The hops as Google Cloud holds them now, in their order."""
    return tuple(
        VerifiedStep("configuration", name, _OF_STATUS[verdict.status], f"{verdict.reason.value}: {verdict.message}")
        for name, verdict in hops.items()
    )


def unproven(chain: Iterable[str], why: str) -> tuple[VerifiedStep, ...]:
    """A chain that could not be tried at all."""
    names = tuple(chain)
    first = VerifiedStep("probe", names[0], Outcome.UNKNOWN, why)
    return (first, *(VerifiedStep("probe", name, Outcome.SKIPPED, "not tried") for name in names[1:]))


def probe_steps(result: ProbeResult) -> tuple[VerifiedStep, ...]:
    """The chain as it went; what comes after a failure is skipped."""
    if not result.conclusive:
        return unproven(result.chain, f"{result.code}: {result.message}")
    tried = {check.name: check for check in result.checks}
    steps = []
    for name in result.chain:
        check = tried.get(name)
        if check is None:
            missed = result.step == name
            outcome = Outcome.FAILED if missed else Outcome.SKIPPED
            message = f"{result.code}: {result.message}" if missed else "not tried: an earlier check failed"
            steps.append(VerifiedStep("probe", name, outcome, message))
        elif check.ok:
            steps.append(VerifiedStep("probe", name, Outcome.PASSED, f"answered from {result.target}", check.seconds))
        else:
            message = f"{check.code}: {check.message}"
            steps.append(VerifiedStep("probe", name, Outcome.FAILED, message, check.seconds))
    return tuple(steps)


def overall(steps: Iterable[VerifiedStep]) -> Outcome:
    """The whole: failed when any step failed, unknown when something could not be told, else passed."""
    outcomes = {step.outcome for step in steps}
    for one in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.SKIPPED):
        if one in outcomes:
            return Outcome.UNKNOWN if one is Outcome.SKIPPED else one
    return Outcome.PASSED if outcomes else Outcome.UNKNOWN
