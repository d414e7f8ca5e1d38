"""The firewall's part of a plan: which rules are wanted, what they must beat, and what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import CONNECTOR_TAG, FIREWALL_PRIORITY_DEFAULT
from redis_connectivity.api.spec import DriftPolicy, FirewallLogging, RuleMode
from redis_connectivity.core.actions import CloudAction, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4
from redis_connectivity.core.desired import Desired, VmWant
from redis_connectivity.core.drift import ABSENT, EXISTS, Difference, differing_fields, rule_fields
from redis_connectivity.core.firewall import Decision, Flow, denies_in_the_way, judge
from redis_connectivity.core.identity import Marker, read_marker, rule_names
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.verdict import Verdict, bad, good, unknown, unseen

__all__ = ["FirewallPlan", "RuleView", "own_rules", "plan_firewall"]


@dataclass(frozen=True, slots=True)
class RuleView:
    """One of our rules for status: as wanted, and how what is there relates to it."""

    rule: FirewallRule
    state: Literal["InSync", "Missing", "Differs", "Extra"]


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """What to do about the firewall rules."""

    verdict: Verdict
    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    rules: tuple[RuleView, ...] = field(default=())
    notes: tuple[str, ...] = ()


def own_rules(
    desired_owner_uid: str, cluster: str, rules: Iterable[FirewallRule], ledger: Ledger
) -> tuple[FirewallRule, ...]:
    """Rules that are ours: by their marker, or by Google's id for a rule whose marker somebody removed."""
    ids = {(name, applied.id) for name, applied in ledger.applied.items() if applied.id}
    mine = []
    for rule in rules:
        marker = read_marker(rule.description)
        by_marker = (
            marker is not None
            and marker.rule == rule.name
            and (marker.owner.uid, marker.owner.cluster) == (desired_owner_uid, cluster)
        )
        if by_marker or (marker is None and (rule.name, rule.id) in ids):
            mine.append(rule)
    return tuple(sorted(mine, key=lambda rule: rule.name))


@dataclass(frozen=True, slots=True)
class _DirectionPlan:
    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    views: tuple[RuleView, ...] = ()
    wanted: FirewallRule | None = None
    note: str = ""


def plan_firewall(
    desired: Desired,
    observed: Observed,
    ledger: Ledger,
    source: IPv4Network,
    destinations: tuple[tuple[IPv4Address, int], ...],
) -> FirewallPlan:
    """The rules' plan for traffic from `source` to each (address, port) of the target; the first is the main one."""
    if isinstance(observed.rules, Unseen):
        return FirewallPlan(unseen(observed.rules))
    mine = own_rules(desired.owner.uid, desired.owner.cluster, observed.rules, ledger)
    foreign = tuple(rule for rule in observed.rules if rule not in mine)
    # A rule of another resource may open this path too, but it goes when that resource does: nothing to rely on.
    independent = tuple(rule for rule in foreign if read_marker(rule.description) is None)
    policies = () if isinstance(observed.policies, Unseen) else observed.policies
    order = getattr(observed.network, "enforcement_order", "AFTER_CLASSIC_FIREWALL")
    flow = _flow(desired, source, *destinations[0])
    parts = [
        _plan_direction(
            desired,
            direction,
            flow,
            destinations,
            [rule for rule in mine if rule.direction is direction],
            foreign,
            {rule.name for rule in observed.rules} | observed.names_being_taken,
            ledger,
            denied=not judge(direction, flow, independent, policies, order).allowed,
        )
        for direction in (Direction.EGRESS, Direction.INGRESS)
    ]
    actions = tuple(action for part in parts for action in part.actions)
    differences = tuple(difference for part in parts for difference in part.differences)
    notes = tuple(part.note for part in parts if part.note)
    wanted = tuple(part.wanted for part in parts if part.wanted is not None)
    verdict = _verdict(desired, flow, observed, mine, foreign, wanted, actions, notes)
    return FirewallPlan(verdict, actions, differences, tuple(view for part in parts for view in part.views), notes)


def _flow(desired: Desired, source: IPv4Network, host: IPv4Address, port: int) -> Flow:
    tags = desired.target.tags if isinstance(desired.target, VmWant) else frozenset()
    return Flow(
        network=desired.network,
        source=source,
        source_tags=frozenset({CONNECTOR_TAG, desired.connector_tag}),
        destination=host,
        destination_tags=tags,
        port=port,
        target_in_vpc=isinstance(desired.target, VmWant),
    )


