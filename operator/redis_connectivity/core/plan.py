"""The plan: from what should be, what is and what was done, to what to do next and how each hop stands.

One function, called as often as one likes: the same input gives the same plan, and a plan whose actions all happened
leads to a plan without actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import DriftPolicy
from redis_connectivity.core.actions import CloudAction, CreateConnector, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.adoption import adopt_connector, forget_released
from redis_connectivity.core.baseline import remember_baseline
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.connector_compare import immutable_difference
from redis_connectivity.core.connector_ledger import absorb_operation
from redis_connectivity.core.connector_plan import ConnectorPlan, RetiringView
from redis_connectivity.core.contention import Held, Repair, hold, repair_of
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import Difference, applied_form, remember
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.lineage import prefer_declared, settle
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan_direction import RuleView
from redis_connectivity.core.plan_entry import plan_entry
from redis_connectivity.core.plan_firewall import FirewallPlan, own_rules, plan_firewall
from redis_connectivity.core.plan_network import plan_network
from redis_connectivity.core.plan_redis import RedisPlan, plan_redis
from redis_connectivity.core.sources import Source
from redis_connectivity.core.targets import Target
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = ["Plan", "RedisPlan", "make_plan", "projects_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and how each hop stands as observed."""

    network: Verdict
    connector: Verdict
    redis: Verdict
    firewall: Verdict
    in_sync: Verdict
    actions: tuple[CloudAction, ...]
    ledger: Ledger
    rules: tuple[RuleView, ...] = ()
    destination: tuple[str, int] | None = None
    target: Target | None = None
    #: Where traffic comes from, as far as it is known; the main one first.
    sources: tuple[Source, ...] = ()
    #: Connectors that were replaced, and are still there.
    retiring: tuple[RetiringView, ...] = ()
    due_in: float | None = None
    differences: tuple[Difference, ...] = field(default=())
    #: Those of the actions that repair something, to be counted once they succeeded.
    repairs: tuple[Repair, ...] = field(default=())

    @property
    def source(self) -> IPv4Network | None:
        """The range that the main source's traffic comes from."""
        return self.sources[0].range if self.sources else None

    @property
    def entry(self) -> Verdict:
        """How the way stands by which traffic gets into the network: the network itself, then the connector."""
        return self.connector if self.network.ok else self.network

    @property
    def hops(self) -> tuple[Verdict, ...]:
        """The verdicts along the path, in its order."""
        return (self.network, self.connector, self.redis, self.firewall)

    @property
    def open_hop(self) -> Verdict | None:
        """The first hop that stands between the path and Ready; one that only a probe can judge does not."""
        return next((hop for hop in self.hops if not hop.ok and not hop.undecidable), None)

    def with_failure(self, action: CloudAction, verdict: Verdict) -> Plan:
        """The plan after an action failed: the hop that the action was for carries the failure."""
        if isinstance(action, InsertRule | UpdateRule | DeleteRule):
            return replace(self, firewall=verdict, in_sync=bad(verdict.reason, verdict.message))
        return replace(self, connector=verdict, in_sync=bad(verdict.reason, verdict.message))


