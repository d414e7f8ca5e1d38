"""What keeping a resource and deleting it have in common: the parts, who is at work on what, and applying a plan."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping

from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.actions import CloudAction, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.ledgerstore import LedgerStore
from redis_connectivity.reconcile.applier import Applier, Apply, StaleObservationError
from redis_connectivity.reconcile.contenders import Contenders
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity.reconcile.outcome import ActionFailed
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.reporter import Reporter
from redis_connectivity.reconcile.store import Key, ResourceStore

__all__ = ["Workplace"]


class Workplace:
    """Shared by all that work on resources; one per process."""

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
        contenders: Contenders,
        may_write: Callable[[], None],
        now: Callable[[], float],
        resync_interval: float,
        rng: random.Random | None = None,
    ) -> None:
        self.cluster = cluster
        self.store = store
        self.kube = kube
        self.ledgers = ledgers
        self.cloud = cloud
        self.observer = observer
        self.applier = applier
        self.probes = probes
        self.reporter = reporter
        self.contenders = contenders
        self.may_write = may_write
        self.now = now
        self._resync_interval = resync_interval
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        #: What each known resource wants, for the question whom a change concerns.
        self.desired: dict[Key, Desired] = {}
        #: Held while a resource is worked on, so that another one's deletion does not write to its ledger meanwhile.
        self._at_work: dict[Key, asyncio.Lock] = {}
        #: Rules that are being created, by project and name: no list shows them yet.
        self._inserting: dict[tuple[str, str], Key] = {}

    # --- who is at work on what

    def lock(self, key: Key) -> asyncio.Lock:
        """Held by whoever works on the resource."""
        return self._at_work.setdefault(key, asyncio.Lock())

    def concern(self, key: Key, desired: Desired) -> None:
        """The resource depends on what its spec names from now on: news of it wake the resource."""
        self.desired[key] = desired
        self.cloud.poller.set_interest(key, self.observer.views(desired))

    def rest(self, key: Key) -> None:
        """Nothing in the cloud concerns the resource any more."""
        self.probes.forget(key)
        self.cloud.poller.drop_interest(key)
        self.desired.pop(key, None)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._at_work.pop(key, None)
        self.rest(key)
        self.reporter.forget(key)

    def names_being_taken(self, key: Key, project: str) -> frozenset[str]:
        """Names of rules that other resources are creating right now."""
        return frozenset(name for (where, name), by in self._inserting.items() if by != key and where == project)

    def resync(self) -> float:
        """Seconds until a look for which nothing is the occasion."""
        return self._resync_interval * self._rng.uniform(0.9, 1.1)

    # --- writing

    async def save(self, owner: ResourceId, ledger: Ledger) -> None:
        """Persist a resource's ledger, if this process may still write."""
        self.may_write()
        await self.ledgers.save(owner, ledger)

    async def apply(
        self,
        key: Key,
        desired: Desired,
        actions: Iterable[CloudAction],
        ledger: Ledger,
        lane: Lane,
        repaired: Callable[[CloudAction, Ledger], Mapping[str, object]] = lambda _, __: {},
    ) -> Ledger:
        """Carry out a plan's actions; gives the ledger as they left it.

        `repaired` gives what an action's success changes in the ledger beyond the action itself.

        Raises:
            ActionFailed: Google refused one of them.
            StaleObservationError: plan again.
        """

        async def save(changed: Ledger) -> None:
            await self.save(desired.owner, changed)

        to = Apply(desired.owner, ledger, save, lane)
        actions = tuple(actions)
        # Connector first, then rules; the rules of one plan do not depend on each other and go side by side.
        rules = [action for action in actions if isinstance(action, InsertRule | UpdateRule | DeleteRule)]
        for action in actions:
            if action not in rules:
                await self._apply_one(key, action, to, repaired)
        results = await asyncio.gather(
            *(self._apply_one(key, rule, to, repaired) for rule in rules), return_exceptions=True
        )
        for problem in results:
            if isinstance(problem, BaseException):
                raise problem
        return to.ledger

    async def _apply_one(
        self,
        key: Key,
        action: CloudAction,
        to: Apply,
        repaired: Callable[[CloudAction, Ledger], Mapping[str, object]],
    ) -> None:
        inserted = (action.rule.network.project, action.rule.name) if isinstance(action, InsertRule) else None
        if inserted is not None and self._inserting.setdefault(inserted, key) != key:
            raise StaleObservationError(f"rule {inserted[1]} is being created by another resource")
        try:
            await self.applier.apply(action, to)
            await to.record(lambda ledger: repaired(action, ledger))
        except CloudError as error:
            raise ActionFailed(action, error) from error
        finally:
            if inserted is not None:
                del self._inserting[inserted]
        self.reporter.applied(to.owner, action)
        self.probes.path_changed(key)
