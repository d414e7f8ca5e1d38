"""What Memorystore for Redis demands of an instance, and what it fills in.

Sources: redis v1 API description; the recorded exchange in k8s-config-connector (defaults); Memorystore networking page
(reserved ranges of /29, or /28 with read replicas; with private service access the name of an allocated range).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from typing import Final

from redis_connectivity_lab.emulator.errors import invalid_argument
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.names import parse_network
from redis_connectivity_lab.topology import NetworkId

__all__ = ["check_id", "normalise", "reserved_block"]

_ID: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?")
_VERSION: Final = re.compile(r"REDIS_\d+_[0-9X]")
_OUTPUT_ONLY: Final = {
    "createTime",
    "currentLocationId",
    "host",
    "maintenanceSchedule",
    "name",
    "nodes",
    "persistenceIamIdentity",
    "port",
    "readEndpoint",
    "readEndpointPort",
    "serverCaCerts",
    "state",
    "statusMessage",
    "suspensionReasons",
}


def check_id(instance_id: str) -> str:
    """The instance's id from the query."""
    if not _ID.fullmatch(instance_id):
        raise invalid_argument(
            f"Invalid instance id '{instance_id}': it must start with a letter, end with a letter or digit, hold only "
            "lower-case letters, digits and hyphens, and have 1 to 40 characters."
        )
    return instance_id


def normalise(body: Json, project: str, region: str) -> tuple[Json, NetworkId]:
    """A parsed instance with its defaults, and its network; raises the API's 400s."""
    instance = {key: value for key, value in body.items() if key not in _OUTPUT_ONLY and value not in ("", {}, [])}
    size = instance.get("memorySizeGb")
    if size is None or not 1 <= size <= 300:
        raise invalid_argument("memory_size_gb must be between 1 and 300.")
    if instance.get("tier", "TIER_UNSPECIFIED") == "TIER_UNSPECIFIED":
        raise invalid_argument("tier must be specified.")
    version = instance.setdefault("redisVersion", "REDIS_7_0")
    if not _VERSION.fullmatch(version):
        raise invalid_argument(f"Unknown Redis version {version}.")
    zone = instance.setdefault("locationId", f"{region}-a")
    if not zone.startswith(f"{region}-"):
        raise invalid_argument(f"Location {zone} is not in region {region}.")
    link = instance.get("authorizedNetwork") or f"projects/{project}/global/networks/default"
    network = parse_network(link, project)
    if network is None:
        raise invalid_argument(f"Invalid authorized network: {link}.")
    instance["authorizedNetwork"] = f"projects/{network.project}/global/networks/{network.name}"
    for field, default in (
        ("connectMode", "DIRECT_PEERING"),
        ("transitEncryptionMode", "DISABLED"),
        ("readReplicasMode", "READ_REPLICAS_DISABLED"),
    ):
        if instance.get(field, "UNSPECIFIED").endswith("UNSPECIFIED"):
            instance[field] = default
    persistence = instance.setdefault("persistenceConfig", {"persistenceMode": "DISABLED"})
    persistence.setdefault("persistenceMode", "DISABLED")
    if not instance.get("authEnabled"):
        instance.pop("authEnabled", None)
    if instance["connectMode"] == "DIRECT_PEERING" and "reservedIpRange" in instance:
        reserved_block(instance)
    return instance, network


def reserved_block(instance: Json) -> IPv4Network | None:
    """The range an instance with direct peering asks for, or None when it asks for none (or names one)."""
    text = instance.get("reservedIpRange", "")
    if not text or instance["connectMode"] != "DIRECT_PEERING":
        return None
    try:
        block = ip_network(text)
    except ValueError as error:
        raise invalid_argument(f"Invalid reserved IP range: {text}.") from error
    smallest = 28 if instance["readReplicasMode"] == "READ_REPLICAS_ENABLED" else 29
    if not isinstance(block, IPv4Network) or block.prefixlen > smallest:
        raise invalid_argument(f"Invalid reserved IP range: {text}. At least a /{smallest} is needed.")
    return block
