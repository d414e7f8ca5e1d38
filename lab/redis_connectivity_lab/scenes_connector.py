"""Scenes about the network and the connector."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab.scene import Scene
from redis_connectivity_lab.scene_acts import connector_deleted, connector_error
from redis_connectivity_lab.scene_network_acts import (
    connector_conflict,
    connector_creation_failed,
    connector_gone_elsewhere,
    connector_in_another_region,
    connector_rules_shadowed,
    connector_state,
    declared,
    subnet_elsewhere,
    subnet_too_wide,
)
from redis_connectivity_lab.scene_policy_acts import conflict
from redis_connectivity_lab.scene_replacement_acts import replacement_shared
from redis_connectivity_lab.scene_shared_acts import service_rules_missing
from redis_connectivity_lab.worlds import PRODUCTION, STAGING, Environment

__all__ = ["CONNECTOR", "NETWORK"]


def _twin(env: Environment) -> dict[str, object]:
    """A second connector, and the first one's range left as it was."""
    return {"connector": {"name": "second-conn", "ipCidrRange": env.connector_range}}


NETWORK: Final = (
    Scene(
        "wrong-network",
        "the network's name was copied from another environment",
        declared(
            "declared network production-vpc in project acme-staging",
            "NetworkReady turns False; the diagnosis names the network that was meant",
            lambda _: {"network": {"name": "production-vpc"}},
        ),
        Code.WRONG_NETWORK,
        (STAGING,),
        Reason.NETWORK_NOT_FOUND,
    ),
    Scene(
        "network-missing",
        "the environment's network was never made",
        declared(
            "declared environment qa, which has no network",
            "NetworkReady turns False",
            lambda env: {"environment": "qa", "connector": {"name": env.connector, "ipCidrRange": env.connector_range}},
        ),
        Code.NETWORK_MISSING,
        (STAGING,),
        Reason.NETWORK_NOT_FOUND,
    ),
    Scene(
        "subnet-missing",
        "the connector's subnet was never made",
        declared(
            "declared subnet connectors for the connector",
            "NetworkReady turns False",
            lambda _: {"connector": {"subnet": {"name": "connectors"}}},
        ),
        Code.SUBNET_MISSING,
        (STAGING,),
        Reason.SUBNET_NOT_FOUND,
    ),
    Scene(
        "wrong-region",
        "the connector's subnet was made in another region",
        subnet_elsewhere,
        Code.WRONG_REGION,
        (STAGING,),
        Reason.SUBNET_NOT_FOUND,
    ),
    Scene(
        "subnet-unsuitable",
        "the connector's subnet is no /28",
        subnet_too_wide,
        Code.SUBNET_UNSUITABLE,
        (STAGING,),
        Reason.SUBNET_UNSUITABLE,
    ),
)
CONNECTOR: Final = (
    Scene(
        "conflict",
        "an older resource declares the same connector on another range",
        conflict,
        Code.CONFLICT,
        (STAGING,),
        Reason.CONFLICT,
    ),
    Scene(
        "connector-deleted",
        "somebody deletes the connector that the operator made",
        connector_deleted,
        Code.CONNECTOR_MISSING,
        (PRODUCTION,),
    ),
    Scene(
        "connector-wrong-region",
        "the connector was made in another region",
        connector_in_another_region,
        Code.WRONG_REGION,
        (STAGING,),
        Reason.CONNECTOR_NOT_FOUND,
        cut=True,
    ),
    Scene(
        "connector-error",
        "the connector that the operator made turns to ERROR",
        connector_error,
        Code.CONNECTOR_ERROR,
        (PRODUCTION,),
        drift=False,
    ),
    Scene(
        "foreign-connector-error",
        "a connector that somebody else made turns to ERROR",
        connector_error,
        Code.CONNECTOR_ERROR,
        (STAGING,),
        Reason.CONNECTOR_ERROR,
    ),
    Scene(
        "connector-not-ready",
        "a connector that somebody else made is being deleted",
        connector_state("DELETING"),
        Code.CONNECTOR_NOT_READY,
        (STAGING,),
        Reason.CONNECTOR_DELETING,
    ),
    Scene(
        "connector-wrong-network",
        "somebody makes the connector anew, on another network",
        connector_gone_elsewhere,
        Code.CONNECTOR_WRONG_NETWORK,
        (STAGING,),
        Reason.CONNECTOR_WRONG_NETWORK,
    ),
    Scene(
        "connector-differs",
        "the connector has another range than the declared one",
        declared(
            "declared range 10.2.9.0/28 for the connector",
            "ConnectorReady says what differs; it cannot be changed in place",
            lambda _: {"connector": {"ipCidrRange": "10.2.9.0/28"}},
        ),
        Code.CONNECTOR_DIFFERS,
        (STAGING,),
        Reason.CONNECTOR_FOREIGN_DIFFERS,
    ),
    Scene(
        "replacement-shared",
        "a connector is to be replaced that another resource uses as it is",
        replacement_shared,
        Code.CONNECTOR_DIFFERS,
        (PRODUCTION,),
        Reason.CONNECTOR_IMMUTABLE_FIELD,
    ),
    Scene(
        "range-overlap",
        "a second connector is declared with the range of the first",
        declared(
            "declared a second connector on the first one's range",
            "ConnectorReady turns False before anything is created",
            _twin,
        ),
        Code.RANGE_OVERLAP,
        (STAGING,),
        Reason.CONNECTOR_RANGE_CONFLICT,
        cut=True,
    ),
    Scene(
        "shared-vpc-rules-missing",
        "the network is a host project's, where nobody has made the rules that a connector needs",
        service_rules_missing,
        Code.SHARED_VPC_RULES_MISSING,
        (STAGING,),
        Reason.SHARED_VPC_RULES_MISSING,
        cut=True,
    ),
    Scene(
        "connector-conflict",
        "Google leaves the connector in ERROR for a conflict that no list shows",
        connector_conflict,
        Code.CONNECTOR_CONFLICT,
        (PRODUCTION,),
        Reason.CONNECTOR_RANGE_CONFLICT,
    ),
    Scene(
        "connector-rules-shadowed",
        "a deny stands in front of the rules that Google makes for connectors",
        connector_rules_shadowed,
        Code.CONNECTOR_RULES_SHADOWED,
        (STAGING,),
        Reason.CONNECTOR_CREATION_FAILED,
        cut=True,
    ),
    Scene(
        "connector-creation-failed",
        "Google cannot create the connector",
        connector_creation_failed,
        Code.CONNECTOR_CREATION_FAILED,
        (STAGING,),
        Reason.CONNECTOR_CREATION_FAILED,
        cut=True,
    ),
)
