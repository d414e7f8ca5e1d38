"""Differences, field by field, in the words of Google's API; and the memory of those that somebody else made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from redis_connectivity.api.status import DRIFT_ENTRIES_MAX
from redis_connectivity.core.cloudvalues import FirewallRule, Layer4
from redis_connectivity.core.ledger import AppliedRule, DriftRecord

__all__ = [
    "ABSENT",
    "EXISTS",
    "Difference",
    "applied_form",
    "differing_fields",
    "layer4_text",
    "remember",
    "rule_fields",
]

EXISTS = "exists"
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that somebody else changed: as we had left it, and as it was found."""

    kind: Literal["FirewallRule", "Connector"]
    name: str
    field: str
    before: str
    after: str


def layer4_text(layer4: Iterable[Layer4]) -> str:
    """`tcp:6379`, `tcp:80,1000-2000 udp`; as gcloud's --rules writes it."""
    parts = []
    for one in sorted(layer4):
        ports = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in one.ports)
        parts.append(f"{one.protocol}:{ports}" if ports else one.protocol)
    return " ".join(parts)


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))


def rule_fields(rule: FirewallRule) -> dict[str, str]:
    """A rule's declared fields as text, by Google's field names. Equal texts mean equal fields."""
    return {
        "network": str(rule.network),
        "direction": rule.direction.value,
        "action": rule.action.value,
        "priority": str(rule.priority),
        "protocols": layer4_text(rule.layer4),
        "sourceRanges": _joined(rule.source_ranges),
        "destinationRanges": _joined(rule.destination_ranges),
        "sourceTags": _joined(rule.source_tags),
        "targetTags": _joined(rule.target_tags),
        "sourceServiceAccounts": _joined(rule.source_service_accounts),
        "targetServiceAccounts": _joined(rule.target_service_accounts),
        "disabled": str(rule.disabled).lower(),
        "logConfig": rule.logging or "off",
        "description": rule.description,
    }


def differing_fields(one: dict[str, str], other: dict[str, str]) -> tuple[str, ...]:
    """Names of the fields whose text differs, in the order of `one`."""
    return tuple(name for name in one if other.get(name, "") != one[name])


def applied_form(rule: FirewallRule) -> AppliedRule:
    """The rule as the ledger remembers it."""
    return AppliedRule(direction=rule.direction.value, id=rule.id, fields=rule_fields(rule))


def remember(
    records: tuple[DriftRecord, ...],
    differences: Iterable[Difference],
    now: float,
    applied: Mapping[str, AppliedRule] | None = None,
) -> tuple[DriftRecord, ...]:
    """The memory after a look: new differences are added once, open ones that are gone are closed.

    `applied` tells when each rule was last written by us.

    Looking twice at the same state gives the same memory.
    """
    current = {(d.kind, d.name, d.field, d.after): d for d in differences}
    kept: list[DriftRecord] = []
    for record in records:
        key = (record.kind, record.name, record.field, record.after)
        if record.repaired is None:
            if key in current:
                current.pop(key)
            else:
                kept.append(record.model_copy(update={"repaired": now}))
                continue
        kept.append(record)
    kept += [
        DriftRecord(
            kind=d.kind,
            name=d.name,
            field=d.field,
            before=d.before,
            after=d.after,
            seen=now,
            written=applied[d.name].at if applied and d.name in applied else 0.0,
        )
        for d in current.values()
    ]
    return tuple(kept[-DRIFT_ENTRIES_MAX:])
