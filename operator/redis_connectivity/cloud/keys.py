"""Names for the shared views of the inventory: which kind of thing, in which project, and where in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Network,
    NetworkRef,
    RedisInstance,
    Subnetwork,
)

__all__ = [
    "AnyKey",
    "Key",
    "Kind",
    "connectors",
    "effective_policies",
    "firewalls",
    "networks",
    "redis_instances",
    "subnetwork_item",
    "subnetworks",
]

T = TypeVar("T")


class Kind(enum.StrEnum):
    """What a view holds."""

    FIREWALLS = "firewalls"
    NETWORKS = "networks"
    SUBNETWORKS = "subnetworks"
    CONNECTORS = "connectors"
    REDIS_INSTANCES = "redis_instances"
    EFFECTIVE_POLICIES = "effective_policies"


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


def effective_policies(network: NetworkRef) -> Key[tuple[FirewallPolicy, ...]]:
    """The firewall policies in force on a network: one item, under the network's name, in order of evaluation."""
    return Key(Kind.EFFECTIVE_POLICIES, network.project, network.name)
