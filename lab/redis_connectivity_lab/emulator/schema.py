"""Which fields each message has and of which JSON type.

Field names: Compute v1, vpcaccess v1 and redis v1 API descriptions.
"""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.message_parsing import EnumOf, ListOf, MapOf, Schema, parse

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
