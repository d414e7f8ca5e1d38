"""The probers that the operator deploys: kept as the resources need them, removed with the last one that does.

Several resources share a service, so whoever writes to one holds a lock, and looks at it afresh before: what another
has just done is seen. What was begun is in the ledger before the call.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from redis_connectivity.cloud.errors import CloudError, Conflict, NotFound
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger, ProberRecord
from redis_connectivity.core.lineage import settle
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.plan_prober import (
    CreateProber,
    DeleteProber,
    ProberAction,
    ProberPlan,
    plan_prober,
    retry_delay,
    unusable,
)
from redis_connectivity.core.prober import ProberSetup, is_ours, prober_path, service_of
from redis_connectivity.core.runvalues import Rollout, RunService
from redis_connectivity.core.timing import operation_poll_delay
from redis_connectivity.core.verdict import Verdict
from redis_connectivity.reconcile.explain import explain, failed_write
from redis_connectivity.reconcile.store import Key
from redis_connectivity.reconcile.workplace import Workplace

__all__ = ["Kept", "Probers", "Release"]

_log = structlog.get_logger(__name__)

_NO_IMAGE = (
    "spec.probe.from is CloudRun, and the operator was not told which image to deploy: set its --prober-image to its"
    " own image, in a registry that Cloud Run can read (docs/probing.md)."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """How a resource's prober stands: None in `plan` where it wants none. `due_in` in seconds."""

    ledger: Ledger
    plan: ProberPlan | None = None
    due_in: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """How giving a service up stands. `trouble` says why it does not go; without it, and not `done`, it is going."""

    ledger: Ledger
    done: bool
    due_in: float | None = None
    trouble: Verdict | None = None


