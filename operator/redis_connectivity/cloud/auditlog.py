"""Cloud Logging's entries.list, for who changed what: the Admin Activity audit log of a project.

Google's own client (google-cloud-logging) speaks gRPC and brings a handler for Python's logging; one POST needs
neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from google.auth.transport.requests import AuthorizedSession

from redis_connectivity.cloud.adapters import from_response
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Lending, Means
from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.core.attribution import AuditEntry

__all__ = ["GoogleAuditLog"]

PUBLIC = "https://logging.googleapis.com"
#: More writes to one rule or connector than this, between our own and the look that found it changed, are not expected.
PAGE_SIZE = 20


class GoogleAuditLog:
    """The door to audit logs. Methods are documented in `doors.AuditLogDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._base = endpoint or PUBLIC
        self._timeouts = means.timeouts

        def session() -> requests.Session:
            made: requests.Session = AuthorizedSession(means.credentials.get())  # type: ignore[no-untyped-call]
            return made

        self._sessions = Lending(session)

    async def writes(
        self, project: str, resource: str, since: float, until: float, lane: AnyLane
    ) -> tuple[AuditEntry, ...]:
        """Who wrote to a resource in a span of time, the latest first."""
        context = CallContext(project, "logging", "entries.list", resource)
        body = {
            "resourceNames": [f"projects/{project}"],
            "filter": (
                f'logName="projects/{project}/logs/cloudaudit.googleapis.com%2Factivity"'
                f' AND protoPayload.resourceName="{resource}"'
                f' AND timestamp>="{_rfc3339(since)}" AND timestamp<="{_rfc3339(until)}"'
            ),
            "orderBy": "timestamp desc",
            "pageSize": PAGE_SIZE,
        }

        def request() -> tuple[AuditEntry, ...]:
            with self._sessions.borrow() as session:
                response = session.post(
                    f"{self._base}/v2/entries:list", json=body, timeout=(self._timeouts.get, self._timeouts.list)
                )
            if response.status_code >= 400:
                raise from_response(response, context)
            try:
                answer = response.json()
            except ValueError as error:
                msg = f"the answer is not JSON: {response.text[:200]}"
                raise Retryable(msg, reason="badAnswer", status=response.status_code) from error
            entries = answer.get("entries", []) if isinstance(answer, dict) else []
            return tuple(one for item in entries if (one := audit_entry(item)) is not None)

        return await self._caller.call(context, QuotaGroup.LOGGING, lane, request)


def audit_entry(item: Mapping[str, Any]) -> AuditEntry | None:
    """A LogEntry as a value; None for one that tells of no change, such as a call that was refused."""
    payload = item.get("protoPayload") or {}
    principal = (payload.get("authenticationInfo") or {}).get("principalEmail", "")
    try:
        at = datetime.fromisoformat(str(item.get("timestamp", ""))).timestamp()
    except ValueError:
        return None
    if not principal or (payload.get("status") or {}).get("code"):
        return None
    return AuditEntry(at=at, principal=str(principal), method=str(payload.get("methodName", "")))


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
