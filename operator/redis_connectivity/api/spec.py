"""The spec of a RedisConnectivity: what a user declares.

Names are Google's own wherever Google has one. The CRD in crds/ is generated from these models; what the API server
can refuse by itself stands here as CEL rules, next to the same check for callers that have no API server (`plan`).
"""

from __future__ import annotations

import enum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.access import PASSWORDS_NEED_A_SAFE_WAY, check_safe_way
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.checks import CHECKS_CEL, CHECKS_MAX, Check, chain_problem
from redis_connectivity.api.duration import DURATION, Between, not_longer, parse_duration
from redis_connectivity.api.fields import LABEL, ProjectId
from redis_connectivity.api.form import Form
from redis_connectivity.api.spec_connector import (
    PLACEMENT_RULES,
    ConnectorManagement,
    ConnectorReplacement,
    ConnectorSpec,
    ConnectorSubnet,
    DirectVpcEgressSpec,
    MachineType,
    NetworkSpec,
    check_placement,
)
from redis_connectivity.api.spec_redis import RedisTarget

__all__ = [
    "AdoptionPolicy",
    "ConnectorManagement",
    "ConnectorReplacement",
    "ConnectorSpec",
    "ConnectorSubnet",
    "DeletionPolicy",
    "DirectVpcEgressSpec",
    "DisruptionPolicy",
    "DriftPolicy",
    "FirewallLogging",
    "FirewallSpec",
    "MachineType",
    "NetworkSpec",
    "ProbeFrom",
    "ProbeSpec",
    "RedisConnectivitySpec",
    "RuleMode",
]


def _same(field: str) -> str:
    """CEL that says that an optional field is as it was created."""
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


def _immutable(field: str) -> dict[str, object]:
    """The CEL rule that keeps a required field as it was created."""
    return rule(
        f"self.{field} == oldSelf.{field}",
        f"{field} is immutable: it says which cloud resources this is about; delete the resource and create a new one",
        fieldPath=f".{field}",
        reason="FieldValueForbidden",
    )


class RuleMode(enum.StrEnum):
    """Whether a rule of the operator's is wanted in one direction."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


class FirewallLogging(enum.StrEnum):
    """Firewall Rules Logging of the operator's rules (Compute's logConfig)."""

    INCLUDE_ALL_METADATA = "INCLUDE_ALL_METADATA"
    EXCLUDE_ALL_METADATA = "EXCLUDE_ALL_METADATA"
    DISABLED = "DISABLED"


class FirewallSpec(Model):
    """How the operator's firewall rules look."""

    priority: int | None = Field(
        default=None,
        strict=True,
        ge=limits.FIREWALL_PRIORITY[0],
        le=limits.FIREWALL_PRIORITY[1],
        description=(
            "Fixed priority. Without it: 1000, or just stronger than the strongest deny that stands in the way."
        ),
    )
    logging: FirewallLogging = Field(
        default=FirewallLogging.INCLUDE_ALL_METADATA,
        description="Firewall Rules Logging of the operator's rules.",
    )
    ingress: RuleMode = Field(
        default=RuleMode.AUTO,
        description="Ingress rule at the target. Auto: for a vm; for a managed Redis it can never apply.",
    )
    egress: RuleMode = Field(
        default=RuleMode.AUTO,
        description="Egress rule at the connector. Auto: where something denies the connector's way out.",
    )


Duration = Annotated[str, StringConstraints(max_length=20), DURATION]


class ProbeFrom(enum.StrEnum):
    """Where probes run."""

    OPERATOR = "Operator"
    CLOUD_RUN = "CloudRun"


_FROM_OR_URL: Final = "from and proberUrl exclude each other: proberUrl names a prober that runs already; remove one"


class ProbeSpec(Model):
    """How the path is tried with real traffic."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                not_longer("self.timeout", "self.interval"),
                "timeout must not be longer than interval",
            ),
            rule("!has(self.from) || !has(self.proberUrl)", _FROM_OR_URL),
            *CHECKS_CEL,
        )
    )

    from_: ProbeFrom | None = Field(
        default=None,
        alias="from",
        description=(
            "Where probes run. CloudRun: in a prober that the operator deploys with the path's own way out, and removes"
            " again. Operator: in the operator's pod, which does not cross the connector and proves less. Default:"
            " proberUrl, where that is set, else Operator."
        ),
    )
    interval: Annotated[Duration, Between("1s", "24h")] = Field(
        default="30s", description="Time between probes, such as 30s or 1m30s."
    )
    timeout: Annotated[Duration, Between("100ms", "30s")] = Field(
        default="5s", description="Deadline of one probe, connecting and all its checks included."
    )
    prober_url: (
        Annotated[
            str,
            StringConstraints(max_length=2048),
            Form(
                limits.HTTP_URL_PATTERN,
                "must be an http or https URL with a host, such as https://prober-abc-uc.a.run.app",
            ),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "URL of a prober (`redis-connectivity prober`) of your own that runs on Cloud Run with this connector;"
            " instead of from."
        ),
    )
    checks: Annotated[list[Check], Field(min_length=1, max_length=CHECKS_MAX)] | None = Field(
        default=None,
        description="What is checked, in order; the first failure ends the chain. Default: tcp, redisPing.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    failure_threshold: int = Field(
        default=2, strict=True, ge=1, le=100, description="Failures in a row after which Reachable turns False."
    )
    success_threshold: int = Field(
        default=1, strict=True, ge=1, le=100, description="Successes in a row after which Reachable turns True again."
    )

    @model_validator(mode="after")
    def _timeout_fits(self) -> Self:
        if self.timeout_seconds > self.interval_seconds:
            raise ValueError("timeout must not be longer than interval")
        return self

    @model_validator(mode="after")
    def _chain_holds_together(self) -> Self:
        if self.checks is not None:
            problem = chain_problem(self.checks, prober=self.crosses, timeout_seconds=self.timeout_seconds)
            if problem is not None:
                raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _one_prober(self) -> Self:
        if self.from_ is not None and self.prober_url is not None:
            raise ValueError(_FROM_OR_URL)
        return self

    @property
    def crosses(self) -> bool:
        """Whether probes take the path's own way."""
        return self.prober_url is not None or self.from_ is ProbeFrom.CLOUD_RUN

    @property
    def interval_seconds(self) -> float:
        """Seconds between probes."""
        return parse_duration(self.interval)

    @property
    def timeout_seconds(self) -> float:
        """Deadline of one probe in seconds."""
        return parse_duration(self.timeout)


