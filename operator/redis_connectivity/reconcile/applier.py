"""Carries out a plan's actions, so that a crash at any point loses nothing and repeats nothing.

For each write: the intent goes into the ledger, then the call to Google, then what it answered. A firewall write has a
request id, and Google answers the same id with the same operation. A connector has none, so a lost answer is resolved
by looking at what is there.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Literal, TypeVar

import structlog

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, Conflict, NotFound, Retryable
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.actions import (
    CloudAction,
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.cloudvalues import Connector, ConnectorState, FirewallRule
from redis_connectivity.core.drift import applied_form, rule_fields
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import ClaimState, ConnectorOperation, Ledger, PendingRuleWrite
from redis_connectivity.core.lineage import claiming, giving_up
from redis_connectivity.core.plan_firewall import own_rules

__all__ = ["Applier", "Apply", "StaleObservationError"]

_log = structlog.get_logger(__name__)

#: Seconds to wait for a firewall operation; they take a few.
_FIREWALL_OPERATION_PATIENCE = 180.0


class StaleObservationError(Exception):
    """What is there now is not what the plan was made for; look again and plan again."""


class Apply:
    """One resource's application of actions, which may run side by side.

    `save` persists the ledger; after it returns, a crash cannot lose it.
    """

    def __init__(
        self, owner: ResourceId, ledger: Ledger, save: Callable[[Ledger], Awaitable[None]], lane: Lane
    ) -> None:
        self.owner = owner
        self.ledger = ledger
        self.lane = lane
        self._save = save
        self._lock = asyncio.Lock()

    async def record(self, change: Callable[[Ledger], Mapping[str, object]]) -> None:
        """Change the ledger by fields computed from its present state, and persist it."""
        async with self._lock:
            ledger = self.ledger.model_copy(update=dict(change(self.ledger)))
            if ledger != self.ledger:
                await self._save(ledger)
                self.ledger = ledger


V = TypeVar("V")


def _without(entries: Mapping[str, V], name: str) -> dict[str, V]:
    return {key: value for key, value in entries.items() if key != name}


def _digest(rule: FirewallRule) -> str:
    return sha256(repr(sorted(rule_fields(rule).items())).encode()).hexdigest()[:16]


class Applier:
    """Executes actions. `may_write` is called right before each write and raises when this process must not."""

    def __init__(self, cloud: GoogleCloud, may_write: Callable[[], None], now: Callable[[], float]) -> None:
        self._cloud = cloud
        self._may_write = may_write
        self._now = now

    async def apply(self, action: CloudAction, to: Apply) -> None:
        """Carry out one action.

        Raises:
            CloudError: Google refused or could not; the ledger knows what was begun.
            StaleObservationError: plan again.
        """
        log = _log.bind(resource=to.owner.key, why=action.why)
        match action:
            case InsertRule():
                await self._write_rule("insert", action.rule, to)
            case UpdateRule():
                await self._still_ours(action.before, to)
                await self._write_rule("update", action.rule, to)
            case DeleteRule():
                await self._delete_rule(action.rule, to)
            case CreateConnector():
                await self._create_connector(action, to)
            case PatchConnector():
                await self._patch_connector(action, to)
            case DeleteConnector():
                await self._delete_connector(action.connector, to)
        log.info("applied", action=action.summary)

    async def _still_ours(self, rule: FirewallRule, to: Apply) -> FirewallRule:
        """A fresh look before a rule is changed or deleted: firewall rules have no fingerprint to test with."""
        project = rule.network.project
        fresh = await self._cloud.fresh_firewall(project, rule.name, to.lane)
        if fresh is None:
            raise StaleObservationError(f"rule {rule.name} is gone")
        if fresh != rule or fresh.id != rule.id:
            if not own_rules(to.owner.uid, to.owner.cluster, (fresh,), to.ledger):
                raise StaleObservationError(f"rule {rule.name} is not ours any more")
            raise StaleObservationError(f"rule {rule.name} changed again")
        return fresh

    async def _request_id(self, kind: str, name: str, digest: str, to: Apply) -> str:
        """The id of the same write if it was begun before, else a new one that is in the ledger already."""
        pending = to.ledger.pending.get(name)
        if pending is not None and (pending.kind, pending.digest) == (kind, digest):
            return pending.request_id
        entry = PendingRuleWrite.model_validate(
            {"kind": kind, "request_id": str(uuid.uuid4()), "digest": digest, "started": self._now()}
        )
        await to.record(lambda ledger: {"pending": {**ledger.pending, name: entry}})
        return entry.request_id

    async def _write_rule(self, kind: str, rule: FirewallRule, to: Apply) -> None:
        project = rule.network.project
        request_id = await self._request_id(kind, rule.name, _digest(rule), to)
        self._may_write()
        call = self._cloud.insert_firewall if kind == "insert" else self._cloud.update_firewall
        try:
            operation = await call(rule, request_id=request_id, lane=to.lane)
            fresh = await self._settle(project, operation, rule.name, to)
        except Conflict as error:
            await self._forget_pending(rule.name, to)
            await self._cloud.fresh_firewall(project, rule.name, to.lane)
            raise StaleObservationError(f"rule {rule.name} exists already") from error
        except Retryable:
            raise  # it may have happened: the same request id asks again
        except CloudError:
            await self._forget_pending(rule.name, to)
            raise
        # What we meant to write, with Google's id: a difference to what is there now is somebody else's.
        form = applied_form(replace(rule, id=fresh.id if fresh else ""))
        done = {} if fresh is None else {rule.name: form.model_copy(update={"at": self._now()})}
        await to.record(
            lambda ledger: {
                "applied": {**ledger.applied, **done},
                "pending": _without(ledger.pending, rule.name),
            }
        )

    async def _delete_rule(self, rule: FirewallRule, to: Apply) -> None:
        project = rule.network.project
        await self._still_ours(rule, to)
        request_id = await self._request_id("delete", rule.name, rule.id, to)
        self._may_write()
        try:
            operation = await self._cloud.delete_firewall(project, rule.name, request_id=request_id, lane=to.lane)
            await self._settle(project, operation, rule.name, to)
        except NotFound:
            # Somebody else deleted it meanwhile: that is what we wanted.
            self._cloud.inventory.patch_local(keys.firewalls(project), rule.name, None)
        except Retryable:
            raise
        except CloudError:
            await self._forget_pending(rule.name, to)
            raise
        await to.record(
            lambda ledger: {
                "applied": _without(ledger.applied, rule.name),
                "pending": _without(ledger.pending, rule.name),
            }
        )

    async def _settle(self, project: str, operation: str, name: str, to: Apply) -> FirewallRule | None:
        return await self._cloud.settle_firewall(
            project, operation, name, patience=_FIREWALL_OPERATION_PATIENCE, lane=to.lane
        )

    async def _forget_pending(self, name: str, to: Apply) -> None:
        await to.record(lambda ledger: {"pending": _without(ledger.pending, name)})

    async def _create_connector(self, action: CreateConnector, to: Apply) -> None:
        _, project, _, region, _, name = action.connector.split("/")
        if await self._cloud.fresh_connector(project, region, name, to.lane) is not None:
            raise StaleObservationError(f"connector {name} exists already")
        low, high = action.want.create_counts
        connector = Connector(
            project=project,
            region=region,
            name=name,
            state=ConnectorState.STATE_UNSPECIFIED,
            network=action.network,
            ip_cidr_range=action.want.ip_cidr_range,
            subnet=action.want.subnet or "",
            subnet_project=action.subnet_project,
            machine_type=action.want.machine_type,
            min_instances=low,
            max_instances=high,
        )
        before = to.ledger
        await self._begin(to, "create", action.connector, "", **claiming(before, action.connector, ClaimState.INTENDED))
        self._may_write()
        try:
            operation = await self._cloud.create_connector(connector, lane=to.lane)
        except Retryable:
            raise  # it may have happened: the ledger says that it was meant to
        except CloudError as error:
            # Google refused, so nothing was made. AlreadyExists: somebody was faster, and it is theirs.
            kept = {"claim": before.claim, "retiring": before.retiring, "current": before.current}
            await to.record(lambda _: {**kept, "operation": None})
            await self._cloud.fresh_connector(project, region, name, to.lane)
            if isinstance(error, Conflict):
                raise StaleObservationError(f"connector {name} was made by somebody else just now") from error
            raise
        confirmed = claiming(to.ledger, action.connector, ClaimState.CONFIRMED)
        await self._begin(to, "create", action.connector, operation, **confirmed)
        await self._cloud.fresh_connector(project, region, name, to.lane)

    async def _patch_connector(self, action: PatchConnector, to: Apply) -> None:
        connector = action.connector
        low, high = action.counts or (connector.min_instances, connector.max_instances)
        await self._begin(to, "patch", connector.full_name)
        self._may_write()
        try:
            operation = await self._cloud.patch_connector(
                connector.project,
                connector.region,
                connector.name,
                min_instances=low,
                max_instances=high,
                machine_type=action.machine_type,
                lane=to.lane,
            )
        except Retryable:
            raise
        except CloudError:
            await to.record(lambda _: {"operation": None})
            raise
        await self._begin(to, "patch", connector.full_name, operation)
        await self._cloud.fresh_connector(connector.project, connector.region, connector.name, to.lane)

    async def _delete_connector(self, connector: Connector, to: Apply) -> None:
        await self._begin(to, "delete", connector.full_name)
        self._may_write()
        try:
            operation = await self._cloud.delete_connector(
                connector.project, connector.region, connector.name, lane=to.lane
            )
        except NotFound:
            await to.record(lambda ledger: {"operation": None, **giving_up(ledger, connector.full_name)})
            view = keys.connectors(connector.project, connector.region)
            self._cloud.inventory.patch_local(view, connector.name, None)
            return
        except Retryable:
            raise
        except CloudError:
            await to.record(lambda _: {"operation": None})
            raise
        await self._begin(to, "delete", connector.full_name, operation)
        await self._cloud.fresh_connector(connector.project, connector.region, connector.name, to.lane)

    async def _begin(
        self,
        to: Apply,
        kind: Literal["create", "patch", "delete"],
        connector: str,
        name: str = "",
        **changes: object,
    ) -> None:
        """Record a connector operation: before the call without a name, after its answer with one."""
        operation = ConnectorOperation(kind=kind, name=name, started=self._now(), connector=connector)
        await to.record(lambda _: {"operation": operation, **changes})
