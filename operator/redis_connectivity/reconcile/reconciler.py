"""One resource, from what was seen to what is written: observe, plan, apply, tell.

Level-triggered: it looks at the whole state each time and never asks what changed. Looking twice at the same state
writes nothing the second time, neither to Google nor to Kubernetes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog
from pydantic import ValidationError

from redis_connectivity.api.base import FINALIZER, RECONCILE_AT, problems
from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.spec import AdoptionPolicy, RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.keys import AnyKey
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.contention import counted, forget_ended
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import Plan, make_plan, projects_of
from redis_connectivity.core.plan_prober import ProberPlan
from redis_connectivity.core.prober import ProberSetup
from redis_connectivity.core.probing import answering
from redis_connectivity.core.statusbuild import StatusInput, build_status, conditions_only
from redis_connectivity.core.verdict import Verdict, bad, good, unknown
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.ledgerstore import LedgerStore, LedgerUnreadable
from redis_connectivity.reconcile.applier import Applier, StaleObservationError
from redis_connectivity.reconcile.attributing import Attributor
from redis_connectivity.reconcile.contenders import Contenders
from redis_connectivity.reconcile.deleting import Deleter
from redis_connectivity.reconcile.explain import failed_write
from redis_connectivity.reconcile.gate import Gate
from redis_connectivity.reconcile.guardrails import Guardrails
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity.reconcile.outcome import ROUNDS, ActionFailed, Outcome, TryAgain
from redis_connectivity.reconcile.probejob import probe_job
from redis_connectivity.reconcile.probers import Probers
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.reporter import Reporter
from redis_connectivity.reconcile.store import Body, Key, ResourceStore
from redis_connectivity.reconcile.workplace import Workplace

__all__ = ["Reconciler"]

_log = structlog.get_logger(__name__)

#: What FirewallReady says of a firewall that lets no traffic through.
_CLOSED = frozenset(
    {
        Reason.FIREWALL_DENY_UNBEATABLE,
        Reason.FIREWALL_RULE_FORBIDDEN,
        Reason.FIREWALL_RULE_MISSING,
        Reason.FIREWALL_SHADOWED,
    }
)
#: Seconds that a probe may take beyond its own timeout: the way to the prober and back.
_PROBE_GRACE = 3.0


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
        guardrails: Guardrails,
        contenders: Contenders,
        attributor: Attributor,
        may_write: Callable[[], None],
        now: Callable[[], float],
        resync_interval: float,
        prober_setup: ProberSetup,
        rng: random.Random | None = None,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._kube = kube
        self._ledgers = ledgers
        self._observer = observer
        self._probes = probes
        self._reporter = reporter
        self._may_write = may_write
        self._now = now
        self._attributor = attributor
        self._place = Workplace(
            cluster=cluster,
            store=store,
            kube=kube,
            ledgers=ledgers,
            cloud=cloud,
            observer=observer,
            applier=applier,
            probes=probes,
            reporter=reporter,
            contenders=contenders,
            may_write=may_write,
            now=now,
            resync_interval=resync_interval,
            rng=rng,
        )
        self._probers = Probers(self._place, prober_setup)
        self._deleter = Deleter(self._place, self._probers)
        self._gate = Gate(self._place, guardrails)

    @property
    def desired(self) -> dict[Key, Desired]:
        """What each known resource wants, for the question whom a change concerns."""
        return self._place.desired

    async def reconcile(self, key: Key, lane: Lane) -> Outcome:
        """Bring one resource to where it should be, as far as that is possible now.

        Raises:
            TryAgain: something could not be done now.
            KubeError: the Kubernetes API could not be read or written.
            NotLeader: this process must not write any more.
        """
        async with self._place.lock(key):
            body = self._store.get(key)
            self._gate.open(key)
            if body is None:
                self._place.forget(key)
                self._attributor.forget(key)
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
                return await self._deleter.delete(key, body, desired, previous, lane)
            if spec.suspend:
                return await self._suspend(key, body, previous)
            if await self._gate.holds(key, body, owner, spec, previous):
                return Outcome(None)
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
        self._place.concern(key, desired)
        ledger = await self._ledgers.load(desired.owner)
        generation = int(body["metadata"].get("generation", 0))
        asked = body["metadata"].get("annotations", {}).get(RECONCILE_AT)
        fresh = asked is not None and asked != previous.last_handled_reconcile_at
        probed = desired.deploys_prober or self._probes.probes(spec.probe.prober_url)
        observed, plan, failure = await self._converge(
            key, body, desired, ledger, previous, fresh=fresh, probed=probed, lane=lane
        )
        # What was seen may tell of more that the resource depends on: the policies where its target stands.
        self._place.concern(key, desired)
        prober = await self._probers.keep(
            key, desired, observed, plan, lane, fresh=fresh, hold=lambda: self._hold(key, body)
        )
        plan = replace(plan, ledger=prober.ledger)
        self._probe(key, spec, desired, observed, plan, prober.plan)
        self._attributor.ask(key, desired, plan.ledger)
        self._probes.path_seen(key, (plan.source, tuple((hop.status, hop.reason) for hop in plan.hops)))
        if fresh:
            # Whoever asks for a look wants to know how the path is now, not how it was at the last interval.
            await self._probes.probe_now(key, spec.probe.timeout_seconds + _PROBE_GRACE)
        # The body may have moved on while Google worked; its status is the newest thing to compare with.
        body = self._store.get(key) or body
        status = build_status(
            StatusInput(
                desired=desired,
                observed=observed,
                plan=plan,
                probe=self._probes.memory(key),
                circuit=self._probes.circuit(key),
                windows=self._probes.windows(key),
                generation=generation,
                previous=self._reporter.previous(body),
                now=self._now(),
                reconcile_at=asked,
                probed=probed,
                prober=prober.plan,
            )
        )
        await self._reporter.tell(key, body, status)
        if failure is not None:
            raise TryAgain(str(failure), getattr(failure, "retry_after", None))
        rest = self._place.resync()
        waits = [one for one in (plan.due_in, prober.due_in) if one is not None] or [rest]
        doubted = self._observer.doubted_in(observed)
        return Outcome(min(waits) if doubted is None else min(*waits, doubted, rest))

    async def _converge(
        self,
        key: Key,
        body: Body,
        desired: Desired,
        ledger: Ledger,
        previous: RedisConnectivityStatus,
        *,
        fresh: bool,
        probed: bool,
        lane: Lane,
    ) -> tuple[Observed, Plan, Exception | None]:
        """Plan and apply until nothing is left to do, something must be waited for, or something fails."""
        failure: Exception | None = None
        generation = int(body["metadata"].get("generation", 0))
        for _ in range(ROUNDS):
            taken = self._place.names_being_taken(key, desired.network.project)
            observed = await self._observer.observe(
                desired,
                ledger,
                fresh=fresh,
                lane=lane,
                names_being_taken=taken,
                sharers=self._place.contenders.on_connector(key),
                since=self._since_news(key, previous),
            )
            observed = replace(
                observed,
                connector_claimed_by=await self._claimed_by(key, desired, ledger),
                conflict=self._place.contenders.conflict(key),
                answering=answering(self._probes.memory(key)),
            )
            fresh = False
            known = forget_ended(self._attributor.attribute(key, ledger), generation, self._now())
            plan = make_plan(desired, observed, known, self._now())
            self._reporter.drift_seen(key, desired.owner, ledger, plan.ledger)
            self._reporter.contended(desired.owner, ledger, plan.ledger, plan.in_sync.message)
            if plan.ledger != ledger:
                # A new resource's project and baseline go along with the record that its first action writes.
                if plan.ledger.model_copy(update={"baseline": None}) != Ledger.model_validate(projects_of(desired)):
                    await self._place.save(desired.owner, plan.ledger)
                ledger = plan.ledger
            if plan.actions or _made_something(ledger):
                await self._hold(key, body)
            if not plan.actions:
                return observed, plan, None
            await self._reporter.progress(
                key, self._store.get(key) or body, generation, desired, observed, plan, probed=probed
            )
            try:
                ledger = await self._place.apply(
                    key, desired, plan.actions, ledger, lane, self._counting(plan, generation)
                )
            except StaleObservationError as stale:
                _log.info("stale", resource=str(key), what=str(stale))
                ledger = await self._ledgers.load(desired.owner)
                failure = stale
                continue
            except ActionFailed as failed:
                ledger = await self._ledgers.load(desired.owner)
                verdict = failed_write(failed.error, failed.action.summary)
                self._reporter.failed(desired.owner, failed.action, failed.error)
                return observed, plan.with_failure(failed.action, verdict), failed.error
        return observed, plan, failure or TryAgain("it does not settle: somebody else keeps changing things")

    def _counting(self, plan: Plan, generation: int) -> Callable[[CloudAction, Ledger], Mapping[str, object]]:
        """What a repair's success adds to the ledger: one more round of a fight that may be."""
        repairs = {one.action: one for one in plan.repairs}

        def count(action: CloudAction, ledger: Ledger) -> Mapping[str, object]:
            repair = repairs.get(action)
            if repair is None:
                return {}
            return {"contests": counted(ledger.contests, repair, self._now(), generation)}

        return count

    async def _claimed_by(self, key: Key, desired: Desired, ledger: Ledger) -> str:
        """Who else of ours has a claim on a connector that is about to be adopted."""
        if desired.adoption_policy is not AdoptionPolicy.ADOPT or ledger.claim is not None:
            return ""
        for other in self._place.contenders.sharing(key):
            theirs = await self._ledgers.load(other)
            if theirs.claim is not None and theirs.claim.connector == desired.connector_path:
                return other.key
        return ""

    def _since_news(self, key: Key, previous: RedisConnectivityStatus) -> float | None:
        """Seconds since probes turned to something that what was read before cannot explain.

        They fail; or they get through again although the firewall is still said to be closed.
        """
        memory = self._probes.memory(key)
        if memory is None or memory.reachable is None:
            return None
        told = {one.type: one.reason for one in previous.conditions}
        if memory.reachable and told.get(ConditionType.FIREWALL_READY) not in _CLOSED:
            return None
        return self._now() - memory.turned

    async def _hold(self, key: Key, body: Body) -> None:
        """Our finalizer must be on the resource before anything of it is made in the cloud."""
        body = self._store.get(key) or body
        if FINALIZER in body["metadata"].get("finalizers", []):
            return
        self._may_write()
        self._store.wrote(await self._kube.add_finalizer(body))

    def _probe(
        self,
        key: Key,
        spec: RedisConnectivitySpec,
        desired: Desired,
        observed: Observed,
        plan: Plan,
        prober: ProberPlan | None,
    ) -> None:
        job = probe_job(spec, desired, observed, plan, prober)
        if job is None or not self._probes.probes(job.prober_url):
            self._probes.forget(key)
        else:
            self._probes.ensure(key, job)

    # --- the resource is suspended or unreadable

    async def _suspend(self, key: Key, body: Body, previous: RedisConnectivityStatus) -> Outcome:
        self._place.rest(key)
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
                return await self._deleter.let_go(key, owner, body)
            where = " and ".join(project for project in (ledger.project, ledger.host_project) if project)
            message = (
                f"{message} What this resource made in project {where} cannot be removed before; to give it"
                f" up, remove the finalizer {FINALIZER}."
            )
        self._place.rest(key)
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


def _made_something(ledger: Ledger) -> bool:
    """Whether there may be something in the cloud that has to go when the resource does."""
    return bool(ledger.claim or ledger.operation or ledger.applied or ledger.pending or ledger.prober)
