"""The spec of a RedisConnectivity: what a user declares.

Names are Google's own wherever Google has one. The CRD in crds/ is generated from these models; what the API server
can refuse by itself stands here as CEL rules, next to the same check for callers that have no API server (`plan`).
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.duration import DURATION, Between, not_longer, parse_duration
from redis_connectivity.api.form import Form

__all__ = [
    "ConnectorManagement",
    "ConnectorSpec",
    "ConnectorSubnet",
    "DeletionPolicy",
    "DriftPolicy",
    "FirewallLogging",
    "FirewallSpec",
    "MachineType",
    "MemorystoreTarget",
    "NetworkSpec",
    "ProbeSpec",
    "RedisConnectivitySpec",
    "RedisTarget",
    "RuleMode",
    "VmTarget",
]

_PRIVATE = " || ".join(f"cidr('{network}').containsCIDR(self)" for network in limits.PRIVATE_RANGES)

#: Greatest length of an address or range: long enough that a wrong one is told what is wrong, not that it is long.
_ADDRESS_MAX: Final = 253

_LABEL = "characters of a-z, 0-9 and '-', starting with a letter and not ending with '-'"

ComputeName = Annotated[
    str,
    StringConstraints(max_length=limits.COMPUTE_NAME_MAX),
    Form(limits.COMPUTE_NAME_PATTERN, f"must be 1 to 63 {_LABEL}"),
]
Port = Annotated[int, Field(strict=True, ge=limits.PORT[0], le=limits.PORT[1])]


def _immutable(field: str) -> dict[str, object]:
    """The CEL rule that keeps a required field as it was created."""
    return rule(
        f"self.{field} == oldSelf.{field}",
        f"{field} is immutable: it says which cloud resources this is about; delete the resource and create a new one",
        fieldPath=f".{field}",
        reason="FieldValueForbidden",
    )


class NetworkSpec(Model):
    """The VPC network the connector is on."""

    name: ComputeName = Field(description="Name of the VPC network. Default: ${environment}-vpc.")


class MachineType(enum.StrEnum):
    """Machine types that a connector can have."""

    F1_MICRO = "f1-micro"
    E2_MICRO = "e2-micro"
    E2_STANDARD_4 = "e2-standard-4"


class ConnectorManagement(enum.StrEnum):
    """Who looks after the connector."""

    MANAGED = "Managed"
    OBSERVED = "Observed"
    NONE = "None"


class ConnectorSubnet(Model):
    """A subnet of its own for the connector: a /28 with purpose PRIVATE, used by nothing else."""

    name: ComputeName = Field(description="Name of the subnetwork, in the connector's region.")


class ConnectorSpec(Model):
    """The Serverless VPC Access connector."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "has(self.ipCidrRange) != has(self.subnet)",
                "exactly one of ipCidrRange and subnet places the connector",
            ),
            rule(
                "!(has(self.minInstances) && has(self.maxInstances)) || self.minInstances < self.maxInstances",
                "minInstances must be less than maxInstances",
            ),
        )
    )

    name: (
        Annotated[
            str,
            StringConstraints(max_length=limits.CONNECTOR_NAME_MAX),
            Form(limits.CONNECTOR_NAME_PATTERN, f"must be 2 to 25 {_LABEL}"),
        ]
        | None
    ) = Field(default=None, description="Name of the connector. Default: ${environment}-connector.")
    ip_cidr_range: (
        Annotated[
            str,
            StringConstraints(max_length=_ADDRESS_MAX),
            Field(
                json_schema_extra=cel(
                    rule(
                        "isCIDR(self) && cidr(self).ip().family() == 4",
                        "ipCidrRange must be an IPv4 range such as 10.2.0.0/28",
                    ),
                    rule(
                        "!isCIDR(self) || cidr(self).prefixLength() == 28",
                        "ipCidrRange must be a /28: a connector takes exactly that",
                    ),
                    rule(
                        "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                        "ipCidrRange has bits set behind the prefix; write the network's first address",
                    ),
                    rule(
                        f"!isCIDR(self) || cidr(self).ip().family() != 4 || {_PRIVATE}",
                        "ipCidrRange must be private (RFC 1918): within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
                    ),
                )
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="A free /28 in the network, such as 10.2.0.0/28; Google makes a hidden subnet for it.",
    )
    subnet: ConnectorSubnet | None = Field(default=None, description="A subnet made for the connector, instead.")
    min_instances: int | None = Field(
        default=None,
        strict=True,
        ge=limits.CONNECTOR_MIN_INSTANCES[0],
        le=limits.CONNECTOR_MIN_INSTANCES[1],
        description="Least number of machines (2-9). Default 2. It can only grow.",
    )
    max_instances: int | None = Field(
        default=None,
        strict=True,
        ge=limits.CONNECTOR_MAX_INSTANCES[0],
        le=limits.CONNECTOR_MAX_INSTANCES[1],
        description="Greatest number of machines (3-10). Default 3, or one more than minInstances. It can only grow.",
    )
    machine_type: MachineType = Field(
        default=MachineType.E2_MICRO,
        description="Machine type; a change happens in place and may drop long-running connections.",
    )
    management: ConnectorManagement | None = Field(
        default=None,
        description=(
            "Managed: the operator makes it and keeps it. Observed: it must exist, and is never changed. None: it is"
            " not looked at. Default: Managed in the environments staging and production, None elsewhere."
        ),
    )

    @field_validator("ip_cidr_range")
    @classmethod
    def _range_is_a_private_28(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            network = IPv4Network(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not an IPv4 range such as 10.2.0.0/28 ({error})") from error
        if str(network) != value:
            raise ValueError(f"{value!r} must be written {network}")
        if network.prefixlen != limits.CONNECTOR_PREFIX_LENGTH:
            raise ValueError(f"{value} must be a /28: a connector takes exactly that")
        if not limits.is_private(network):
            raise ValueError(f"{value} must be private (RFC 1918): within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
        return value

    @model_validator(mode="after")
    def _placed_once_and_scaled_sensibly(self) -> Self:
        if (self.ip_cidr_range is None) == (self.subnet is None):
            raise ValueError("exactly one of ipCidrRange and subnet places the connector")
        if (
            self.min_instances is not None
            and self.max_instances is not None
            and self.min_instances >= self.max_instances
        ):
            raise ValueError("minInstances must be less than maxInstances")
        return self


class MemorystoreTarget(Model):
    """A Memorystore for Redis instance, in the resource's project and region."""

    instance: Annotated[
        str,
        StringConstraints(max_length=limits.MEMORYSTORE_ID_MAX),
        Form(limits.MEMORYSTORE_ID_PATTERN, f"must be 1 to 40 {_LABEL}"),
    ] = Field(description="The instance's id; host and port are read from Google.")


class VmTarget(Model):
    """A Redis that runs on virtual machines in the network."""

    host: Annotated[
        str,
        StringConstraints(max_length=_ADDRESS_MAX),
        Field(
            json_schema_extra=cel(
                rule("isIP(self) && ip(self).family() == 4", "host must be an IPv4 address such as 10.128.0.5"),
                rule(
                    "!isIP(self) || (ip(self).isGlobalUnicast() && !ip(self).isLoopback())",
                    "host must be the address of a machine: not loopback, link-local, multicast or 0.0.0.0",
                ),
            )
        ),
    ] = Field(description="The machine's internal IPv4 address.")
    port: Port = Field(default=limits.REDIS_PORT, description="The port that Redis listens on.")
    target_tags: list[ComputeName] = Field(
        default=["redis-instance"],
        min_length=1,
        max_length=limits.FIREWALL_TARGET_TAGS_MAX,
        description="Network tags of the Redis machines; the ingress rule applies to machines that carry one.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )

    @field_validator("host")
    @classmethod
    def _host_is_a_machine(cls, value: str) -> str:
        try:
            address = IPv4Address(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not an IPv4 address such as 10.128.0.5") from error
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
            raise ValueError(f"{value} is not a machine's address: not loopback, link-local, multicast or 0.0.0.0")
        if address == IPv4Address("255.255.255.255"):
            raise ValueError(f"{value} is the broadcast address")
        return value

    @field_validator("target_tags")
    @classmethod
    def _tags_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("targetTags names a tag twice")
        return value


class RedisTarget(Model):
    """Where Redis is: exactly one of the kinds."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "(has(self.memorystore) ? 1 : 0) + (has(self.vm) ? 1 : 0) == 1",
                "exactly one of memorystore and vm says where Redis is",
            )
        )
    )

    memorystore: MemorystoreTarget | None = Field(default=None, description="A Memorystore for Redis instance.")
    vm: VmTarget | None = Field(default=None, description="A self-managed Redis on Compute Engine machines.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.memorystore is None) == (self.vm is None):
            raise ValueError("exactly one of memorystore and vm says where Redis is")
        return self


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


class ProbeSpec(Model):
    """How the path is tried with real traffic."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                not_longer("self.timeout", "self.interval"),
                "timeout must not be longer than interval",
            )
        )
    )

    interval: Annotated[Duration, Between("1s", "24h")] = Field(
        default="30s", description="Time between probes, such as 30s or 1m30s."
    )
    timeout: Annotated[Duration, Between("100ms", "30s")] = Field(
        default="5s", description="Deadline of one probe, connecting included."
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
            "URL of a prober (`redis-connectivity prober`) that runs on Cloud Run with this connector. Without it the"
            " operator probes from its own pod, which does not cross the connector and proves less."
        ),
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


class RedisConnectivitySpec(Model):
    """One path from Cloud Run through a VPC connector to Redis, as it should be."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _immutable("environment"),
            _immutable("projectId"),
            _immutable("region"),
            rule(
                "has(self.network) == has(oldSelf.network)"
                " && (!has(self.network) || self.network.name == oldSelf.network.name)",
                "network is immutable: delete the resource and create a new one",
                fieldPath=".network",
                reason="FieldValueForbidden",
            ),
            rule(
                "has(self.connector.name) == has(oldSelf.connector.name)"
                " && (!has(self.connector.name) || self.connector.name == oldSelf.connector.name)",
                "connector.name is immutable: delete the resource and create a new one",
                fieldPath=".connector",
                reason="FieldValueForbidden",
            ),
        )
    )

    environment: Annotated[
        str,
        StringConstraints(max_length=limits.ENVIRONMENT_MAX),
        Form(limits.ENVIRONMENT_PATTERN, f"must be 1 to {limits.ENVIRONMENT_MAX} {_LABEL}"),
    ] = Field(description="Word that names the environment; network and connector are named after it.")
    project_id: Annotated[
        str,
        StringConstraints(max_length=limits.PROJECT_ID_MAX),
        Form(limits.PROJECT_ID_PATTERN, f"must be a project's id (not its number or title): 6 to 30 {_LABEL}"),
    ] = Field(description="Google Cloud project of network, connector and Redis.")
    region: Annotated[
        str,
        StringConstraints(max_length=32),
        Form(limits.REGION_PATTERN, "must be a region such as us-central1 (a zone such as us-central1-a is not one)"),
    ] = Field(description="Region of the connector; Cloud Run must be in the same one.")
    network: NetworkSpec | None = Field(default=None, description="The VPC network, unless it is ${environment}-vpc.")
    connector: ConnectorSpec = Field(description="The Serverless VPC Access connector.")
    redis: RedisTarget = Field(description="Where Redis is.")
    firewall: FirewallSpec = Field(default_factory=FirewallSpec, description="The operator's firewall rules.")
    probe: ProbeSpec = Field(default_factory=ProbeSpec, description="Probing with real traffic.")
    drift_policy: DriftPolicy = Field(
        default=DriftPolicy.REMEDIATE,
        description="Remediate: repair what somebody else changed. Report: only say so.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="Delete: remove what the operator made. Retain: leave it in place.",
    )
    suspend: bool = Field(default=False, strict=True, description="True: change nothing until it is false again.")
