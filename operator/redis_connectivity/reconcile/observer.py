"""Gathers what one plan looks at, from the shared inventory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog

from redis_connectivity.api.spec import ConnectorManagement
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, NotFound, QuotaExhausted
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import SCARCE, Pace
from redis_connectivity.cloud.snapshot import AnySnapshot, Snapshot
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
from redis_connectivity.core.questions import target_region
from redis_connectivity.core.runvalues import RunService
from redis_connectivity.core.targets import SeenRedis
from redis_connectivity.reconcile.elsewhere import SCARCE_FRESH, Elsewhere
from redis_connectivity.reconcile.explain import explain, is_transient

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


class Observer:
    """Reads views no older than asked for; what cannot be read becomes Unseen, with the reason."""

    def __init__(self, cloud: GoogleCloud, pace: Pace) -> None:
        self._cloud = cloud
        self._pace = pace
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
        wanted = self.views(desired)
        operation = await self._operation(ledger, lane)
        if operation is not None and operation.done:
            # The view may be from before the operation's end.
            await self._look_at_connector(desired, ledger, lane)

        async def view(key: keys.Key[T], pick: Callable[[Snapshot[T]], R], otherwise: R) -> R | Unseen:
            if key not in wanted:
                return otherwise
            try:
                if not fresh:
                    self._raise_trouble(key)
                return pick(await self._cloud.inventory.need(key, self._max_age(key, fresh=fresh, since=since), lane))
            except NotFound as error:
                # A network's policies are not found when the network is not; a project's list, when the project is not.
                return otherwise if key.kind in _OF_A_NETWORK else explain(error)
            except CloudError as error:
                return explain(error)

        region_policies = keys.region_policies(desired.network, region)

        async def target() -> SeenRedis | Unseen | None:
            where = target_view(desired)
            return await view(where[0], lambda seen: seen.items.get(where[1]), None) if where else None

        no_policies: tuple[FirewallPolicy, ...] = ()
        no_connectors: tuple[Connector, ...] = ()
        no_rules: tuple[FirewallRule, ...] = ()
        no_subnetworks: tuple[Subnetwork, ...] = ()
        no_networks: dict[str, Network] = {}

        def policies_in(key: keys.Key[tuple[FirewallPolicy, ...]]) -> Awaitable[tuple[FirewallPolicy, ...] | Unseen]:
            return view(key, lambda seen: seen.items.get(desired.network.name, no_policies), no_policies)

        networks, connectors, redis, rules, (policies, regional), subnetworks = await asyncio.gather(
            view(keys.networks(host), lambda seen: dict(seen.items), no_networks),
            view(
                keys.connectors(connector_project, region),
                lambda seen: tuple(seen.items.values()),
                no_connectors,
            ),
            target(),
            view(keys.firewalls(host), lambda seen: tuple(seen.items.values()), no_rules),
            asyncio.gather(policies_in(keys.effective_policies(desired.network)), policies_in(region_policies)),
            view(keys.subnetworks(host), lambda seen: tuple(seen.items.values()), no_subnetworks),
        )
        at_target: tuple[FirewallPolicy, ...] | Unseen | None = None
        # The subnetworks may have been read for the first time just now.
        wanted = self.views(desired)
        elsewhere = self._region_of_target(desired)
        if elsewhere:
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
        return tuple(self._cloud.inventory.peek(key).items.values()) if key in interests(desired) else ()

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
                self._raise_trouble(key)
            return (await self._cloud.inventory.need(key, self._max_age(key, fresh=fresh), lane)).items
        except CloudError as error:
            return explain(error)

    def _max_age(self, key: keys.AnyKey, *, fresh: bool, since: float | None = None) -> float:
        """Seconds: three polls, so that a slow answer or two do not make every resource read by itself."""
        floor = SCARCE_FRESH if key.kind in SCARCE else 0.0
        if fresh:
            return floor
        trusted = 3.0 * self._pace.of(key.kind) * self._cloud.governor.poll_factor(key.project)
        return trusted if since is None else max(floor, min(trusted, since))

    def trusted_for(self, key: keys.AnyKey) -> float:
        """Seconds for which what was read last is good enough."""
        return self._max_age(key, fresh=False)

    def _raise_trouble(self, key: keys.AnyKey) -> None:
        """Raise what the last reading ended with, where reading once more would be no better.

        A refusal counts at once: older content is no answer to it, however fresh. Trouble that passes (503, quota)
        counts when the content is too old; the poller tries again and wakes who is interested. Above all, nobody waits
        here until a project's quota refills: it would keep a worker from everybody else.
        """
        seen = self._cloud.inventory.peek(key)
        if seen.error is None or seen.failed is None or self._believed_for(seen) > 0:
            return
        recent = time.monotonic() - seen.failed.monotonic <= self.trusted_for(key)
        if recent or isinstance(seen.error, QuotaExhausted):
            raise seen.error.with_traceback(None)

    def _believed_for(self, seen: AnySnapshot) -> float:
        """Seconds for which what was read stays an answer although it cannot be read now; zero for none."""
        if seen.error is None or seen.observed is None or not is_transient(seen.error):
            return 0.0
        return max(0.0, self.trusted_for(seen.key) - seen.age(time.monotonic()))

    def doubted_in(self, desired: Desired) -> float | None:
        """Seconds until something that was seen is too old to believe without being read; None where all can be read.

        Whoever is told of trouble looks once and comes back by this: the inventory tells it only as it begins, and a
        project whose polls get slower meanwhile has its content believed for longer.
        """
        left = [self._believed_for(self._cloud.inventory.peek(key)) for key in self.views(desired)]
        return min((one + _AFTER for one in left if one > 0), default=None)

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
