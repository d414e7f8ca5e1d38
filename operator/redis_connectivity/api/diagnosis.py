"""The closed vocabulary of causes, and how a status tells the first one and the path hop by hop.

Codes are API, as the reasons of conditions are: alerts and runbooks name them. A code is never renamed. What each means
and what to do about it stands in `core.diagnosis.catalogue`, from which docs/diagnosis/ is made.
"""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field, StringConstraints

from redis_connectivity.api.base import Model

__all__ = ["DiagnosisCode", "DiagnosisStatus", "HopName", "HopVerdict", "PathHop"]

#: Pieces of evidence that a status holds at most.
EVIDENCE_MAX = 8
EVIDENCE_LENGTH_MAX = 1024


class DiagnosisCode(enum.StrEnum):
    """The first cause of a path that is not Ready, in the path's order."""

    # --- the network
    #: The named network does not exist, but `${environment}-vpc` does.
    WRONG_NETWORK = "WrongNetwork"
    #: The network does not exist.
    NETWORK_MISSING = "NetworkMissing"
    #: The connector's subnet does not exist in the region.
    SUBNET_MISSING = "SubnetMissing"
    #: The connector's subnet cannot carry a connector.
    SUBNET_UNSUITABLE = "SubnetUnsuitable"

    #: What is declared exists in another region.
    WRONG_REGION = "WrongRegion"

    # --- the connector
    #: An older resource declares something that cannot be true together with this one.
    CONFLICT = "Conflict"
    #: Somebody else keeps undoing what the operator repairs.
    DRIFT_CONTENDED = "DriftContended"
    #: The connector is not there.
    CONNECTOR_MISSING = "ConnectorMissing"
    #: The connector is on another network than the declared one.
    CONNECTOR_WRONG_NETWORK = "ConnectorWrongNetwork"
    #: The connector's declared range is taken by something in the network.
    RANGE_OVERLAP = "RangeOverlap"
    #: Google left the connector in ERROR for a conflict that only its operation told.
    CONNECTOR_CONFLICT = "ConnectorConflict"
    #: A deny cuts the connector off from Google's own infrastructure.
    CONNECTOR_RULES_SHADOWED = "ConnectorRulesShadowed"
    #: The host project of a Shared VPC lacks rules that a connector in a service project needs.
    SHARED_VPC_RULES_MISSING = "SharedVPCRulesMissing"
    #: Google could not create the connector.
    CONNECTOR_CREATION_FAILED = "ConnectorCreationFailed"
    #: The connector is in state ERROR.
    CONNECTOR_ERROR = "ConnectorError"
    #: The connector is between two states.
    CONNECTOR_NOT_READY = "ConnectorNotReady"
    #: The connector differs from the declared one in a field that Google cannot change in place.
    CONNECTOR_DIFFERS = "ConnectorDiffers"

    # --- the target
    #: There is no such Redis.
    REDIS_MISSING = "RedisMissing"
    #: The Redis belongs to another network.
    REDIS_WRONG_NETWORK = "RedisWrongNetwork"
    #: Google says that the Redis is not ready.
    REDIS_NOT_READY = "RedisNotReady"
    #: The network has no active peering to Google's side, where a managed Redis is.
    PEERING_MISSING = "PeeringMissing"

    #: A Private Service Connect connection to the Redis is gone.
    PSC_CONNECTION_LOST = "PSCConnectionLost"

    # --- the firewall
    #: The operator's rule is not there.
    RULE_MISSING = "RuleMissing"
    #: The operator's rule is disabled.
    RULE_DISABLED = "RuleDisabled"
    #: The operator's rule lets fewer addresses in than the path needs.
    RULE_NARROWED = "RuleNarrowed"
    #: The operator's rule was changed in another way.
    RULE_CHANGED = "RuleChanged"
    #: The spec forbids the rule that the path needs.
    RULE_FORBIDDEN = "RuleForbidden"
    #: A firewall policy, which comes before every VPC rule, denies the path.
    DENIED_BY_POLICY = "DeniedByPolicy"
    #: A deny stands in front of the operator's egress rule.
    EGRESS_DENIED = "EgressDenied"
    #: A deny stands in front of the operator's ingress rule.
    INGRESS_DENIED = "IngressDenied"

    #: A rule that cannot be judged from here may decide.
    RULE_UNCERTAIN = "RuleUncertain"

    # --- what Redis and the network answered
    #: The name of the endpoint has no address where the prober runs.
    DNS_FAILED = "DnsFailed"
    #: Redis wants TLS and the path is declared without, or the other way about.
    TLS_MISMATCH = "TlsMismatch"
    #: The certificate of Redis is not accepted, or Redis wants one that a client here has not.
    CERTIFICATE_REJECTED = "CertificateRejected"
    #: Something listens there that is no Redis.
    NOT_REDIS = "NotRedis"
    #: Packets arrive, and nothing listens.
    REDIS_STOPPED = "RedisStopped"
    #: The connection opens, and nobody answers.
    REDIS_FROZEN = "RedisFrozen"
    #: Redis wants a password, and none is declared.
    AUTH_MISSING = "AuthMissing"
    #: Redis does not accept the declared password.
    AUTH_WRONG = "AuthWrong"
    #: User and password are right, and may not do what is asked.
    ACL_DENIED = "ACLDenied"
    #: A Secret that the path names cannot be used, so that Redis was not asked.
    SECRET_UNUSABLE = "SecretUnusable"  # noqa: S105 - a code, no secret
    #: Redis lets only its own host in.
    PROTECTED_MODE = "ProtectedMode"
    #: Redis has no room for another client.
    MAX_CLIENTS = "MaxClients"
    #: Redis is loading its data set.
    REDIS_LOADING = "RedisLoading"
    #: Redis is full and takes no writes.
    OUT_OF_MEMORY = "OutOfMemory"
    #: Redis is a read-only replica.
    READ_ONLY = "ReadOnly"
    #: The Redis cluster is down, or this is one node of it and another has the keys.
    CLUSTER_TROUBLE = "ClusterTrouble"
    #: Redis answers with an error of its own.
    REDIS_ERROR = "RedisError"
    #: Redis is fine, and a service behind it in the chain of checks is not.
    CHECK_FAILED = "CheckFailed"
    #: The connection breaks off.
    CONNECTION_RESET = "ConnectionReset"
    #: There is no route to the address.
    NO_ROUTE = "NoRoute"

    # --- what keeps the operator from looking or acting
    #: A RedisConnectivityPolicy forbids what is declared.
    NOT_ALLOWED_BY_POLICY = "NotAllowedByPolicy"
    #: A permission is missing.
    PERMISSION_MISSING = "PermissionMissing"
    #: Google does not know the operator.
    CREDENTIALS_REFUSED = "CredentialsRefused"
    #: A Google API is not enabled.
    API_DISABLED = "APIDisabled"
    #: The project does not exist, or nobody may know that it does.
    PROJECT_MISSING = "ProjectMissing"
    #: A quota is used up.
    QUOTA_EXHAUSTED = "QuotaExhausted"
    #: Google answers with errors of its own, or not at all.
    CLOUD_UNAVAILABLE = "CloudUnavailable"
    #: Google refused a change, or an operation of it failed.
    OPERATION_FAILED = "OperationFailed"

    # --- the rest
    #: The prober itself could not be asked.
    PROBER_UNAVAILABLE = "ProberUnavailable"
    #: Everything is as it should be as far as one can see, and packets are lost all the same.
    PATH_TIMES_OUT = "PathTimesOut"


