"""The chain's link about firewalls: which rule denies the path, whose it is, and what became of the operator's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.api.spec import DriftPolicy, RuleMode
from redis_connectivity.core.cloudvalues import Direction, FirewallRule
from redis_connectivity.core.diagnosis.case import ACCESS_REASONS, Case, Finding, owner_of
from redis_connectivity.core.drift import EXISTS, Difference
from redis_connectivity.core.reachability import Decider, DeciderKind

__all__ = ["firewall"]

#: Fields that say whom a rule is for.
_REACH: Final = frozenset(
    {
        "sourceRanges",
        "destinationRanges",
        "sourceTags",
        "targetTags",
        "sourceServiceAccounts",
        "targetServiceAccounts",
    }
)


#: What no rule of the operator's can win, or may try to.
_STUCK: Final = (Reason.FIREWALL_DENY_UNBEATABLE, Reason.FIREWALL_SHADOWED, Reason.FIREWALL_NOT_AIMED)


def firewall(case: Case) -> Finding | None:
    """The firewall, judged by the rules that are there, not by those that are wanted."""
    verdict = case.plan.firewall
    if verdict.ok or verdict.reason in ACCESS_REASONS:
        return None
    if verdict.reason is Reason.DRIFT_CONTENDED:
        return case.finding(Code.DRIFT_CONTENDED, verdict.message)
    denied = False
    for direction in (Direction.EGRESS, Direction.INGRESS):
        blocker = case.blocker(direction)
        if blocker is None:
            continue
        denied = True
        found = _denied(case, direction, blocker)
        if found is not None:
            return found
    if not denied and verdict.stalled:
        return _denied_soon(case)
    if not denied and verdict.reason is not Reason.FIREWALL_APPLYING:
        return None
    changed = [one for one in case.plan.differences if one.kind == "FirewallRule"]
    return _changed(case, changed) if changed else None


def _denied(case: Case, direction: Direction, by: Decider, *, planned: bool = False) -> Finding | None:
    """Why one direction is denied (`planned`: will be); None where only the operator's own work is not done yet."""
    told = _told(direction, by)
    mode = case.desired.firewall.egress if direction is Direction.EGRESS else case.desired.firewall.ingress
    facts = {"deny": str(by), "direction": direction.value.lower(), "range": case.source_text}
    if mode is RuleMode.NEVER:
        return case.finding(Code.RULE_FORBIDDEN, told, case.plan.firewall.message, **facts)
    if by.kind not in (DeciderKind.VPC_RULE, DeciderKind.IMPLIED) and not by.beatable:
        return case.finding(Code.DENIED_BY_POLICY, told, case.plan.firewall.message, **facts)
    own = [view.rule.name for view in case.plan.rules if view.rule.direction is direction]
    changed = [one for one in case.plan.differences if one.kind == "FirewallRule" and one.name in own]
    if changed and not planned:
        return _changed(case, changed, told)
    beaten = any(case.covers(rule) for name in own if (rule := case.rule(name)) is not None)
    stuck = case.plan.firewall.reason in _STUCK
    if beaten or stuck:
        code = Code.EGRESS_DENIED if direction is Direction.EGRESS else Code.INGRESS_DENIED
        return case.finding(code, told, case.plan.firewall.message, advice=_advice(case, by), **facts)
    return None


def _denied_soon(case: Case) -> Finding | None:
    """What denies once the plan's actions are done: a rule of an earlier spec may still open the way until then."""
    for direction in (Direction.EGRESS, Direction.INGRESS):
        blocker = case.blocker(direction, planned=True)
        found = _denied(case, direction, blocker, planned=True) if blocker is not None else None
        if found is not None:
            return found
    return None


def _advice(case: Case, by: Decider) -> str:
    reason = case.plan.firewall.reason
    if reason is Reason.FIREWALL_SHADOWED:
        return (
            f"Set spec.firewall.priority to less than {by.priority}, or leave it out, and the operator's rule"
            " moves in front."
        )
    if reason is Reason.FIREWALL_NOT_AIMED:
        return "Give the Cloud Run revision a network tag of its own, and name it in spec.directVpcEgress.tags."
    if reason is Reason.FIREWALL_DENY_UNBEATABLE:
        return f"Whoever owns {by} must make it weaker than priority 0, or except this traffic from it."
    return "Nothing: the operator's rule moves in front of it. Whoever made the deny should know of this path."


def _changed(case: Case, changed: list[Difference], told: str = "") -> Finding:
    """What somebody did to the operator's rule; what it lost entirely comes before what it lost in part."""
    fields = {one.field for one in changed}
    name = changed[0].name
    evidence = [_difference(one) for one in changed]
    if case.desired.drift_policy is DriftPolicy.REPORT:
        evidence.append("driftPolicy is Report, so it is left as it is.")
    if EXISTS in fields:
        code = Code.RULE_MISSING
    elif "disabled" in fields and _is_disabled(case.rule(name)):
        code = Code.RULE_DISABLED
    elif fields & _REACH and not _still_reaches(case, name):
        code = Code.RULE_NARROWED
    else:
        code = Code.RULE_CHANGED
    return case.finding(code, *evidence, told, rule=name)


def _is_disabled(rule: FirewallRule | None) -> bool:
    return rule is not None and rule.disabled


def _still_reaches(case: Case, name: str) -> bool:
    rule = case.rule(name)
    return rule is not None and case.covers(replace(rule, disabled=False))


def _difference(one: Difference) -> str:
    if one.field == EXISTS:
        return f"Rule {one.name} was made by the operator and is gone."
    return f"Rule {one.name}: {one.field} was {one.before or 'empty'}, found {one.after or 'empty'}."


def _told(direction: Direction, by: Decider) -> str:
    """What decides, and whose it is."""
    side = "Egress from the connector" if direction is Direction.EGRESS else "Ingress to Redis"
    whose = f", which is {owner_of(by.rule)}" if by.rule is not None else ""
    return f"{side} is denied by {by}{whose}."
