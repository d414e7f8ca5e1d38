"""Google's error bodies, in the two styles its APIs use.

Compute answers `{"error": {"code", "errors": [{"domain", "message", "reason"}], "message"}}`; vpcaccess and redis (the
"one platform" style) answer `{"error": {"code", "message", "status", "details"?}}`. Shapes: exchanges recorded in
k8s-config-connector; texts: those and the public threads named at each factory.
"""

from __future__ import annotations

from http import HTTPStatus

from redis_connectivity_lab.emulator.ids import Json

__all__ = [
    "ApiError",
    "OperationFailure",
    "already_exists",
    "compute_not_found",
    "failed_precondition",
    "forbidden",
    "invalid_argument",
    "invalid_field",
    "invalid_json",
    "rate_limited",
    "required_field",
    "resource_in_use",
    "resource_not_ready",
    "service_disabled",
    "unauthenticated",
]

#: HTTP code → (canonical status, Compute's reason), for errors that say nothing more exact.
_BY_CODE = {
    400: ("INVALID_ARGUMENT", "invalid"),
    401: ("UNAUTHENTICATED", "authError"),
    403: ("PERMISSION_DENIED", "forbidden"),
    404: ("NOT_FOUND", "notFound"),
    409: ("ALREADY_EXISTS", "alreadyExists"),
    412: ("FAILED_PRECONDITION", "conditionNotMet"),
    429: ("RESOURCE_EXHAUSTED", "rateLimitExceeded"),
    500: ("INTERNAL", "backendError"),
    503: ("UNAVAILABLE", "backendError"),
    504: ("DEADLINE_EXCEEDED", "backendError"),
}


class ApiError(Exception):
    """A refusal, rendered in the style of the service that was called."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str | None = None,
        status: str | None = None,
        details: list[Json] | None = None,
    ) -> None:
        super().__init__(message)
        default_status, default_reason = _BY_CODE.get(code, ("UNKNOWN", "backendError"))
        self.code = code
        self.message = message
        self.status = status or default_status
        self.reason = reason or default_reason
        self.details = details

    def body(self, *, compute: bool) -> Json:
        """The JSON body."""
        error: Json = {"code": self.code, "message": self.message}
        if compute:
            error["errors"] = [{"domain": self._domain(), "message": self.message, "reason": self.reason}]
            if self.details is not None:
                error["status"] = self.status
        else:
            error["status"] = self.status
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}

    def _domain(self) -> str:
        return "usageLimits" if self.reason in {"rateLimitExceeded", "accessNotConfigured"} else "global"


class OperationFailure(Exception):
    """An error that arrives in an operation instead of in the answer.

    `code` is a word for Compute (`RESOURCE_NOT_FOUND`) and a google.rpc.Code number for long-running operations.
    """

    def __init__(self, code: int | str, message: str, http_status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status

    @property
    def http_reason(self) -> str:
        """The words of the HTTP status that Compute repeats in `httpErrorMessage`."""
        return HTTPStatus(self.http_status).phrase.upper()


def compute_not_found(path: str) -> ApiError:
    """Recorded in k8s-config-connector; for a missing network named in a firewall rule see skyplane#683."""
    return ApiError(404, f"The resource '{path}' was not found")


def already_exists(path: str) -> ApiError:
    """Compute API: inserting what is there."""
    return ApiError(409, f"The resource '{path}' already exists")


def resource_not_ready(path: str) -> ApiError:
    """Compute API: another operation on the resource is under way (a retry predicate of magic-modules)."""
    return ApiError(400, f"The resource '{path}' is not ready", reason="resourceNotReady")


def resource_in_use(path: str, user: str) -> ApiError:
    """Compute API: deleting what others use (the text that people quote for a VPC held by `aet-…-egrfw`)."""
    return ApiError(
        400,
        f"The resource '{path}' is already being used by '{user}'",
        reason="resourceInUseByAnotherResource",
    )


def invalid_field(field: str, value: object, why: str) -> ApiError:
    """Compute API: "Invalid value for field 'resource.X': '…'. …"."""
    return ApiError(400, f"Invalid value for field '{field}': '{value}'. {why}")


def required_field(field: str) -> ApiError:
    """Compute API: a field that must be there."""
    return ApiError(400, f"Required field '{field}' not specified", reason="required")


def invalid_json(details: str) -> ApiError:
    """API infrastructure: the body is no JSON, or no message of the method's type."""
    return ApiError(400, f"Invalid JSON payload received. {details}", reason="badRequest")


def invalid_argument(message: str) -> ApiError:
    """One-platform APIs: google.rpc.Code INVALID_ARGUMENT."""
    return ApiError(400, message)


def failed_precondition(message: str) -> ApiError:
    """One-platform APIs: google.rpc.Code FAILED_PRECONDITION, which is 400 on the wire."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def forbidden(service: str, permission: str, resource: str) -> ApiError:
    """A missing permission, as each API puts it (Compute's text: forseti-security#3424)."""
    if service == "compute":
        return ApiError(403, f"Required '{permission}' permission for '{resource}'")
    detail: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": f"{service}.googleapis.com",
        "metadata": {"permission": permission, "resource": resource},
    }
    message = (
        f"Permission '{permission}' denied on resource '//{service}.googleapis.com/{resource}' (or it may not exist)."
    )
    return ApiError(403, message, details=[detail])


def unauthenticated() -> ApiError:
    """API infrastructure: a bearer token that nobody knows."""
    return ApiError(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )


def rate_limited(service: str, group: str, number: str) -> ApiError:
    """A quota used up: 403 rateLimitExceeded from Compute (its API rate limits page), 429 from the others."""
    message = (
        f"Quota exceeded for quota metric '{group}' and limit '{group} per minute' of service "
        f"'{service}.googleapis.com' for consumer 'project_number:{number}'."
    )
    if service == "compute":
        return ApiError(403, message, reason="rateLimitExceeded", status="RESOURCE_EXHAUSTED")
    detail: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {"consumer": f"projects/{number}", "service": f"{service}.googleapis.com"},
    }
    return ApiError(429, message, details=[detail])


def service_disabled(service: str, number: str) -> ApiError:
    """An API that is not enabled in the project: 403 with ErrorInfo SERVICE_DISABLED."""
    host = f"{service}.googleapis.com"
    url = f"https://console.developers.google.com/apis/api/{host}/overview?project={number}"
    message = (
        f"{service} API has not been used in project {number} before or it is disabled. Enable it by visiting {url} "
        "then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems "
        "and retry."
    )
    detail: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": host, "consumer": f"projects/{number}"},
    }
    return ApiError(403, message, reason="accessNotConfigured", details=[detail])
