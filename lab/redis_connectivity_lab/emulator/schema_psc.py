"""Fields of Redis Clusters and Valkey instances. Field names and numbers: redis_cluster v1 and memorystore v1."""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.message_parsing import EnumOf, ListOf, MapOf, Schema

__all__ = ["REDIS_CLUSTER", "VALKEY_INSTANCE"]

_ROLE: Final = EnumOf(
    {
        "CONNECTION_TYPE_UNSPECIFIED": 0,
        "CONNECTION_TYPE_DISCOVERY": 1,
        "CONNECTION_TYPE_PRIMARY": 2,
        "CONNECTION_TYPE_READER": 3,
    }
)

_CLUSTER_CONNECTION: Final[Schema] = {
    "address": str,
    "connectionType": _ROLE,
    "forwardingRule": str,
    "network": str,
    "projectId": str,
    "pscConnectionId": str,
    "pscConnectionStatus": EnumOf(
        {
            "PSC_CONNECTION_STATUS_UNSPECIFIED": 0,
            "PSC_CONNECTION_STATUS_ACTIVE": 1,
            "PSC_CONNECTION_STATUS_NOT_FOUND": 2,
        }
    ),
    "serviceAttachment": str,
}

REDIS_CLUSTER: Final[Schema] = {
    "aclPolicy": str,
    "authorizationMode": EnumOf(
        {
            "AUTH_MODE_UNSPECIFIED": 0,
            "AUTH_MODE_IAM_AUTH": 1,
            "AUTH_MODE_DISABLED": 2,
            "AUTH_MODE_TOKEN_AUTH": 3,
        }
    ),
    "automatedBackupConfig": MapOf(),
    "clusterEndpoints": ListOf(
        {
            "connections": ListOf(
                {"pscAutoConnection": _CLUSTER_CONNECTION, "pscConnection": _CLUSTER_CONNECTION},
            )
        }
    ),
    "createTime": str,
    "crossClusterReplicationConfig": MapOf(),
    "deletionProtectionEnabled": bool,
    "discoveryEndpoints": ListOf({"address": str, "port": int, "pscConfig": {"network": str}}),
    "kmsKey": str,
    "maintenancePolicy": MapOf(),
    "maintenanceSchedule": MapOf(),
    "name": str,
    "nodeType": EnumOf(
        {
            "NODE_TYPE_UNSPECIFIED": 0,
            "REDIS_SHARED_CORE_NANO": 1,
            "REDIS_HIGHMEM_MEDIUM": 2,
            "REDIS_HIGHMEM_XLARGE": 3,
            "REDIS_STANDARD_SMALL": 4,
            "REDIS_HIGHCPU_MEDIUM": 7,
            "REDIS_STANDARD_LARGE": 8,
            "REDIS_HIGHMEM_2XLARGE": 9,
        }
    ),
    "persistenceConfig": MapOf(),
    "preciseSizeGb": float,
    "pscConfigs": ListOf({"network": str}),
    "pscConnections": ListOf(_CLUSTER_CONNECTION),
    "pscServiceAttachments": ListOf(MapOf()),
    "redisConfigs": MapOf(),
    "replicaCount": int,
    "serverCaMode": EnumOf(
        {
            "SERVER_CA_MODE_UNSPECIFIED": 0,
            "SERVER_CA_MODE_GOOGLE_MANAGED_PER_INSTANCE_CA": 1,
            "SERVER_CA_MODE_GOOGLE_MANAGED_SHARED_CA": 2,
            "SERVER_CA_MODE_CUSTOMER_MANAGED_CAS_CA": 3,
        }
    ),
    "serverCaPool": str,
    "shardCount": int,
    "sizeGb": int,
    "state": EnumOf({"STATE_UNSPECIFIED": 0, "CREATING": 1, "ACTIVE": 2, "UPDATING": 3, "DELETING": 4}),
    "stateInfo": MapOf(),
    "transitEncryptionMode": EnumOf(
        {
            "TRANSIT_ENCRYPTION_MODE_UNSPECIFIED": 0,
            "TRANSIT_ENCRYPTION_MODE_DISABLED": 1,
            "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION": 2,
        }
    ),
    "uid": str,
    "zoneDistributionConfig": MapOf(),
}

