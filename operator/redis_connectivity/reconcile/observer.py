"""Gathers what one plan looks at, from the shared inventory."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from redis_connectivity.api.spec import ConnectorManagement
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, NotFound
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.cloud.snapshot import Snapshot
from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Network,
    Subnetwork,
)
from redis_connectivity.core.desired import ClusterWant, Desired, EndpointWant, MemorystoreWant, ValkeyWant, VmWant
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, OperationResult, Sharer, Unseen
from redis_connectivity.core.questions import is_on_subnet, target_region
from redis_connectivity.core.runvalues import RunService
from redis_connectivity.core.targets import SeenRedis
from redis_connectivity.reconcile.belief import Belief
from redis_connectivity.reconcile.elsewhere import Elsewhere
from redis_connectivity.reconcile.explain import explain

__all__ = ["Observer", "interests", "target_view"]

_log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Views of one network instead of a project.
_OF_A_NETWORK = frozenset({keys.Kind.EFFECTIVE_POLICIES, keys.Kind.REGION_POLICIES})
#: Seconds after the end of a belief to look again, so as not to come a moment before it.
_AFTER = 0.1


def interests(desired: Desired) -> frozenset[keys.AnyKey]:
    """The shared views that a resource depends on, as far as what it declares tells (see `Observer.views`)."""
    host = desired.network.project
    wanted: set[keys.AnyKey] = {
        keys.firewalls(host),
        keys.networks(host),
        keys.effective_policies(desired.network),
        keys.region_policies(desired.network, desired.region),
    }
    if desired.direct is not None:
        wanted.add(keys.subnetworks(host))
    elif desired.connector.management is not ConnectorManagement.NONE:
        wanted.add(keys.connectors(desired.connector.project, desired.region))
        wanted.add(keys.subnetworks(host))
    elif desired.connector.subnet is not None or isinstance(desired.target, VmWant | EndpointWant):
        wanted.add(keys.subnetworks(host))
    redis = target_view(desired)
    if redis is not None:
        wanted.add(redis[0])
    if desired.deploys_prober:
        wanted.add(keys.run_services(desired.project, desired.region))
    return frozenset(wanted)


def target_view(desired: Desired) -> tuple[keys.AnyKey, str] | None:
    """The view that holds the target, and its name there; None for one that is only declared."""
    project, region = desired.project, desired.region
    match desired.target:
        case MemorystoreWant(instance=name):
            return keys.redis_instances(project, region), name
        case ClusterWant(name=name):
            return keys.redis_clusters(project, region), name
        case ValkeyWant(instance=name):
            return keys.valkey_instances(project, region), name
        case VmWant() | EndpointWant():
            return None


@dataclass(slots=True)
class _Look:
    """The readings of one observation, none from before `not_before` (monotonic) where that is given."""

    cloud: GoogleCloud
    belief: Belief
    fresh: bool
    not_before: float | None
    lane: Lane
    #: Until when something of it is believed although it cannot be read now.
    believed_until: float | None = None

    async def view(self, key: keys.Key[T], pick: Callable[[Snapshot[T]], R], otherwise: R) -> R | Unseen:
        """What `pick` takes from a view; `otherwise` where there is none; or why it cannot be read."""
        earliest = self.belief.earliest(key, fresh=self.fresh, not_before=self.not_before)
        try:
            if not self.fresh:
                self.belief.raise_trouble(key)
            seen = await self.cloud.inventory.need_since(key, earliest, self.lane)
        except NotFound as error:
            # A network's policies are not found when the network is not; a project's list, when the project is not.
            return otherwise if key.kind in _OF_A_NETWORK else explain(error)
        except CloudError as error:
            return explain(error)
        left = self.belief.lasts(seen)
        if left > 0:
            self.believed_until = min(time.monotonic() + left, self.believed_until or math.inf)
        return pick(seen)


class Observer:
    """Reads views no older than asked for; what cannot be read becomes Unseen, with the reason."""

    def __init__(self, cloud: GoogleCloud, pace: Pace) -> None:
        self._cloud = cloud
        self._belief = Belief(cloud, pace)
        self._elsewhere = Elsewhere(cloud)

    async def observe(
        self,
        desired: Desired,
        ledger: Ledger,
        *,
        fresh: bool,
        lane: Lane,
        connector_users: tuple[str, ...] = (),
        sharers: tuple[Sharer, ...] = (),
        names_being_taken: frozenset[str] = frozenset(),
        since: float | None = None,
    ) -> Observed:
        """One resource's observation.

        `fresh` reads everything anew, shared with who else asks; else what the poller keeps is good enough. With
        `since` (seconds ago) it must not be older than that: something happened then.
        """
        host, region = desired.network.project, desired.region
        connector_project = desired.connector.project if desired.direct is None else ""
        look = _Look(self._cloud, self._belief, fresh, None if since is None else time.monotonic() - since, lane)
        wanted = interests(desired)
        operation = await self._operation(ledger, lane)
        if operation is not None and operation.done:
            # The view may be from before the operation's end.
            await self._look_at_connector(desired, ledger, lane)

        async def wanted_view(key: keys.Key[T], pick: Callable[[Snapshot[T]], R], otherwise: R) -> R | Unseen:
            return await look.view(key, pick, otherwise) if key in wanted else otherwise

        region_policies = keys.region_policies(desired.network, region)

        async def target() -> SeenRedis | Unseen | None:
            where = target_view(desired)
            return await look.view(where[0], lambda seen: seen.items.get(where[1]), None) if where is not None else None

        no_policies: tuple[FirewallPolicy, ...] = ()
        no_connectors: tuple[Connector, ...] = ()
        no_rules: tuple[FirewallRule, ...] = ()
        no_subnetworks: tuple[Subnetwork, ...] = ()
        no_networks: dict[str, Network] = {}

        def policies_in(key: keys.Key[tuple[FirewallPolicy, ...]]) -> Awaitable[tuple[FirewallPolicy, ...] | Unseen]:
            return look.view(key, lambda seen: seen.items.get(desired.network.name, no_policies), no_policies)

        networks, connectors, redis, rules, (policies, regional), subnetworks = await asyncio.gather(
            look.view(keys.networks(host), lambda seen: dict(seen.items), no_networks),
            wanted_view(
                keys.connectors(connector_project, region),
                lambda seen: tuple(seen.items.values()),
                no_connectors,
            ),
            target(),
            look.view(keys.firewalls(host), lambda seen: tuple(seen.items.values()), no_rules),
            asyncio.gather(policies_in(keys.effective_policies(desired.network)), policies_in(region_policies)),
            wanted_view(keys.subnetworks(host), lambda seen: tuple(seen.items.values()), no_subnetworks),
        )
        at_target: tuple[FirewallPolicy, ...] | Unseen | None = None
        if isinstance(subnetworks, Unseen):
            at_target = subnetworks if is_on_subnet(desired) else None
        elif elsewhere := self._region_of_target(desired):
            at_target = await policies_in(keys.region_policies(desired.network, elsewhere))
        connector: Connector | Unseen | None
        if desired.direct is not None:
            connector, others = None, no_connectors
        elif isinstance(connectors, Unseen):
            connector, others = connectors, no_connectors
        else:
            # Another may have taken its place since: `lineage.settle` looks for that among all.
            connector = next((one for one in connectors if one.name == desired.connector.name), None)
            others = connectors
        return Observed(
            network=networks if isinstance(networks, Unseen) else networks.get(desired.network.name),
            connector=connector,
            redis=redis,
            rules=rules,
            policies=policies,
            regional_policies=regional,
            target_region_policies=at_target,
            subnetworks=subnetworks,
            connectors=others,
            operation=operation,
            connector_users=connector_users,
            connector_sharers=sharers,
            names_being_taken=names_being_taken,
            network_names=frozenset() if isinstance(networks, Unseen) else frozenset(networks),
            connector_elsewhere=await self._connector_elsewhere(desired, connector, subnetworks, lane),
            run_services=self._known_services(desired),
            redis_elsewhere=await self._redis_elsewhere(desired, redis, lane),
            believed_until=look.believed_until,
        )

    def views(self, desired: Desired) -> frozenset[keys.AnyKey]:
        """The shared views that a resource depends on, by what it declares and by where its target stands."""
        region = self._region_of_target(desired)
        return interests(desired) | ({keys.region_policies(desired.network, region)} if region else set())

    def _region_of_target(self, desired: Desired) -> str:
        """The region of the target's machine as far as is known, where it is another than the path's."""
        known = self._cloud.inventory.peek(keys.subnetworks(desired.network.project)).items.values()
        region = target_region(desired, known)
        return "" if region == desired.region else region

    def _known_services(self, desired: Desired) -> tuple[RunService, ...]:
        """The project's Cloud Run services as last read for a prober; nothing is read for this alone."""
        key = keys.run_services(desired.project, desired.region)
        return tuple(self._cloud.inventory.peek(key).items.values()) if desired.deploys_prober else ()

    async def _redis_elsewhere(self, desired: Desired, redis: SeenRedis | Unseen | None, lane: Lane) -> tuple[str, ...]:
        where = target_view(desired)
        if where is None or isinstance(redis, Unseen):
            return ()
        if redis is not None:
            self._elsewhere.found(desired, *where)
            return ()
        return await self._elsewhere.redis(desired, *where, lane)

    async def _connector_elsewhere(
        self,
        desired: Desired,
        connector: Connector | Unseen | None,
        subnetworks: tuple[Subnetwork, ...] | Unseen,
        lane: Lane,
    ) -> tuple[str, ...]:
        if desired.direct is not None or isinstance(connector, Unseen):
            return ()
        if connector is not None:
            self._elsewhere.found(
                desired, keys.connectors(desired.connector.project, desired.region), desired.connector.name
            )
            return ()
        known = () if isinstance(subnetworks, Unseen) else subnetworks
        return await self._elsewhere.connector(desired, known, lane)

    async def run_services(
        self, project: str, region: str, *, fresh: bool, lane: Lane
    ) -> Mapping[str, RunService] | Unseen:
        """The Cloud Run services of a region, by name."""
        key = keys.run_services(project, region)
        try:
            if not fresh:
                self._belief.raise_trouble(key)
            earliest = self._belief.earliest(key, fresh=fresh)
            return (await self._cloud.inventory.need_since(key, earliest, lane)).items
        except CloudError as error:
            return explain(error)

    def trusted_for(self, key: keys.AnyKey) -> float:
        """Seconds for which what was read last is good enough."""
        return self._belief.trusted_for(key)

    def doubted_in(self, observed: Observed) -> float | None:
        """Seconds until something in there is too old to believe without being read; None where all could be read.

        Whoever is told of trouble looks once and comes back by this: the inventory tells it only as it begins, and a
        project whose polls get slower meanwhile has its content believed for longer.
        """
        if observed.believed_until is None:
            return None
        return max(0.0, observed.believed_until - time.monotonic()) + _AFTER

    async def _look_at_connector(self, desired: Desired, ledger: Ledger, lane: Lane) -> None:
        path = (ledger.operation.connector if ledger.operation else "") or desired.connector_path
        _, project, _, region, _, name = path.split("/")
        try:
            await self._cloud.fresh_connector(project, region, name, lane)
        except CloudError as error:
            _log.info("connector.unread", connector=path, error=str(error))

    async def _operation(self, ledger: Ledger, lane: Lane) -> OperationResult | None:
        """How the connector operation in the ledger stands; None when there is none or it cannot be asked now."""
        if ledger.operation is None or not ledger.operation.name:
            return None
        try:
            seen = await self._cloud.poll_vpcaccess_operation(ledger.operation.name, lane)
        except NotFound:
            # Google forgets operations after a while; the connector's own state tells the rest.
            return OperationResult(done=True)
        except CloudError:
            return None
        return OperationResult(done=seen.done, code=seen.code or 0, message=seen.message)
