"""The three services as this operator uses them: narrow, typed, asynchronous.

Every method takes a lane (its urgency while waiting for quota and threads) and raises nothing but `CloudError`s.
The real doors are in compute.py, vpcaccess.py and redis.py; they import Google's libraries, this module does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.operations import ComputeOperation, ServiceOperation
from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Network,
    NetworkRef,
    RedisInstance,
    Subnetwork,
)

__all__ = ["ComputeDoor", "RedisDoor", "RedisListing", "VpcAccessDoor", "all_pages"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RedisListing:
    """The instances of a region, and the places Google could not reach while listing."""

    instances: tuple[RedisInstance, ...]
    unreachable: tuple[str, ...] = ()


async def all_pages(fetch: Callable[[str], Awaitable[tuple[list[T], str]]]) -> list[T]:
    """Everything a paged list holds. `fetch` takes a page token (empty at first) and gives the items and the next.

    Raises:
        Retryable: The server gave the same token twice, which would never end.
    """
    found: list[T] = []
    seen: set[str] = set()
    token = ""
    while True:
        items, token = await fetch(token)
        found.extend(items)
        if not token:
            return found
        if token in seen:
            msg = "the list repeats its page token, so it has no end"
            raise Retryable(msg, reason="badAnswer")
        seen.add(token)


class ComputeDoor(Protocol):
    """Networks, subnetworks, firewall rules and their operations (compute.v1)."""

    async def list_firewalls(self, project: str, lane: AnyLane) -> tuple[FirewallRule, ...]:
        """All rules of a project, every page."""
        ...

    async def get_firewall(self, project: str, name: str, lane: AnyLane) -> FirewallRule:
        """One rule; NotFound when it is not there."""
        ...

    async def insert_firewall(self, rule: FirewallRule, request_id: str, lane: AnyLane) -> str:
        """Create a rule; gives the operation's name. `request_id` is a UUID: repeating it repeats nothing."""
        ...

    async def update_firewall(self, rule: FirewallRule, request_id: str, lane: AnyLane) -> str:
        """Replace a rule whole (PUT); gives the operation's name."""
        ...

    async def delete_firewall(self, project: str, name: str, request_id: str, lane: AnyLane) -> str:
        """Delete a rule; gives the operation's name."""
        ...

    async def get_operation(self, project: str, operation: str, lane: AnyLane) -> ComputeOperation:
        """A global operation as it is now, failed or not."""
        ...

    async def wait_operation(self, project: str, operation: str, *, patience: float, lane: AnyLane) -> ComputeOperation:
        """Wait up to `patience` seconds for a global operation to end well.

        Raises:
            OperationFailed: It ended in error.
            OperationPending: It was still running when the time was up.
        """
        ...

    async def list_networks(self, project: str, lane: AnyLane) -> tuple[Network, ...]:
        """All networks of a project, every page."""
        ...

    async def get_network(self, ref: NetworkRef, lane: AnyLane) -> Network:
        """One network; NotFound when it is not there."""
        ...

    async def list_subnetworks(self, project: str, lane: AnyLane) -> tuple[Subnetwork, ...]:
        """All subnetworks of a project in all regions, every page."""
        ...

    async def get_subnetwork(self, project: str, region: str, name: str, lane: AnyLane) -> Subnetwork:
        """One subnetwork; NotFound when it is not there."""
        ...

    async def effective_firewalls(self, ref: NetworkRef, lane: AnyLane) -> tuple[FirewallPolicy, ...]:
        """Hierarchical and global network policies in force on a network, in order of evaluation."""
        ...


class VpcAccessDoor(Protocol):
    """Connectors and their operations (vpcaccess.v1)."""

    async def list_connectors(self, project: str, region: str, lane: AnyLane) -> tuple[Connector, ...]:
        """All connectors of a region, every page."""
        ...

    async def get_connector(self, project: str, region: str, name: str, lane: AnyLane) -> Connector:
        """One connector; NotFound when it is not there."""
        ...

    async def create_connector(self, connector: Connector, lane: AnyLane) -> str:
        """Create a connector; gives the operation's full name. There is no request id: read before repeating."""
        ...

    async def patch_connector(
        self,
        project: str,
        region: str,
        name: str,
        *,
        min_instances: int,
        max_instances: int,
        machine_type: str | None,
        lane: AnyLane,
    ) -> str:
        """Change what may be changed in place; gives the operation's full name."""
        ...

    async def delete_connector(self, project: str, region: str, name: str, lane: AnyLane) -> str:
        """Delete a connector; gives the operation's full name."""
        ...

    async def get_operation(self, name: str, lane: AnyLane) -> ServiceOperation:
        """A long-running operation as it is now, failed or not."""
        ...

    async def list_operations(self, project: str, region: str, lane: AnyLane) -> tuple[ServiceOperation, ...]:
        """The operations of a region that Google still remembers, every page."""
        ...


class RedisDoor(Protocol):
    """Memorystore for Redis instances (redis.v1), only read."""

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RedisListing:
        """All instances of a region, every page, without Google's placeholders."""
        ...

    async def get_instance(self, project: str, region: str, name: str, lane: AnyLane) -> RedisInstance:
        """One instance; NotFound when it is not there."""
        ...
