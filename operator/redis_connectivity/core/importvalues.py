"""What `import` looks at, and what it hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Machine,
    Network,
    RedisInstance,
    Subnetwork,
)
from redis_connectivity.core.forecast import Forecast
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.outlook import Outlook
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.runvalues import RunService

__all__ = ["Imported", "Inventory", "Left", "Resource"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a project and region hold. Unseen: could not be read."""

    project: str
    region: str
    networks: tuple[Network, ...]
    connectors: tuple[Connector, ...]
    rules: tuple[FirewallRule, ...]
    subnetworks: tuple[Subnetwork, ...] | Unseen = ()
    machines: tuple[Machine, ...] | Unseen = ()
    instances: tuple[RedisInstance, ...] | Unseen = ()
    clusters: tuple[RedisCluster, ...] | Unseen = ()
    valkeys: tuple[ValkeyInstance, ...] | Unseen = ()
    #: Cloud Run services of the project and region.
    services: tuple[RunService, ...] | Unseen = ()
    #: By network's name; a network without an entry has none.
    policies: Mapping[str, tuple[FirewallPolicy, ...] | Unseen] = field(default_factory=dict)
    #: Those of the region, and of others where machines are, by network's name and region.
    regional_policies: Mapping[tuple[str, str], tuple[FirewallPolicy, ...] | Unseen] = field(default_factory=dict)
    #: Of a Shared VPC: networks, rules, subnetworks and policies are its then, connectors and machines are of both.
    host_project: str | None = None

    @property
    def holder(self) -> str:
        """The project that the networks are of."""
        return self.host_project or self.project

    @property
    def unread(self) -> bool:
        """Whether something could not be read."""
        kinds = (self.subnetworks, self.machines, self.instances, self.clusters, self.valkeys, self.services)
        parts = (*kinds, *self.policies.values(), *self.regional_policies.values())
        return any(isinstance(part, Unseen) for part in parts)


@dataclass(frozen=True, slots=True)
class Left:
    """Something that no resource was written for, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its spec as it is to be written, and what to tell about it.

    `foretold` is what applying would do: nothing, unless it is to adopt.
    """

    name: str
    spec: dict[str, Any]
    found: tuple[str, ...]
    guessed: tuple[str, ...]
    foretold: Forecast
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Imported:
    """Every resource, in the order of ways in and targets, and everything that none was written for."""

    resources: tuple[Resource, ...]
    left: tuple[Left, ...]
