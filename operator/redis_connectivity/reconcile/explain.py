"""From Google's errors to the words of conditions: what is wrong, where, and what to do about it."""

from __future__ import annotations

from redis_connectivity.api.conditions import Reason
from redis_connectivity.cloud.errors import (
    CloudError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OperationFailed,
    PreconditionFailed,
    QuotaExhausted,
    QuotaScope,
    ServiceDisabled,
    Unauthenticated,
)
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.verdict import Verdict, bad, unseen

__all__ = ["explain", "failed_write", "is_transient"]


def explain(error: CloudError) -> Unseen:
    """The reason and the sentence for an error of a read."""
    if isinstance(error, ServiceDisabled):
        text = f"An API is not enabled in project {error.project}: {error.message} Enable it there."
        return Unseen(Reason.API_DISABLED, text)
    if isinstance(error, Forbidden):
        missing = f" Grant {error.permission}." if error.permission else " Grant the role that manifests/ ships."
        if error.message.startswith("Location "):
            # How Google answers for a region that it does not know: as for one that we may not know.
            missing = " Check spec.region."
        text = f"Google refused {error.service}.{error.method} in project {error.project}: {error.message}{missing}"
        return Unseen(Reason.PERMISSION_DENIED, text)
    if isinstance(error, Unauthenticated):
        text = f"Google does not know the operator: {error.message} Check its credentials (Workload Identity)."
        return Unseen(Reason.UNAUTHENTICATED, text)
    if isinstance(error, QuotaExhausted):
        if error.scope is QuotaScope.ALLOCATION:
            text = f"A quota of project {error.project} is used up: {error.message} Raise it, or remove what is unused."
        else:
            text = f"The request quota of project {error.project} is used up; this goes on when it refills."
        return Unseen(Reason.QUOTA_EXHAUSTED, text)
    if isinstance(error, NotFound):
        text = (
            f"Google does not find project {error.project}: {error.message}"
            " Check spec.projectId (of a Shared VPC, spec.network.hostProjectId)."
        )
        return Unseen(Reason.PROJECT_NOT_FOUND, text)
    if isinstance(error, Invalid | PreconditionFailed | Conflict):
        return Unseen(Reason.REJECTED_BY_GOOGLE, f"Google rejects {error.service}.{error.method}: {error.message}")
    text = f"{error.service or 'Google Cloud'} cannot be asked now ({error.message}); it is tried again."
    return Unseen(Reason.CLOUD_UNAVAILABLE, text)


def failed_write(error: CloudError, what: str) -> Verdict:
    """The verdict on the hop that a failed write was for. `what` is the action's summary."""
    if isinstance(error, OperationFailed | NotFound):
        return bad(Reason.REJECTED_BY_GOOGLE, f"Could not {what}: {error.message}")
    told = explain(error)
    verdict = unseen(told)
    return bad(verdict.reason, f"Could not {what}. {told.message}")


def is_transient(error: CloudError) -> bool:
    """Whether the same call may pass by itself a little later."""
    if isinstance(error, OperationFailed):
        return error.transient
    return explain(error).reason in (Reason.CLOUD_UNAVAILABLE, Reason.QUOTA_EXHAUSTED)
