"""Somebody else keeps undoing our repairs: after a few rounds the fight is given up for a while, and told.

Counted are writes that succeeded, by object and field, whatever made them necessary. A single drift is repaired at
once, and so are a few in a row; then each repair waits, longer each time. The count is in the ledger, so that a restart
starts no new fight. It ends when nothing had to be repaired for a while, or with a change of the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis_connectivity.core.actions import (
    CloudAction,
    CreateConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.drift import EXISTS, Difference
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.ledger import Contest, Ledger
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.timing import contention_delay

__all__ = [
    "CALM",
    "FIELD_ROUNDS",
    "OBJECT_ROUNDS",
    "Held",
    "Repair",
    "Subject",
    "counted",
    "forget_ended",
    "hold",
    "repair_of",
]

#: Repairs of one field that are made at once.
FIELD_ROUNDS = 3
#: Repairs of one object that are made at once, whatever its fields: somebody may try one after the other.
OBJECT_ROUNDS = 10
#: Seconds without a repair after which a fight is over, unless the present wait is longer than half of that.
CALM = 600.0

#: The field that stands for all of an object's.
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is fought about. `object` is a rule's direction or `Connector`: a rule may come back by another name."""

    object: str
    name: str
    field: str

    @property
    def key(self) -> str:
        """Its key in the ledger."""
        return f"{self.object}/{self.field}"


@dataclass(frozen=True, slots=True)
class Repair:
    """An action, and what it repairs."""

    action: CloudAction
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What of a plan's actions must wait: for how many seconds at least, and why, for people."""

    actions: tuple[CloudAction, ...] = ()
    due_in: float | None = None
    evidence: str = ""
    ledger: Ledger | None = None


def repair_of(action: CloudAction, differences: Iterable[Difference], ledger: Ledger) -> Repair | None:
    """The action as a repair; None for one that makes what was not there, or gives up what is there."""
    fields: tuple[str, ...] = ()
    kind, name = "Connector", ""
    match action:
        case UpdateRule(before=before, fields=changed) if before.name in ledger.applied or read_marker(
            before.description
        ):  # else it is adopted
            kind, name, fields = before.direction.value, before.name, changed
        case DeleteRule(rule=rule):
            kind, name, fields = rule.direction.value, rule.name, ("surplus",)
        case InsertRule(rule=rule):
            applied = ledger.applied
            lost = {
                one.name
                for one in differences
                if one.field == EXISTS and one.name in applied and applied[one.name].direction == rule.direction.value
            }
            kind, name, fields = rule.direction.value, rule.name, (EXISTS,) if lost else ()
        case CreateConnector(want=want):
            lost = {one.name for one in differences if (one.kind, one.field) == ("Connector", EXISTS)}
            name, fields = want.name, (EXISTS,) if lost else ()
        case PatchConnector(connector=connector, machine_type=machine_type, counts=counts):
            name = connector.name
            fields = (*(("machineType",) if machine_type else ()), *(("instances",) if counts else ()))
        case _:
            pass
    if not fields:
        return None
    return Repair(action, tuple(Subject(kind, name, field) for field in (*fields, _ANY)))


def _allowance(key: str) -> int:
    return OBJECT_ROUNDS if key.endswith(f"/{_ANY}") else FIELD_ROUNDS


def _not_before(key: str, contest: Contest) -> float:
    over = contest.rounds - _allowance(key)
    return contest.last if over < 0 else contest.last + contention_delay(over + 1)


def _is_over(key: str, contest: Contest, now: float) -> bool:
    wait = _not_before(key, contest) - contest.last
    return now - contest.last >= max(CALM, 2 * wait)


def forget_ended(ledger: Ledger, generation: int, now: float) -> Ledger:
    """The ledger without fights that are over: long ago, or from before the spec changed."""
    kept = {
        key: contest
        for key, contest in ledger.contests.items()
        if contest.generation == generation and not _is_over(key, contest, now)
    }
    return ledger if len(kept) == len(ledger.contests) else ledger.model_copy(update={"contests": kept})


def counted(contests: Mapping[str, Contest], repair: Repair, now: float, generation: int) -> dict[str, Contest]:
    """The fights after one more repair succeeded."""
    after = dict(contests)
    for subject in repair.subjects:
        before = after.get(subject.key)
        if before is not None and (before.generation != generation or _is_over(subject.key, before, now)):
            before = None
        after[subject.key] = Contest(
            name=subject.name,
            rounds=before.rounds + 1 if before else 1,
            since=before.since if before else now,
            last=now,
            generation=generation,
            told=before.told if before else False,
        )
    return after


def hold(repairs: Iterable[Repair], ledger: Ledger, now: float) -> Held:
    """Which repairs must wait now. The fights they are about are marked as told of."""
    held: list[CloudAction] = []
    waits: list[float] = []
    contests = dict(ledger.contests)
    told: dict[str, str] = {}
    for repair in repairs:
        due = {
            subject: until
            for subject in repair.subjects
            if (contest := ledger.contests.get(subject.key)) is not None
            and (until := _not_before(subject.key, contest)) > now
        }
        if not due:
            continue
        held.append(repair.action)
        waits.append(max(due.values()))
        for subject in due:
            contest = ledger.contests[subject.key]
            contests[subject.key] = contest.model_copy(update={"told": True})
            told[subject.key] = _sentence(subject, contest, max(due.values()))
    if not held:
        return Held()
    evidence = (
        f"{' '.join(told.values())} Find out who else writes it, or set spec.driftPolicy to Report. Any change of the"
        " spec ends the wait."
    )
    return Held(tuple(held), min(waits) - now, evidence, ledger.model_copy(update={"contests": contests}))


def _sentence(subject: Subject, contest: Contest, until: float) -> str:
    kind = "Connector" if subject.object == "Connector" else "Firewall rule"
    what = "all its fields together" if subject.field == _ANY else subject.field
    return (
        f"{kind} {subject.name}: {what} was put right {contest.rounds} times since {rfc3339(contest.since)}, and undone"
        f" by somebody else each time. The next repair is due at {rfc3339(until)}."
    )
