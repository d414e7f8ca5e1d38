"""Every error body that a source documents, and what it means here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import google.auth.exceptions
import pytest
import requests
from google.api_core import exceptions as api

from redis_connectivity.cloud.adapters import from_exception
from redis_connectivity.cloud.classify import CallContext, canonical_code, classify, operation_failed
from redis_connectivity.cloud.errors import (
    CloudError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    QuotaExhausted,
    QuotaScope,
    Retryable,
    ServiceDisabled,
    Unauthenticated,
)

CALL = CallContext("acme", "compute", "firewalls.insert", "allow-redis")


def old(code: int, reason: str, message: str = "no") -> dict[str, Any]:
    """Compute's format."""
    error = {"domain": "global", "reason": reason, "message": message}
    return {"error": {"code": code, "message": message, "errors": [error]}}


def new(code: int, status: str, message: str = "no", **info: Any) -> dict[str, Any]:
    """AIP-193, with an ErrorInfo when a reason is given."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}] if info else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (500, old(500, "backendError"), Retryable, "backendError"),
        (502, "<html>bad gateway</html>", Retryable, ""),
        (503, new(503, "UNAVAILABLE"), Retryable, "UNAVAILABLE"),
        (504, b"", Retryable, ""),
        (408, None, Retryable, ""),
        (400, old(400, "resourceNotReady"), Retryable, "resourceNotReady"),
        (409, old(409, "operationInProgress"), Retryable, "operationInProgress"),
        (409, new(409, "ABORTED"), Retryable, "ABORTED"),
        (401, new(401, "UNAUTHENTICATED"), Unauthenticated, "UNAUTHENTICATED"),
        (403, old(403, "forbidden"), Forbidden, "forbidden"),
        (403, old(403, "rateLimitExceeded"), QuotaExhausted, "rateLimitExceeded"),
        (403, old(403, "userRateLimitExceeded"), QuotaExhausted, "userRateLimitExceeded"),
        (403, old(403, "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"), QuotaExhausted, "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"),
        (403, old(403, "quotaExceeded", "Quota 'FIREWALLS' exceeded. Limit: 100.0"), QuotaExhausted, "quotaExceeded"),
        (403, old(403, "accessNotConfigured"), ServiceDisabled, "accessNotConfigured"),
        (403, new(403, "PERMISSION_DENIED", reason="SERVICE_DISABLED"), ServiceDisabled, "SERVICE_DISABLED"),
        (429, new(429, "RESOURCE_EXHAUSTED", reason="RATE_LIMIT_EXCEEDED"), QuotaExhausted, "RATE_LIMIT_EXCEEDED"),
        (429, "slow down", QuotaExhausted, ""),
        (409, old(409, "alreadyExists"), Conflict, "alreadyExists"),
        (409, new(409, "ALREADY_EXISTS"), Conflict, "ALREADY_EXISTS"),
        (400, old(400, "invalid", "Invalid value for field 'resource.X'"), Invalid, "invalid"),
        (400, new(400, "INVALID_ARGUMENT"), Invalid, "INVALID_ARGUMENT"),
        (400, new(400, "FAILED_PRECONDITION"), PreconditionFailed, "FAILED_PRECONDITION"),
        (405, None, Invalid, ""),
        (404, old(404, "notFound"), NotFound, "notFound"),
        (404, new(404, "NOT_FOUND"), NotFound, "NOT_FOUND"),
        (412, old(412, "conditionNotMet"), PreconditionFailed, "conditionNotMet"),
        (404, [new(404, "NOT_FOUND")], NotFound, "NOT_FOUND"),
        (400, {"error": "invalid_grant", "error_description": "Bad Request"}, Invalid, "invalid_grant"),
    ],
)
def test_documented_bodies(status: int, body: object, kind: type[CloudError], reason: str) -> None:
    error = classify(status, body, CALL)
    assert type(error) is kind
    assert error.reason == reason
    assert (error.project, error.service, error.method, error.resource) == (
        "acme",
        "compute",
        "firewalls.insert",
        "allow-redis",
    )
    assert error.message
    assert error.status == status


def test_google_s_own_words_are_kept_without_the_url() -> None:
    error = classify(404, old(404, "notFound", "The resource 'projects/p/global/firewalls/x' was not found"), CALL)
    assert error.message == "The resource 'projects/p/global/firewalls/x' was not found"
    assert "firewalls.insert" in str(error)


@pytest.mark.parametrize(
    ("message", "scope"),
    [
        ("Quota 'FIREWALLS' exceeded.  Limit: 200.0 globally.", QuotaScope.ALLOCATION),
        ("Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'", QuotaScope.RATE),
    ],
)
def test_quota_exceeded_is_a_rate_only_when_it_says_so(message: str, scope: QuotaScope) -> None:
    error = classify(403, old(403, "quotaExceeded", message), CALL)
    assert isinstance(error, QuotaExhausted)
    assert error.scope is scope


@pytest.mark.parametrize(
    ("body", "permission"),
    [
        (
            old(
                403,
                "forbidden",
                "Required 'compute.networks.updatePolicy' permission for 'projects/p/global/networks/n'",
            ),
            "compute.networks.updatePolicy",
        ),
        (
            new(403, "PERMISSION_DENIED", "Permission 'vpcaccess.connectors.create' denied on 'projects/p'"),
            "vpcaccess.connectors.create",
        ),
        (
            new(
                403,
                "PERMISSION_DENIED",
                reason="IAM_PERMISSION_DENIED",
                metadata={"permission": "redis.instances.list"},
            ),
            "redis.instances.list",
        ),
        (new(403, "PERMISSION_DENIED", "The caller does not have permission"), ""),
    ],
)
def test_the_missing_permission_is_named(body: object, permission: str) -> None:
    error = classify(403, body, CALL)
    assert isinstance(error, Forbidden)
    assert error.permission == permission


def test_retry_after_in_all_its_forms() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    date = (now + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    body = {
        "error": {
            "message": "x",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}],
        }
    }
    assert classify(429, None, CALL, headers={"Retry-After": "7"}).retry_after == 7
    assert classify(429, None, CALL, headers={"retry-after": date}, now=now).retry_after == 30
    assert classify(429, body, CALL).retry_after == 1.5
    assert classify(429, None, CALL, headers={"Retry-After": "soon"}).retry_after is None
    assert classify(429, None, CALL).retry_after is None


def test_operation_errors_have_a_code_and_say_whether_another_try_helps() -> None:
    conflict = operation_failed(CALL, "op", 3, "Invalid IP CIDR range was provided.")
    assert (conflict.code, conflict.number, conflict.transient) == ("INVALID_ARGUMENT", 3, False)
    assert operation_failed(CALL, "op", 13, "failed to get healthy").transient is False
    assert operation_failed(CALL, "op", "RESOURCE_NOT_READY", "x").transient is True
    assert canonical_code(99) == "CODE_99"


@pytest.mark.parametrize(
    ("raised", "kind", "reason"),
    [
        (requests.exceptions.ConnectTimeout("t"), Retryable, "timeout"),
        (requests.exceptions.ReadTimeout("t"), Retryable, "timeout"),
        (requests.exceptions.ConnectionError("refused"), Retryable, "connection"),
        (requests.exceptions.ChunkedEncodingError("cut"), Retryable, "connection"),
        (requests.exceptions.InvalidURL("x"), Invalid, "endpoint"),
        (google.auth.exceptions.RefreshError("expired"), Unauthenticated, "RefreshError"),
        (google.auth.exceptions.RefreshError("busy", retryable=True), Retryable, "RefreshError"),
        (google.auth.exceptions.TransportError("no metadata server"), Retryable, "TransportError"),
        (google.auth.exceptions.DefaultCredentialsError("none"), Unauthenticated, "DefaultCredentialsError"),
        (api.NotFound("gone"), NotFound, ""),
        (api.ServiceUnavailable("later"), Retryable, ""),
        (NotFound("already ours"), NotFound, ""),
    ],
)
def test_library_exceptions(raised: Exception, kind: type[CloudError], reason: str) -> None:
    error = from_exception(raised, CALL)
    assert type(error) is kind
    assert error is not None
    assert error.reason == reason
    assert error.method == "firewalls.insert"


def test_a_bug_is_not_dressed_up_as_google_s_fault() -> None:
    assert from_exception(KeyError("x"), CALL) is None
