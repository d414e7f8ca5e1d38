"""The status of a RedisConnectivity: what was observed, whether it works, and if not, why and what to do.

Status tells what was seen and when. It never holds a secret. Times are RFC 3339 in UTC with whole seconds.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from redis_connectivity.api.base import Model, Time
from redis_connectivity.api.baseline import BaselineStatus
from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.diagnosis import DiagnosisStatus, PathHop

__all__ = [
    "OUTAGES_MAX",
    "OUTAGE_TEXT_MAX",
    "CheckStatus",
    "CircuitState",
    "CircuitStatus",
    "Condition",
    "ConditionStatus",
    "ConnectorStatus",
    "DriftEntry",
    "FirewallRuleStatus",
    "NetworkStatus",
    "OutageStatus",
    "ProbeCheckStatus",
    "ProbeFailure",
    "ProbeStatus",
    "ProbeWindow",
    "RedisConnectivityStatus",
    "RedisEndpointStatus",
    "RedisStatus",
    "RetiringConnectorStatus",
]

#: Drift entries kept in status; older ones leave.
DRIFT_ENTRIES_MAX = 10
#: Outages kept, and letters of a text about one.
OUTAGES_MAX = 10
OUTAGE_TEXT_MAX = 512


class ConditionStatus(enum.StrEnum):
    """Kubernetes' three-valued truth."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """A metav1.Condition."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: Annotated[str, StringConstraints(max_length=32768)]
    last_transition_time: Time
    observed_generation: int


class NetworkStatus(Model):
    """The VPC network as observed."""

    project_id: str
    name: str
    exists: bool


class RetiringConnectorStatus(Model):
    """A connector that was replaced and is still there."""

    name: str
    state: str = Field(description="Google's own word.")
    ip_cidr_range: str | None = None
    waits_for: str | None = Field(default=None, description="What its deletion waits for, and from whom.")


class ConnectorStatus(Model):
    """The connector as observed."""

    name: str
    state: str = Field(description="Google's own word, or Absent.")
    owned: bool = Field(description="Whether this resource made it, and may change and delete it.")
    network: str | None = None
    ip_cidr_range: str | None = None
    machine_type: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    operation: str | None = Field(default=None, description="The operation that is under way.")
    retiring: list[RetiringConnectorStatus] = Field(
        default=[],
        description="Connectors that this one replaced, and that are still there.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class RedisEndpointStatus(Model):
    """One place where the target is reached in the connector's network."""

    host: str
    ports: list[str] = Field(
        default=[],
        description="Ports and ranges of ports that traffic must reach.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    role: str | None = Field(default=None, description="DISCOVERY, PRIMARY, READER or NODES.")
    psc_connection_status: str | None = Field(
        default=None, description="Google's word on the Private Service Connect connection, which it refreshes rarely."
    )


class RedisStatus(Model):
    """The target as observed."""

    kind: Literal["Memorystore", "Cluster", "Valkey", "VM", "Endpoint"]
    host: str | None = Field(default=None, description="Where it is probed.")
    port: int | None = None
    state: str | None = Field(default=None, description="Google's own word, Absent or Unknown.")
    reached_by: Literal["Network", "Peering", "PrivateServiceConnect"] | None = None
    authorized_network: str | None = None
    tls: bool | None = Field(default=None, description="Whether connections must be TLS, where Google tells.")
    authorization: str | None = Field(
        default=None,
        description="What clients must show, where Google tells: DISABLED, AUTH_STRING, IAM_AUTH or TOKEN_AUTH.",
    )
    endpoints: list[RedisEndpointStatus] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})


class FirewallRuleStatus(Model):
    """One of the operator's rules as observed."""

    name: str
    direction: Literal["INGRESS", "EGRESS"]
    state: Literal["InSync", "Missing", "Differs", "Extra"]
    priority: int
    allowed: str
    source_ranges: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    destination_ranges: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    target_tags: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    target_service_accounts: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})


class DriftEntry(Model):
    """One change that somebody else made."""

    kind: Literal["FirewallRule", "Connector"]
    name: str
    field: str = Field(description="The field that changed, or `exists`.")
    before: str = Field(description="As the operator had left it.")
    after: str = Field(description="As it was found.")
    seen: Time
    repaired: Time | None = None
    actor: str | None = Field(
        default=None, max_length=320, description="Who wrote it last before it was seen, where the audit log tells."
    )
    changed_at: Time | None = Field(default=None, description="When that was.")


class ProbeFailure(Model):
    """How the last failing probe failed."""

    step: str
    code: str
    message: str
    time: Time


