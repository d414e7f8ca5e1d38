"""Which fields each message has and of which JSON type: what Google's JSON parser checks before any method runs.

Field names: Compute v1, vpcaccess v1 and redis v1 API descriptions. Types are checked as proto3 JSON does: a number
may come as a string, a 64-bit one usually does; unknown names are refused, null means unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis_connectivity_lab.emulator.errors import invalid_json
from redis_connectivity_lab.emulator.ids import Json

__all__ = [
    "CONNECTOR",
    "FIREWALL",
    "NETWORK",
    "PRIVATE_ACCESS",
    "REDIS_INSTANCE",
    "SUBNETWORK",
    "EnumOf",
    "ListOf",
    "MapOf",
    "Schema",
    "parse",
]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A repeated field."""

    item: FieldType


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map field, or a message this emulator takes as it comes."""


@dataclass(frozen=True, slots=True)
class EnumOf:
    """An enum that travels as a word or as a number."""

    numbers: Mapping[str, int]


Schema = dict[str, Any]
FieldType = Any  # str | int | float | bool (the types themselves) | Schema | ListOf | MapOf | EnumOf

_LAYER4: Final[Schema] = {"IPProtocol": str, "ports": ListOf(str)}

FIREWALL: Final[Schema] = {
    "allowed": ListOf(_LAYER4),
    "creationTimestamp": str,
    "denied": ListOf(_LAYER4),
    "description": str,
    "destinationRanges": ListOf(str),
    "direction": str,
    "disabled": bool,
    "id": int,
    "kind": str,
    "logConfig": {"enable": bool, "metadata": str},
    "name": str,
    "network": str,
    "params": {"resourceManagerTags": MapOf()},
    "priority": int,
    "selfLink": str,
    "sourceRanges": ListOf(str),
    "sourceServiceAccounts": ListOf(str),
    "sourceTags": ListOf(str),
    "targetServiceAccounts": ListOf(str),
    "targetTags": ListOf(str),
}

NETWORK: Final[Schema] = {
    "IPv4Range": str,
    "autoCreateSubnetworks": bool,
    "creationTimestamp": str,
    "description": str,
    "enableUlaInternalIpv6": bool,
    "firewallPolicy": str,
    "gatewayIPv4": str,
    "id": int,
    "internalIpv6Range": str,
    "kind": str,
    "mtu": int,
    "name": str,
    "networkFirewallPolicyEnforcementOrder": str,
    "networkProfile": str,
    "params": MapOf(),
    "peerings": ListOf(MapOf()),
    "routingConfig": {
        "bgpAlwaysCompareMed": bool,
        "bgpBestPathSelectionMode": str,
        "bgpInterRegionCost": str,
        "effectiveBgpAlwaysCompareMed": bool,
        "effectiveBgpInterRegionCost": str,
        "routingMode": str,
    },
    "selfLink": str,
    "selfLinkWithId": str,
    "subnetworks": ListOf(str),
}

SUBNETWORK: Final[Schema] = {
    "allowSubnetCidrRoutesOverlap": bool,
    "creationTimestamp": str,
    "description": str,
    "enableFlowLogs": bool,
    "externalIpv6Prefix": str,
    "fingerprint": str,
    "gatewayAddress": str,
    "id": int,
    "internalIpv6Prefix": str,
    "ipCidrRange": str,
    "ipCollection": str,
    "ipv6AccessType": str,
    "ipv6CidrRange": str,
    "ipv6GceEndpoint": str,
    "kind": str,
    "logConfig": {
        "aggregationInterval": str,
        "enable": bool,
        "filterExpr": str,
        "flowSampling": float,
        "metadata": str,
        "metadataFields": ListOf(str),
    },
    "name": str,
    "network": str,
    "params": MapOf(),
    "privateIpGoogleAccess": bool,
    "privateIpv6GoogleAccess": str,
    "purpose": str,
    "region": str,
    "reservedInternalRange": str,
    "resolveSubnetMask": str,
    "role": str,
    "secondaryIpRanges": ListOf(
        {
            "ipCidrRange": str,
            "ipCollection": str,
            "ipVersion": str,
            "rangeName": str,
            "reservedInternalRange": str,
        }
    ),
    "selfLink": str,
    "stackType": str,
    "state": str,
    "systemReservedExternalIpv6Ranges": ListOf(str),
    "systemReservedInternalIpv6Ranges": ListOf(str),
    "utilizationDetails": MapOf(),
}

PRIVATE_ACCESS: Final[Schema] = {"privateIpGoogleAccess": bool}

CONNECTOR: Final[Schema] = {
    "connectedProjects": ListOf(str),
    "ipCidrRange": str,
    "machineType": str,
    "maxInstances": int,
    "maxThroughput": int,
    "minInstances": int,
    "minThroughput": int,
    "name": str,
    "network": str,
    "state": EnumOf({"STATE_UNSPECIFIED": 0, "READY": 1, "CREATING": 2, "DELETING": 3, "ERROR": 4, "UPDATING": 5}),
    "subnet": {"name": str, "projectId": str},
}

REDIS_INSTANCE: Final[Schema] = {
    "alternativeLocationId": str,
    "authEnabled": bool,
    "authorizedNetwork": str,
    "availableMaintenanceVersions": ListOf(str),
    "connectMode": EnumOf({"CONNECT_MODE_UNSPECIFIED": 0, "DIRECT_PEERING": 1, "PRIVATE_SERVICE_ACCESS": 2}),
    "createTime": str,
    "currentLocationId": str,
    "customerManagedKey": str,
    "displayName": str,
    "host": str,
    "labels": MapOf(),
    "locationId": str,
    "maintenancePolicy": MapOf(),
    "maintenanceSchedule": MapOf(),
    "maintenanceVersion": str,
    "memorySizeGb": int,
    "name": str,
    "nodes": ListOf({"id": str, "zone": str}),
    "persistenceConfig": {
        "persistenceMode": EnumOf({"PERSISTENCE_MODE_UNSPECIFIED": 0, "DISABLED": 1, "RDB": 2}),
        "rdbNextSnapshotTime": str,
        "rdbSnapshotPeriod": EnumOf(
            {
                "SNAPSHOT_PERIOD_UNSPECIFIED": 0,
                "ONE_HOUR": 3,
                "SIX_HOURS": 4,
                "TWELVE_HOURS": 5,
                "TWENTY_FOUR_HOURS": 6,
            }
        ),
        "rdbSnapshotStartTime": str,
    },
    "persistenceIamIdentity": str,
    "port": int,
    "readEndpoint": str,
    "readEndpointPort": int,
    "readReplicasMode": EnumOf(
        {"READ_REPLICAS_MODE_UNSPECIFIED": 0, "READ_REPLICAS_DISABLED": 1, "READ_REPLICAS_ENABLED": 2}
    ),
    "redisConfigs": MapOf(),
    "redisVersion": str,
    "replicaCount": int,
    "reservedIpRange": str,
    "secondaryIpRange": str,
    "serverCaCerts": ListOf(MapOf()),
    "state": EnumOf(
        {
            "STATE_UNSPECIFIED": 0,
            "CREATING": 1,
            "READY": 2,
            "UPDATING": 3,
            "DELETING": 4,
            "REPAIRING": 5,
            "MAINTENANCE": 6,
            "IMPORTING": 8,
            "FAILING_OVER": 9,
        }
    ),
    "statusMessage": str,
    "suspensionReasons": ListOf(str),
    "tier": EnumOf({"TIER_UNSPECIFIED": 0, "BASIC": 1, "STANDARD_HA": 3}),
    "transitEncryptionMode": EnumOf(
        {"TRANSIT_ENCRYPTION_MODE_UNSPECIFIED": 0, "SERVER_AUTHENTICATION": 1, "DISABLED": 2}
    ),
}


def parse(body: Json, schema: Schema, where: str = "", *, keep_null: bool = False) -> Json:
    """The body with every value in its canonical type; raises the API's refusal otherwise.

    With `keep_null` a null stays, which a merge patch needs; otherwise it means unset.
    """
    result: Json = {}
    for name, value in body.items():
        path = f"{where}.{name}" if where else name
        if name not in schema:
            at = f" at '{where}'" if where else ""
            raise invalid_json(f'Unknown name "{name}"{at}: Cannot find field.')
        if value is None:
            if keep_null:
                result[name] = None
            continue
        result[name] = _value(value, schema[name], path)
    return result


def _value(value: object, kind: FieldType, path: str) -> object:
    match kind:
        case dict():
            if not isinstance(value, dict):
                raise _mismatch(path, value)
            return parse(value, kind, path)
        case ListOf(item=item):
            if not isinstance(value, list):
                raise _mismatch(path, value)
            return [_value(each, item, f"{path}[{index}]") for index, each in enumerate(value)]
        case MapOf():
            if not isinstance(value, dict):
                raise _mismatch(path, value)
            return value
        case EnumOf(numbers=numbers):
            return _enum(value, numbers, path)
    return _scalar(value, kind, path)


def _enum(value: object, numbers: Mapping[str, int], path: str) -> str:
    for word, number in numbers.items():
        if value == word or (value == number and not isinstance(value, bool)):
            return word
    raise _mismatch(path, value)


def _scalar(value: object, kind: FieldType, path: str) -> object:
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number: float = kind(value)
        except (TypeError, ValueError):
            raise _mismatch(path, value) from None
        # int() would cut 1.5 to 1.
        if isinstance(value, float) and number != value:
            raise _mismatch(path, value)
        return number
    if type(value) is not kind:
        raise _mismatch(path, value)
    return value


def _mismatch(path: str, value: object) -> Exception:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return invalid_json(f"Invalid value at '{path}', {shown}")
