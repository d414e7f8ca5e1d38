"""Who asked the API server for what: its audit log as typed entries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

__all__ = ["POLICY", "WRITE_VERBS", "AuditEntry", "AuditLog"]

WRITE_VERBS: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})

#: Every request of everybody, without bodies; not the server's own housekeeping, which only makes the log long.
POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    users: ["system:apiserver"]
  - level: Metadata
"""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request at the end of a stage (a watch has `ResponseStarted` and, when over, `ResponseComplete`)."""

    id: str
    stage: str
    user: str
    user_agent: str
    verb: str
    uri: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    received: datetime
    at: datetime
    decision: str
    #: Which binding of which role allowed it.
    reason: str

    @property
    def is_write(self) -> bool:
        """Whether it meant to change something."""
        return self.verb in WRITE_VERBS

    @property
    def seconds(self) -> float:
        """How long it took up to this stage."""
        return (self.at - self.received).total_seconds()

    @classmethod
    def from_json(cls, event: dict[str, Any]) -> AuditEntry:
        """One line of the log, parsed."""
        target = event.get("objectRef") or {}
        return cls(
            id=event["auditID"],
            stage=event["stage"],
            user=event.get("user", {}).get("username", ""),
            user_agent=event.get("userAgent", ""),
            verb=event["verb"],
            uri=event["requestURI"],
            group=target.get("apiGroup", ""),
            resource=target.get("resource", ""),
            subresource=target.get("subresource", ""),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            code=int(event.get("responseStatus", {}).get("code", 0)),
            received=datetime.fromisoformat(event["requestReceivedTimestamp"]),
            at=datetime.fromisoformat(event["stageTimestamp"]),
            decision=event.get("annotations", {}).get("authorization.k8s.io/decision", ""),
            reason=event.get("annotations", {}).get("authorization.k8s.io/reason", ""),
        )


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one API server.

    A request's line is written when its handler is done, which can be a moment after the client has the
    answer: wait for an expected entry, and let a moment pass before counting on an absence.
    """

    path: Path

    def mark(self) -> int:
        """The end of the log as of now, for `entries`."""
        return self.path.stat().st_size if self.path.exists() else 0

    def entries(self, since: int = 0) -> Iterator[AuditEntry]:
        """All whole lines after the mark `since`."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(since)
            for line in file:
                if not line.endswith(b"\n"):  # being written right now: the next reader gets it
                    return
                yield AuditEntry.from_json(json.loads(line))

    def writes(self, since: int = 0, *, user: str | None = None) -> list[AuditEntry]:
        """Finished requests that meant to change something, refused ones too; of one user when named."""
        return [
            entry
            for entry in self.entries(since)
            if entry.is_write and entry.stage == "ResponseComplete" and user in {None, entry.user}
        ]
