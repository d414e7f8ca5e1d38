"""A resource that is being deleted: what it made goes first, then the ledger, then the finalizer."""

from __future__ import annotations

import structlog

from redis_connectivity.api.base import FINALIZER
from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.spec import DeletionPolicy
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.actions import DeleteConnector
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.plan_deletion import make_deletion_plan
from redis_connectivity.core.statusbuild import conditions_only
from redis_connectivity.core.verdict import PEOPLE_MUST_MEND, Verdict, bad, good
from redis_connectivity.kube.errors import Gone, KubeConflict, KubeError
from redis_connectivity.reconcile.applier import StaleObservationError
from redis_connectivity.reconcile.explain import failed_write
from redis_connectivity.reconcile.outcome import ROUNDS, SOON, ActionFailed, Outcome, TryAgain
from redis_connectivity.reconcile.probers import Probers, Release
from redis_connectivity.reconcile.store import Body, Key
from redis_connectivity.reconcile.workplace import Workplace

__all__ = ["Deleter"]

_log = structlog.get_logger(__name__)

#: What keeps a deletion waiting until somebody does something about it.
_NEEDS_PEOPLE = PEOPLE_MUST_MEND | {Reason.CONSENT_REQUIRED}


class Deleter:
    """Takes back what a resource made, and lets it go."""

    def __init__(self, place: Workplace, probers: Probers) -> None:
        self._place = place
        self._probers = probers

    async def delete(
        self, key: Key, body: Body, desired: Desired, previous: RedisConnectivityStatus, lane: Lane
    ) -> Outcome:
        """Bring a resource that is being deleted to its end, as far as that is possible now."""
        place = self._place
        if FINALIZER not in body["metadata"].get("finalizers", []):
            place.rest(key)
            return Outcome(None)
        place.probes.forget(key)
        place.concern(key, desired)
        ledger = await place.ledgers.load(desired.owner)
        for _ in range(ROUNDS):
            users = tuple(one.key for one in place.contenders.sharing(key))
            sharers = place.contenders.on_connector(key)
            observed = await place.observer.observe(
                desired, ledger, fresh=False, lane=lane, connector_users=users, sharers=sharers
            )
            plan = make_deletion_plan(desired, observed, ledger, place.now())
            if plan.ledger != ledger:
                await place.save(desired.owner, plan.ledger)
                ledger = plan.ledger
            if all(isinstance(action, DeleteConnector) for action in plan.actions):
                # The rules are gone. Before the connector that it leaves by, and even with Retain: it only watched.
                release = await self._probers.release(key, desired, ledger, lane, wait=True)
                ledger = release.ledger
                retained = desired.deletion_policy is DeletionPolicy.RETAIN
                if not release.done and not (retained and release.trouble):
                    return await self._prober_stays(key, body, previous, release)
            if plan.done:
                if plan.released:
                    place.reporter.released(desired.owner, plan.released)
                if plan.heir is None:
                    return await self.let_go(key, desired.owner, body)
                heir = await self._hand_over(plan.heir, ledger)
                await self.let_go(key, desired.owner, body)
                return Outcome(None, wake=(heir,))
            await self._tell(key, body, previous, plan.verdict)
            if not plan.actions:
                return Outcome(plan.due_in if plan.due_in is not None else place.resync() / 10)
            try:
                ledger = await place.apply(key, desired, plan.actions, ledger, lane)
            except StaleObservationError as stale:
                _log.info("stale", resource=str(key), what=str(stale))
                ledger = await place.ledgers.load(desired.owner)
            except ActionFailed as failed:
                place.reporter.failed(desired.owner, failed.action, failed.error)
                verdict = failed_write(failed.error, failed.action.summary)
                await self._tell(key, body, previous, verdict)
                raise TryAgain(str(failed.error), failed.error.retry_after) from failed
        raise TryAgain("deletion does not settle: somebody else keeps changing things")

    async def _prober_stays(self, key: Key, body: Body, previous: RedisConnectivityStatus, release: Release) -> Outcome:
        """Wait for Google to remove the prober, or for somebody to let the operator do so."""
        going = bad(Reason.DELETING, "Removing the prober's Cloud Run service.")
        await self._tell(key, body, previous, release.trouble or going)
        if release.trouble is not None:
            raise TryAgain(release.trouble.message, release.due_in)
        return Outcome(release.due_in)

    async def let_go(self, key: Key, owner: ResourceId, body: Body) -> Outcome:
        """Remove the ledger, then the finalizer: in this order a crash in between leaves nothing behind."""
        place = self._place
        place.may_write()
        await place.ledgers.forget(owner)
        body = place.store.get(key) or body
        if FINALIZER in body["metadata"].get("finalizers", []):
            remaining = await place.kube.remove_finalizer(body)
            if remaining is None or not remaining["metadata"].get("finalizers"):
                place.store.forget(key)
            else:
                place.store.wrote(remaining)
        place.rest(key)
        return Outcome(None)

    async def _tell(self, key: Key, body: Body, previous: RedisConnectivityStatus, verdict: Verdict) -> None:
        """Say how it stands. A deletion that does not get on says so as an Event, too, and names the way out."""
        place = self._place
        body = place.store.get(key) or body
        if body.get("status"):
            previous = place.reporter.previous(body)
        blocked = verdict.reason is not Reason.DELETING
        message = _way_out(verdict.message) if blocked else verdict.message
        status = conditions_only(
            previous,
            {
                ConditionType.READY: bad(verdict.reason, message),
                ConditionType.RECONCILING: good(Reason.DELETING, message),
                ConditionType.STALLED: good(verdict.reason, message)
                if verdict.reason in _NEEDS_PEOPLE
                else bad(Reason.DELETING, "Being deleted."),
            },
            int(body["metadata"].get("generation", 0)),
            place.now(),
        )
        # What is in the way may have been there before the deletion; it is news that it is in the way of one.
        was = {one.type: one.reason for one in previous.conditions}
        known = was.get(ConditionType.RECONCILING) is Reason.DELETING and was.get(ConditionType.READY) is verdict.reason
        try:
            await place.reporter.tell(key, body, status)
        except (Gone, KubeConflict):
            raise
        except KubeError as error:
            # Whoever refuses to be told must not keep what is to be removed.
            _log.warning("status.refused", resource=str(key), error=str(error))
        if blocked and not known:
            place.reporter.deletion_blocked(ResourceId("", key.namespace, key.name, body["metadata"]["uid"]), message)

    async def _hand_over(self, heir: str, ledger: Ledger) -> Key:
        """Give the claim on a connector to another resource that uses it too."""
        place = self._place
        key = Key(*heir.split("/"))
        lock = place.lock(key)
        if lock.locked():
            # It works from the ledger that it has read, and would write it back without the claim.
            raise TryAgain(f"{heir} takes over the connector, as soon as it is done with its own work", SOON)
        async with lock:
            body = place.store.get(key)
            if body is None:
                raise TryAgain(f"{heir}, which was to take over the connector, is gone", SOON)
            owner = ResourceId(place.cluster, key.namespace, key.name, body["metadata"]["uid"])
            theirs = await place.ledgers.load(owner)
            fields = ("claim", "retiring", "current", "operation")
            await place.save(owner, theirs.model_copy(update={name: getattr(ledger, name) for name in fields}))
        return key


def _way_out(message: str) -> str:
    return (
        f"{message} To give up what is left in the cloud, set spec.deletionPolicy to Retain, or remove the finalizer"
        f" {FINALIZER} (docs/deletion.md)."
    )
