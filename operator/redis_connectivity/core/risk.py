"""What a change may cost those who use the path now, told before it is made.

An action is judged by itself, together with the rules that will be there beside it: a rule that is narrowed cuts off
only what no other rule lets through.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from redis_connectivity.core.actions import (
    CloudAction,
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.cloudvalues import Action, ConnectorState, FirewallRule
from redis_connectivity.core.rulecover import covered_by, lost

__all__ = ["Risk", "RiskLevel", "assess", "worst"]


class RiskLevel(enum.StrEnum):
    """How bad it can get."""

    #: Nobody loses anything.
    NONE = "None"
    #: Connections may be dropped once, and can be made again at once.
    BRIEF = "Brief"
    #: Somebody may lose the way for as long as nothing is put right.
    CUTS = "Cuts"


@dataclass(frozen=True, slots=True)
class Risk:
    """The risk of one action, and why it is so."""

    level: RiskLevel
    message: str


def worst(risks: Iterable[Risk]) -> RiskLevel:
    """The gravest of some risks; None where there are none."""
    order = list(RiskLevel)
    return max((one.level for one in risks), key=order.index, default=RiskLevel.NONE)


def assess(action: CloudAction, rules: Iterable[FirewallRule] = ()) -> Risk:
    """The risk of an action. `rules` are those that are there when it is made."""
    match action:
        case CreateConnector():
            return Risk(RiskLevel.NONE, "nothing uses it yet")
        case PatchConnector(machine_type=None):
            return Risk(RiskLevel.NONE, "a connector grows in place, and goes on carrying traffic")
        case PatchConnector():
            return Risk(
                RiskLevel.BRIEF, "a change of machineType happens in place and may drop long-running connections"
            )
        case DeleteConnector(connector=connector):
            if connector.state is ConnectorState.ERROR:
                return Risk(RiskLevel.NONE, "a connector in ERROR never recovers; nothing can rely on it")
            return Risk(
                RiskLevel.CUTS, "every Cloud Run service that uses the connector loses its way into the network"
            )
        case InsertRule(rule=rule):
            return _inserting(rule)
        case UpdateRule(before=before, rule=rule):
            return _updating(before, rule, tuple(rules))
        case DeleteRule(rule=rule):
            return _deleting(rule, tuple(rules))
        case _:
            assert_never(action)


def _inserting(rule: FirewallRule) -> Risk:
    if rule.action is Action.DENY and not rule.disabled:
        return Risk(RiskLevel.CUTS, "a deny cuts off what it matches")
    return Risk(RiskLevel.NONE, "it allows, and takes nothing away")


def _updating(before: FirewallRule, rule: FirewallRule, rules: tuple[FirewallRule, ...]) -> Risk:
    missing = lost(before, rule)
    weaker = before.action is Action.ALLOW and not before.disabled and rule.priority > before.priority
    beaten_by = _denies_between(before, rule, rules) if weaker else ()
    if not missing and not beaten_by:
        return Risk(RiskLevel.NONE, _harmless(before, rule))
    other = covered_by(before, rules)
    if other is not None:
        return Risk(RiskLevel.NONE, f"it narrows, but rule {other.name} allows the same")
    if missing == ("anything",):
        return Risk(RiskLevel.CUTS, "it takes away all that the rule allows now")
    parts = [f"it no longer allows {', '.join(missing)}"] if missing else []
    parts += [f"priority {rule.priority} is too weak against {', '.join(beaten_by)} (now {before.priority})"] * bool(
        beaten_by
    )
    return Risk(RiskLevel.CUTS, f"{' and '.join(parts)}: who relies on that is cut off")


def _harmless(before: FirewallRule, rule: FirewallRule) -> str:
    if before.disabled and not rule.disabled:
        return "it is disabled now and allows nothing"
    if lost(rule, before):
        return "it allows more than now"
    if rule.priority < before.priority:
        return f"it allows the same, and wins against denies from {rule.priority + 1} to {before.priority}, too"
    if rule.priority > before.priority:
        return "it allows the same, and no deny stands between the old priority and the new one"
    return "it allows the same as now"


def _denies_between(before: FirewallRule, rule: FirewallRule, rules: tuple[FirewallRule, ...]) -> tuple[str, ...]:
    """Denies that the rule beats at its old priority and not at its new one. A tie goes to the deny."""
    return tuple(
        f"rule {one.name} (priority {one.priority})"
        for one in sorted(rules, key=lambda one: (one.priority, one.name))
        if one.action is Action.DENY
        and not one.disabled
        and (one.network, one.direction) == (before.network, before.direction)
        and before.priority < one.priority <= rule.priority
    )


def _deleting(rule: FirewallRule, rules: tuple[FirewallRule, ...]) -> Risk:
    if rule.disabled:
        return Risk(RiskLevel.NONE, "it is disabled and allows nothing")
    if rule.action is Action.DENY:
        return Risk(RiskLevel.NONE, "a deny goes, and takes nothing away")
    other = covered_by(rule, rules)
    if other is not None:
        return Risk(RiskLevel.NONE, f"rule {other.name} allows the same")
    return Risk(RiskLevel.CUTS, "what only this rule allows is cut off")