def _plan_direction(
    desired: Desired,
    direction: Direction,
    flow: Flow,
    destinations: tuple[tuple[IPv4Address, int], ...],
    mine: list[FirewallRule],
    foreign: tuple[FirewallRule, ...],
    names: set[str],
    ledger: Ledger,
    *,
    denied: bool,
) -> _DirectionPlan:
    wanted, note = _is_wanted(desired, direction, mine, denied=denied)
    lost = [
        (name, applied)
        for name, applied in ledger.applied.items()
        if applied.direction == direction and name not in {rule.name for rule in mine}
    ]
    if not wanted and lost and direction is Direction.EGRESS and desired.firewall.egress is RuleMode.AUTO:
        wanted = True  # it was ours and somebody deleted it: put back what was there
    if not wanted:
        extra = tuple(DeleteRule(rule, "it is no longer wanted") for rule in mine)
        return _DirectionPlan(actions=extra, views=tuple(RuleView(r, "Extra") for r in mine), note=note)
    names_in_order = rule_names(desired.owner, direction)
    mine = sorted(mine, key=lambda rule: names_in_order.index(rule.name) if rule.name in names_in_order else 9)
    name = mine[0].name if mine else _free_name(names_in_order, names, ledger)
    rule = _rule(desired, direction, name, flow, destinations, _priority(desired, direction, flow, foreign))
    surplus = tuple(DeleteRule(extra, "the resource has another rule for this already") for extra in mine[1:])
    report = desired.drift_policy is DriftPolicy.REPORT
    if not mine:
        gone = tuple(Difference("FirewallRule", lost_name, EXISTS, "present", ABSENT) for lost_name, _ in lost)
        if gone and report:
            return _DirectionPlan(differences=gone, views=(RuleView(rule, "Missing"),), wanted=rule, note=note)
        why = "it was deleted by somebody else" if gone else "the path needs it"
        insert = InsertRule(rule, why)
        return _DirectionPlan((insert,), gone, (RuleView(rule, "Missing"),), rule, note)
    existing = mine[0]
    actual, aim = rule_fields(existing), rule_fields(rule)
    applied = ledger.applied.get(existing.name)
    changed = differing_fields(applied.fields, actual) if applied else ()
    differences = tuple(
        Difference("FirewallRule", existing.name, one, applied.fields[one] if applied else "", actual[one])
        for one in changed
    )
    fields = differing_fields(aim, actual)
    if not fields:
        return _DirectionPlan(surplus, (), (RuleView(existing, "InSync"),), rule, note)
    if differences and report:
        return _DirectionPlan(surplus, differences, (RuleView(existing, "Differs"),), rule, note)
    why = "somebody else changed it" if differences else "the spec or the denies it must beat changed"
    update = UpdateRule(existing, replace(rule, id=existing.id), fields, why)
    return _DirectionPlan((update, *surplus), differences, (RuleView(existing, "Differs"),), rule, note)


def _is_wanted(desired: Desired, direction: Direction, mine: list[FirewallRule], *, denied: bool) -> tuple[bool, str]:
    """Whether a rule of ours is wanted, and a sentence for status where that may surprise."""
    if direction is Direction.INGRESS:
        if not isinstance(desired.target, VmWant):
            note = "No ingress rule: a managed Redis sits in Google's own network, where none of yours can apply."
            return False, note if desired.firewall.ingress is RuleMode.ALWAYS else ""
        return desired.firewall.ingress is not RuleMode.NEVER, ""
    mode = desired.firewall.egress
    if mode is RuleMode.AUTO:
        if not denied and not mine:
            return False, "No egress rule is needed: nothing denies the connector's way out."
        return True, ""
    return mode is RuleMode.ALWAYS, ""


def _free_name(preferred: tuple[str, str], names: set[str], ledger: Ledger) -> str:
    """The first name that nobody has; one that a write in flight of ours uses comes before all others."""
    for name in preferred:
        if name in ledger.pending and ledger.pending[name].kind == "insert":
            return name
    for name in preferred:
        if name not in names:
            return name
    number = 2
    while f"{preferred[1]}-{number}" in names:
        number += 1
    return f"{preferred[1]}-{number}"


