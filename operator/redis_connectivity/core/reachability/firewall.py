"""Which firewall rule decides about a flow, in the order in which Google evaluates them.

Source of the order: Google's page on firewall policy and rule evaluation. Hierarchical policies (the organisation's
first, then the folders'), system policies, then VPC firewall rules and network policies (global, then regional) in
either order, then the implied rules. Within a stage lower priority numbers are stronger, and among VPC rules DENY
beats ALLOW at equal numbers. The first match with allow or deny ends the evaluation; `goto_next`, and a policy none of
whose rules matches, go on to the next stage.

A sender's range is judged as a whole: rules that treat its addresses differently take it apart, so the answer is exact
for each address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from redis_connectivity.core.cloudvalues import Action, Direction, FirewallPolicy, FirewallRule, PolicyKind
from redis_connectivity.core.reachability.boxes import Box, span_of
from redis_connectivity.core.reachability.clauses import Clause, Effect, Share, policy_clauses
from redis_connectivity.core.reachability.evaluation import Stage, evaluate
from redis_connectivity.core.reachability.rulebook import RuleBook
from redis_connectivity.core.reachability.values import (
    IMPLIED_PRIORITY,
    Answer,
    Decider,
    DeciderKind,
    Flow,
    Judgement,
    Side,
    Unread,
)

__all__ = ["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL", "Firewall", "Policies"]

AFTER_CLASSIC_FIREWALL = "AFTER_CLASSIC_FIREWALL"
BEFORE_CLASSIC_FIREWALL = "BEFORE_CLASSIC_FIREWALL"
#: How many kinds of flow a firewall keeps its stages ready for.
_KEPT = 4096

#: Policies in force, in order of evaluation within their kind, or why they are not known.
Policies = tuple[FirewallPolicy, ...] | Unread

_EXEMPT = "no ingress rule applies to a managed Redis, which sits in Google's own network"
_IMPLIED = {
    Direction.EGRESS: Decider(
        DeciderKind.IMPLIED, "implied allow egress", IMPLIED_PRIORITY, Direction.EGRESS, Action.ALLOW
    ),
    Direction.INGRESS: Decider(
        DeciderKind.IMPLIED, "implied deny ingress", IMPLIED_PRIORITY, Direction.INGRESS, Action.DENY
    ),
}


class Firewall:
    """Everything that filters the traffic of a network, ready to judge any number of flows.

    Args:
        rules: VPC firewall rules; those of other networks count for nothing.
        policies: Hierarchical and global network policies, from networks.getEffectiveFirewalls.
        enforcement_order: The network's networkFirewallPolicyEnforcementOrder.
        regional: System and regional network policies, from the region's firewallPolicies.getEffectiveFirewalls; its
            answer repeats the others, which are used where `policies` could not be read.
        at_receiver: The same of the receiver's region, whose policies decide about ingress; None: it is that region.
    """

    def __init__(
        self,
        rules: Iterable[FirewallRule],
        policies: Policies = (),
        enforcement_order: str = AFTER_CLASSIC_FIREWALL,
        regional: Policies = (),
        at_receiver: Policies | None = None,
    ) -> None:
        self._book = RuleBook(rules)
        self._policies = policies
        self._regional = {
            Direction.EGRESS: regional,
            Direction.INGRESS: regional if at_receiver is None else at_receiver,
        }
        self._has_policies = bool(policies or any(self._regional.values()))
        self._before_classic = enforcement_order == BEFORE_CLASSIC_FIREWALL
        self._rules_stages: dict[object, Stage] = {}
        self._policy_stages: dict[object, tuple[tuple[Stage, ...], tuple[Stage, ...]]] = {}

    def judge(self, direction: Direction, flow: Flow) -> Judgement:
        """What becomes of the flow in one direction, exact for each address and port."""
        receiver = flow.receiver
        if direction is Direction.INGRESS and receiver.side is not Side.VPC:
            if receiver.side is Side.MANAGED:
                return Judgement(direction, Answer.ALLOWED, (), exempt=_EXEMPT)
            exempt = f"what stands at {receiver.where}, and which ingress rules apply to it, is not known"
            return Judgement(direction, Answer.UNKNOWN, (), exempt=exempt)
        return evaluate(direction, _box(flow), self._stages_for(direction, flow), _IMPLIED[direction])

    def denies_in_the_way(self, direction: Direction, flow: Flow) -> tuple[FirewallRule, ...]:
        """VPC deny rules that touch the flow, or may, strongest first: what an allow of one's own has to beat."""
        if direction is Direction.INGRESS and flow.receiver.side is not Side.VPC:
            return ()
        box = _box(flow)
        denies = [
            clause.decider.rule
            for stage in self._stages_for(direction, flow)
            for clause in stage.clauses_for(box)
            if clause.effect is Effect.DENY
            and clause.decider.rule is not None
            and clause.share_of(box) is not Share.NONE
        ]
        return tuple(dict.fromkeys(denies))

    def _stages_for(self, direction: Direction, flow: Flow) -> tuple[Stage, ...]:
        """The stages in order, with what may apply to flows of this kind; each kind is made ready once."""
        common = (direction, flow.network, flow.protocol, flow.receiver.ports)
        rules_key = (*common, self._book.kind_of(direction, flow))
        rules = self._rules_stages.get(rules_key)
        if rules is None:
            if len(self._rules_stages) >= _KEPT:
                self._rules_stages.clear()
            rules = Stage(_on_ports(self._book.clauses_for(direction, flow), flow))
            self._rules_stages[rules_key] = rules
        if not self._has_policies:
            return (rules,)
        receiver = flow.receiver
        ingress = direction is Direction.INGRESS
        at = (receiver.service_accounts, receiver.secure_tags) if ingress else flow.sender.service_accounts
        policies = self._policy_stages.get((*common, at))
        if policies is None:
            policies = self._policy_stages[(*common, at)] = self._around_rules(direction, flow)
        before, after = policies
        return (*before, rules, *after)

    def _around_rules(self, direction: Direction, flow: Flow) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
        """The policies' stages before the VPC rules, and those after."""

        def stages(*kinds: PolicyKind, beatable: bool) -> tuple[Stage, ...]:
            return tuple(stage for kind in kinds for stage in self._stages_of(kind, direction, flow, beatable=beatable))

        network = (PolicyKind.NETWORK, PolicyKind.NETWORK_REGIONAL)
        first = stages(PolicyKind.HIERARCHY, PolicyKind.SYSTEM, beatable=False)
        if self._before_classic:
            return (*first, *stages(*network, beatable=False)), ()
        return first, stages(*network, beatable=True)

    def _stages_of(self, kind: PolicyKind, direction: Direction, flow: Flow, *, beatable: bool) -> Iterator[Stage]:
        found = self._found(kind, direction)
        if isinstance(found, Unread):
            yield Stage((), found)
            return
        for policy in (one for one in found if one.kind is kind):
            rules = sorted((rule for rule in policy.rules if rule.direction is direction), key=lambda one: one.priority)
            clauses = (clause for rule in rules for clause in policy_clauses(policy, rule, flow, beatable=beatable))
            yield Stage(_on_ports(clauses, flow))

    def _found(self, kind: PolicyKind, direction: Direction) -> Policies:
        """Where policies of a kind are to be looked for: only the regional answer holds them all."""
        regional = self._regional[direction]
        if kind in (PolicyKind.HIERARCHY, PolicyKind.NETWORK):
            readable = not isinstance(self._policies, Unread)
            return self._policies if readable or isinstance(regional, Unread) else regional
        if isinstance(regional, Unread) or isinstance(self._policies, Unread):
            return regional
        known = {policy.name for policy in regional}
        return (*regional, *(policy for policy in self._policies if policy.name not in known))


def _box(flow: Flow) -> Box:
    return (*span_of(flow.sender.range), *span_of(flow.receiver.addresses), *flow.receiver.ports)


def _on_ports(clauses: Iterable[Clause], flow: Flow) -> Iterator[Clause]:
    first, last = flow.receiver.ports
    return (clause for clause in clauses if any(low <= last and high >= first for low, high in clause.ports))
