"""Tells what happened: status, Events, metrics and logs, each only when there is news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import structlog
from pydantic import ValidationError

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.status import ConditionStatus, RedisConnectivityStatus
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.core.actions import (
    CloudAction,
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_prober import CreateProber, DeleteProber, ProberAction, UpdateProber
from redis_connectivity.core.statusbuild import StatusInput, build_status, has_news
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import KubeError
from redis_connectivity.kube.events import EventPoster
from redis_connectivity.metrics import Metrics
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.store import Body, Key, ResourceStore

__all__ = ["Reporter"]

_log = structlog.get_logger(__name__)

_REASONS: dict[type, str] = {
    InsertRule: "FirewallRuleCreated",
    UpdateRule: "FirewallRuleUpdated",
    DeleteRule: "FirewallRuleDeleted",
    CreateConnector: "ConnectorCreating",
    PatchConnector: "ConnectorUpdating",
    DeleteConnector: "ConnectorDeleting",
    CreateProber: "ProberCreating",
    UpdateProber: "ProberUpdating",
    DeleteProber: "ProberDeleting",
}


class Reporter:
    """Writes status and posts Events. `heartbeat` is the least time between writes for figures that merely move."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        store: ResourceStore,
        events: EventPoster,
        metrics: Metrics,
        probes: ProbeScheduler,
        may_write: Callable[[], None],
        now: Callable[[], float],
        heartbeat: float,
    ) -> None:
        self._kube = kube
        self._store = store
        self._events = events
        self._metrics = metrics
        self._probes = probes
        self._may_write = may_write
        self._now = now
        self._heartbeat = heartbeat
        self._written: dict[Key, float] = {}
        self._posting: set[asyncio.Task[None]] = set()

    def previous(self, body: Body) -> RedisConnectivityStatus:
        """The status that the resource carries; an empty one where it carries none that can be read."""
        try:
            return RedisConnectivityStatus.model_validate(body.get("status") or {}, extra="ignore")
        except ValidationError:
            return RedisConnectivityStatus()

    async def tell(self, key: Key, body: Body, status: RedisConnectivityStatus) -> None:
        """Write the status if it has news, and say on Events what turned."""
        before = self.previous(body)
        self._measure(key, status)
        if status == before:
            return
        moved_long_enough = self._now() - self._written.get(key, 0.0) >= self._heartbeat
        if not has_news(before, status) and not moved_long_enough:
            return
        self._may_write()
        written = await self._kube.apply_status(
            body["metadata"], status.model_dump(mode="json", by_alias=True, exclude_none=True)
        )
        self._store.wrote(written)
        self._written[key] = self._now()
        self._metrics.status_writes.inc()
        self._turns(key, body, before, status)

    async def progress(
        self, key: Key, body: Body, generation: int, desired: Desired, observed: Observed, plan: Plan, *, probed: bool
    ) -> None:
        """Tell what is about to be done, so that a user who watches sees the conditions turn."""
        status = build_status(
            StatusInput(
                desired=desired,
                observed=observed,
                plan=plan,
                probe=self._probes.memory(key),
                circuit=self._probes.circuit(key),
                windows=self._probes.windows(key),
                generation=generation,
                previous=self.previous(body),
                now=self._now(),
                reconcile_at=self.previous(body).last_handled_reconcile_at,
                probed=probed,
            )
        )
        await self.tell(key, body, status)

    def drift_seen(self, key: Key, owner: ResourceId, before: Ledger, after: Ledger) -> None:
        """Say which changes by others are new, and which are repaired."""
        known = {(one.kind, one.name, one.field, one.seen): one for one in before.drift}
        for record in after.drift:
            old = known.get((record.kind, record.name, record.field, record.seen))
            what = f"{record.kind} {record.name}: {record.field}"
            if old is None:
                self._metrics.drift.labels(key.namespace, key.name, record.kind).inc()
                note = f"{what} was {record.before or 'empty'}, found {record.after or 'empty'}."
                self._post(owner, "Warning", "DriftDetected", "Observe", note)
            elif old.repaired is None and record.repaired is not None:
                seconds = record.repaired - record.seen
                self._post(
                    owner, "Normal", "DriftRepaired", "Repair", f"{what} is as declared again ({seconds:.1f} s)."
                )

    def contended(self, owner: ResourceId, before: Ledger, after: Ledger, evidence: str) -> None:
        """Say once a fight that somebody else keeps undoing what is repaired."""
        told = {key for key, contest in after.contests.items() if contest.told}
        if any(key not in before.contests or not before.contests[key].told for key in told):
            _log.warning("drift.contended", resource=owner.key, evidence=evidence)
            self._post(owner, "Warning", Reason.DRIFT_CONTENDED, "Repair", evidence)

    def applied(self, owner: ResourceId, action: CloudAction | ProberAction) -> None:
        """Say that an action was carried out (a connector's goes on at Google's)."""
        self._metrics.cloud_writes.labels(type(action).__name__, "ok").inc()
        note = f"{action.summary[:1].upper()}{action.summary[1:]}, because {action.why}."
        self._post(owner, "Normal", _REASONS[type(action)], "Apply", note)

    def failed(self, owner: ResourceId, action: CloudAction | ProberAction, error: CloudError) -> None:
        """Say that an action could not be carried out."""
        self._metrics.cloud_writes.labels(type(action).__name__, error.kind).inc()
        _log.warning("apply.failed", resource=owner.key, action=action.summary, error=str(error), kind=error.kind)
        self._post(owner, "Warning", "ApplyFailed", "Apply", f"Could not {action.summary}: {error.message}")

    def not_allowed(self, owner: ResourceId, message: str) -> None:
        """Say that a policy forbids what the resource declares."""
        _log.warning("policy.violated", resource=owner.key, message=message)
        self._post(owner, "Warning", Reason.NOT_ALLOWED_BY_POLICY, "Check", message)

    def deletion_blocked(self, owner: ResourceId, message: str) -> None:
        """Say that a deletion does not get on, why, and what to do."""
        _log.warning("deletion.blocked", resource=owner.key, message=message)
        self._post(owner, "Warning", "DeletionBlocked", "Delete", message)

    def released(self, owner: ResourceId, what: str) -> None:
        """Say what was adopted and stays in the cloud when the resource goes."""
        self._post(owner, "Normal", "Released", "Delete", what)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._written.pop(key, None)
        self._metrics.forget(key.namespace, key.name)

    async def close(self) -> None:
        """Let Events that are on their way arrive."""
        if self._posting:
            await asyncio.wait(self._posting, timeout=2.0)

    def _turns(self, key: Key, body: Body, before: RedisConnectivityStatus, after: RedisConnectivityStatus) -> None:
        owner = ResourceId("", key.namespace, key.name, body["metadata"]["uid"])
        old = {one.type: one.status for one in before.conditions}
        for condition in after.conditions:
            if condition.type not in (ConditionType.READY, ConditionType.REACHABLE):
                continue
            if old.get(condition.type) is condition.status or condition.status is ConditionStatus.UNKNOWN:
                continue
            is_good = condition.status is ConditionStatus.TRUE
            if not is_good and old.get(condition.type) is not ConditionStatus.TRUE:
                continue  # it was not good before either: news for status, not for an Event
            reason = condition.type.value if is_good else f"Not{condition.type.value}"
            self._post(owner, "Normal" if is_good else "Warning", reason, "Observe", condition.message)
        _log.info(
            "status",
            resource=str(key),
            **{one.type.value: f"{one.status.value}/{one.reason.value}" for one in after.conditions},
        )

    def _measure(self, key: Key, status: RedisConnectivityStatus) -> None:
        contended = any(one.reason is Reason.DRIFT_CONTENDED for one in status.conditions)
        self._metrics.contended.labels(key.namespace, key.name).set(1 if contended else 0)
        diagnosis = status.diagnosis
        self._metrics.diagnosed(key.namespace, key.name, diagnosis.code.value if diagnosis else None)
        circuit = status.probe.circuit if status.probe is not None else None
        self._metrics.circuit(key.namespace, key.name, circuit.state if circuit is not None else None)
        for condition in status.conditions:
            for value in ConditionStatus:
                self._metrics.condition.labels(key.namespace, key.name, condition.type.value, value.value).set(
                    1 if condition.status is value else 0
                )

    def _post(self, owner: ResourceId, kind: Literal["Normal", "Warning"], reason: str, action: str, note: str) -> None:
        """Post in the background: an Event that cannot be posted must not hold up a repair."""
        task = asyncio.create_task(self._posted(owner, kind, reason, action, note))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def _posted(
        self, owner: ResourceId, kind: Literal["Normal", "Warning"], reason: str, action: str, note: str
    ) -> None:
        try:
            await self._events.post(owner, kind, reason, action, note)
        except KubeError as error:
            _log.warning("event.failed", resource=owner.key, reason=reason, error=str(error))