class HopName(enum.StrEnum):
    """A stretch of the path, in the order that a packet takes."""

    CLOUD_RUN = "CloudRun"
    CONNECTOR = "Connector"
    EGRESS = "Egress"
    #: Within the network, to a machine of one's own.
    ROUTE = "Route"
    #: To Google's network, where Memorystore for Redis is.
    PEERING = "Peering"
    #: To the endpoints of Redis Cluster or Valkey.
    PRIVATE_SERVICE_CONNECT = "PrivateServiceConnect"
    INGRESS = "Ingress"
    REDIS = "Redis"


class HopVerdict(enum.StrEnum):
    """Whether a packet gets past a hop."""

    #: It does, as seen or as proven by a probe.
    ALLOWED = "Allowed"
    #: It does not.
    DENIED = "Denied"
    #: It cannot be said; the message says why.
    UNKNOWN = "Unknown"


class PathHop(Model):
    """One hop, as a packet meets it."""

    name: HopName
    verdict: HopVerdict
    by: str | None = Field(default=None, description="What decided: a rule, a policy, a peering, a state, a probe.")
    message: str


class DiagnosisStatus(Model):
    """The first cause of a path that is not Ready: why, how one knows, and what to do."""

    code: DiagnosisCode
    summary: str
    evidence: list[Annotated[str, StringConstraints(max_length=EVIDENCE_LENGTH_MAX)]] = Field(
        default=[], max_length=EVIDENCE_MAX, json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    remedy: str
    documentation: str = Field(description="The page about this code in the operator's documentation.")
    since: Annotated[str, StringConstraints(max_length=40), Field(json_schema_extra={"format": "date-time"})] = Field(
        description="When this cause was first seen."
    )