class CheckStatus(enum.StrEnum):
    """How a check of the chain ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    #: An earlier check failed.
    SKIPPED = "Skipped"


class ProbeCheckStatus(Model):
    """One check of the chain, as in the probe that the verdict rests on."""

    name: str
    status: CheckStatus
    latency_milliseconds: float | None = None
    code: str | None = Field(default=None, description="Why it failed, from a closed vocabulary.")
    message: str | None = None


class CircuitState(enum.StrEnum):
    """How the circuit between the probes and their target stands."""

    #: Each resource probes at its interval.
    CLOSED = "Closed"
    #: Nobody has answered for long: one chain at a time tries, ever more rarely, for all that probe the same.
    OPEN = "Open"
    #: A trial was answered; more are needed.
    HALF_OPEN = "HalfOpen"


class CircuitStatus(Model):
    """Whether probes are held back. That a trial is under way is no news, so no time of the next one is told."""

    state: CircuitState
    since: Time | None = Field(default=None, description="When it opened; absent while it is closed.")


class ProbeWindow(Model):
    """Probes of a stretch of time that ended when this was written; of what this operator process has seen of it."""

    name: Literal["5m", "1h", "24h"]
    probes: int
    success_rate: float | None = Field(default=None, description="From 0 to 1.")
    p50_milliseconds: float | None = Field(
        default=None, description="Of those that succeeded, connecting and all checks included; within 3 %."
    )
    p95_milliseconds: float | None = None
    p99_milliseconds: float | None = None


class ProbeStatus(Model):
    """Results of probing. Figures that merely move are refreshed rarely; verdicts at once."""

    origin: Literal["Prober", "Operator"] = Field(
        description="Prober: from behind the connector. Operator: from the operator's pod."
    )
    crosses_connector: bool
    target: str
    last_probe_time: Time | None = None
    last_success_time: Time | None = None
    latency_milliseconds: float | None = Field(default=None, description="Of the last success, connecting included.")
    consecutive_failures: int = 0
    circuit: CircuitStatus | None = Field(default=None, description="Absent while nobody probes.")
    windows: list[ProbeWindow] = Field(
        default=[],
        max_length=3,
        description="Success rate and latencies of the last 5 minutes, hour and day.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    last_failure: ProbeFailure | None = None
    checks: list[ProbeCheckStatus] = Field(
        default=[],
        description="The chain in its order, as the probe that the verdict rests on found it.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class OutageStatus(Model):
    """A time in which the path did not work, as the operator saw it."""

    began: Time = Field(description="When it was seen to be broken; a failing probe is seen failureThreshold later.")
    ended: Time | None = Field(default=None, description="When it was seen to work again; absent while it lasts.")
    code: str = Field(
        max_length=64, description="The first cause that was found, by its code; Ready's reason where there is none."
    )
    cause: str = Field(max_length=OUTAGE_TEXT_MAX, description="The cause in a sentence.")
    repaired_by: str | None = Field(
        default=None,
        max_length=OUTAGE_TEXT_MAX,
        description=(
            "What ended it: `Operator:` and what it did, `Spec` for a change of the spec, `Elsewhere` for anything"
            " else. While it lasts, what was done about it last; absent where nobody looked any more (suspend)."
        ),
    )


class ProberStatus(Model):
    """The prober that the operator deployed."""

    service: str = Field(description="Full name of the Cloud Run service.")
    state: Literal["Absent", "Deploying", "Ready", "Failed", "Deleting", "Unknown"]
    image: str | None = Field(default=None, description="What is deployed.")
    url: str | None = Field(default=None, description="Where it answers; only the operator may call it.")
    message: str | None = Field(default=None, description="What is in its way.")


class RedisConnectivityStatus(Model):
    """What the operator saw and did."""

    observed_generation: int | None = None
    conditions: list[Condition] = Field(
        default=[],
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    network: NetworkStatus | None = None
    connector: ConnectorStatus | None = None
    redis: RedisStatus | None = None
    firewall_rules: list[FirewallRuleStatus] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    prober: ProberStatus | None = Field(default=None, description="Only with spec.probe.from: CloudRun.")
    probe: ProbeStatus | None = None
    drift: list[DriftEntry] = Field(
        default=[], max_length=DRIFT_ENTRIES_MAX, json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    outages: list[OutageStatus] = Field(
        default=[],
        max_length=OUTAGES_MAX,
        description="When the path did not work, the newest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    baseline: BaselineStatus | None = None
    diagnosis: DiagnosisStatus | None = Field(
        default=None,
        description="The first cause of the path's not being Ready; absent while nothing is known against it.",
    )
    path: list[PathHop] = Field(
        default=[],
        description="The path hop by hop, in a packet's order.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    last_handled_reconcile_at: str | None = Field(
        default=None,
        description="Value of the annotation redisconnectivity.io/reconcile-at that was last served.",
    )
