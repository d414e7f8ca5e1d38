"""Who made a change that was found as drift, by the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import EXISTS
from redis_connectivity.core.ledger import DriftRecord

__all__ = ["Actor", "AuditEntry", "Question", "question_about", "who", "with_actors"]

#: Seconds to look back for who deleted a connector: nothing says when we last wrote to it.
_LOOK_BACK = 900.0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write to one resource, as the audit log tells it. `at` is in seconds since the epoch."""

    at: float
    principal: str
    method: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, and when."""

    principal: str
    at: float


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the audit log about one drift record: writes to a resource in a span of time."""

    project: str
    resource: str
    since: float
    until: float


def question_about(desired: Desired, record: DriftRecord) -> Question | None:
    """What to ask; None where the answer could be our own write."""
    # Not a moment longer: our own repair follows at once, and is in the log too.
    until = record.seen
    if record.kind == "Connector":
        project = desired.connector.project
        return Question(project, desired.connector_path, record.seen - _LOOK_BACK, until)
    if not record.written:
        return None
    project = desired.network.project
    return Question(project, f"projects/{project}/global/firewalls/{record.name}", record.written, until)


def who(record: DriftRecord, entries: Iterable[AuditEntry]) -> Actor | None:
    """The one who wrote last before it was seen; who deleted it, where it is gone."""
    gone = record.field == EXISTS
    fitting = [
        one for one in entries if ("delete" in one.method.lower()) is gone and record.written < one.at <= record.seen
    ]
    if not fitting:
        return None
    last = max(fitting, key=lambda one: one.at)
    return Actor(last.principal, last.at)


def with_actors(records: tuple[DriftRecord, ...], found: Mapping[DriftRecord, Actor]) -> tuple[DriftRecord, ...]:
    """The records with what was found out; `found` is by records as they were when it was asked."""
    if not found:
        return records
    known = {(one.kind, one.name, one.field, one.after, one.seen): actor for one, actor in found.items()}
    return tuple(
        record.model_copy(update={"actor": actor.principal, "changed": actor.at})
        if not record.actor
        and (actor := known.get((record.kind, record.name, record.field, record.after, record.seen))) is not None
        else record
        for record in records
    )
