"""How each kind of shared view is read: the list calls behind the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis_connectivity.cloud.doors import ComputeDoor, RedisDoor, VpcAccessDoor
from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.inventory import Source
from redis_connectivity.cloud.keys import AnyKey, Kind, subnetwork_item
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.core.cloudvalues import NetworkRef

__all__ = ["inventory_sources"]


def inventory_sources(compute: ComputeDoor, vpcaccess: VpcAccessDoor, redis: RedisDoor) -> dict[Kind, Source]:
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
        if listing.unreachable:
            # What Google could not reach is missing from the list, and must not look deleted.
            places = ", ".join(listing.unreachable)
            msg = f"Google could not reach {places} while listing Redis instances"
            raise Retryable(
                msg,
                project=key.project,
                service="redis",
                method="instances.list",
                resource=key.scope,
                reason="unreachable",
            )
        return {instance.name: instance for instance in listing.instances}

    async def effective_policies(key: AnyKey, lane: AnyLane) -> Mapping[str, Any]:
        return {key.scope: await compute.effective_firewalls(NetworkRef(key.project, key.scope), lane)}

    return {
        Kind.FIREWALLS: firewalls,
        Kind.NETWORKS: networks,
        Kind.SUBNETWORKS: subnetworks,
        Kind.CONNECTORS: connectors,
        Kind.REDIS_INSTANCES: redis_instances,
        Kind.EFFECTIVE_POLICIES: effective_policies,
    }
