"""From a wire answer to a `CloudError`: pure, so that each documented body is one line of a table test.

Sources: the error format of Google's APIs (AIP-193, google.rpc.ErrorInfo and RetryInfo), Compute Engine's
older `errors[].reason`, "API rate limits" of Compute (403 rateLimitExceeded rather than 429), and the retry
predicates of GoogleCloudPlatform/magic-modules (resourceNotReady, operationInProgress,
CONCURRENT_OPERATIONS_QUOTA_EXCEEDED).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

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
    Retryable,
    ServiceDisabled,
    Unauthenticated,
)

__all__ = ["CallContext", "canonical_code", "classify", "operation_failed"]

_RATE_REASONS = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "dailyLimitExceeded",
    }
)
_CONCURRENCY_REASONS = frozenset({"CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", "concurrentLimitExceeded"})
_ALLOCATION_REASONS = frozenset({"quotaExceeded", "QUOTA_EXCEEDED"})
_DISABLED_REASONS = frozenset({"SERVICE_DISABLED", "accessNotConfigured"})
_PASSING_REASONS = frozenset({"resourceNotReady", "operationInProgress", "ABORTED", "backendError"})

#: Words Google uses for an API's request rate; without them `quotaExceeded` is about a number of resources.
_RATE_WORDS = re.compile(r"per (minute|second|day|100 seconds)|requests?\b|quer(y|ies)\b", re.IGNORECASE)
_PERMISSION = (
    re.compile(r"Required '([A-Za-z][\w.]+)' permission"),
    re.compile(r"[Pp]ermission '([A-Za-z][\w.]+)' denied"),
    re.compile(r"[Pp]ermission ([a-z]\w+(?:\.\w+)+) (?:denied|is required)"),
)

_CANONICAL = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


@dataclass(frozen=True, slots=True)
class CallContext:
    """Which call an answer belongs to: what every error repeats."""

    project: str
    service: str
    method: str
    resource: str = ""


class _Fields(TypedDict):
    project: str
    service: str
    method: str
    resource: str
    reason: str
    retry_after: float | None
    status: int | None


@dataclass(frozen=True, slots=True)
class _Told:
    """What an error body says, whichever of Google's two formats it is in."""

    message: str
    reasons: tuple[str, ...]
    permission: str = ""
    retry_delay: float | None = None

    @property
    def reason(self) -> str:
        return self.reasons[0] if self.reasons else ""


def canonical_code(number: int) -> str:
    """The name of a google.rpc.Code (3 is INVALID_ARGUMENT); `CODE_n` for one this version does not know."""
    return _CANONICAL[number] if 0 <= number < len(_CANONICAL) else f"CODE_{number}"


