"""Who called what and what came back: every call to the emulated APIs, kept in memory."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import takewhile

from redis_connectivity_lab.emulator.ids import Json, now

__all__ = ["Audit", "AuditRecord"]

#: Enough for hours of an operator at work; the oldest records fall out.
_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One call.

    `kind` is `read` or `write` for an API call, `data` for a request to a Cloud Run service, and `lab` for a change
    made through the control endpoints. `status` is the HTTP status, 0 when the connection was cut. `permissions` are
    those that the caller was asked for, granted or not.
    """

    seq: int
    time: str
    principal: str
    method: str
    project: str
    resource: str
    status: int
    request_id: str
    kind: str
    permissions: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The record as the control endpoint shows it."""
        return asdict(self)


class Audit:
    """The log of calls."""

    def __init__(self) -> None:
        self._records: deque[AuditRecord] = deque(maxlen=_KEPT)
        self._sequence = itertools.count(1)
        #: The number of the newest record, 0 before any; it keeps growing over `clear`.
        self.last = 0

    def add(
        self,
        *,
        principal: str,
        method: str,
        project: str,
        resource: str,
        status: int,
        kind: str,
        request_id: str = "",
        permissions: tuple[str, ...] = (),
    ) -> AuditRecord:
        """Note a call."""
        self.last = next(self._sequence)
        record = AuditRecord(
            self.last, now(), principal, method, project, resource, status, request_id, kind, permissions
        )
        self._records.append(record)
        return record

    def records(
        self,
        *,
        method: str = "*",
        project: str = "*",
        principal: str = "*",
        kind: str = "*",
        since: int = 0,
    ) -> list[AuditRecord]:
        """The records after number `since` that match the glob patterns, oldest first."""
        newer = takewhile(lambda record: record.seq > since, reversed(self._records))
        wanted = {"method": method, "project": project, "principal": principal, "kind": kind}
        # A pattern that everything matches is not worth a match: the log may hold hundreds of thousands of records.
        patterns = [(field, pattern) for field, pattern in wanted.items() if pattern != "*"]
        found = [
            record
            for record in newer
            if all(fnmatchcase(getattr(record, field), pattern) for field, pattern in patterns)
        ]
        found.reverse()
        return found

    def summary(self, *, since: int = 0, project: str = "*") -> Json:
        """Counts by method, kind and status."""
        records = self.records(since=since, project=project)
        return {
            "total": len(records),
            "last": self.last,
            "methods": dict(sorted(Counter(record.method for record in records).items())),
            "kinds": dict(sorted(Counter(record.kind for record in records).items())),
            "statuses": dict(sorted(Counter(str(record.status) for record in records).items())),
        }

    def clear(self) -> None:
        """Forget all records."""
        self._records.clear()
