"""How each kind of shared view is read: the list calls behind the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis_connectivity.cloud.doors import (
    ComputeDoor,
    MemorystoreDoor,
    RedisClusterDoor,
    RedisDoor,
    RegionListing,
    RunDoor,
    VpcAccessDoor,
)
from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.inventory import Source
from redis_connectivity.cloud.keys import EVERYWHERE, AnyKey, Kind, regional_item, subnetwork_item
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.core.cloudvalues import NetworkRef

__all__ = ["inventory_sources"]


def _whole(listing: RegionListing[Any], key: AnyKey, service: str, method: str, what: str) -> Mapping[str, Any]:
    """The items by name. What Google could not reach is missing from the list, and must not look deleted."""
    if key.scope == EVERYWHERE:
        # Only asked what is somewhere: regions that cannot be reached take nothing from that.
        return {regional_item(item.region, item.name): item for item in listing.items}
    if listing.unreachable:
        places = ", ".join(listing.unreachable)
        raise Retryable(
            f"Google could not reach {places} while listing {what}",
            project=key.project,
            service=service,
            method=method,
            resource=key.scope,
            reason="unreachable",
        )
    return {item.name: item for item in listing.items}


def inventory_sources(
    compute: ComputeDoor,
    vpcaccess: VpcAccessDoor,
    redis: RedisDoor,
    redis_cluster: RedisClusterDoor,
    memorystore: MemorystoreDoor,
    run: RunDoor | None = None,
) -> dict[Kind, Source]:
    """A source per kind, from the doors."""

    async def firewalls(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        return {rule.name: rule for rule in await compute.list_firewalls(key.project, lane)}

    async def networks(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        return {network.ref.name: network for network in await compute.list_networks(key.project, lane)}

    async def subnetworks(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        found = await compute.list_subnetworks(key.project, lane)
        return {subnetwork_item(subnetwork.region, subnetwork.name): subnetwork for subnetwork in found}

    async def connectors(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        found = await vpcaccess.list_connectors(key.project, key.scope, lane)
        return {connector.name: connector for connector in found}

    async def redis_instances(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        listing = await redis.list_instances(key.project, key.scope, lane)
        return _whole(listing, key, "redis", "instances.list", "Redis instances")

    async def redis_clusters(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        listing = await redis_cluster.list_clusters(key.project, key.scope, lane)
        return _whole(listing, key, "redis", "clusters.list", "Redis Clusters")

    async def valkey_instances(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        listing = await memorystore.list_instances(key.project, key.scope, lane)
        return _whole(listing, key, "memorystore", "instances.list", "Valkey instances")

    async def effective_policies(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        return {key.scope: await compute.effective_firewalls(NetworkRef(key.project, key.scope), lane)}

    async def region_policies(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        region, _, network = key.scope.partition("/")
        return {network: await compute.region_effective_firewalls(NetworkRef(key.project, network), region, lane)}

    async def run_services(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        if run is None:
            raise RuntimeError("this was made without a door to Cloud Run")
        return {service.name: service for service in await run.list_services(key.project, key.scope, lane)}

    return {
        Kind.FIREWALLS: firewalls,
        Kind.NETWORKS: networks,
        Kind.SUBNETWORKS: subnetworks,
        Kind.CONNECTORS: connectors,
        Kind.REDIS_INSTANCES: redis_instances,
        Kind.REDIS_CLUSTERS: redis_clusters,
        Kind.VALKEY_INSTANCES: valkey_instances,
        Kind.EFFECTIVE_POLICIES: effective_policies,
        Kind.REGION_POLICIES: region_policies,
        Kind.RUN_SERVICES: run_services,
    }
