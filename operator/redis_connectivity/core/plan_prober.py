"""What to do about the prober's Cloud Run service, and whether it can be asked.

Google tells how a deployment stands in the service itself, so that no operation has to be waited for, and a create that
was begun before a crash is seen as a service that is there: its name is the same for everybody who wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.ledger import ProberRecord
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.prober import is_ours, owner_of, same_way
from redis_connectivity.core.runvalues import Rollout, RunService
from redis_connectivity.core.timing import backoff_delay, operation_poll_delay
from redis_connectivity.core.verdict import Verdict, good, unknown

__all__ = [
    "CreateProber",
    "DeleteProber",
    "ProberAction",
    "ProberPlan",
    "UpdateProber",
    "plan_prober",
    "retry_delay",
    "unusable",
]

#: Seconds between a write that failed, or came to nothing, and the next try: at first, and at most.
_RETRY: Final = 5.0
_RETRY_MOST: Final = 300.0


@dataclass(frozen=True, slots=True)
class _ServiceAction:
    service: RunService
    why: str
    verb: ClassVar[str]

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"{self.verb} Cloud Run service {self.service.name}"


class CreateProber(_ServiceAction):
    """Deploy the prober."""

    __slots__ = ()
    verb = "create"


class UpdateProber(_ServiceAction):
    """Deploy it anew, with another template."""

    __slots__ = ()
    verb = "update"


class DeleteProber(_ServiceAction):
    """Remove it."""

    __slots__ = ()
    verb = "delete"


ProberAction = CreateProber | UpdateProber | DeleteProber


@dataclass(frozen=True, slots=True)
class ProberPlan:
    """How the prober stands. `url` is where it can be asked, empty while it cannot; `trouble` is for people."""

    verdict: Verdict
    url: str = ""
    action: CreateProber | UpdateProber | None = None
    due_in: float | None = None
    seen: RunService | None = None
    trouble: str = ""


def unusable(message: str, due_in: float | None = None) -> ProberPlan:
    """A prober that cannot be had; the message says why, and what to do."""
    return ProberPlan(unknown(Reason.PROBER_UNAVAILABLE, message), due_in=due_in, trouble=message)


def plan_prober(
    want: RunService, cluster: str, seen: RunService | Unseen | None, entry: Verdict, record: ProberRecord, now: float
) -> ProberPlan:
    """The plan. `entry` is how the way stands that the prober is to leave by; `now` in seconds since the epoch."""
    if isinstance(seen, Unseen):
        return unusable(f"The prober's Cloud Run service {want.name} cannot be looked at. {seen.message}")
    if seen is not None and not is_ours(seen, cluster):
        return unusable(
            f"Cloud Run service {want.full_name} belongs to {owner_of(seen)}, so it is left alone. Delete it, or set"
            " spec.probe.proberUrl to a prober of your own."
        )
    waiting = _waits(record, now)
    if seen is None or seen.deleting:
        return _absent(want, seen, entry, record, waiting)
    if not _same(want, seen):
        plan = _standing(want, seen)
        if record.trouble and waiting is not None:
            return _troubled(plan, record.trouble, waiting)
        if not entry.ok and want.way != seen.way:
            return plan
        what = f"image {want.image}" if want.image != seen.image else "its settings"
        attempt = UpdateProber(replace(want, attempt=seen.attempt), f"{what} differs from what is deployed")
        return replace(plan, action=attempt)
    if seen.rollout is Rollout.UNDER_WAY:
        return replace(_standing(want, seen), due_in=operation_poll_delay(max(0.0, now - record.at)))
    if seen.rollout is Rollout.SUCCEEDED:
        return _standing(want, seen)
    plan = _troubled(_standing(want, seen), _failed(want, seen), waiting)
    if waiting is not None:
        return plan
    again = replace(want, attempt=seen.attempt + 1)
    return replace(plan, action=UpdateProber(again, f"its deployment failed: {seen.message}"))


def _absent(
    want: RunService, seen: RunService | None, entry: Verdict, record: ProberRecord, waiting: float | None
) -> ProberPlan:
    if seen is not None:
        message = f"The prober's Cloud Run service {want.name} is being deleted; it is made anew then."
        return ProberPlan(unknown(Reason.PENDING, message), due_in=operation_poll_delay(5.0), seen=seen)
    if not entry.ok:
        return ProberPlan(unknown(Reason.EARLIER_HOP_NOT_READY, "The prober waits for the way that it is to take."))
    if waiting is not None and record.trouble:
        return unusable(record.trouble, waiting)
    verdict = unknown(Reason.PENDING, f"The prober is being deployed as Cloud Run service {want.name}.")
    if waiting is not None:
        return ProberPlan(verdict, due_in=waiting)
    return ProberPlan(verdict, action=CreateProber(want, "spec.probe.from is CloudRun"))


def _standing(want: RunService, seen: RunService) -> ProberPlan:
    """As it is, whatever is to be done about it."""
    if not seen.serves or not seen.uri:
        verdict = unknown(Reason.PENDING, f"The prober is being deployed as Cloud Run service {want.name}.")
        return ProberPlan(verdict, seen=seen)
    return ProberPlan(good(Reason.AS_DECLARED, f"Cloud Run service {want.name} serves."), url=seen.uri, seen=seen)


def _failed(want: RunService, seen: RunService) -> str:
    return (
        f"Cloud Run service {want.name} is not ready: {seen.message} Check that the image ({want.image}) is there and"
        f" that Cloud Run may read it, and the service's log in project {want.project}."
    )


def _troubled(plan: ProberPlan, trouble: str, due_in: float | None) -> ProberPlan:
    """A revision that serves goes on; the trouble is told beside it."""
    if plan.url:
        return replace(plan, trouble=trouble, due_in=due_in)
    return replace(unusable(trouble, due_in), seen=plan.seen)


def _waits(record: ProberRecord, now: float) -> float | None:
    """Seconds until a write may be repeated; None for now."""
    if not record.attempts:
        return None
    left = record.at + retry_delay(record.attempts) - now
    return left if left > 0 else None


def retry_delay(attempts: int) -> float:
    """Seconds between the last of so many writes in vain and the next one."""
    return backoff_delay(attempts, base=_RETRY, ceiling=_RETRY_MOST)


def _same(want: RunService, seen: RunService) -> bool:
    """Whether the template is as wanted. Fields that are not declared are Google's to fill in."""
    account = not want.service_account or want.service_account == seen.service_account
    alike = (want.image, want.args, want.labels) == (seen.image, seen.args, seen.labels & want.labels)
    return account and alike and same_way(want.way, seen.way)
