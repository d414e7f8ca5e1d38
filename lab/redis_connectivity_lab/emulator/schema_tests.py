"""Fields of Connectivity Tests. Field names and numbers: networkmanagement v1 API description.

Of the enums only those words are here that this emulator says or understands.
"""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.message_parsing import EnumOf, ListOf, MapOf, Schema

__all__ = ["CONNECTIVITY_TEST"]

_ENDPOINT: Final[Schema] = {
    "cloudRunRevision": {"serviceUri": str, "uri": str},
    "ipAddress": str,
    "network": str,
    "networkType": EnumOf({"NETWORK_TYPE_UNSPECIFIED": 0, "GCP_NETWORK": 1, "NON_GCP_NETWORK": 2, "INTERNET": 3}),
    "port": int,
    "projectId": str,
    "redisCluster": str,
    "redisInstance": str,
}

_FIREWALL: Final[Schema] = {
    "action": str,
    "direction": str,
    "displayName": str,
    "firewallRuleType": EnumOf(
        {
            "FIREWALL_RULE_TYPE_UNSPECIFIED": 0,
            "VPC_FIREWALL_RULE": 2,
            "IMPLIED_VPC_FIREWALL_RULE": 3,
            "SERVERLESS_VPC_ACCESS_MANAGED_FIREWALL_RULE": 4,
            "NETWORK_FIREWALL_POLICY_RULE": 5,
        }
    ),
    "networkUri": str,
    "priority": int,
    "uri": str,
}

_STEP: Final[Schema] = {
    "abort": {"cause": EnumOf({"CAUSE_UNSPECIFIED": 0, "RESOURCE_CONFIG_NOT_FOUND": 18}), "resourceUri": str},
    "causesDrop": bool,
    "description": str,
    "drop": {
        "cause": EnumOf(
            {
                "CAUSE_UNSPECIFIED": 0,
                "FIREWALL_RULE": 3,
                "UNKNOWN_INTERNAL_ADDRESS": 10,
                "VPC_CONNECTOR_NOT_SET": 23,
                "VPC_CONNECTOR_NOT_RUNNING": 24,
                "REDIS_INSTANCE_NOT_RUNNING": 68,
                "REDIS_CLUSTER_NOT_RUNNING": 69,
            }
        ),
        "resourceUri": str,
    },
    "firewall": _FIREWALL,
    "projectId": str,
    "state": EnumOf(
        {
            "STATE_UNSPECIFIED": 0,
            "APPLY_INGRESS_FIREWALL_RULE": 4,
            "APPLY_EGRESS_FIREWALL_RULE": 5,
            "APPLY_ROUTE": 6,
            "DELIVER": 16,
            "DROP": 17,
            "ABORT": 19,
            "ARRIVE_AT_VPC_CONNECTOR": 24,
            "START_FROM_CLOUD_RUN_REVISION": 26,
            "DIRECT_VPC_EGRESS_CONNECTION": 35,
        }
    ),
}

CONNECTIVITY_TEST: Final[Schema] = {
    "bypassFirewallChecks": bool,
    "createTime": str,
    "description": str,
    "destination": _ENDPOINT,
    "displayName": str,
    "labels": MapOf(),
    "name": str,
    "protocol": str,
    "reachabilityDetails": {
        "error": {"code": int, "message": str},
        "result": EnumOf(
            {"RESULT_UNSPECIFIED": 0, "REACHABLE": 1, "UNREACHABLE": 2, "AMBIGUOUS": 4, "UNDETERMINED": 5}
        ),
        "traces": ListOf({"steps": ListOf(_STEP)}),
        "verifyTime": str,
    },
    "relatedProjects": ListOf(str),
    "roundTrip": bool,
    "source": _ENDPOINT,
    "updateTime": str,
}
