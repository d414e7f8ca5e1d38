"""The path hop by hop as it is and as it will be: what a plan opens, what stays broken, and why."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RuleMode
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.forecast import Forecast
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_entry import plan_entry
from redis_connectivity.core.questions import question_of, rules_in_force
from redis_connectivity.core.reachability import Answer, Decider
from redis_connectivity.core.reachability.path import HopName as Judged
from redis_connectivity.core.reachability.path import PathAnswer, analyse
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = ["Hop", "HopName", "Outlook", "outlook", "path"]


class HopName(enum.StrEnum):
    """The hops, in the order that a packet meets them."""

    NETWORK = "Network"
    CONNECTOR = "Connector"
    EGRESS = "Egress"
    INGRESS = "Ingress"
    REDIS = "Redis"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop before and after."""

    name: HopName
    before: Verdict
    after: Verdict

    @property
    def changes(self) -> bool:
        """Whether the hop opens, closes or becomes known."""
        return self.before.status is not self.after.status


@dataclass(frozen=True, slots=True)
class Outlook:
    """The whole path before and after. True: open as far as configuration can tell; only a probe proves it."""

    hops: tuple[Hop, ...]
    before: ConditionStatus
    after: ConditionStatus

    @property
    def still_broken(self) -> tuple[Hop, ...]:
        """Hops that are not open afterwards, the first cause first; those that only wait for it are left out."""
        broken = tuple(hop for hop in self.hops if not hop.after.ok)
        causes = tuple(hop for hop in broken if hop.after.reason is not Reason.EARLIER_HOP_NOT_READY)
        return causes or broken


def outlook(desired: Desired, foretold: Forecast, now: float) -> Outlook:
    """The path's hops before and after what the forecast says will happen."""
    before = path(desired, foretold.before, foretold.now, now)
    after = path(desired, foretold.after, foretold.then, now)
    return Outlook(
        hops=tuple(Hop(name, before[name], after[name]) for name in HopName),
        before=_whole(before.values()),
        after=_whole(after.values()),
    )


def _whole(verdicts: Iterable[Verdict]) -> ConditionStatus:
    statuses = {verdict.status for verdict in verdicts}
    for status in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN):
        if status in statuses:
            return status
    return ConditionStatus.TRUE


def path(desired: Desired, observed: Observed, plan: Plan, now: float) -> dict[HopName, Verdict]:
    """Each hop as it is in one state of the cloud, without regard to what is planned for it."""
    firewall = _firewall(desired, observed, plan, now)
    return {
        HopName.NETWORK: plan.network,
        HopName.CONNECTOR: _connector(desired, observed, plan),
        HopName.EGRESS: _judged(firewall, Judged.EGRESS, desired, observed),
        HopName.INGRESS: _judged(firewall, Judged.INGRESS, desired, observed),
        HopName.REDIS: plan.redis,
    }


def _connector(desired: Desired, observed: Observed, plan: Plan) -> Verdict:
    if plan.network.ok and observed.connector is None and plan.connector.reason is Reason.CONNECTOR_CREATING:
        return bad(Reason.CONNECTOR_NOT_FOUND, f"There is no connector {desired.connector.name} yet.")
    return plan.connector


def _firewall(desired: Desired, observed: Observed, plan: Plan, now: float) -> PathAnswer | Verdict:
    """What the analyser says of the traffic in question, or why there is none to judge yet."""
    if isinstance(observed.rules, Unseen):
        return plan.firewall
    if not plan.network.ok:
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not judged: waits for the network.")
    connector = plan_entry(desired, observed, plan.ledger, now)
    if not connector.sources or not connector.usable:
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not judged: waits for the connector.")
    if plan.target is None or plan.target.main is None:
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not judged: Redis has no address yet.")
    destinations = plan.target.destinations
    rules = rules_in_force(desired, observed, connector.sources)
    if not destinations or isinstance(rules, Unseen):
        return plan.firewall
    return analyse(question_of(desired, observed, rules, connector.sources[0], destinations))


def _judged(judged: PathAnswer | Verdict, name: Judged, desired: Desired, observed: Observed) -> Verdict:
    if isinstance(judged, Verdict):
        return judged
    hop = judged.hop(name)
    if hop is None:
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not judged.")
    match hop.answer:
        case Answer.ALLOWED:
            return good(Reason.FIREWALL_OPEN, hop.message)
        case Answer.DENIED:
            return bad(_denied_reason(desired, name, hop.by), hop.message)
        case Answer.UNKNOWN:
            unread = observed.unread_policies
            if unread is not None:
                return unknown(unread.reason, f"{hop.message} {unread.message}")
            return unknown(Reason.FIREWALL_UNCERTAIN, hop.message)


def _denied_reason(desired: Desired, name: Judged, by: Decider | None) -> Reason:
    mode = desired.firewall.ingress if name is Judged.INGRESS else desired.firewall.egress
    if mode is RuleMode.NEVER:
        return Reason.FIREWALL_RULE_FORBIDDEN
    if by is not None and not by.beatable:
        return Reason.FIREWALL_DENY_UNBEATABLE
    fixed = desired.firewall.priority
    if by is not None and fixed is not None and by.priority <= fixed:
        return Reason.FIREWALL_SHADOWED
    return Reason.FIREWALL_RULE_MISSING
