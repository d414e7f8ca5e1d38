"""From plan and probes to the status that users read. Pure: the same input gives the same status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.diagnosis import DiagnosisStatus
from redis_connectivity.api.status import (
    Condition,
    ConditionStatus,
    ConnectorStatus,
    DriftEntry,
    FirewallRuleStatus,
    NetworkStatus,
    ProberStatus,
    RedisConnectivityStatus,
    RedisEndpointStatus,
    RedisStatus,
    RetiringConnectorStatus,
)
from redis_connectivity.core.baseline import baseline_status
from redis_connectivity.core.breaker import Circuit
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.connector_ledger import owns
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.diagnosis import ACCESS_REASONS, Case, find_cause, held_back, tell, walk
from redis_connectivity.core.drift import layer4_text
from redis_connectivity.core.ledger import DriftRecord
from redis_connectivity.core.lineage import settle
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outages import no_longer_watched, outages
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_prober import ProberPlan
from redis_connectivity.core.prober import prober_path
from redis_connectivity.core.probestatus import probe_status, without_figures
from redis_connectivity.core.probing import ProbeMemory, reachable
from redis_connectivity.core.targets import Reach, look_at, profile_of
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.verdict import Verdict, bad, good, unknown
from redis_connectivity.core.windows import WindowFigures

__all__ = ["StatusInput", "build_status", "conditions_only", "has_news"]

#: Reachable is unknown for these only because nobody probes from behind the connector.
_SAYS_NOTHING = frozenset({Reason.OPERATOR_PROBE_SUCCEEDED, Reason.OPERATOR_PROBE_FAILED, Reason.NOT_PROBED})


@dataclass(frozen=True, slots=True)
class StatusInput:
    """What a status is made of."""

    desired: Desired
    observed: Observed
    plan: Plan
    probe: ProbeMemory | None
    generation: int
    previous: RedisConnectivityStatus
    now: float
    reconcile_at: str | None = None
    #: The prober that the operator deploys; None where the resource asks for none, or it has not been looked at.
    prober: ProberPlan | None = None
    #: Whether anybody probes: there is a prober, or the operator probes by itself.
    probed: bool = True
    #: Of the target's probes; None where nobody probes.
    circuit: Circuit | None = None
    #: Its probes of late.
    windows: tuple[WindowFigures, ...] = ()


def build_status(given: StatusInput) -> RedisConnectivityStatus:
    """The whole status of a resource that is neither suspended nor deleted."""
    plan = given.plan
    desired, observed = settle(given.desired, given.observed, plan.ledger)
    given = replace(given, desired=desired, observed=observed)
    way = "the connector" if given.desired.direct is None else "Direct VPC egress"
    reach = (
        _reachable(given, way)
        if plan.destination is not None
        else unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for Redis to have an address.")
    )
    verdicts = {
        ConditionType.READY: _ready(plan, reach, way),
        ConditionType.NETWORK_READY: plan.network,
        ConditionType.CONNECTOR_READY: plan.connector,
        ConditionType.REDIS_READY: plan.redis,
        ConditionType.FIREWALL_READY: plan.firewall,
        ConditionType.IN_SYNC: plan.in_sync,
        ConditionType.REACHABLE: reach,
        **_kstatus(plan),
    }
    trouble = given.prober.trouble if given.prober is not None and not given.prober.url else ""
    case = Case(given.desired, given.observed, plan, given.probe, given.probed, trouble)
    ready = verdicts[ConditionType.READY]
    diagnosis = _diagnosis(case, given, ready=ready.ok)
    return RedisConnectivityStatus(
        observed_generation=given.generation,
        conditions=_conditions(verdicts, given.previous.conditions, given.generation, given.now),
        network=NetworkStatus(
            project_id=given.desired.network.project,
            name=given.desired.network.name,
            exists=given.observed.network is not None and not isinstance(given.observed.network, Unseen),
        ),
        connector=_connector(given.desired, given.observed, plan) if given.desired.direct is None else None,
        redis=_redis(given.desired, given.observed),
        firewall_rules=[
            FirewallRuleStatus(
                name=view.rule.name,
                direction=view.rule.direction.value,
                state=view.state,
                priority=view.rule.priority,
                allowed=layer4_text(view.rule.layer4),
                source_ranges=sorted(view.rule.source_ranges),
                destination_ranges=sorted(view.rule.destination_ranges),
                target_tags=sorted(view.rule.target_tags),
                target_service_accounts=sorted(view.rule.target_service_accounts),
            )
            for view in sorted(plan.rules, key=lambda one: one.rule.name)
        ],
        prober=_prober(given),
        probe=probe_status(given.probe, given.circuit, given.windows),
        drift=[_drift(record) for record in plan.ledger.drift],
        baseline=baseline_status(plan.ledger),
        diagnosis=diagnosis,
        outages=outages(given.previous, ready, diagnosis, plan.actions, generation=given.generation, now=given.now),
        path=walk(case),
        last_handled_reconcile_at=given.reconcile_at,
    )


def _reachable(given: StatusInput, way: str) -> Verdict:
    prober = given.prober
    if prober is None:
        return reachable(given.probe, probed=given.probed, way=way)
    if not prober.url:
        return prober.verdict
    verdict = reachable(given.probe, probed=True, way=way)
    # What serves goes on to be asked; people should know that its successor does not get there.
    return replace(verdict, message=f"{verdict.message} {prober.trouble}") if prober.trouble else verdict


def _prober(given: StatusInput) -> ProberStatus | None:
    prober = given.prober
    if prober is None:
        # While the path itself is being worked on, what was known of it stands.
        return given.previous.prober if given.desired.deploys_prober else None
    seen, path = prober.seen, prober_path(given.desired)
    if seen is None:
        pending = prober.verdict.reason in (Reason.PENDING, Reason.EARLIER_HOP_NOT_READY)
        return ProberStatus(
            service=path, state="Absent" if pending else "Unknown", message=prober.trouble[:1024] or None
        )
    return ProberStatus(
        service=path,
        state="Deleting" if seen.deleting else seen.rollout.value,
        image=seen.image or None,
        url=prober.url or None,
        message=prober.trouble[:1024] or None,
    )


def _diagnosis(case: Case, given: StatusInput, *, ready: bool) -> DiagnosisStatus | None:
    """The first cause while the path is not Ready. A cause stands until the path is, or another one is found."""
    if ready:
        return None
    before = given.previous.diagnosis
    found = find_cause(case)
    if found is not None:
        return tell(found, before, rfc3339(given.now))
    # Being mended, or mended and not proven yet. What was said about another spec says nothing about this one.
    return before if given.previous.observed_generation == given.generation else None


def conditions_only(
    previous: RedisConnectivityStatus,
    verdicts: dict[ConditionType, Verdict],
    generation: int,
    now: float,
) -> RedisConnectivityStatus:
    """The previous status with some conditions changed: for a resource that is suspended, deleted or unreadable."""
    kept = {
        one.type: Verdict(one.status, one.reason, one.message)
        for one in previous.conditions
        if one.type not in verdicts
    }
    ready = verdicts.get(ConditionType.READY)
    given_up = ready is not None and ready.reason is Reason.SUSPENDED
    return previous.model_copy(
        update={
            "outages": no_longer_watched(previous.outages, now) if given_up else previous.outages,
            "observed_generation": generation,
            # Nobody looks at the path meanwhile: what was found on it would only grow old.
            "diagnosis": held_back(ready, previous.diagnosis, rfc3339(now)),
            "path": [],
            "probe": previous.probe.model_copy(update={"circuit": None}) if previous.probe is not None else None,
            "conditions": _conditions({**kept, **verdicts}, previous.conditions, generation, now),
        }
    )


def _ready(plan: Plan, reach: Verdict, way: str) -> Verdict:
    hop = plan.open_hop
    if hop is not None:
        return Verdict(
            ConditionStatus.FALSE if hop.status is ConditionStatus.FALSE else ConditionStatus.UNKNOWN,
            hop.reason,
            hop.message,
        )
    if reach.ok:
        message = f"The path is as declared, and Redis answers through {way}."
        unsure = next((hop for hop in plan.hops if not hop.ok), None)
        return good(
            Reason.PATH_PROVEN, f"{message} What the rules alone leave open: {unsure.message}" if unsure else message
        )
    doubt = plan.firewall.undecidable and plan.firewall.reason in ACCESS_REASONS
    if doubt and reach.reason is Reason.PROBER_UNAVAILABLE:
        # What is in doubt comes before what could have told, as in the diagnosis.
        return unknown(plan.firewall.reason, f"{plan.firewall.message} Only a probe can tell. {reach.message}")
    if reach.status is ConditionStatus.FALSE or reach.reason not in _SAYS_NOTHING:
        return reach
    if plan.firewall.undecidable:
        return unknown(plan.firewall.reason, plan.firewall.message)
    return good(
        Reason.CONFIGURED_NOT_PROVEN,
        f"The path is as declared, but no probe crosses {way}: set spec.probe.from to CloudRun, or"
        " spec.probe.proberUrl, to prove it.",
    )


def _kstatus(plan: Plan) -> dict[ConditionType, Verdict]:
    stalled = next((hop for hop in (*plan.hops, plan.in_sync) if hop.stalled), None)
    settled = plan.open_hop is None and not plan.actions
    if stalled is not None:
        waiting = Verdict(ConditionStatus.TRUE, stalled.reason, stalled.message)
        idle = bad(Reason.WAITING_FOR_CHANGE, "Waits for somebody to change the spec or the cloud.")
        return {ConditionType.STALLED: waiting, ConditionType.RECONCILING: idle}
    busy = (
        bad(Reason.SETTLED, "Nothing is under way.")
        if settled
        else good(Reason.PROGRESSING, plan.open_hop.message if plan.open_hop else "Work is under way.")
    )
    return {ConditionType.STALLED: bad(Reason.PROGRESSING, "Not stalled."), ConditionType.RECONCILING: busy}


def _conditions(
    verdicts: dict[ConditionType, Verdict], previous: Iterable[Condition], generation: int, now: float
) -> list[Condition]:
    before = {one.type: one for one in previous}
    made = []
    for kind in ConditionType:
        verdict = verdicts.get(kind, unknown(Reason.PENDING, "Not looked at yet."))
        old = before.get(kind)
        changed = old is None or old.status is not verdict.status
        made.append(
            Condition(
                type=kind,
                status=verdict.status,
                reason=verdict.reason,
                message=verdict.message[:32768],
                last_transition_time=rfc3339(now) if changed or old is None else old.last_transition_time,
                observed_generation=generation,
            )
        )
    return made


def _connector(desired: Desired, observed: Observed, plan: Plan) -> ConnectorStatus:
    ledger = plan.ledger
    retiring = [
        RetiringConnectorStatus(
            name=one.name, state=one.state, ip_cidr_range=one.range or None, waits_for=one.waits_for or None
        )
        for one in plan.retiring
    ]
    owned = owns(desired, ledger)
    operation = ledger.operation.name or None if ledger.operation else None
    seen = observed.connector
    if isinstance(seen, Connector):
        return ConnectorStatus(
            name=seen.name,
            state=seen.state.value,
            owned=owned,
            network=seen.network or None,
            ip_cidr_range=str(seen.ip_cidr_range) if seen.ip_cidr_range else None,
            machine_type=seen.machine_type or None,
            min_instances=seen.min_instances or None,
            max_instances=seen.max_instances or None,
            operation=operation,
            retiring=retiring,
        )
    state = "Unknown" if isinstance(seen, Unseen) else "Absent"
    name = desired.connector.name
    return ConnectorStatus(name=name, state=state, owned=owned, operation=operation, retiring=retiring)


def _redis(desired: Desired, observed: Observed) -> RedisStatus:
    profile = profile_of(desired.target)
    seen = observed.redis
    unseen = isinstance(seen, Unseen)
    target = look_at(desired.target, None if isinstance(seen, Unseen) else seen, desired.network)
    if target is None:
        return RedisStatus(kind=profile.kind, state="Unknown" if unseen else "Absent")
    host, port = target.main or (None, None)
    return RedisStatus(
        kind=profile.kind,
        host=host,
        port=port,
        state=target.state or None,
        authorized_network=target.networks[0].path if target.networks and profile.reach is Reach.PEERING else None,
        reached_by=profile.reach.value,
        tls=target.tls,
        authorization=target.authorization.value if target.authorization else None,
        endpoints=[
            RedisEndpointStatus(
                host=one.host,
                ports=[str(first) if first == last else f"{first}-{last}" for first, last in one.ports],
                role=one.role or None,
                psc_connection_status=one.status.value if profile.reach is Reach.PSC else None,
            )
            for one in target.endpoints
        ],
    )


def _drift(record: DriftRecord) -> DriftEntry:
    return DriftEntry(
        kind=record.kind,
        name=record.name,
        field=record.field,
        before=record.before,
        after=record.after,
        seen=rfc3339(record.seen),
        repaired=rfc3339(record.repaired) if record.repaired is not None else None,
        actor=record.actor[:320] or None,
        changed_at=rfc3339(record.changed) if record.changed is not None else None,
    )


def has_news(before: RedisConnectivityStatus, after: RedisConnectivityStatus) -> bool:
    """Whether `after` differs in more than figures that merely move (probe times, latency, failure counts)."""

    def settled(status: RedisConnectivityStatus) -> RedisConnectivityStatus:
        return status.model_copy(update={"probe": without_figures(status.probe) if status.probe else None})

    return settled(before) != settled(after)