class DriftPolicy(enum.StrEnum):
    """What to do about a change that somebody else made."""

    REMEDIATE = "Remediate"
    REPORT = "Report"


class DeletionPolicy(enum.StrEnum):
    """What becomes of what the operator made when the resource is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"
    RESTORE = "Restore"


class AdoptionPolicy(enum.StrEnum):
    """Whether what somebody else made may be taken over."""

    NEVER = "Never"
    ADOPT = "Adopt"


class DisruptionPolicy(enum.StrEnum):
    """Whether connectivity that may be in use may be taken away."""

    DENY = "Deny"
    ALLOW = "Allow"


class RedisConnectivitySpec(Model):
    """One path from Cloud Run, through a VPC connector or by Direct VPC egress, to Redis, as it should be."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _immutable("environment"),
            _immutable("projectId"),
            _immutable("region"),
            rule(
                f"has(self.network) == has(oldSelf.network) && (!has(self.network) || ({_same('network.name')}"
                f" && {_same('network.hostProjectId')}))",
                "network is immutable: delete the resource and create a new one",
                fieldPath=".network",
                reason="FieldValueForbidden",
            ),
            *(
                rule(
                    f"!has(self.connector) || !has(oldSelf.connector) || ({_same(field)})",
                    f"{field} is immutable: delete the resource and create a new one",
                    fieldPath=".connector",
                    reason="FieldValueForbidden",
                )
                for field in ("connector.name", "connector.projectId")
            ),
            PASSWORDS_NEED_A_SAFE_WAY,
            *PLACEMENT_RULES,
        )
    )

    environment: Annotated[
        str,
        StringConstraints(max_length=limits.ENVIRONMENT_MAX),
        Form(limits.ENVIRONMENT_PATTERN, f"must be 1 to {limits.ENVIRONMENT_MAX} {LABEL}"),
    ] = Field(description="Word that names the environment; network and connector are named after it.")
    project_id: ProjectId = Field(
        description="Google Cloud project of network, connector and Redis; of a Shared VPC the service project."
    )
    region: Annotated[
        str,
        StringConstraints(max_length=32),
        Form(limits.REGION_PATTERN, "must be a region such as us-central1 (a zone such as us-central1-a is not one)"),
    ] = Field(description="Region of the connector; Cloud Run must be in the same one.")
    network: NetworkSpec | None = Field(default=None, description="The VPC network, unless it is ${environment}-vpc.")
    connector: ConnectorSpec | None = Field(default=None, description="The Serverless VPC Access connector.")
    direct_vpc_egress: DirectVpcEgressSpec | None = Field(
        default=None, description="Direct VPC egress of the Cloud Run service, instead of a connector."
    )
    redis: RedisTarget = Field(description="Where Redis is.")
    firewall: FirewallSpec = Field(default_factory=FirewallSpec, description="The operator's firewall rules.")
    probe: ProbeSpec = Field(default_factory=ProbeSpec, description="Probing with real traffic.")
    drift_policy: DriftPolicy = Field(
        default=DriftPolicy.REMEDIATE,
        description="Remediate: repair what somebody else changed. Report: only say so.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description=(
            "Delete: remove what the operator made, let go of what it adopted. Restore: the same, and put the adopted"
            " rules back as they were. Retain: leave everything in place but the prober that was deployed to watch it."
        ),
    )
    adoption_policy: AdoptionPolicy = Field(
        default=AdoptionPolicy.NEVER,
        description=(
            "Adopt: take over a connector of the declared name and a firewall rule for the same traffic that somebody"
            " else made; status.baseline keeps how they were. Never: leave them alone."
        ),
    )
    disruption_policy: DisruptionPolicy = Field(
        default=DisruptionPolicy.DENY,
        description=(
            "Allow: consent to taking away connectivity that may be in use, such as deleting a connector that other"
            " projects use, adopting a rule that allows more than this path needs, or closing the way to the old Redis"
            " before the new one answers. Deny: leave it, and say so."
        ),
    )
    suspend: bool = Field(default=False, strict=True, description="True: change nothing until it is false again.")

    @model_validator(mode="after")
    def _passwords_need_a_safe_way(self) -> Self:
        if self.redis.auth is not None and self.probe.prober_url is not None:
            check_safe_way(self.probe.prober_url)
        return self

    @model_validator(mode="after")
    def _connector_can_be_there(self) -> Self:
        check_placement(
            self.project_id,
            self.network,
            self.connector,
            self.direct_vpc_egress,
            egress_always=self.firewall.egress is RuleMode.ALWAYS,
        )
        return self