def make_plan(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> Plan:
    """The plan for a resource that is not being deleted. `now` is in seconds since the epoch."""
    ledger = forget_released(ledger.model_copy(update=projects_of(desired)))
    if desired.direct is None:
        desired, observed = settle(desired, observed, ledger)
        ledger = absorb_operation(desired, observed, ledger, now)
        ledger = prefer_declared(desired, observed, ledger)
        desired, observed = settle(desired, observed, ledger)
        differs = isinstance(observed.connector, Connector) and bool(immutable_difference(desired, observed.connector))
        ledger = adopt_connector(desired, observed, ledger, differs=differs)
    network = plan_network(desired, observed)
    connector = (
        plan_entry(desired, observed, ledger, now)
        if network.ok
        else ConnectorPlan(unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for the network."))
    )
    if observed.conflict is not None:
        # What is there goes on being used, and rules follow it; nothing is made or changed against the older one.
        verdict = bad(Reason.CONFLICT, observed.conflict.message, stalled=True)
        connector = replace(connector, verdict=verdict, actions=(), differences=())
    redis = (
        plan_redis(desired, observed)
        if network.ok
        else RedisPlan(unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for the network."))
    )
    firewall = _firewall(desired, observed, ledger, connector, redis)
    differences = (*connector.differences, *firewall.differences)
    actions = (*connector.actions, *firewall.actions)
    repairs = tuple(one for action in actions if (one := repair_of(action, differences, ledger)) is not None)
    held = hold(repairs, ledger, now)
    if held.ledger is not None:
        ledger = held.ledger
        connector, firewall = _without_held(connector, firewall, held)
        actions = (*connector.actions, *firewall.actions)
    written = ledger.applied
    if not isinstance(observed.rules, Unseen):
        ledger = _learn_applied(observed, ledger, firewall)
        ledger = _learn_adopted(desired, observed, ledger, firewall)
        if firewall.rules:
            ledger = ledger.model_copy(update={"widened": dict(firewall.widened)})
    if network.ok and not isinstance(observed.rules, Unseen) and not isinstance(observed.connector, Unseen):
        ledger = ledger.model_copy(update={"drift": remember(ledger.drift, differences, now, written)})
    if actions:
        ledger = remember_baseline(desired, observed, ledger, connector.sources, redis.destinations, now)
    return Plan(
        network=network,
        connector=connector.verdict,
        redis=redis.verdict,
        firewall=firewall.verdict,
        in_sync=_in_sync(
            desired,
            (network, connector.verdict, redis.verdict, firewall.verdict),
            actions,
            differences,
            connector.blocked,
            connector.blocked_reason,
            held.evidence,
            firewall.waiting,
        ),
        actions=actions,
        repairs=tuple(one for one in repairs if one.action in actions),
        ledger=ledger,
        rules=firewall.rules,
        destination=redis.main,
        target=redis.target,
        sources=connector.sources,
        retiring=connector.retiring,
        due_in=min((due for due in (connector.due_in, held.due_in) if due is not None), default=None),
        differences=differences,
    )


def _without_held(connector: ConnectorPlan, firewall: FirewallPlan, held: Held) -> tuple[ConnectorPlan, FirewallPlan]:
    """The hops as they stand while some repairs wait because somebody else keeps undoing them."""
    making = tuple(action for action in connector.actions if action not in held.actions)
    if making != connector.actions:
        lost = any(isinstance(action, CreateConnector) for action in held.actions)
        verdict = bad(Reason.DRIFT_CONTENDED, held.evidence) if lost else connector.verdict
        connector = replace(connector, actions=making, verdict=verdict)
    writing = tuple(action for action in firewall.actions if action not in held.actions)
    if writing != firewall.actions:
        verdict = firewall.at_rest or firewall.verdict
        if verdict.reason is Reason.FIREWALL_RULE_MISSING:
            verdict = bad(Reason.DRIFT_CONTENDED, f"{verdict.message} {held.evidence}")
        firewall = replace(firewall, actions=writing, verdict=firewall.verdict if writing else verdict)
    return connector, firewall


def projects_of(desired: Desired) -> dict[str, str]:
    """The ledger's fields for where things are made: they outlive a spec that becomes unreadable."""
    host = desired.network.project
    return {"project": desired.project, "host_project": host if host != desired.project else ""}


def _firewall(
    desired: Desired, observed: Observed, ledger: Ledger, connector: ConnectorPlan, redis: RedisPlan
) -> FirewallPlan:
    waits_for = ""
    if redis.target is None or not redis.target.endpoints:
        waits_for = "Redis"
    if not connector.usable or not connector.sources:
        waits_for = "the connector" if not waits_for else "the connector and Redis"
    if waits_for:
        return FirewallPlan(unknown(Reason.EARLIER_HOP_NOT_READY, f"Waits for {waits_for}."))
    return plan_firewall(desired, observed, ledger, connector.sources, redis.destinations)


def _learn_applied(observed: Observed, ledger: Ledger, firewall: FirewallPlan) -> Ledger:
    """Rules that are as wanted are remembered as applied; finished writes and rules that are no more are forgotten."""
    if isinstance(observed.rules, Unseen):
        return ledger
    applied = dict(ledger.applied)
    pending = dict(ledger.pending)
    for view in firewall.rules:
        if view.state == "InSync":
            form = applied_form(view.rule)
            if not form.same(applied.get(view.rule.name)):
                applied[view.rule.name] = form
            pending.pop(view.rule.name, None)
    if firewall.rules and not firewall.actions and not firewall.differences:
        kept = {view.rule.name for view in firewall.rules}
        applied = {name: form for name, form in applied.items() if name in kept}
        pending = {}
    if applied == ledger.applied and pending == ledger.pending:
        return ledger
    return ledger.model_copy(update={"applied": applied, "pending": pending})


def _learn_adopted(desired: Desired, observed: Observed, ledger: Ledger, firewall: FirewallPlan) -> Ledger:
    """What is about to be adopted is remembered as it is; what is not ours any more is forgotten."""
    if isinstance(observed.rules, Unseen) or not (ledger.adopted or firewall.adopts):
        return ledger
    mine = {rule.name for rule in own_rules(desired.owner.uid, desired.owner.cluster, observed.rules, ledger)}
    adopted = {name: rule for name, rule in ledger.adopted.items() if name in mine}
    adopted |= {rule.name: rule for rule in firewall.adopts}
    return ledger if adopted == ledger.adopted else ledger.model_copy(update={"adopted": adopted})


def _in_sync(
    desired: Desired,
    hops: tuple[Verdict, ...],
    actions: tuple[CloudAction, ...],
    differences: tuple[Difference, ...],
    blocked: str,
    blocked_reason: Reason,
    contended: str = "",
    moving: str = "",
) -> Verdict:
    if contended:
        return bad(Reason.DRIFT_CONTENDED, contended)
    if differences:
        text = "; ".join(
            f"{one.kind} {one.name}: {one.field} was {one.before or 'empty'}, found {one.after or 'empty'}"
            for one in differences
        )
        if desired.drift_policy is DriftPolicy.REPORT:
            return bad(Reason.DRIFT_REPORTED, f"{text}. Left so, because driftPolicy is Report.", stalled=True)
        return bad(Reason.REPAIRING, f"{text}. Being repaired.")
    if actions:
        return bad(Reason.PROGRESSING, "; ".join(action.summary for action in actions))
    if moving:
        return bad(Reason.PROGRESSING, moving)
    if blocked:
        return bad(blocked_reason, blocked)
    judged = [hop for hop in hops if not hop.undecidable]
    if any(hop.reason is Reason.EARLIER_HOP_NOT_READY or hop.status == "Unknown" for hop in judged):
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not everything could be looked at yet.")
    waiting = next((hop for hop in judged if not hop.ok), None)
    if waiting is not None:
        return bad(waiting.reason, waiting.message, stalled=waiting.stalled)
    return good(Reason.IN_SYNC, "Google Cloud holds what the resource declares.")
