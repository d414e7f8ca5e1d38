"""Memorystore for Valkey: instances create, get, list, delete. Shapes: memorystore v1 API description.

Its paths are those of Memorystore for Redis, on another host. On the emulator's one port they begin with
`/memorystore`; a Host header of `memorystore.…` does the same.
"""

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
from redis_connectivity_lab.emulator.schema_psc import VALKEY_INSTANCE
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.topology import NetworkId

__all__ = ["CLUSTER_DISABLED", "VALKEYS", "methods"]

CLUSTER_DISABLED: Final = "CLUSTER_DISABLED"
_ID: Final = re.compile(r"[a-z0-9][-a-z0-9]{2,61}[a-z0-9]")
_VERSION: Final = re.compile(r"VALKEY_\d+_\d+")
_OUTPUT_ONLY: Final = {
    "createTime",
    "discoveryEndpoints",
    "name",
    "nodeConfig",
    "pscAttachmentDetails",
    "state",
    "stateInfo",
    "uid",
    "updateTime",
}
_DEFAULTS: Final = {
    "authorizationMode": "AUTH_DISABLED",
    "transitEncryptionMode": "TRANSIT_ENCRYPTION_DISABLED",
    "nodeType": "HIGHMEM_MEDIUM",
}


def _check_id(instance_id: str) -> str:
    if not _ID.fullmatch(instance_id):
        raise invalid_argument(
            f"Invalid instance id '{instance_id}': it must start and end with a letter or digit, hold only lower-case "
            "letters, digits and hyphens, and have 4 to 63 characters."
        )
    return instance_id


def _normalise(body: Json, project: str) -> tuple[Json, NetworkId]:
    instance = settable(body, _OUTPUT_ONLY)
    wanted = instance.pop("pscAutoConnections", []) or [
        detail["pscAutoConnection"]
        for endpoint in instance.pop("endpoints", [])
        for detail in endpoint.get("connections", [])
        if "pscAutoConnection" in detail
    ]
    if len(wanted) != 1:
        raise invalid_argument("Exactly one PSC auto connection must be specified.")
    network = network_of_consumer(wanted[0].get("network", ""), project)
    mode = instance.get("mode", "MODE_UNSPECIFIED")
    instance["mode"] = {"MODE_UNSPECIFIED": "CLUSTER", "STANDALONE": CLUSTER_DISABLED}.get(mode, mode)
    if instance["mode"] == CLUSTER_DISABLED and instance.setdefault("shardCount", 1) != 1:
        raise invalid_argument("shard_count must be 1 when cluster mode is disabled.")
    check_counts(instance)
    version = instance.setdefault("engineVersion", "VALKEY_8_0")
    if not _VERSION.fullmatch(version):
        raise invalid_argument(f"Unknown engine version {version}.")
    fill_in(instance, _DEFAULTS)
    return instance, network


def _connect(
    instance: Json, project: Project, region: str, network: NetworkId, addresses: tuple[IPv4Address, IPv4Address]
) -> None:
    clustered = instance["mode"] != CLUSTER_DISABLED
    kinds = ("DISCOVERY", None) if clustered else ("PRIMARY", "READER")
    connections = []
    for address, kind in zip(addresses, kinds, strict=True):
        connection = forwarding(project, region, network, address)
        connection |= {"ipAddress": str(address), "pscConnectionStatus": "ACTIVE"}
        if kind is not None:
            connection |= {"connectionType": f"CONNECTION_TYPE_{kind}", "port": REDIS_PORT}
        connections.append({"pscAutoConnection": connection})
    instance["endpoints"] = [{"connections": connections}]


#: Memorystore for Valkey.
VALKEYS: Final = Service(
    collection="instances",
    method="memorystore.instances",
    prefix="/memorystore",
    id_parameter="instanceId",
    type="type.googleapis.com/google.cloud.memorystore.v1.Instance",
    schema=VALKEY_INSTANCE,
    held=lambda project: project.valkeys,
    check_id=_check_id,
    normalise=_normalise,
    connect=_connect,
)


def methods() -> list[Method]:
    """The methods of the resource."""
    return psc_methods(VALKEYS)