_VALKEY_CONNECTION: Final[Schema] = {
    "connectionType": _ROLE,
    "forwardingRule": str,
    "ipAddress": str,
    "network": str,
    "port": int,
    "projectId": str,
    "pscConnectionId": str,
    "pscConnectionStatus": EnumOf({"PSC_CONNECTION_STATUS_UNSPECIFIED": 0, "ACTIVE": 1, "NOT_FOUND": 2}),
    "serviceAttachment": str,
}

VALKEY_INSTANCE: Final[Schema] = {
    "allowFewerZonesDeployment": bool,
    "asyncInstanceEndpointsDeletionEnabled": bool,
    "authorizationMode": EnumOf(
        {"AUTHORIZATION_MODE_UNSPECIFIED": 0, "AUTH_DISABLED": 1, "IAM_AUTH": 2, "TOKEN_AUTH": 3}
    ),
    "automatedBackupConfig": MapOf(),
    "createTime": str,
    "crossInstanceReplicationConfig": MapOf(),
    "deletionProtectionEnabled": bool,
    "discoveryEndpoints": ListOf({"address": str, "network": str, "port": int}),
    "endpoints": ListOf(
        {
            "connections": ListOf(
                {"pscAutoConnection": _VALKEY_CONNECTION, "pscConnection": _VALKEY_CONNECTION},
            )
        }
    ),
    "engineConfigs": MapOf(),
    "engineVersion": str,
    "kmsKey": str,
    "labels": MapOf(),
    "maintenancePolicy": MapOf(),
    "maintenanceSchedule": MapOf(),
    "mode": EnumOf({"MODE_UNSPECIFIED": 0, "STANDALONE": 1, "CLUSTER": 2, "CLUSTER_DISABLED": 4}),
    "name": str,
    "nodeConfig": MapOf(),
    "nodeType": EnumOf(
        {
            "NODE_TYPE_UNSPECIFIED": 0,
            "SHARED_CORE_NANO": 1,
            "HIGHMEM_MEDIUM": 2,
            "HIGHMEM_XLARGE": 3,
            "STANDARD_SMALL": 4,
            "CUSTOM_MICRO": 5,
            "CUSTOM_MINI": 6,
            "HIGHCPU_MEDIUM": 7,
            "STANDARD_LARGE": 8,
            "HIGHMEM_2XLARGE": 9,
            "CUSTOM_PICO": 10,
        }
    ),
    "persistenceConfig": MapOf(),
    "pscAttachmentDetails": ListOf(MapOf()),
    "pscAutoConnections": ListOf(_VALKEY_CONNECTION),
    "replicaCount": int,
    "serverCaMode": EnumOf(
        {
            "SERVER_CA_MODE_UNSPECIFIED": 0,
            "GOOGLE_MANAGED_PER_INSTANCE_CA": 1,
            "GOOGLE_MANAGED_SHARED_CA": 2,
            "CUSTOMER_MANAGED_CAS_CA": 3,
        }
    ),
    "serverCaPool": str,
    "shardCount": int,
    "state": EnumOf({"STATE_UNSPECIFIED": 0, "CREATING": 1, "ACTIVE": 2, "UPDATING": 3, "DELETING": 4, "MIGRATING": 6}),
    "stateInfo": MapOf(),
    "transitEncryptionMode": EnumOf(
        {
            "TRANSIT_ENCRYPTION_MODE_UNSPECIFIED": 0,
            "TRANSIT_ENCRYPTION_DISABLED": 1,
            "SERVER_AUTHENTICATION": 2,
        }
    ),
    "uid": str,
    "updateTime": str,
    "zoneDistributionConfig": MapOf(),
}