def classify(
    status: int,
    body: object,
    context: CallContext,
    *,
    headers: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> CloudError:
    """The error that an HTTP answer stands for.

    Args:
        status: The HTTP status, 400 or more.
        body: The parsed JSON, or text or bytes where it was none (a proxy's page).
        context: The call it answers.
        headers: The answer's headers, for Retry-After.
        now: The present, for a Retry-After that is a date; by default the system's clock.
    """
    told = _read(body, status)
    wait = _retry_after(headers, now)
    fields: _Fields = {
        "project": context.project,
        "service": context.service,
        "method": context.method,
        "resource": context.resource,
        "reason": told.reason,
        "retry_after": wait if wait is not None else told.retry_delay,
        "status": status,
    }
    scope = _quota_scope(status, told)
    if scope is not None:
        return QuotaExhausted(told.message, scope=scope, **fields)
    if status == 403:
        refused = ServiceDisabled if _DISABLED_REASONS.intersection(told.reasons) else Forbidden
        return refused(told.message, permission=_permission(told), **fields)
    return _kind(status, told)(told.message, **fields)


def _kind(status: int, told: _Told) -> type[CloudError]:
    if status >= 500 and status != 501:
        return Retryable
    if status in (400, 409) and _PASSING_REASONS.intersection(told.reasons):
        return Retryable
    if status == 400 and "FAILED_PRECONDITION" in told.reasons:
        return PreconditionFailed
    by_status: dict[int, type[CloudError]] = {
        401: Unauthenticated,
        404: NotFound,
        408: Retryable,
        409: Conflict,
        410: NotFound,
        412: PreconditionFailed,
        499: Retryable,
    }
    return by_status.get(status, Invalid)


def _quota_scope(status: int, told: _Told) -> QuotaScope | None:
    if status not in (403, 429):
        return None
    if _CONCURRENCY_REASONS.intersection((*told.reasons, *told.message.split())):
        return QuotaScope.CONCURRENCY
    if status == 429 or _RATE_REASONS.intersection(told.reasons):
        return QuotaScope.RATE
    if _ALLOCATION_REASONS.intersection(told.reasons):
        return QuotaScope.RATE if _RATE_WORDS.search(told.message) else QuotaScope.ALLOCATION
    return None


def _permission(told: _Told) -> str:
    if told.permission:
        return told.permission
    for pattern in _PERMISSION:
        found = pattern.search(told.message)
        if found:
            return found.group(1)
    return ""


def _read(body: object, status: int) -> _Told:
    document = _document(body)
    if not isinstance(document, dict):
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
        return _Told(message=_shorten(text) or f"HTTP {status} without a body", reasons=())
    error = document.get("error")
    if not isinstance(error, dict):
        # OAuth's format: {"error": "invalid_grant", "error_description": "..."}
        text = str(document.get("error_description") or error or f"HTTP {status}")
        return _Told(message=_shorten(text), reasons=(str(error),) if error else ())
    reasons = [str(item.get("reason", "")) for item in _dicts(error.get("errors"))]
    permission = ""
    delay: float | None = None
    for detail in _dicts(error.get("details")):
        kind = str(detail.get("@type", "")).rpartition(".")[2]
        if kind == "ErrorInfo":
            # The most specific word leads: it is the one Google's documentation tells clients to rely on.
            reasons.insert(0, str(detail.get("reason", "")))
            metadata = detail.get("metadata")
            permission = str(metadata.get("permission", "")) if isinstance(metadata, dict) else ""
        elif kind == "RetryInfo":
            delay = _seconds(str(detail.get("retryDelay", "")))
    reasons.append(str(error.get("status", "")))
    return _Told(
        message=_shorten(str(error.get("message") or f"HTTP {status}")),
        reasons=tuple(dict.fromkeys(reason for reason in reasons if reason)),
        permission=permission,
        retry_delay=delay,
    )


def _document(body: object) -> object:
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    if isinstance(body, list):  # some frontends wrap the error in a list
        return next((item for item in body if isinstance(item, dict)), None)
    return body


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _shorten(text: str, limit: int = 2000) -> str:
    text = text.strip()
    return text if len(text) <= limit else f"{text[:limit]}…"


def _seconds(text: str) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", text.strip())
    return float(found.group(1)) if found else None


def _retry_after(headers: Mapping[str, str] | None, now: datetime | None) -> float | None:
    text = next((value for name, value in (headers or {}).items() if name.lower() == "retry-after"), "")
    if not text:
        return None
    plain = _seconds(text)
    if plain is not None:
        return plain
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None  # neither seconds nor a date: as if it were not there
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def operation_failed(
    context: CallContext, operation: str, code: int | str, message: str, *, status: int | None = None
) -> OperationFailed:
    """The error of an operation that ended badly: Compute gives a word, a long-running operation a number."""
    number = code if isinstance(code, int) else None
    return OperationFailed(
        _shorten(message) or "the operation ended in error without saying why",
        code=canonical_code(code) if isinstance(code, int) else (code or "UNKNOWN"),
        number=number,
        operation=operation,
        project=context.project,
        service=context.service,
        method=context.method,
        resource=context.resource,
        status=status,
    )
