"""The firewall's part of a plan: which rules are wanted, what they must beat, and what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import FIREWALL_PRIORITY_DEFAULT
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.adoption import adoptable, to_adopt
from redis_connectivity.core.cloudvalues import Direction, FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import Difference
from redis_connectivity.core.firewall_verdict import firewall_verdict
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan_direction import Ground, RuleView, give_up_all, plan_direction
from redis_connectivity.core.questions import firewall_of, flows_of, sites_of
from redis_connectivity.core.reachability import Answer, Judgement, candidates, google_rules_for
from redis_connectivity.core.sources import Source
from redis_connectivity.core.targets import Destination
from redis_connectivity.core.verdict import Verdict, unknown, unseen
from redis_connectivity.core.wanted_rule import RuleWant

__all__ = ["FirewallPlan", "own_rules", "plan_firewall"]


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """What to do about the firewall rules."""

    verdict: Verdict
    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    rules: tuple[RuleView, ...] = field(default=())
    notes: tuple[str, ...] = ()
    #: Foreign rules that an action takes over, as they are before.
    adopts: tuple[FirewallRule, ...] = ()
    #: Rules that allow an old way, too, until the new one answers, by name; and a sentence on each.
    widened: tuple[tuple[str, FirewallRule], ...] = ()
    waiting: str = ""
    #: The verdict if none of the actions is carried out now.
    at_rest: Verdict | None = None


def own_rules(
    desired_owner_uid: str, cluster: str, rules: Iterable[FirewallRule], ledger: Ledger
) -> tuple[FirewallRule, ...]:
    """Rules that are ours: by their marker, or by Google's id for a rule whose marker somebody removed."""
    # What we let go of carries no marker as we left it, and is not ours any more.
    ids = {
        (name, applied.id)
        for name, applied in ledger.applied.items()
        if applied.id and read_marker(applied.fields.get("description", "")) is not None
    }
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


def plan_firewall(
    desired: Desired,
    observed: Observed,
    ledger: Ledger,
    sources: tuple[Source, ...],
    destinations: tuple[Destination, ...],
) -> FirewallPlan:
    """The rules' plan for traffic from each source to each destination of the target; the first is the main one.

    Without any (the target is a DNS name) no rule can be made; those that were are removed.
    """
    if isinstance(observed.rules, Unseen):
        return FirewallPlan(unseen(observed.rules))
    mine = own_rules(desired.owner.uid, desired.owner.cluster, observed.rules, ledger)
    if not destinations:
        return _without_address(desired, mine, ledger)
    our_names = {rule.name for rule in mine}
    flows = flows_of(desired, sources, destinations)
    # One pass over the project's rules: most of them are about other networks, machines or ports.
    foreign = tuple(rule for rule in candidates(observed.rules, flows) if rule.name not in our_names)
    for site in sites_of(desired, sources):
        foreign += google_rules_for(site, foreign)
    # A rule of another resource may open this path too, but it goes when that resource does: nothing to rely on.
    foreign_to_adopt = to_adopt(desired, observed.rules, our_names)
    independent = [rule for rule in foreign if read_marker(rule.description) is None]
    ground = Ground(
        ledger=ledger,
        others=firewall_of(observed, foreign),
        names={rule.name for rule in observed.rules} | observed.names_being_taken,
        adoptable=foreign_to_adopt,
        answering=observed.answering,
    )
    aimed_at = (
        frozenset[str]().union(*(source.aim for source in sources)) if all(one.aim for one in sources) else frozenset()
    )
    parts = []
    for direction in (Direction.EGRESS, Direction.INGRESS):
        want = RuleWant(desired, direction, flows, aimed_at)
        denied = _is_denied(want, observed, independent, foreign_to_adopt)
        parts.append(plan_direction(want, ground, [one for one in mine if one.direction is direction], denied=denied))
    actions = tuple(action for part in parts for action in part.actions)
    differences = tuple(difference for part in parts for difference in part.differences)
    notes = tuple(part.note for part in parts if part.note)
    wanted = tuple(part.wanted for part in parts if part.wanted is not None)
    verdict = firewall_verdict(desired, flows, observed, mine, foreign, wanted, actions, notes)
    adopts = tuple(part.adopts for part in parts if part.adopts is not None)
    views = tuple(view for part in parts for view in part.views)
    at_rest = firewall_verdict(desired, flows, observed, mine, foreign, wanted, (), notes) if actions else verdict
    wide = [(part.views[0].rule.name, part.step) for part in parts if part.step is not None and part.step.is_wide]
    return FirewallPlan(
        verdict,
        actions,
        differences,
        views,
        notes,
        adopts,
        widened=tuple((name, step.rule) for name, step in wide),
        waiting=" ".join(step.waiting for _, step in wide),
        at_rest=at_rest,
    )


def _is_denied(
    want: RuleWant, observed: Observed, independent: list[FirewallRule], foreign: tuple[FirewallRule, ...]
) -> bool:
    """Whether the path needs a rule of ours. One that we would take over is not there to rely on: it is to be kept."""
    found = adoptable(want.desired, want.rule("", FIREWALL_PRIORITY_DEFAULT), foreign).rule
    firewall = firewall_of(observed, (rule for rule in independent if found is None or rule.name != found.name))
    return any(_needs_a_rule(firewall.judge(want.direction, flow)) for flow in want.flows)


def _needs_a_rule(judgement: Judgement) -> bool:
    """Whether something denies, or may deny and could be beaten by a rule of ours."""
    if judgement.otherwise is Answer.DENIED:
        return True
    return any(doubt.decider is not None and doubt.decider.beatable for doubt in judgement.doubts)


def _without_address(desired: Desired, mine: tuple[FirewallRule, ...], ledger: Ledger) -> FirewallPlan:
    extra = give_up_all(desired, mine, ledger, "the target is a DNS name now, and rules are about addresses")
    verdict = unknown(
        Reason.FIREWALL_NOT_JUDGED,
        "spec.redis.endpoint.host is a DNS name, and firewall rules are about addresses: no egress rule is made, and"
        " none is judged. Give its IPv4 address to have both; as it is, only the prober can tell.",
    )
    return FirewallPlan(verdict, extra, rules=tuple(RuleView(rule, "Extra") for rule in mine))