class Probers:
    """One per process."""

    def __init__(self, place: Workplace, setup: ProberSetup) -> None:
        self._place = place
        self._setup = setup
        self._locks: dict[str, asyncio.Lock] = {}

    async def keep(
        self,
        key: Key,
        desired: Desired,
        observed: Observed,
        plan: Plan,
        lane: Lane,
        *,
        fresh: bool,
        hold: Callable[[], Awaitable[None]],
    ) -> Kept:
        """Bring the resource's prober to where it should be, as far as that is possible now.

        `hold` sees to it that the resource does not go before what was made for it. With `fresh` nothing waits that
        was refused before.
        """
        ledger = plan.ledger
        due_in: float | None = None
        record = ledger.prober
        if record is not None and (not desired.deploys_prober or record.service != prober_path(desired)):
            released = await self.release(key, desired, ledger, lane, wait=False)
            ledger, due_in = released.ledger, released.due_in
        if not desired.deploys_prober:
            return Kept(ledger, due_in=due_in)
        if not self._setup.image:
            return Kept(ledger, unusable(_NO_IMAGE), due_in)
        settled, _ = settle(desired, observed, ledger)
        want = service_of(settled, self._setup)
        record = ledger.prober
        if record is None or record.service != want.full_name or (record.digest != _digest(want) and record.attempts):
            record = ProberRecord(service=want.full_name)
        elif fresh:
            record = record.model_copy(update={"attempts": 0, "trouble": ""})
        seen = await self._look(want, record, lane, fresh=fresh)
        found = self._plan(want, desired, seen, plan, record)
        if found.action is not None:
            await hold()
            async with self._lock(want.full_name):
                ledger, record, found = await self._write(key, want, desired, plan, ledger, record, lane)
        ledger = await self._remember(desired, ledger, record, found)
        # What was let go of and does not go is looked after as well.
        waits = [one for one in (found.due_in, due_in) if one is not None]
        return Kept(ledger, found, min(waits, default=None))

    def _plan(
        self, want: RunService, desired: Desired, seen: RunService | Unseen | None, plan: Plan, record: ProberRecord
    ) -> ProberPlan:
        return plan_prober(want, desired.owner.cluster, seen, plan.entry, record, self._place.now())

    async def _look(
        self, want: RunService, record: ProberRecord, lane: Lane, *, fresh: bool
    ) -> RunService | Unseen | None:
        """The service as the shared view has it; by itself while something of ours is under way there."""
        services = await self._place.observer.run_services(want.project, want.region, fresh=fresh, lane=lane)
        if isinstance(services, Unseen):
            return services
        seen = services.get(want.name)
        moving = seen is not None and (seen.rollout is Rollout.UNDER_WAY or seen.deleting)
        return await self._fresh(want, lane) if moving or record.attempts else seen

    async def _fresh(self, want: RunService, lane: Lane) -> RunService | Unseen | None:
        try:
            return await self._place.cloud.fresh_run_service(want.project, want.region, want.name, lane)
        except CloudError as error:
            return explain(error)

    async def _write(
        self,
        key: Key,
        want: RunService,
        desired: Desired,
        plan: Plan,
        ledger: Ledger,
        record: ProberRecord,
        lane: Lane,
    ) -> tuple[Ledger, ProberRecord, ProberPlan]:
        """Carry out what is to be done, if it still is. Somebody else may have held the lock before."""
        found = self._plan(want, desired, await self._fresh(want, lane), plan, record)
        action = found.action
        if action is None:
            return ledger, record, found
        place = self._place
        record = record.model_copy(
            update={"digest": _digest(want), "attempts": record.attempts + 1, "at": place.now(), "trouble": ""}
        )
        ledger = ledger.model_copy(update={"prober": record})
        await place.save(desired.owner, ledger)
        place.may_write()
        try:
            if isinstance(action, CreateProber):
                await place.cloud.create_run_service(action.service, lane=lane)
            else:
                await place.cloud.update_run_service(action.service, lane=lane)
        except Conflict:
            pass  # somebody was faster: what is there now says whose it is
        except CloudError as error:
            self._refused(desired, action, error)
            record = record.model_copy(update={"trouble": failed_write(error, action.summary).message})
        else:
            self._done(key, desired, action)
        return ledger, record, self._plan(want, desired, await self._fresh(want, lane), plan, record)

    async def _remember(self, desired: Desired, ledger: Ledger, record: ProberRecord, found: ProberPlan) -> Ledger:
        """The ledger with what is known now: which service it is, and that it has got there."""
        seen = found.seen
        if seen is None and ledger.prober is None and not record.attempts:
            return ledger  # nothing was made, and nothing of ours is there
        if found.url and not found.trouble and found.action is None and seen and seen.rollout is Rollout.SUCCEEDED:
            record = record.model_copy(update={"attempts": 0, "trouble": ""})
        if record == ledger.prober:
            return ledger
        ledger = ledger.model_copy(update={"prober": record})
        await self._place.save(desired.owner, ledger)
        return ledger

    # --- giving up

    async def release(self, key: Key, desired: Desired, ledger: Ledger, lane: Lane, *, wait: bool) -> Release:
        """Give up the service in the ledger, and remove it where no other resource needs it.

        With `wait` it is given up once it is gone, else once Google has begun to remove it.
        """
        record = ledger.prober
        if record is None:
            return Release(ledger, done=True)
        if self._place.contenders.needing_prober(record.service, key):
            return await self._released(desired, ledger)
        _, project, _, region, _, name = record.service.split("/")
        cloud = self._place.cloud
        async with self._lock(record.service):
            try:
                seen = await cloud.fresh_run_service(project, region, name, lane)
                if seen is None or not is_ours(seen, desired.owner.cluster):
                    return await self._released(desired, ledger)
                if not seen.deleting:
                    await self._remove(key, desired, seen, lane)
            except CloudError as error:
                return await self._not_released(desired, ledger, record, error)
        if not wait:
            return await self._released(desired, ledger)
        begun = record if seen.deleting else record.model_copy(update={"at": self._place.now(), "trouble": ""})
        if begun != record:
            ledger = ledger.model_copy(update={"prober": begun})
            await self._place.save(desired.owner, ledger)
        return Release(ledger, done=False, due_in=operation_poll_delay(max(0.0, self._place.now() - begun.at)))

    async def _remove(self, key: Key, desired: Desired, seen: RunService, lane: Lane) -> None:
        action = DeleteProber(seen, "no resource needs it any more")
        self._place.may_write()
        try:
            await self._place.cloud.delete_run_service(seen.project, seen.region, seen.name, lane=lane)
        except NotFound:
            pass  # somebody else removed it meanwhile
        except CloudError as error:
            self._refused(desired, action, error)
            raise
        else:
            self._done(key, desired, action)
        await self._place.cloud.fresh_run_service(seen.project, seen.region, seen.name, lane)

    async def _released(self, desired: Desired, ledger: Ledger) -> Release:
        ledger = ledger.model_copy(update={"prober": None})
        await self._place.save(desired.owner, ledger)
        return Release(ledger, done=True)

    async def _not_released(self, desired: Desired, ledger: Ledger, record: ProberRecord, error: CloudError) -> Release:
        trouble = failed_write(error, f"remove Cloud Run service {record.service}")
        record = record.model_copy(
            update={"attempts": record.attempts + 1, "at": self._place.now(), "trouble": trouble.message}
        )
        ledger = ledger.model_copy(update={"prober": record})
        await self._place.save(desired.owner, ledger)
        return Release(ledger, done=False, due_in=retry_delay(record.attempts), trouble=trouble)

    # --- telling

    def _done(self, key: Key, desired: Desired, action: ProberAction) -> None:
        _log.info("applied", resource=str(key), action=action.summary, why=action.why)
        self._place.reporter.applied(desired.owner, action)

    def _refused(self, desired: Desired, action: ProberAction, error: CloudError) -> None:
        self._place.reporter.failed(desired.owner, action, error)

    def _lock(self, service: str) -> asyncio.Lock:
        return self._locks.setdefault(service, asyncio.Lock())


def _digest(want: RunService) -> str:
    """Changes with the template that is wanted."""
    return hashlib.sha256(repr(replace(want, labels=frozenset())).encode()).hexdigest()[:16]
