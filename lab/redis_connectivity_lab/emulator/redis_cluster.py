"""Memorystore for Redis Cluster: clusters create, get, list, delete. Shapes: redis_cluster v1 API description."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity_lab.emulator.call import Method
from redis_connectivity_lab.emulator.errors import invalid_argument
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.psc import (
    REDIS_PORT,
    Service,
    check_counts,
    fill_in,
    forwarding,
    network_of_consumer,
    psc_methods,
    settable,
)
from redis_connectivity_lab.emulator.schema_psc import REDIS_CLUSTER
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.topology import NetworkId

__all__ = ["CLUSTERS", "methods"]

_ID: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_OUTPUT_ONLY: Final = {
    "createTime",
    "discoveryEndpoints",
    "name",
    "preciseSizeGb",
    "pscConnections",
    "pscServiceAttachments",
    "sizeGb",
    "state",
    "stateInfo",
    "uid",
}
_DEFAULTS: Final = {
    "authorizationMode": "AUTH_MODE_DISABLED",
    "transitEncryptionMode": "TRANSIT_ENCRYPTION_MODE_DISABLED",
    "nodeType": "REDIS_HIGHMEM_MEDIUM",
}


def _check_id(cluster_id: str) -> str:
    if not _ID.fullmatch(cluster_id):
        raise invalid_argument(
            f"Invalid cluster id '{cluster_id}': it must start with a letter, end with a letter or digit, hold only "
            "lower-case letters, digits and hyphens, and have 1 to 63 characters."
        )
    return cluster_id


def _normalise(body: Json, project: str) -> tuple[Json, NetworkId]:
    cluster = settable(body, _OUTPUT_ONLY)
    configs = cluster.get("pscConfigs", [])
    if len(configs) != 1:
        raise invalid_argument("psc_configs must have exactly one entry.")
    network = network_of_consumer(configs[0].get("network", ""), project)
    check_counts(cluster)
    fill_in(cluster, _DEFAULTS)
    return cluster, network


def _connect(
    cluster: Json, project: Project, region: str, network: NetworkId, addresses: tuple[IPv4Address, IPv4Address]
) -> None:
    discovery, nodes = addresses
    link = f"projects/{network.project}/global/networks/{network.name}"
    active = "PSC_CONNECTION_STATUS_ACTIVE"
    cluster |= {
        "discoveryEndpoints": [{"address": str(discovery), "port": REDIS_PORT, "pscConfig": {"network": link}}],
        "pscConnections": [
            forwarding(project, region, network, discovery)
            | {
                "address": str(discovery),
                "connectionType": "CONNECTION_TYPE_DISCOVERY",
                "pscConnectionStatus": active,
            },
            forwarding(project, region, network, nodes) | {"address": str(nodes), "pscConnectionStatus": active},
        ],
        "sizeGb": 13 * cluster["shardCount"],
    }


#: Memorystore for Redis Cluster.
CLUSTERS: Final = Service(
    collection="clusters",
    method="redis.clusters",
    prefix="",
    id_parameter="clusterId",
    type="type.googleapis.com/google.cloud.redis.cluster.v1.Cluster",
    schema=REDIS_CLUSTER,
    held=lambda project: project.clusters,
    check_id=_check_id,
    normalise=_normalise,
    connect=_connect,
)


def methods() -> list[Method]:
    """The methods of the resource."""
    return psc_methods(CLUSTERS)
