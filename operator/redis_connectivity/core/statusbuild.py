"""From plan and probes to the status that users read. Pure: the same input gives the same status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.status import (
    Condition,
    ConditionStatus,
    ConnectorStatus,
    DriftEntry,
    FirewallRuleStatus,
    NetworkStatus,
    ProbeFailure,
    ProbeStatus,
    RedisConnectivityStatus,
    RedisStatus,
)
from redis_connectivity.core.cloudvalues import Connector, RedisInstance
from redis_connectivity.core.desired import Desired, VmWant
from redis_connectivity.core.drift import layer4_text
from redis_connectivity.core.ledger import DriftRecord, Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_connector import owns
from redis_connectivity.core.probing import ProbeMemory, reachable
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = ["StatusInput", "build_status", "conditions_only", "has_news", "rfc3339"]


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
    #: Whether anybody probes: there is a prober, or the operator probes by itself.
    probed: bool = True


def build_status(given: StatusInput) -> RedisConnectivityStatus:
    """The whole status of a resource that is neither suspended nor deleted."""
    plan = given.plan
    reach = (
        reachable(given.probe, probed=given.probed)
        if plan.destination is not None
        else unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for Redis to have an address.")
    )
    verdicts = {
        ConditionType.READY: _ready(plan, reach),
        ConditionType.NETWORK_READY: plan.network,
        ConditionType.CONNECTOR_READY: plan.connector,
        ConditionType.REDIS_READY: plan.redis,
        ConditionType.FIREWALL_READY: plan.firewall,
        ConditionType.IN_SYNC: plan.in_sync,
        ConditionType.REACHABLE: reach,
        **_kstatus(plan),
    }
    return RedisConnectivityStatus(
        observed_generation=given.generation,
        conditions=_conditions(verdicts, given.previous.conditions, given.generation, given.now),
        network=NetworkStatus(
            project_id=given.desired.network.project,
            name=given.desired.network.name,
            exists=given.observed.network is not None and not isinstance(given.observed.network, Unseen),
        ),
        connector=_connector(given.desired, given.observed, plan.ledger),
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
            )
            for view in sorted(plan.rules, key=lambda one: one.rule.name)
        ],
        probe=_probe(given.probe),
        drift=[_drift(record) for record in plan.ledger.drift],
        last_handled_reconcile_at=given.reconcile_at,
    )


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
    return previous.model_copy(
        update={
            "observed_generation": generation,
            "conditions": _conditions({**kept, **verdicts}, previous.conditions, generation, now),
        }
    )


def _ready(plan: Plan, reach: Verdict) -> Verdict:
    for hop in plan.hops:
        if not hop.ok:
            return Verdict(
                ConditionStatus.FALSE if hop.status is ConditionStatus.FALSE else ConditionStatus.UNKNOWN,
                hop.reason,
                hop.message,
            )
    if reach.ok:
        return good(Reason.PATH_PROVEN, "The path is as declared, and Redis answers through the connector.")
    if reach.status is ConditionStatus.FALSE or reach.reason in (Reason.PENDING, Reason.PROBER_UNAVAILABLE):
        return reach
    return good(
        Reason.CONFIGURED_NOT_PROVEN,
        "The path is as declared, but no probe crosses the connector: set spec.probe.proberUrl to prove it.",
    )


def _kstatus(plan: Plan) -> dict[ConditionType, Verdict]:
    stalled = next((hop for hop in (*plan.hops, plan.in_sync) if hop.stalled), None)
    settled = all(hop.ok for hop in plan.hops) and not plan.actions
    if stalled is not None:
        waiting = Verdict(ConditionStatus.TRUE, stalled.reason, stalled.message)
        idle = bad(Reason.WAITING_FOR_CHANGE, "Waits for somebody to change the spec or the cloud.")
        return {ConditionType.STALLED: waiting, ConditionType.RECONCILING: idle}
    busy = (
        bad(Reason.SETTLED, "Nothing is under way.")
        if settled
        else good(Reason.PROGRESSING, next((hop.message for hop in plan.hops if not hop.ok), "Work is under way."))
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


def _connector(desired: Desired, observed: Observed, ledger: Ledger) -> ConnectorStatus:
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
        )
    state = "Unknown" if isinstance(seen, Unseen) else "Absent"
    return ConnectorStatus(name=desired.connector.name, state=state, owned=owned, operation=operation)


def _redis(desired: Desired, observed: Observed) -> RedisStatus:
    if isinstance(desired.target, VmWant):
        return RedisStatus(kind="VM", host=str(desired.target.host), port=desired.target.port)
    seen = observed.redis
    if not isinstance(seen, RedisInstance):
        return RedisStatus(kind="Memorystore", state="Unknown" if isinstance(seen, Unseen) else "Absent")
    return RedisStatus(
        kind="Memorystore",
        host=seen.host or None,
        port=seen.port or None,
        state=seen.state.value,
        authorized_network=seen.authorized_network.path if seen.authorized_network else None,
    )


def _probe(memory: ProbeMemory | None) -> ProbeStatus | None:
    if memory is None or memory.last is None:
        return None
    success, failure = memory.last_success, memory.last_failure
    return ProbeStatus(
        origin=memory.origin,
        crosses_connector=memory.origin == "Prober",
        target=memory.target,
        last_probe_time=rfc3339(memory.last.at),
        last_success_time=rfc3339(success.at) if success else None,
        latency_milliseconds=round(success.seconds * 1000, 1) if success and success.seconds is not None else None,
        consecutive_failures=memory.failures,
        last_failure=ProbeFailure(
            step=failure.step, code=failure.code, message=failure.message, time=rfc3339(failure.at)
        )
        if failure
        else None,
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
    )


def has_news(before: RedisConnectivityStatus, after: RedisConnectivityStatus) -> bool:
    """Whether `after` differs in more than figures that merely move (probe times, latency, failure counts)."""

    def without_figures(status: RedisConnectivityStatus) -> RedisConnectivityStatus:
        if status.probe is None:
            return status
        failure = status.probe.last_failure
        return status.model_copy(
            update={
                "probe": status.probe.model_copy(
                    update={
                        "last_probe_time": None,
                        "last_success_time": None,
                        "latency_milliseconds": None,
                        "consecutive_failures": 0,
                        "last_failure": failure.model_copy(update={"time": ""}) if failure else None,
                    }
                )
            }
        )

    return without_figures(before) != without_figures(after)
