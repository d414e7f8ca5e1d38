"""One taxonomy for everything Google Cloud can refuse: the reconciler decides by kind, never by text.

The names follow what a caller should do next, not HTTP: `Retryable` again soon, `QuotaExhausted` later,
`Forbidden` and `ServiceDisabled` after somebody grants something, `Invalid` after the spec changes, and so
on. `classify` (in its own module) turns a wire answer into one of these; nothing outside the cloud package
ever sees Google's exceptions.
"""

from __future__ import annotations

import enum
from typing import TypedDict, Unpack

__all__ = [
    "CloudError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NotFound",
    "OperationFailed",
    "OperationPending",
    "PreconditionFailed",
    "QuotaExhausted",
    "QuotaScope",
    "Retryable",
    "ServiceDisabled",
    "Unauthenticated",
]


class Circumstances(TypedDict, total=False):
    """Which call an error was the answer to, and what the answer said beside its message; see `CloudError`."""

    project: str
    service: str
    method: str
    resource: str
    reason: str
    retry_after: float | None
    status: int | None


class CloudError(Exception):
    """Something Google Cloud refused or could not do.

    Attributes:
        message: Google's own words (or the client's, when no answer came).
        project: The project the call was made for.
        service: `compute`, `vpcaccess` or `redis`.
        method: The API method, as in the permission's name: `firewalls.insert`.
        resource: What was asked for: a name or a path.
        reason: The machine-readable word Google gave (`notFound`, `rateLimitExceeded`, `SERVICE_DISABLED`),
            or ours where no answer came (`connection`, `timeout`).
        retry_after: Seconds Google asked to wait, if it did.
        status: The HTTP status; None when there was no answer.
    """

    def __init__(self, message: str, **circumstances: Unpack[Circumstances]) -> None:
        super().__init__(message)
        self.message = message
        self.project = circumstances.get("project", "")
        self.service = circumstances.get("service", "")
        self.method = circumstances.get("method", "")
        self.resource = circumstances.get("resource", "")
        self.reason = circumstances.get("reason", "")
        self.retry_after = circumstances.get("retry_after")
        self.status = circumstances.get("status")

    @property
    def kind(self) -> str:
        """The name of the class, for metrics and logs."""
        return type(self).__name__

    def __str__(self) -> str:
        call = ".".join(part for part in (self.service, self.method) if part)
        where = f"{call} {self.resource}".strip()
        tail = f" ({self.reason})" if self.reason and self.reason not in self.message else ""
        return f"{where}: {self.message}{tail}" if where else f"{self.message}{tail}"

    def same_as(self, other: CloudError | None) -> bool:
        """True when `other` tells the same story, so that a repeated failure is not news."""
        return (
            other is not None
            and type(self) is type(other)
            and (self.reason, self.message, self.status) == (other.reason, other.message, other.status)
        )


class Retryable(CloudError):
    """A fault that passes by itself: 5xx, no connection, no answer in time, another operation in progress.

    After a write this also means: it may have happened. Ask again with the same request id, or read first.
    """


class OperationPending(Retryable):
    """An operation that was still running when the caller's patience ended. Its name is in `resource`."""


class QuotaScope(enum.StrEnum):
    """What kind of quota was short, which decides whether waiting helps."""

    #: Requests per minute: everything of this project and quota group must slow down.
    RATE = "rate"
    #: Too many operations at once: the next one may pass as soon as one ends.
    CONCURRENCY = "concurrency"
    #: A number of resources (`Quota 'FIREWALLS' exceeded`): waiting does not help, somebody must raise it.
    ALLOCATION = "allocation"


class QuotaExhausted(CloudError):
    """A quota is used up. Compute answers 403 `rateLimitExceeded`, most other services 429."""

    def __init__(
        self, message: str, *, scope: QuotaScope = QuotaScope.RATE, **circumstances: Unpack[Circumstances]
    ) -> None:
        super().__init__(message, **circumstances)
        self.scope = scope


class Forbidden(CloudError):
    """The caller's account may not do this. `permission` names what is missing when Google says it."""

    def __init__(self, message: str, *, permission: str = "", **circumstances: Unpack[Circumstances]) -> None:
        super().__init__(message, **circumstances)
        self.permission = permission


class ServiceDisabled(Forbidden):
    """The API is not enabled in the project (SERVICE_DISABLED, or the older accessNotConfigured)."""


class Unauthenticated(CloudError):
    """No usable credentials: none found, refused, or not refreshable."""


class Conflict(CloudError):
    """It is there already (409 alreadyExists)."""


class Invalid(CloudError):
    """Google refuses the request as it is; only another request can pass (400 and its relatives)."""


class NotFound(CloudError):
    """No such resource, or none that this account may know of."""


class PreconditionFailed(CloudError):
    """Right request, wrong state or wrong fingerprint (412, or 400 FAILED_PRECONDITION)."""


#: What an operation's error may say when another try can succeed without any change of the request.
_TRANSIENT_CODES = frozenset(
    {
        "RESOURCE_NOT_READY",
        "RESOURCE_OPERATION_RATE_EXCEEDED",
        "RATE_LIMIT_EXCEEDED",
        "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",
        "SERVICE_UNAVAILABLE",
        "INTERNAL_ERROR",
        "BACKEND_ERROR",
        "UNAVAILABLE",
        "ABORTED",
        "DEADLINE_EXCEEDED",
    }
)


class OperationFailed(CloudError):
    """An operation was accepted and then ended in error.

    Attributes:
        code: Compute's word (`RESOURCE_NOT_FOUND`) or the canonical name of the status (`INVALID_ARGUMENT`).
        number: The canonical code's number for long-running operations (3, 7, 13, …); None for Compute.
        operation: The operation's name.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        operation: str,
        number: int | None = None,
        **circumstances: Unpack[Circumstances],
    ) -> None:
        super().__init__(message, **circumstances)
        self.reason = code
        self.code = code
        self.number = number
        self.operation = operation

    @property
    def transient(self) -> bool:
        """True when the same request may well succeed later.

        INTERNAL (13) of a long-running operation is not among them: Serverless VPC Access uses it for "failed
        to get healthy", which leaves a connector in ERROR behind.
        """
        return self.code in _TRANSIENT_CODES
