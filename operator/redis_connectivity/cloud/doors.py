"""The services as this operator uses them: narrow, typed, asynchronous.

Every method takes a lane (its urgency while waiting for quota and threads) and raises nothing but `CloudError`s.
The real doors are in modules of their own, which import Google's libraries; this one does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import SecretStr

from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.operations import ComputeOperation, ServiceOperation
from redis_connectivity.core.attribution import AuditEntry
from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Machine,
    Network,
    NetworkRef,
    RedisInstance,
    Subnetwork,
)
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.runvalues import RunService

__all__ = [
    "AccessToken",
    "AuditLogDoor",
    "ComputeDoor",
    "Doors",
    "IamCredentialsDoor",
    "MemorystoreDoor",
    "RedisClusterDoor",
    "RedisDoor",
    "RegionListing",
    "RunDoor",
    "TokenDoor",
    "VpcAccessDoor",
    "all_pages",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RegionListing(Generic[T]):
    """What a region holds, and the places Google could not reach while listing."""

    items: tuple[T, ...]
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and for how many seconds more it is good."""

    text: SecretStr
    seconds: float


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

    async def list_machines(self, project: str, lane: AnyLane) -> tuple[Machine, ...]:
        """All VMs of a project in all zones, every page. For `import` alone: the operator has no use for it."""
        ...

    async def effective_firewalls(self, ref: NetworkRef, lane: AnyLane) -> tuple[FirewallPolicy, ...]:
        """Hierarchical and global network policies in force on a network, in order of evaluation."""
        ...

    async def region_effective_firewalls(
        self, ref: NetworkRef, region: str, lane: AnyLane
    ) -> tuple[FirewallPolicy, ...]:
        """All policies in force on a network in a region, system and regional network ones among them.

        A heavy-weight read in Google's quota, with a permission of its own.
        """
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

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RegionListing[RedisInstance]:
        """All instances of a region, or of all (`keys.EVERYWHERE`), every page, without Google's placeholders."""
        ...

    async def get_instance(self, project: str, region: str, name: str, lane: AnyLane) -> RedisInstance:
        """One instance; NotFound when it is not there."""
        ...

    async def get_auth_string(self, project: str, region: str, name: str, lane: AnyLane) -> SecretStr:
        """The AUTH string of one instance; needs redis.instances.getAuthString."""
        ...


class RedisClusterDoor(Protocol):
    """Memorystore for Redis Cluster (redis_cluster.v1), only read."""

    async def list_clusters(self, project: str, region: str, lane: AnyLane) -> RegionListing[RedisCluster]:
        """All clusters of a region, or of all (`keys.EVERYWHERE`), every page, without Google's placeholders."""
        ...

    async def get_certificate_authority(self, project: str, region: str, name: str, lane: AnyLane) -> tuple[str, ...]:
        """The certificates (PEM) that a cluster's servers are to be trusted by; needs redis.clusters.get."""
        ...


class MemorystoreDoor(Protocol):
    """Memorystore for Valkey (memorystore.v1), only read."""

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RegionListing[ValkeyInstance]:
        """All instances of a region, or of all (`keys.EVERYWHERE`), every page."""
        ...

    async def get_certificate_authority(self, project: str, region: str, name: str, lane: AnyLane) -> tuple[str, ...]:
        """The certificates (PEM) that an instance's servers are to be trusted by; needs memorystore.instances.get."""
        ...


class IamCredentialsDoor(Protocol):
    """IAM Credentials (iamcredentials.v1): tokens of other accounts."""

    async def access_token(self, project: str, account: str, lane: AnyLane) -> AccessToken:
        """A new access token of a service account; needs iam.serviceAccounts.getAccessToken on that account.

        `project` is the one whose quota this counts against.
        """
        ...

    def is_own(self, account: str) -> bool:
        """Whether it is the account that the operator works as, as far as its credentials tell."""
        ...


class RunDoor(Protocol):
    """Cloud Run services (run.v2)."""

    async def list_services(self, project: str, region: str, lane: AnyLane) -> tuple[RunService, ...]:
        """All services of a region, every page; those that are being deleted are left out."""
        ...

    async def get_service(self, project: str, region: str, name: str, lane: AnyLane) -> RunService:
        """One service, also one that is being deleted; NotFound when it is not there."""
        ...

    async def create_service(self, service: RunService, lane: AnyLane) -> None:
        """Begin to deploy a service: it is there at once, and says itself how it gets on. Conflict if it was."""
        ...

    async def update_service(self, service: RunService, lane: AnyLane) -> None:
        """Begin to deploy another template and labels."""
        ...

    async def delete_service(self, project: str, region: str, name: str, lane: AnyLane) -> None:
        """Begin to delete a service."""
        ...


class TokenDoor(Protocol):
    """ID tokens, which say to a Cloud Run service who calls."""

    async def bearer(self, audience: str) -> str:
        """A token for one service's URL, kept until shortly before its end.

        Raises:
            CloudError: None could be had.
        """
        ...

    def forget(self, audience: str) -> None:
        """Get a new one next time: this one was refused."""
        ...


class AuditLogDoor(Protocol):
    """Cloud Logging's audit log."""

    async def writes(
        self, project: str, resource: str, since: float, until: float, lane: AnyLane
    ) -> tuple[AuditEntry, ...]:
        """Who wrote to a resource (by its name in the log) in a span of time, the latest first; at most a page.

        Needs logging.logEntries.list. Entries arrive with a delay of seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Doors:
    """All of them; `tokens` gives ID tokens."""

    compute: ComputeDoor
    vpcaccess: VpcAccessDoor
    redis: RedisDoor
    redis_cluster: RedisClusterDoor
    memorystore: MemorystoreDoor
    audit_log: AuditLogDoor
    run: RunDoor
    iam_credentials: IamCredentialsDoor
    tokens: TokenDoor
