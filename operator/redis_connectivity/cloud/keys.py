"""Names for the shared views of the inventory: which kind of thing, in which project, and where in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Network,
    NetworkRef,
    RedisInstance,
    Subnetwork,
)
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.runvalues import RunService

__all__ = [
    "EVERYWHERE",
    "AnyKey",
    "Key",
    "Kind",
    "connectors",
    "effective_policies",
    "firewalls",
    "networks",
    "redis_clusters",
    "redis_instances",
    "region_policies",
    "regional_item",
    "run_services",
    "subnetwork_item",
    "subnetworks",
    "valkey_instances",
]

T = TypeVar("T")

#: In place of a region, for Redis of all three kinds: all regions of the project, by one call. Google documents it for
#: redis.v1, redis_cluster.v1 and memorystore.v1 (ListInstances, ListClusters), and not for connectors. Items of such a
#: view are named `regional_item`.
EVERYWHERE: Final = "-"


class Kind(enum.StrEnum):
    """What a view holds."""

    FIREWALLS = "firewalls"
    NETWORKS = "networks"
    SUBNETWORKS = "subnetworks"
    CONNECTORS = "connectors"
    REDIS_INSTANCES = "redis_instances"
    REDIS_CLUSTERS = "redis_clusters"
    VALKEY_INSTANCES = "valkey_instances"
    EFFECTIVE_POLICIES = "effective_policies"
    REGION_POLICIES = "region_policies"
    RUN_SERVICES = "run_services"


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One shared view. `scope` is a region or a network's name where the kind has one.

    Made by the functions of this module, which tie each kind to the type of its values.
    """

    kind: Kind
    project: str
    scope: str = ""

    def __str__(self) -> str:
        return f"{self.kind}({self.project}{'/' + self.scope if self.scope else ''})"


AnyKey = Key[Any]


def firewalls(project: str) -> Key[FirewallRule]:
    """All VPC firewall rules of a project, by name."""
    return Key(Kind.FIREWALLS, project)


def networks(project: str) -> Key[Network]:
    """All networks of a project, by name."""
    return Key(Kind.NETWORKS, project)


def subnetworks(project: str) -> Key[Subnetwork]:
    """All subnetworks of a project, by `subnetwork_item`."""
    return Key(Kind.SUBNETWORKS, project)


def subnetwork_item(region: str, name: str) -> str:
    """A subnetwork's name in its view: names repeat among regions."""
    return f"{region}/{name}"


def connectors(project: str, region: str) -> Key[Connector]:
    """The connectors of a region, by name."""
    return Key(Kind.CONNECTORS, project, region)


def redis_instances(project: str, region: str) -> Key[RedisInstance]:
    """The Memorystore for Redis instances of a region, by name."""
    return Key(Kind.REDIS_INSTANCES, project, region)


def redis_clusters(project: str, region: str) -> Key[RedisCluster]:
    """The Memorystore for Redis Clusters of a region, by name."""
    return Key(Kind.REDIS_CLUSTERS, project, region)


def valkey_instances(project: str, region: str) -> Key[ValkeyInstance]:
    """The Memorystore for Valkey instances of a region, by name."""
    return Key(Kind.VALKEY_INSTANCES, project, region)


def regional_item(region: str, name: str) -> str:
    """The name of what is in a region, in a view of all regions: names repeat among regions."""
    return f"{region}/{name}"


def run_services(project: str, region: str) -> Key[RunService]:
    """The Cloud Run services of a region, by name."""
    return Key(Kind.RUN_SERVICES, project, region)


def effective_policies(network: NetworkRef) -> Key[tuple[FirewallPolicy, ...]]:
    """The firewall policies in force on a network: one item, under the network's name, in order of evaluation."""
    return Key(Kind.EFFECTIVE_POLICIES, network.project, network.name)


def region_policies(network: NetworkRef, region: str) -> Key[tuple[FirewallPolicy, ...]]:
    """The firewall policies in force on a network in a region: one item, under the network's name."""
    return Key(Kind.REGION_POLICIES, network.project, f"{region}/{network.name}")