def _priority(desired: Desired, direction: Direction, flow: Flow, foreign: tuple[FirewallRule, ...]) -> int:
    """The spec's priority, or the default unless a deny in the way asks for a stronger one (a tie goes to the deny)."""
    if desired.firewall.priority is not None:
        return desired.firewall.priority
    denies = [rule.priority for rule in denies_in_the_way(direction, flow, foreign) if rule.priority > 0]
    return min([FIREWALL_PRIORITY_DEFAULT, *(priority - 1 for priority in denies)])


def _rule(
    desired: Desired,
    direction: Direction,
    name: str,
    flow: Flow,
    destinations: tuple[tuple[IPv4Address, int], ...],
    priority: int,
) -> FirewallRule:
    logging = desired.firewall.logging
    ports = tuple(sorted({(port, port) for _, port in destinations}))
    egress = direction is Direction.EGRESS
    return FirewallRule(
        network=desired.network,
        name=name,
        direction=direction,
        action=Action.ALLOW,
        priority=priority,
        layer4=frozenset({Layer4("tcp", ports)}),
        source_ranges=frozenset() if egress else frozenset({str(flow.source)}),
        destination_ranges=frozenset(f"{host}/32" for host, _ in destinations) if egress else frozenset(),
        target_tags=frozenset({desired.connector_tag}) if egress else flow.destination_tags,
        logging=None if logging is FirewallLogging.DISABLED else logging.value,
        description=Marker(desired.owner, direction, name).description(),
    )


def _verdict(
    desired: Desired,
    flow: Flow,
    observed: Observed,
    mine: tuple[FirewallRule, ...],
    foreign: tuple[FirewallRule, ...],
    wanted: tuple[FirewallRule, ...],
    actions: tuple[CloudAction, ...],
    notes: tuple[str, ...],
) -> Verdict:
    policies = () if isinstance(observed.policies, Unseen) else observed.policies
    order = getattr(observed.network, "enforcement_order", "AFTER_CLASSIC_FIREWALL")
    for direction in (Direction.EGRESS, Direction.INGRESS):
        # First what cannot work even when everything of ours is in force, then what is not in force yet.
        aimed = judge(direction, flow, (*foreign, *wanted), policies, order)
        if not aimed.allowed:
            return _denied(desired, direction, aimed)
    if actions:
        return bad(
            Reason.FIREWALL_APPLYING,
            "; ".join(f"{action.summary}, because {action.why}" for action in actions),
        )
    for direction in (Direction.EGRESS, Direction.INGRESS):
        actual = judge(direction, flow, (*foreign, *mine), policies, order)
        if not actual.allowed:
            message = f"{direction.capitalize()} to {flow.destination}:{flow.port} is denied by {_name(actual)}."
            return bad(Reason.FIREWALL_RULE_MISSING, message)
    text = f"tcp:{flow.port} from {flow.source} to {flow.destination} is allowed in both directions."
    text = " ".join([text, *notes])
    if isinstance(observed.policies, Unseen):
        return unknown(
            observed.policies.reason, f"{text} But firewall policies are unknown: {observed.policies.message}"
        )
    return good(Reason.FIREWALL_OPEN, text)


def _name(decision: Decision) -> str:
    if decision.by == "implied":
        return "the implied rule (priority 65535)"
    return f"{decision.by} (priority {decision.priority})" if decision.priority is not None else decision.by


def _denied(desired: Desired, direction: Direction, decision: Decision) -> Verdict:
    side = "Ingress to Redis" if direction is Direction.INGRESS else "Egress from the connector"
    mode = desired.firewall.ingress if direction is Direction.INGRESS else desired.firewall.egress
    by = _name(decision)
    if mode is RuleMode.NEVER:
        message = (
            f"{side} is denied by {by}, and spec.firewall.{direction.lower()}: Never forbids a rule that would allow"
            " it. Set it to Auto, or allow the traffic yourself."
        )
        return bad(Reason.FIREWALL_RULE_FORBIDDEN, message, stalled=True)
    if not decision.beatable:
        message = (
            f"{side} is denied by {by}, which no VPC firewall rule can beat. Whoever owns it must allow the traffic"
            " there, or make it weaker."
        )
        return bad(Reason.FIREWALL_DENY_UNBEATABLE, message, stalled=True)
    message = (
        f"{side} is denied by {by}, which is at least as strong as spec.firewall.priority"
        f" {desired.firewall.priority}. Use a smaller number, or leave the priority out."
    )
    return bad(Reason.FIREWALL_SHADOWED, message, stalled=True)
