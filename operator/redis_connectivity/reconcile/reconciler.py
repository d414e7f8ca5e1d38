"""One resource, from what was seen to what is written: observe, plan, apply, tell.

Level-triggered: it looks at the whole state each time and never asks what changed. Looking twice at the same state
writes nothing the second time, neither to Google nor to Kubernetes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from redis_connectivity.api.base import FINALIZER, RECONCILE_AT, problems
from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.spec import ConnectorManagement, RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.keys import AnyKey
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.actions import CloudAction, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import DeletionPlan, Plan, make_deletion_plan, make_plan
from redis_connectivity.core.statusbuild import StatusInput, build_status, conditions_only
from redis_connectivity.core.verdict import Verdict, bad, good, unknown
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.ledgerstore import LedgerStore, LedgerUnreadable
from redis_connectivity.reconcile.applier import Applier, Apply, StaleObservationError
from redis_connectivity.reconcile.explain import failed_write
from redis_connectivity.reconcile.observer import Observer, interests
from redis_connectivity.reconcile.probing import ProbeJob, ProbeScheduler
from redis_connectivity.reconcile.reporter import Reporter
from redis_connectivity.reconcile.store import Body, Key, ResourceStore

__all__ = ["Outcome", "Reconciler", "TryAgain"]

_log = structlog.get_logger(__name__)

#: Plans in a row for one resource before others get their turn; more than this means that somebody else writes too.
_ROUNDS = 8
#: Seconds until another look at something that is over in a moment.
_SOON = 0.2


class TryAgain(Exception):
    """Not finished; the caller comes back with a back-off. `retry_after` in seconds, where Google gave one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reconcile ended: seconds until the next look, None for no look of its own; and who else has news."""

    due_in: float | None
    wake: tuple[Key, ...] = ()


class Reconciler:
    """Reconciles one resource at a time; its caller sees to it that nobody else has the same one."""

    def __init__(
        self,
        *,
        cluster: str,
        store: ResourceStore,
        kube: KubeClient,
        ledgers: LedgerStore,
        cloud: GoogleCloud,
        observer: Observer,
        applier: Applier,
        probes: ProbeScheduler,
        reporter: Reporter,
        may_write: Callable[[], None],
        now: Callable[[], float],
        resync_interval: float,
        rng: random.Random | None = None,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._kube = kube
        self._ledgers = ledgers
        self._cloud = cloud
        self._observer = observer
        self._applier = applier
        self._probes = probes
        self._reporter = reporter
        self._may_write = may_write
        self._now = now
        self._resync_interval = resync_interval
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        #: What each known resource wants, for the question whom a change concerns.
        self.desired: dict[Key, Desired] = {}
        #: Held while a resource is worked on, so that another one's deletion does not write to its ledger meanwhile.
        self._at_work: dict[Key, asyncio.Lock] = {}
        #: Rules that are being created, by project and name: no list shows them yet.
        self._inserting: dict[tuple[str, str], Key] = {}

    async def reconcile(self, key: Key, lane: Lane) -> Outcome:
        """Bring one resource to where it should be, as far as that is possible now.

        Raises:
            TryAgain: something could not be done now.
            KubeError: the Kubernetes API could not be read or written.
            NotLeader: this process must not write any more.
        """
        async with self._lock(key):
            body = self._store.get(key)
            if body is None:
                self._forget(key)
                return Outcome(None)
            return await self._reconcile(key, body, lane)

    async def _reconcile(self, key: Key, body: Body, lane: Lane) -> Outcome:
        metadata = body["metadata"]
        owner = ResourceId(self._cluster, key.namespace, key.name, metadata["uid"])
        previous = self._reporter.previous(body)
        try:
            spec = RedisConnectivitySpec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            return await self._unreadable(key, owner, body, previous, error)
        desired = resolve(owner, spec)
        try:
            if metadata.get("deletionTimestamp"):
                return await self._delete(key, body, desired, previous, lane)
            if spec.suspend:
                return await self._suspend(key, body, previous)
            return await self._keep(key, body, spec, desired, previous, lane)
        except LedgerUnreadable as error:
            await self._stall(key, body, previous, bad(Reason.LEDGER_UNREADABLE, str(error)))
            raise TryAgain(str(error)) from error

    def trusted_for(self, key: AnyKey) -> float:
        """Seconds for which what was last read of a shared view is good enough."""
        return self._observer.trusted_for(key)

    # --- the resource is wanted

    async def _keep(
        self,
        key: Key,
        body: Body,
        spec: RedisConnectivitySpec,
        desired: Desired,
        previous: RedisConnectivityStatus,
        lane: Lane,
    ) -> Outcome:
        self.desired[key] = desired
        self._cloud.poller.set_interest(key, interests(desired))
        ledger = await self._ledgers.load(desired.owner)
        generation = int(body["metadata"].get("generation", 0))
        asked = body["metadata"].get("annotations", {}).get(RECONCILE_AT)
        fresh = asked is not None and asked != previous.last_handled_reconcile_at
        probed = self._probes.probes(spec.probe.prober_url)
        if fresh:
            self._probes.kick(key)
        observed, plan, failure = await self._converge(
            key, body, desired, ledger, fresh=fresh, probed=probed, lane=lane
        )
        self._probe(key, spec, plan)
        # The body may have moved on while Google worked; its status is the newest thing to compare with.
        body = self._store.get(key) or body
        status = build_status(
            StatusInput(
                desired=desired,
                observed=observed,
                plan=plan,
                probe=self._probes.memory(key),
                generation=generation,
                previous=self._reporter.previous(body),
                now=self._now(),
                reconcile_at=asked,
                probed=probed,
            )
        )
        await self._reporter.tell(key, body, status)
        if failure is not None:
            raise TryAgain(str(failure), getattr(failure, "retry_after", None))
        return Outcome(plan.due_in if plan.due_in is not None else self._resync())

    async def _converge(
        self, key: Key, body: Body, desired: Desired, ledger: Ledger, *, fresh: bool, probed: bool, lane: Lane
    ) -> tuple[Observed, Plan, Exception | None]:
        """Plan and apply until nothing is left to do, something must be waited for, or something fails."""
        failure: Exception | None = None
        generation = int(body["metadata"].get("generation", 0))
        for _ in range(_ROUNDS):
            taken = frozenset(
                name for (project, name), by in self._inserting.items() if by != key and project == desired.project
            )
            observed = await self._observer.observe(desired, ledger, fresh=fresh, lane=lane, names_being_taken=taken)
            fresh = False
            plan = make_plan(desired, observed, ledger, self._now())
            self._reporter.drift_seen(key, desired.owner, ledger, plan.ledger)
            if plan.ledger != ledger:
                # A new resource's project goes along with the record that its first action writes before its call.
                if plan.ledger != Ledger(project=desired.project):
                    self._may_write()
                    await self._ledgers.save(desired.owner, plan.ledger)
                ledger = plan.ledger
            if plan.actions or _made_something(ledger):
                await self._hold(key, body)
            if not plan.actions:
                return observed, plan, None
            await self._reporter.progress(
                key, self._store.get(key) or body, generation, desired, observed, plan, probed=probed
            )
            try:
                ledger = await self._apply(key, desired, plan, ledger, lane)
            except StaleObservationError as stale:
                _log.info("stale", resource=str(key), what=str(stale))
                ledger = await self._ledgers.load(desired.owner)
                failure = stale
                continue
            except _ActionFailed as failed:
                ledger = await self._ledgers.load(desired.owner)
                verdict = failed_write(failed.error, failed.action.summary)
                self._reporter.failed(desired.owner, failed.action, failed.error)
                return observed, plan.with_failure(failed.action, verdict), failed.error
        return observed, plan, failure or TryAgain("it does not settle: somebody else keeps changing things")

    async def _apply(self, key: Key, desired: Desired, plan: Plan | DeletionPlan, ledger: Ledger, lane: Lane) -> Ledger:
        async def save(changed: Ledger) -> None:
            self._may_write()
            await self._ledgers.save(desired.owner, changed)

        to = Apply(desired.owner, ledger, save, lane)
        # Connector first, then rules; the rules of one plan do not depend on each other and go side by side.
        rules = [action for action in plan.actions if isinstance(action, InsertRule | UpdateRule | DeleteRule)]
        for action in plan.actions:
            if action not in rules:
                await self._apply_one(key, action, to)
        results = await asyncio.gather(*(self._apply_one(key, rule, to) for rule in rules), return_exceptions=True)
        for problem in results:
            if isinstance(problem, BaseException):
                raise problem
        return to.ledger

    async def _apply_one(self, key: Key, action: CloudAction, to: Apply) -> None:
        inserted = (action.rule.network.project, action.rule.name) if isinstance(action, InsertRule) else None
        if inserted is not None and self._inserting.setdefault(inserted, key) != key:
            raise StaleObservationError(f"rule {inserted[1]} is being created by another resource")
        try:
            await self._applier.apply(action, to)
        except CloudError as error:
            raise _ActionFailed(action, error) from error
        finally:
            if inserted is not None:
                del self._inserting[inserted]
        self._reporter.applied(to.owner, action)
        self._probes.kick(key)

    async def _hold(self, key: Key, body: Body) -> None:
        """Our finalizer must be on the resource before anything of it is made in the cloud."""
        body = self._store.get(key) or body
        if FINALIZER in body["metadata"].get("finalizers", []):
            return
        self._may_write()
        self._store.wrote(await self._kube.add_finalizer(body))

    def _probe(self, key: Key, spec: RedisConnectivitySpec, plan: Plan) -> None:
        if plan.destination is None or not self._probes.probes(spec.probe.prober_url):
            self._probes.forget(key)
            return
        host, port = plan.destination
        self._probes.ensure(
            key,
            ProbeJob(
                host=host,
                port=port,
                interval=spec.probe.interval_seconds,
                timeout=spec.probe.timeout_seconds,
                prober_url=spec.probe.prober_url,
                failure_threshold=spec.probe.failure_threshold,
                success_threshold=spec.probe.success_threshold,
            ),
        )

    # --- the resource is suspended or unreadable

    async def _suspend(self, key: Key, body: Body, previous: RedisConnectivityStatus) -> Outcome:
        self._rest(key)
        message = "spec.suspend is true: nothing is looked at or changed until it is false again."
        status = conditions_only(
            previous,
            {
                ConditionType.READY: unknown(Reason.SUSPENDED, message),
                ConditionType.REACHABLE: unknown(Reason.SUSPENDED, message),
                ConditionType.RECONCILING: bad(Reason.SUSPENDED, message),
                ConditionType.STALLED: bad(Reason.SUSPENDED, message),
            },
            int(body["metadata"].get("generation", 0)),
            self._now(),
        )
        await self._reporter.tell(key, body, status)
        return Outcome(None)

    async def _unreadable(
        self, key: Key, owner: ResourceId, body: Body, previous: RedisConnectivityStatus, error: ValidationError
    ) -> Outcome:
        message = (
            f"The spec cannot be read: {'; '.join(problems(error))}."
            " Mend it; nothing is changed in the cloud until then."
        )
        deleting = bool(body["metadata"].get("deletionTimestamp"))
        if deleting:
            ledger = await self._ledgers.load(owner)
            if ledger == Ledger() or not ledger.project:
                return await self._let_go(key, owner, body)
            message = (
                f"{message} What this resource made in project {ledger.project} cannot be removed before; to give it"
                f" up, remove the finalizer {FINALIZER}."
            )
        self._rest(key)
        await self._stall(key, body, previous, bad(Reason.INVALID_SPEC, message))
        return Outcome(None)

    async def _stall(self, key: Key, body: Body, previous: RedisConnectivityStatus, verdict: Verdict) -> None:
        """Say that nothing happens until somebody mends something."""
        status = conditions_only(
            previous,
            {
                ConditionType.READY: verdict,
                ConditionType.STALLED: good(verdict.reason, verdict.message),
                ConditionType.RECONCILING: bad(Reason.WAITING_FOR_CHANGE, "Waits for that to be mended."),
            },
            int(body["metadata"].get("generation", 0)),
            self._now(),
        )
        await self._reporter.tell(key, body, status)

    # --- the resource is being deleted

    async def _delete(
        self, key: Key, body: Body, desired: Desired, previous: RedisConnectivityStatus, lane: Lane
    ) -> Outcome:
        if FINALIZER not in body["metadata"].get("finalizers", []):
            self._rest(key)
            return Outcome(None)
        self._probes.forget(key)
        self.desired[key] = desired
        self._cloud.poller.set_interest(key, interests(desired))
        ledger = await self._ledgers.load(desired.owner)
        for _ in range(_ROUNDS):
            observed = await self._observer.observe(
                desired, ledger, fresh=False, lane=lane, connector_users=self._other_users(key, desired)
            )
            plan = make_deletion_plan(desired, observed, ledger, self._now())
            if plan.ledger != ledger:
                self._may_write()
                await self._ledgers.save(desired.owner, plan.ledger)
                ledger = plan.ledger
            if plan.done:
                if plan.heir is None:
                    return await self._let_go(key, desired.owner, body)
                heir = await self._hand_over(plan.heir, ledger)
                await self._let_go(key, desired.owner, body)
                return Outcome(None, wake=(heir,))
            await self._deleting(key, body, previous, plan.verdict)
            if not plan.actions:
                return Outcome(plan.due_in if plan.due_in is not None else self._resync() / 10)
            try:
                ledger = await self._apply(key, desired, plan, ledger, lane)
            except StaleObservationError as stale:
                _log.info("stale", resource=str(key), what=str(stale))
                ledger = await self._ledgers.load(desired.owner)
            except _ActionFailed as failed:
                self._reporter.failed(desired.owner, failed.action, failed.error)
                verdict = failed_write(failed.error, failed.action.summary)
                await self._deleting(key, body, previous, bad(verdict.reason, _way_out(verdict.message)))
                raise TryAgain(str(failed.error), failed.error.retry_after) from failed
        raise TryAgain("deletion does not settle: somebody else keeps changing things")

    async def _deleting(self, key: Key, body: Body, previous: RedisConnectivityStatus, verdict: Verdict) -> None:
        body = self._store.get(key) or body
        status = conditions_only(
            self._reporter.previous(body) if body.get("status") else previous,
            {
                ConditionType.READY: bad(verdict.reason, verdict.message),
                ConditionType.RECONCILING: good(Reason.DELETING, verdict.message),
                ConditionType.STALLED: bad(Reason.DELETING, "Being deleted."),
            },
            int(body["metadata"].get("generation", 0)),
            self._now(),
        )
        await self._reporter.tell(key, body, status)

    def _other_users(self, key: Key, desired: Desired) -> tuple[str, ...]:
        """Other resources that use the same connector and are staying, oldest first."""
        users = []
        for other in self._store.bodies():
            metadata = other["metadata"]
            if Key(metadata["namespace"], metadata["name"]) == key or metadata.get("deletionTimestamp"):
                continue
            try:
                spec = RedisConnectivitySpec.model_validate(other.get("spec") or {})
            except ValidationError:
                continue  # it cannot be said what it uses, and its own condition says that it is unreadable
            owner = ResourceId(self._cluster, metadata["namespace"], metadata["name"], metadata["uid"])
            theirs = resolve(owner, spec)
            managed = theirs.connector.management is ConnectorManagement.MANAGED
            if managed and theirs.connector_path == desired.connector_path:
                users.append((metadata.get("creationTimestamp", ""), owner.key))
        return tuple(name for _, name in sorted(users))

    async def _hand_over(self, heir: str, ledger: Ledger) -> Key:
        """Give the claim on a connector to another resource that uses it too."""
        key = Key(*heir.split("/"))
        lock = self._lock(key)
        if lock.locked():
            # It works from the ledger that it has read, and would write it back without the claim.
            raise TryAgain(f"{heir} takes over the connector, as soon as it is done with its own work", _SOON)
        async with lock:
            body = self._store.get(key)
            if body is None:
                raise TryAgain(f"{heir}, which was to take over the connector, is gone", _SOON)
            owner = ResourceId(self._cluster, key.namespace, key.name, body["metadata"]["uid"])
            theirs = await self._ledgers.load(owner)
            self._may_write()
            await self._ledgers.save(
                owner, theirs.model_copy(update={"claim": ledger.claim, "operation": ledger.operation})
            )
        return key

    async def _let_go(self, key: Key, owner: ResourceId, body: Body) -> Outcome:
        """Remove the ledger, then the finalizer: in this order a crash in between leaves nothing behind."""
        self._may_write()
        await self._ledgers.forget(owner)
        body = self._store.get(key) or body
        if FINALIZER in body["metadata"].get("finalizers", []):
            remaining = await self._kube.remove_finalizer(body)
            if remaining is None or not remaining["metadata"].get("finalizers"):
                self._store.forget(key)
            else:
                self._store.wrote(remaining)
        self._rest(key)
        return Outcome(None)

    # --- housekeeping

    def _rest(self, key: Key) -> None:
        self._probes.forget(key)
        self._cloud.poller.drop_interest(key)
        self.desired.pop(key, None)

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._at_work.setdefault(key, asyncio.Lock())

    def _forget(self, key: Key) -> None:
        self._at_work.pop(key, None)
        self._rest(key)
        self._reporter.forget(key)

    def _resync(self) -> float:
        return self._resync_interval * self._rng.uniform(0.9, 1.1)


class _ActionFailed(Exception):
    def __init__(self, action: CloudAction, error: CloudError) -> None:
        super().__init__(str(error))
        self.action = action
        self.error = error


def _made_something(ledger: Ledger) -> bool:
    """Whether there may be something in the cloud that has to go when the resource does."""
    return bool(ledger.claim or ledger.operation or ledger.applied or ledger.pending)


def _way_out(message: str) -> str:
    return (
        f"{message} To give up what is left in the cloud, set spec.deletionPolicy to Retain, or remove the finalizer"
        f" {FINALIZER}."
    )
