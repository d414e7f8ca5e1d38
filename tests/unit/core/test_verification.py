"""From hops and a probe to steps with outcomes, and from those to one verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.probing import CheckResult, ProbeResult
from redis_connectivity.core.verdict import bad, good, unknown
from redis_connectivity.core.verification import (
    Outcome,
    VerifiedStep,
    overall,
    probe_steps,
    unproven,
    verified_hops,
)

CHAIN = ("tcp", "redisPing", "auth", "chat")


def result(*checks: CheckResult, ok: bool = False, step: str = "", conclusive: bool = True) -> ProbeResult:
    return ProbeResult(
        at=0.0,
        ok=ok,
        origin="Prober",
        target="10.0.0.3:6379",
        step=step,
        code="" if ok else "ConnectTimeout",
        message="" if ok else "no answer",
        conclusive=conclusive,
        chain=CHAIN,
        checks=checks,
    )


def passed(name: str) -> CheckResult:
    return CheckResult(name, ok=True, seconds=0.002)


def test_a_chain_that_went_through_passed_at_every_step() -> None:
    steps = probe_steps(result(*map(passed, CHAIN), ok=True))
    assert [(step.name, step.outcome) for step in steps] == [(name, Outcome.PASSED) for name in CHAIN]
    assert overall(steps) is Outcome.PASSED


def test_the_first_failure_ends_the_chain() -> None:
    failed = CheckResult("redisPing", ok=False, seconds=1.0, code="Timeout", message="frozen")
    steps = probe_steps(result(passed("tcp"), failed, step="redisPing"))
    assert [step.outcome for step in steps] == [Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert steps[1].message == "Timeout: frozen"
    assert overall(steps) is Outcome.FAILED


def test_a_prober_that_could_not_be_asked_proves_nothing() -> None:
    steps = probe_steps(result(step="prober", conclusive=False))
    assert [step.outcome for step in steps] == [Outcome.UNKNOWN] + [Outcome.SKIPPED] * 3
    assert overall(steps) is Outcome.UNKNOWN


def test_hops_keep_their_order_reason_and_message() -> None:
    steps = verified_hops(
        {
            "Network": good(Reason.NETWORK_FOUND, "There."),
            "Connector": bad(Reason.CONNECTOR_NOT_FOUND, "Not there."),
            "Redis": unknown(Reason.EARLIER_HOP_NOT_READY, "Waits."),
        }
    )
    assert [(step.name, step.outcome) for step in steps] == [
        ("Network", Outcome.PASSED),
        ("Connector", Outcome.FAILED),
        ("Redis", Outcome.UNKNOWN),
    ]
    assert steps[1].message == "ConnectorNotFound: Not there."


def test_nothing_looked_at_is_nothing_proven() -> None:
    assert overall(()) is Outcome.UNKNOWN


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1))
def test_the_whole_passes_only_when_every_step_did(outcomes: list[Outcome]) -> None:
    whole = overall(VerifiedStep("probe", "x", one, "") for one in outcomes)
    assert (whole is Outcome.PASSED) == (set(outcomes) == {Outcome.PASSED})
    assert (whole is Outcome.FAILED) == (Outcome.FAILED in outcomes)
    assert whole is not Outcome.SKIPPED


@pytest.mark.parametrize("length", [1, 4])
def test_what_cannot_be_tried_says_why_once(length: int) -> None:
    steps = unproven(CHAIN[:length], "no prober")
    assert [step.message for step in steps].count("no prober") == 1
    assert len(steps) == length
