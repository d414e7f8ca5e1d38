"""What is reached through Private Service Connect, as values: Memorystore for Redis Cluster and for Valkey."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from redis_connectivity.core.cloudvalues import NetworkRef

__all__ = [
    "Authorization",
    "ConnectionRole",
    "ConnectionStatus",
    "PscConnection",
    "PscState",
    "RedisCluster",
    "ValkeyInstance",
]


class PscState(enum.StrEnum):
    """redis_cluster.v1 Cluster.State and memorystore.v1 Instance.State; UNKNOWN for a word this version lacks."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    MIGRATING = "MIGRATING"
    UNKNOWN = "UNKNOWN"


class ConnectionRole(enum.StrEnum):
    """ConnectionType of both APIs. NODES stands for a connection without one: the nodes' own address."""

    DISCOVERY = "DISCOVERY"
    PRIMARY = "PRIMARY"
    READER = "READER"
    NODES = "NODES"


class ConnectionStatus(enum.StrEnum):
    """PscConnectionStatus of both APIs. UNSPECIFIED where Google tells none, which is no verdict."""

    UNSPECIFIED = "UNSPECIFIED"
    ACTIVE = "ACTIVE"
    NOT_FOUND = "NOT_FOUND"


class Authorization(enum.StrEnum):
    """What a client has to show. AUTH_STRING is Memorystore for Redis's own `AUTH`."""

    DISABLED = "DISABLED"
    AUTH_STRING = "AUTH_STRING"
    IAM_AUTH = "IAM_AUTH"
    TOKEN_AUTH = "TOKEN_AUTH"  # noqa: S105 - Google's word, not a token


@dataclass(frozen=True, slots=True)
class PscConnection:
    """One address in one network that leads to the service.

    `port` is 0 where Google tells none. `network` is None when its text could not be read as a network's path; its
    project may be a number.
    """

    address: str
    port: int
    role: ConnectionRole
    status: ConnectionStatus
    network: NetworkRef | None = None


@dataclass(frozen=True, slots=True)
class RedisCluster:
    """A Memorystore for Redis Cluster (redis_cluster.v1 Cluster), with the connections of all fields that list any.

    With `own_ca` its certificates are signed by a CA that signs for nobody else (serverCaMode
    GOOGLE_MANAGED_PER_INSTANCE_CA, which is the default).
    """

    project: str
    region: str
    name: str
    state: PscState
    connections: tuple[PscConnection, ...] = ()
    authorization: Authorization = Authorization.DISABLED
    transit_encryption: bool = False
    own_ca: bool = True


@dataclass(frozen=True, slots=True)
class ValkeyInstance:
    """A Memorystore for Valkey instance (memorystore.v1 Instance). `cluster_mode` is False for CLUSTER_DISABLED.

    `own_ca` is as for a RedisCluster.
    """

    project: str
    region: str
    name: str
    state: PscState
    cluster_mode: bool = True
    connections: tuple[PscConnection, ...] = ()
    authorization: Authorization = Authorization.DISABLED
    transit_encryption: bool = False
    own_ca: bool = True
    engine_version: str = ""
