"""Fields of Cloud Run services. Field names and numbers: run v2 API description."""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.message_parsing import EnumOf, ListOf, MapOf, Schema

__all__ = ["RUN_SERVICE"]

_CONDITION: Final[Schema] = {
    "executionReason": str,
    "lastTransitionTime": str,
    "message": str,
    "reason": str,
    "revisionReason": str,
    "severity": str,
    "state": EnumOf(
        {
            "STATE_UNSPECIFIED": 0,
            "CONDITION_PENDING": 1,
            "CONDITION_RECONCILING": 2,
            "CONDITION_FAILED": 3,
            "CONDITION_SUCCEEDED": 4,
        }
    ),
    "type": str,
}

_ALLOCATION: Final = EnumOf(
    {
        "TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED": 0,
        "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST": 1,
        "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION": 2,
    }
)

_CONTAINER: Final[Schema] = {
    "args": ListOf(str),
    "command": ListOf(str),
    "dependsOn": ListOf(str),
    "env": ListOf({"name": str, "value": str, "valueSource": MapOf()}),
    "image": str,
    "livenessProbe": MapOf(),
    "name": str,
    "ports": ListOf({"containerPort": int, "name": str}),
    "resources": {"cpuIdle": bool, "limits": MapOf(), "startupCpuBoost": bool},
    "startupProbe": MapOf(),
    "volumeMounts": ListOf(MapOf()),
    "workingDir": str,
}

_TEMPLATE: Final[Schema] = {
    "annotations": MapOf(),
    "containers": ListOf(_CONTAINER),
    "executionEnvironment": EnumOf(
        {
            "EXECUTION_ENVIRONMENT_UNSPECIFIED": 0,
            "EXECUTION_ENVIRONMENT_GEN1": 1,
            "EXECUTION_ENVIRONMENT_GEN2": 2,
        }
    ),
    "labels": MapOf(),
    "maxInstanceRequestConcurrency": int,
    "revision": str,
    "scaling": {"maxInstanceCount": int, "minInstanceCount": int},
    "serviceAccount": str,
    "sessionAffinity": bool,
    "timeout": str,
    "volumes": ListOf(MapOf()),
    "vpcAccess": {
        "connector": str,
        "egress": EnumOf({"VPC_EGRESS_UNSPECIFIED": 0, "ALL_TRAFFIC": 1, "PRIVATE_RANGES_ONLY": 2}),
        "networkInterfaces": ListOf({"network": str, "subnetwork": str, "tags": ListOf(str)}),
    },
}

RUN_SERVICE: Final[Schema] = {
    "annotations": MapOf(),
    "client": str,
    "clientVersion": str,
    "conditions": ListOf(_CONDITION),
    "createTime": str,
    "creator": str,
    "customAudiences": ListOf(str),
    "defaultUriDisabled": bool,
    "deleteTime": str,
    "description": str,
    "etag": str,
    "expireTime": str,
    "generation": int,
    "ingress": EnumOf(
        {
            "INGRESS_TRAFFIC_UNSPECIFIED": 0,
            "INGRESS_TRAFFIC_ALL": 1,
            "INGRESS_TRAFFIC_INTERNAL_ONLY": 2,
            "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER": 3,
            "INGRESS_TRAFFIC_NONE": 4,
        }
    ),
    "invokerIamDisabled": bool,
    "labels": MapOf(),
    "lastModifier": str,
    "latestCreatedRevision": str,
    "latestReadyRevision": str,
    "launchStage": EnumOf(
        {
            "LAUNCH_STAGE_UNSPECIFIED": 0,
            "UNIMPLEMENTED": 6,
            "PRELAUNCH": 7,
            "EARLY_ACCESS": 1,
            "ALPHA": 2,
            "BETA": 3,
            "GA": 4,
            "DEPRECATED": 5,
        }
    ),
    "name": str,
    "observedGeneration": int,
    "reconciling": bool,
    "scaling": {"manualInstanceCount": int, "maxInstanceCount": int, "minInstanceCount": int},
    "template": _TEMPLATE,
    "terminalCondition": _CONDITION,
    "traffic": ListOf({"percent": int, "revision": str, "tag": str, "type": _ALLOCATION}),
    "trafficStatuses": ListOf({"percent": int, "revision": str, "tag": str, "type": _ALLOCATION, "uri": str}),
    "uid": str,
    "updateTime": str,
    "uri": str,
    "urls": ListOf(str),
}
