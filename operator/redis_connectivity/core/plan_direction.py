"""One direction's part of the firewall's plan: the rule that is wanted against what there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

from redis_connectivity.api.spec import DriftPolicy, RuleMode
from redis_connectivity.core.actions import CloudAction, InsertRule, UpdateRule
from redis_connectivity.core.adoption import adoptable, give_up
from redis_connectivity.core.cloudvalues import Direction, FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import ABSENT, EXISTS, Difference, differing_fields, rule_fields
from redis_connectivity.core.identity import Marker, rule_names
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.narrowing import Step, next_step
from redis_connectivity.core.reachability import Firewall
from redis_connectivity.core.wanted_rule import RuleWant, free_name, is_wanted

__all__ = ["DirectionPlan", "Ground", "RuleView", "give_up_all", "plan_direction"]


@dataclass(frozen=True, slots=True)
class RuleView:
    """One of our rules for status: as wanted, and how what is there relates to it."""

    rule: FirewallRule
    state: Literal["InSync", "Missing", "Differs", "Extra"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What both directions are planned on.

    Attributes:
        ledger: What we have done so far.
        others: The firewall as it is without our rules.
        names: The names of rules that are taken.
        adoptable: Foreign rules that may be taken over.
        answering: The target that probes get an answer from; empty for none.
    """

    ledger: Ledger
    others: Firewall
    names: AbstractSet[str]
    adoptable: tuple[FirewallRule, ...]
    answering: str


@dataclass(frozen=True, slots=True)
class DirectionPlan:
    """What to do in one direction, and how what is there relates to what is wanted."""

    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    views: tuple[RuleView, ...] = ()
    wanted: FirewallRule | None = None
    note: str = ""
    adopts: FirewallRule | None = None
    step: Step | None = None


def plan_direction(want: RuleWant, ground: Ground, mine: Sequence[FirewallRule], *, denied: bool) -> DirectionPlan:
    """What to do about our rules of one direction, which are `mine`; `denied`: the path is not open without one."""
    desired, direction, flows, aimed_at = want.desired, want.direction, want.flows, want.aimed_at
    ledger = ground.ledger
    wanted, note = is_wanted(desired, direction, mine, denied=denied)
    if direction is Direction.EGRESS and not aimed_at:
        wanted, note = False, ""  # it would be for every machine of the network
    lost = [
        (name, applied)
        for name, applied in ledger.applied.items()
        if applied.direction == direction and name not in {rule.name for rule in mine}
    ]
    if not wanted and aimed_at and lost and direction is Direction.EGRESS and desired.firewall.egress is RuleMode.AUTO:
        wanted = True  # it was ours and somebody deleted it: put back what was there
    if not wanted:
        extra = give_up_all(desired, mine, ledger, "it is no longer wanted")
        return DirectionPlan(actions=extra, views=tuple(RuleView(r, "Extra") for r in mine), note=note)
    names_in_order = rule_names(desired.owner, direction)
    mine = sorted(mine, key=lambda rule: names_in_order.index(rule.name) if rule.name in names_in_order else 9)
    name = mine[0].name if mine else free_name(names_in_order, ground.names, ledger)
    rule = want.rule(name, want.priority(ground.others))
    surplus = give_up_all(desired, mine[1:], ledger, "the resource has another rule for this already")
    report = desired.drift_policy is DriftPolicy.REPORT
    found = adoptable(desired, rule, ground.adoptable)
    note = " ".join(text for text in (note, found.note) if text)
    if not mine:
        gone = tuple(Difference("FirewallRule", lost_name, EXISTS, "present", ABSENT) for lost_name, _ in lost)
        if gone and report:
            return DirectionPlan(differences=gone, views=(RuleView(rule, "Missing"),), wanted=rule, note=note)
        if found.rule is not None and not gone:
            return _adopt(desired, rule, found.rule, note)
        why = "it was deleted by somebody else" if gone else "the path needs it"
        insert = InsertRule(rule, why)
        return DirectionPlan((insert,), gone, (RuleView(rule, "Missing"),), rule, note)
    existing = mine[0]
    main = flows[0].receiver
    target = f"{main.addresses.network_address}:{main.ports[0]}"
    step = next_step(desired, rule, existing, ledger, target=target, answering=ground.answering)
    rule = step.rule
    actual, aim = rule_fields(existing), rule_fields(rule)
    applied = ledger.applied.get(existing.name)
    changed = differing_fields(applied.fields, actual) if applied else ()
    differences = tuple(
        Difference("FirewallRule", existing.name, one, applied.fields[one] if applied else "", actual[one])
        for one in changed
    )
    fields = differing_fields(aim, actual)
    if not fields:
        return DirectionPlan(surplus, (), (RuleView(existing, "InSync"),), rule, note, step=step)
    if differences and report:
        return DirectionPlan(surplus, differences, (RuleView(existing, "Differs"),), rule, note, step=step)
    why = "somebody else changed it" if differences else "the spec or the denies it must beat changed"
    if step.is_wide and not differences:
        why = "the path moves, and its old way stays open until the new one answers"
    update = UpdateRule(existing, replace(rule, id=existing.id), fields, why)
    return DirectionPlan((update, *surplus), differences, (RuleView(existing, "Differs"),), rule, note, step=step)


def give_up_all(desired: Desired, rules: Iterable[FirewallRule], ledger: Ledger, why: str) -> tuple[CloudAction, ...]:
    """Delete what we made, and let go of what we took over."""
    actions = (give_up(rule, ledger, desired.deletion_policy, why) for rule in rules)
    return tuple(action for action in actions if action is not None)


def _adopt(desired: Desired, wanted: FirewallRule, foreign: FirewallRule, note: str) -> DirectionPlan:
    """Take over a foreign rule: it keeps its name and id, and becomes as wanted."""
    description = Marker(desired.owner, wanted.direction, foreign.name).description()
    rule = replace(wanted, name=foreign.name, id=foreign.id, description=description)
    fields = differing_fields(rule_fields(rule), rule_fields(foreign))
    update = UpdateRule(foreign, rule, fields, "it is adopted")
    return DirectionPlan((update,), (), (RuleView(rule, "Differs"),), rule, note, adopts=foreign)
