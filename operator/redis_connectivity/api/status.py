"""The status of a RedisConnectivity: what was observed, whether it works, and if not, why and what to do.

Status tells what was seen and when. It never holds a secret. Times are RFC 3339 in UTC with whole seconds.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from redis_connectivity.api.base import Model
from redis_connectivity.api.conditions import ConditionType, Reason

__all__ = [
    "Condition",
    "ConditionStatus",
    "ConnectorStatus",
    "DriftEntry",
    "FirewallRuleStatus",
    "NetworkStatus",
    "ProbeFailure",
    "ProbeStatus",
    "RedisConnectivityStatus",
    "RedisStatus",
]

#: Drift entries kept in status; older ones leave.
DRIFT_ENTRIES_MAX = 10

Time = Annotated[str, StringConstraints(max_length=40), Field(json_schema_extra={"format": "date-time"})]


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


class RedisStatus(Model):
    """The target as observed."""

    kind: Literal["Memorystore", "VM"]
    host: str | None = None
    port: int | None = None
    state: str | None = None
    authorized_network: str | None = None


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


class DriftEntry(Model):
    """One change that somebody else made."""

    kind: Literal["FirewallRule", "Connector"]
    name: str
    field: str = Field(description="The field that changed, or `exists`.")
    before: str = Field(description="As the operator had left it.")
    after: str = Field(description="As it was found.")
    seen: Time
    repaired: Time | None = None


class ProbeFailure(Model):
    """How the last failing probe failed."""

    step: str
    code: str
    message: str
    time: Time


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
    last_failure: ProbeFailure | None = None


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
    probe: ProbeStatus | None = None
    drift: list[DriftEntry] = Field(
        default=[], max_length=DRIFT_ENTRIES_MAX, json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    last_handled_reconcile_at: str | None = Field(
        default=None,
        description="Value of the annotation redisconnectivity.io/reconcile-at that was last served.",
    )
