"""Reads all that a project and region hold for `import`: through the shared views, and nothing but reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, ServiceDisabled
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.cloudvalues import FirewallPolicy, Machine
from redis_connectivity.core.importing import Inventory
from redis_connectivity.core.importtargets import opened
from redis_connectivity.core.observed import Unseen
from redis_connectivity.reconcile.explain import explain

__all__ = ["UnreadableError", "read_inventory"]

T = TypeVar("T")

_FRESH = 0.0


class UnreadableError(Exception):
    """Without what could not be read there is nothing to import; the message says what to do."""


async def read_inventory(cloud: GoogleCloud, project: str, region: str, host_project: str | None = None) -> Inventory:
    """Everything that paths are made of.

    Args:
        cloud: Google Cloud.
        project: Where Redis is, and connectors and Cloud Run services.
        region: Of connectors and Redis.
        host_project: That of a Shared VPC, which has networks, rules and subnets, and perhaps connectors and VMs, too.

    Raises:
        UnreadableError: Networks, connectors or firewall rules could not be read.
    """
    holder = host_project or project
    both = sorted({project, holder})
    networks, rules, connectors = await asyncio.gather(
        _must(_view(cloud, keys.networks(holder))),
        _must(_view(cloud, keys.firewalls(holder))),
        asyncio.gather(*(_must(_view(cloud, keys.connectors(one, region))) for one in both)),
    )
    subnetworks, machines, services, (instances, clusters, valkeys) = await asyncio.gather(
        _try(_view(cloud, keys.subnetworks(holder))),
        _try(_machines(cloud, both)),
        _try(_view(cloud, keys.run_services(project, region))),
        asyncio.gather(
            _try(_view(cloud, keys.redis_instances(project, region))),
            _try(_view(cloud, keys.redis_clusters(project, region))),
            _try(_view(cloud, keys.valkey_instances(project, region))),
        ),
    )
    known = {one.ref for one in networks}
    # Google counts each of these calls as a heavy one: only where something can be a target.
    standing = () if isinstance(machines, Unseen) else opened(rules, machines)
    elsewhere = {(one.network, one.region) for one in standing if one.network in known}
    places = sorted({(one, region) for one in known} | elsewhere)
    policies, regional = await asyncio.gather(
        asyncio.gather(*(_policies(cloud, keys.effective_policies(one.ref)) for one in networks)),
        asyncio.gather(*(_policies(cloud, keys.region_policies(network, where)) for network, where in places)),
    )
    return Inventory(
        project=project,
        region=region,
        networks=networks,
        connectors=tuple(one for each in connectors for one in each),
        rules=rules,
        subnetworks=subnetworks,
        machines=machines,
        instances=instances,
        clusters=clusters,
        valkeys=valkeys,
        services=services,
        policies=dict(zip((one.ref.name for one in networks), policies, strict=True)),
        regional_policies=dict(zip(((network.name, where) for network, where in places), regional, strict=True)),
        host_project=host_project,
    )


async def _machines(cloud: GoogleCloud, projects: Iterable[str]) -> tuple[Machine, ...]:
    found = await asyncio.gather(*(cloud.compute.list_machines(one, Lane.USER_CHANGE) for one in projects))
    return tuple(machine for each in found for machine in each)


async def _view(cloud: GoogleCloud, key: keys.Key[T]) -> tuple[T, ...]:
    return tuple((await cloud.inventory.need(key, _FRESH, Lane.USER_CHANGE)).items.values())


async def _policies(
    cloud: GoogleCloud, key: keys.Key[tuple[FirewallPolicy, ...]]
) -> tuple[FirewallPolicy, ...] | Unseen:
    found = await _try(_view(cloud, key))
    return found if isinstance(found, Unseen) else tuple(policy for each in found for policy in each)


async def _must(reading: Awaitable[tuple[T, ...]]) -> tuple[T, ...]:
    try:
        return await reading
    except CloudError as error:
        raise UnreadableError(explain(error).message) from error


async def _try(reading: Awaitable[tuple[T, ...]]) -> tuple[T, ...] | Unseen:
    """What was read, or why it was not. Of a service that is not enabled there is nothing."""
    try:
        return await reading
    except ServiceDisabled:
        return ()
    except CloudError as error:
        return explain(error)
