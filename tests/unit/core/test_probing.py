"""From results to a verdict: thresholds, words, and which result a verdict rests on."""

from dataclasses import replace

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.probing import CheckResult, ProbeMemory, ProbeResult, reachable, record, verdict_of

CHAIN = ("tcp", "redisPing", "auth", "chat")
TARGET = "10.0.0.3:6379"


def result(
    failed: str = "", code: str = "", *, at: float = 0.0, kind: str = "", conclusive: bool = True, **more: object
) -> ProbeResult:
    """A result of the chain; `failed` is the check that did."""
    tried = CHAIN if not failed else CHAIN[: CHAIN.index(failed) + 1] if failed in CHAIN else ()
    return ProbeResult(
        at=at,
        ok=not failed,
        origin="Prober",
        target=TARGET,
        seconds=0.01,
        step=failed,
        code=code,
        message=f"{code} it is" if code else "",
        conclusive=conclusive,
        kind=kind or (failed if failed in ("tcp", "redisPing") else "http" if failed else ""),
        chain=CHAIN,
        checks=tuple(CheckResult(name, name != failed, 0.001, code if name == failed else "") for name in tried),
        **more,  # type: ignore[arg-type] - fields as a test names them
    )


def after(*results: ProbeResult, failures: int = 2, successes: int = 1) -> ProbeMemory:
    memory: ProbeMemory | None = None
    for one in results:
        memory = record(memory, one, failure_threshold=failures, success_threshold=successes)
    assert memory is not None
    return memory


@pytest.mark.parametrize(
    ("last", "status", "reason", "words"),
    [
        (result(), ConditionStatus.TRUE, Reason.PROBE_SUCCEEDED, "answers PING, and passes auth, chat, through"),
        (result("tcp", "ConnectTimeout"), ConditionStatus.FALSE, Reason.PROBE_FAILED, "tcp: ConnectTimeout it is"),
        (result("redisPing", "WrongPassword"), ConditionStatus.FALSE, Reason.AUTHENTICATION_FAILED, "spec.redis.auth"),
        (result("redisPing", "NoPermission"), ConditionStatus.FALSE, Reason.AUTHENTICATION_FAILED, "spec.redis.auth"),
        (
            result("chat", "UnexpectedStatus"),
            ConditionStatus.FALSE,
            Reason.CHECK_FAILED,
            "check chat: UnexpectedStatus",
        ),
        (
            result("prober", "ProberTimeout", conclusive=False),
            ConditionStatus.UNKNOWN,
            Reason.PROBER_UNAVAILABLE,
            "The prober could not be asked",
        ),
        *(
            (result("credentials", reason, conclusive=False), ConditionStatus.UNKNOWN, Reason(reason), "was not probed")
            for reason in ("SecretNotFound", "SecretForbidden", "SecretKeyMissing", "CredentialsUnavailable")
        ),
    ],
)
def test_what_a_result_means(last: ProbeResult, status: ConditionStatus, reason: Reason, words: str) -> None:
    verdict = reachable(after(last, last))
    assert (verdict.status, verdict.reason) == (status, reason)
    assert words in verdict.message


def test_the_verdict_rests_on_a_result_that_says_the_same() -> None:
    """One failure below the threshold does not show in status: the checks and the condition would disagree."""
    good, bad = result(at=1.0), result("chat", "ReadTimeout", at=2.0)
    memory = after(good, bad)
    assert memory.reachable
    assert memory.decisive is good
    memory = after(good, bad, bad)
    assert not memory.reachable
    assert memory.decisive is bad


def test_another_check_that_fails_is_news_and_the_same_one_is_not() -> None:
    first = after(result("auth", "ReadTimeout", at=1.0))
    again = record(first, result("auth", "ReadTimeout", at=9.0), failure_threshold=1, success_threshold=1)
    other = record(first, result("chat", "ReadTimeout", at=9.0), failure_threshold=1, success_threshold=1)
    assert verdict_of(after(result("auth", "ReadTimeout", at=1.0), failures=1)) == verdict_of(again)
    assert verdict_of(other) != verdict_of(again)
    assert other.turned == 9.0


def test_another_reason_for_having_no_password_is_news_though_its_code_is_the_same() -> None:
    def unavailable(message: str, at: float) -> ProbeMemory:
        return after(replace(result("credentials", "CredentialsUnavailable", at=at), message=message), failures=1)

    assert verdict_of(unavailable("Grant a.b.c.", 1.0)) == verdict_of(unavailable("Grant a.b.c.", 2.0))
    assert verdict_of(unavailable("Grant a.b.c.", 1.0)) != verdict_of(unavailable("there is no account x", 2.0))
    # What Redis says has figures in it.
    slow, slower = (replace(result("tcp", "ConnectTimeout"), message=f"after {one} s") for one in (1, 2))
    assert verdict_of(after(slow)) == verdict_of(after(slower))


def test_another_chain_starts_anew() -> None:
    """What two checks have shown says nothing about four."""
    short = ProbeResult(at=0.0, ok=True, origin="Prober", target=TARGET)
    memory = after(short, result("chat", "ReadTimeout"))
    assert memory.reachable is False
    assert memory.chain == CHAIN
