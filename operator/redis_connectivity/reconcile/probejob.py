"""What to probe for one resource: from spec, plan and observation to a job, and from the job to a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis_connectivity.api.checks import Check
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.access import NO_ACCESS, AccessWant, access_want
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_prober import ProberPlan
from redis_connectivity.core.probing import CheckResult, ProbeResult
from redis_connectivity.probes.model import (
    DEFAULT_CHECKS,
    PROBER_STEP,
    Credentials,
    FailureCode,
    HttpCheck,
    PingCheck,
    ProbeAnswer,
    ProbeCheck,
    ProbeFailure,
    ProbeRequest,
    ReadWriteCheck,
    TcpCheck,
    TlsOptions,
)

__all__ = [
    "CREDENTIALS_STEP",
    "ProbeJob",
    "probe_job",
    "refused_auth",
    "refused_ca",
    "request_of",
    "result_of",
    "wire_checks",
]

#: The step of a failure to get at a password or certificate: no packet was sent to Redis.
CREDENTIALS_STEP = "credentials"
#: What Redis says to a password that is no longer the right one.
_REFUSED = frozenset({FailureCode.AUTHENTICATION_REQUIRED, FailureCode.WRONG_PASSWORD})
#: Codes that say something about the prober, not about Redis.
_INCONCLUSIVE = frozenset(
    {
        FailureCode.PROBER_UNAVAILABLE,
        FailureCode.PROBER_TIMEOUT,
        FailureCode.PROBER_REFUSED,
        FailureCode.PROBER_INVALID_ANSWER,
        FailureCode.PROBER_FAULT,
    }
)


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
    checks: tuple[ProbeCheck, ...] = DEFAULT_CHECKS
    access: AccessWant = NO_ACCESS
    #: Whether the prober is one that the operator deployed: it wants to know who calls.
    deployed: bool = False
    #: project/name of the network: the same address is another target in another one.
    network: str = ""

    @property
    def target(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def chain(self) -> tuple[str, ...]:
        """The names of the checks, in order."""
        return tuple(check.name for check in self.checks)


def probe_job(
    spec: RedisConnectivitySpec, desired: Desired, observed: Observed, plan: Plan, prober: ProberPlan | None = None
) -> ProbeJob | None:
    """The job; None while Redis has no address, or the prober that the operator deploys (`prober`) has none."""
    if plan.destination is None or (prober is not None and not prober.url):
        return None
    host, port = plan.destination
    return ProbeJob(
        host=host,
        port=port,
        interval=spec.probe.interval_seconds,
        timeout=spec.probe.timeout_seconds,
        prober_url=prober.url if prober is not None else spec.probe.prober_url,
        deployed=prober is not None,
        failure_threshold=spec.probe.failure_threshold,
        success_threshold=spec.probe.success_threshold,
        checks=wire_checks(spec.probe.checks) if spec.probe.checks is not None else DEFAULT_CHECKS,
        access=access_want(spec.redis, desired, observed),
        network=f"{desired.network.project}/{desired.network.name}",
    )


def wire_checks(checks: Sequence[Check]) -> tuple[ProbeCheck, ...]:
    """A chain as a prober takes it."""
    return tuple(_wire(check) for check in checks)


def _wire(check: Check) -> ProbeCheck:
    seconds = check.timeout_seconds
    if check.tcp is not None:
        return TcpCheck(timeout_seconds=seconds)
    if check.redis_read_write is not None:
        return ReadWriteCheck(timeout_seconds=seconds, key_prefix=check.redis_read_write.key_prefix)
    if check.http is not None:
        asked = check.http
        return HttpCheck(
            timeout_seconds=seconds,
            name=asked.name,
            url=asked.url,
            method=asked.method,
            body=asked.body,
            expect_status=asked.expect_status,
            expect_body=asked.expect_body,
        )
    return PingCheck(timeout_seconds=seconds)


def request_of(job: ProbeJob, auth: Credentials | None, tls: TlsOptions | None) -> ProbeRequest:
    """The request for one probe."""
    return ProbeRequest(
        host=job.host,
        port=job.port,
        timeout_seconds=job.timeout,
        auth=auth,
        tls=tls,
        cluster=job.access.cluster,
        checks=job.checks,
    )


def result_of(job: ProbeJob, answer: ProbeAnswer, at: float) -> ProbeResult:
    """What an answer means for the path. `at` is in seconds since the epoch."""
    failure = answer.failure
    # Where no password is given, Redis asking for one is an answer of Redis: the path works. With more to check it is
    # not enough, for the rest cannot be done.
    answered = (
        failure is not None
        and failure.code is FailureCode.AUTHENTICATION_REQUIRED
        and job.access.auth is None
        and failure.step == job.chain[-1]
    )
    failed = failure if not answered else None
    return ProbeResult(
        at=at,
        ok=answer.ok or answered,
        origin="Prober" if job.prober_url is not None else "Operator",
        target=job.target,
        seconds=answer.latency_seconds,
        step=failure.step if failure else "",
        code=failure.code.value if failure else "",
        message=failure.message if failure else "",
        conclusive=failure is None
        or (failure.step not in (PROBER_STEP, CREDENTIALS_STEP) and failure.code not in _INCONCLUSIVE),
        kind=_kind(job, failure.step) if failure else "",
        chain=job.chain,
        checks=tuple(
            CheckResult(
                name=step.name,
                ok=step.ok or answered,
                seconds=step.seconds,
                code=failed.code.value if failed and not step.ok else "",
                message=failed.message if failed and not step.ok else "",
            )
            for step in answer.steps
        ),
    )


def _kind(job: ProbeJob, step: str) -> str:
    """The kind of the check that failed; empty when it was none."""
    return next((check.kind for check in job.checks if check.name == step), "")


def refused_auth(job: ProbeJob, failure: ProbeFailure | None) -> bool:
    """Whether Redis does not take the password or token that was read for the job."""
    return job.access.auth is not None and failure is not None and failure.code in _REFUSED


def refused_ca(job: ProbeJob, failure: ProbeFailure | None) -> bool:
    """Whether Redis' certificate is not trusted by the CA that was read for the job."""
    if failure is None or failure.code is not FailureCode.CERTIFICATE_UNTRUSTED or job.access.tls is None:
        return False
    # Other servers, which http checks ask, are trusted by the system's CAs.
    return job.access.tls.reads_ca and _kind(job, failure.step) != "http"
