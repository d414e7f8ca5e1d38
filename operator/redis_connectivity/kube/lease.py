"""Leader election by a Lease: one process works, others stand by with warm caches and write nothing.

The rules are client-go's: who holds the Lease renews it; who does not watches it and takes it when it was not renewed
for its duration, by the follower's own clock. Before each write the leader checks its own deadline, so that a process
that was frozen does not write after somebody else took over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease

from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import Exists, Gone, KubeConflict, KubeError, translate

__all__ = ["LeaderElection", "LeaseTimes", "NotLeader"]

_log = structlog.get_logger(__name__)


class NotLeader(Exception):
    """This process does not hold the Lease (any more), so it must not write."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds: how long a Lease is good, how often it is renewed, how often a follower looks."""

    duration: float = 15.0
    renew: float = 5.0
    retry: float = 2.0


class LeaderElection:
    """Takes and keeps a Lease. `clock` is monotonic, in seconds; `acquired` is called before anybody may write."""

    def __init__(
        self,
        kube: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float],
        times: LeaseTimes | None = None,
        acquired: Callable[[], None] = lambda: None,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self.identity = identity
        self._clock = clock
        self._times = times or LeaseTimes()
        self._acquired = acquired
        self._deadline = float("-inf")
        self._leading = asyncio.Event()
        self._seen: tuple[str, float] | None = None
        self._lease: Lease | None = None
        #: Whether the log has it that this process leads.
        self._told = False

    @property
    def is_leader(self) -> bool:
        """Whether this process may write now."""
        return self._clock() < self._deadline

    def assert_leader(self) -> None:
        """Raise NotLeader unless this process may write now. Call it right before each write."""
        if not self.is_leader:
            raise NotLeader(f"the Lease {self._namespace}/{self._name} is not held by {self.identity}")

    async def wait_until_leader(self) -> None:
        """Return as soon as this process leads."""
        while not self.is_leader:
            self._leading.clear()
            await self._leading.wait()

    async def run(self) -> None:
        """Take and renew the Lease until cancelled; then give it back."""
        try:
            while True:
                await self._round()
                await asyncio.sleep(self._times.renew if self.is_leader else self._times.retry)
        finally:
            await self._release()

    async def _round(self) -> None:
        was = self.is_leader
        if self._told and not was:
            self._tell(leads=False)  # it ran out while nobody looked: this process, or the API server, hung
        try:
            await self._try()
        except KubeConflict:
            self._lease = None
        except KubeError as error:
            self._lease = None
            _log.warning("lease.failed", error=str(error))
        if self.is_leader and not was:
            self._tell(leads=True)
            self._acquired()
        elif was and not self.is_leader:
            self._tell(leads=False)
        if self.is_leader:
            self._leading.set()

    def _tell(self, *, leads: bool) -> None:
        self._told = leads
        if leads:
            _log.info("lease.acquired", identity=self.identity)
        else:
            _log.warning("lease.lost", identity=self.identity)

    async def _try(self) -> None:
        before = self._clock()
        lease = self._lease
        if lease is None:
            try:
                with translate("get lease"):
                    lease = await self._kube.api.get(Lease, self._name, namespace=self._namespace)
            except Gone:
                await self._create(before)
                return
        spec = lease.spec or LeaseSpec()
        if spec.holderIdentity not in (None, "", self.identity) and not self._expired(lease):
            self._deadline = float("-inf")
            self._lease = None
            return
        taking = spec.holderIdentity != self.identity
        now = datetime.now(UTC)
        lease.spec = LeaseSpec(
            holderIdentity=self.identity,
            leaseDurationSeconds=max(1, int(self._times.duration)),
            acquireTime=now if taking else spec.acquireTime,
            renewTime=now,
            leaseTransitions=(spec.leaseTransitions or 0) + (1 if taking else 0),
        )
        with translate("renew lease"):
            self._lease = await self._kube.api.replace(lease)
        self._deadline = before + self._times.duration

    async def _create(self, before: float) -> None:
        now = datetime.now(UTC)
        lease = Lease(
            apiVersion="coordination.k8s.io/v1",
            kind="Lease",
            metadata=ObjectMeta(name=self._name, namespace=self._namespace),
            spec=LeaseSpec(
                holderIdentity=self.identity,
                leaseDurationSeconds=max(1, int(self._times.duration)),
                acquireTime=now,
                renewTime=now,
                leaseTransitions=0,
            ),
        )
        try:
            with translate("create lease"):
                self._lease = await self._kube.api.create(lease)
        except Exists as error:
            raise KubeConflict(str(error)) from error
        self._deadline = before + self._times.duration

    def _expired(self, lease: Lease) -> bool:
        """Whether the holder did not renew for the Lease's duration, by our own clock since we first saw this state."""
        version = (lease.metadata.resourceVersion or "") if lease.metadata else ""
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, self._clock())
        duration = lease.spec.leaseDurationSeconds if lease.spec and lease.spec.leaseDurationSeconds else 1
        return self._clock() - self._seen[1] > duration

    async def _release(self) -> None:
        """Give the Lease back, so that a successor need not wait; failing to is harmless."""
        lease, self._deadline = self._lease, float("-inf")
        if lease is None or lease.spec is None or lease.spec.holderIdentity != self.identity:
            return
        lease.spec.holderIdentity = ""
        try:
            with translate("release lease"):
                await self._kube.api.replace(lease)
        except KubeError as error:
            _log.info("lease.release_failed", error=str(error))
