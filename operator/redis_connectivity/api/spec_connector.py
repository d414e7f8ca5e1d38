"""The part of the spec that says how traffic enters the network: the network itself and the connector.

Like the rest of the spec, each rule stands here twice: as CEL for the API server and as a validator.
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Network
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.fields import ADDRESS_MAX, LABEL, ComputeName, ProjectId
from redis_connectivity.api.form import Form

__all__ = [
    "PLACEMENT_RULES",
    "ConnectorManagement",
    "ConnectorReplacement",
    "ConnectorSpec",
    "ConnectorSubnet",
    "DirectVpcEgressSpec",
    "MachineType",
    "NetworkSpec",
    "check_placement",
]

_FOREIGN_PROJECT = "connector.projectId must be projectId or network.hostProjectId: a connector lives in one of these"
_NEEDS_SUBNET = (
    "a connector in a service project of a Shared VPC cannot take a range: set connector.subnet to a /28 of the host"
    " project, or connector.projectId to the host project"
)

_ONE_ENTRY = "exactly one of connector and directVpcEgress says how Cloud Run enters the network"
_NOT_AIMED = (
    "firewall.egress: Always needs directVpcEgress.tags: without a tag, an egress rule would be for every machine of"
    " the network"
)

#: CEL for the whole spec: whether the connector can be where it is meant to be.
PLACEMENT_RULES = (
    rule("has(self.connector) != has(self.directVpcEgress)", _ONE_ENTRY),
    rule(
        "has(self.directVpcEgress) == has(oldSelf.directVpcEgress)",
        "directVpcEgress in place of a connector, or the other way round, is another path: delete the resource and"
        " create a new one",
        fieldPath=".directVpcEgress",
        reason="FieldValueForbidden",
    ),
    rule(
        "!has(self.directVpcEgress) || has(self.directVpcEgress.tags) || !has(self.firewall)"
        " || !has(self.firewall.egress) || self.firewall.egress != 'Always'",
        _NOT_AIMED,
    ),
    rule(
        "!has(self.connector) || !has(self.connector.projectId) || self.connector.projectId == self.projectId"
        " || (has(self.network) && has(self.network.hostProjectId)"
        " && self.connector.projectId == self.network.hostProjectId)",
        _FOREIGN_PROJECT,
    ),
    rule(
        "!has(self.network) || !has(self.network.hostProjectId) || self.network.hostProjectId == self.projectId"
        " || !has(self.connector) || has(self.connector.subnet)"
        " || (has(self.connector.projectId) && self.connector.projectId == self.network.hostProjectId)",
        _NEEDS_SUBNET,
    ),
)

_PRIVATE = " || ".join(f"cidr('{network}').containsCIDR(self)" for network in limits.PRIVATE_RANGES)


class NetworkSpec(Model):
    """The VPC network the connector is on."""

    name: ComputeName = Field(description="Name of the VPC network. Default: ${environment}-vpc.")
    host_project_id: ProjectId | None = Field(
        default=None,
        description=(
            "Host project of a Shared VPC: network, subnets and firewall rules are there. Default: projectId, which"
            " has its own network."
        ),
    )


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


class ConnectorReplacement(enum.StrEnum):
    """What to do about a difference that Google cannot change in place."""

    NEVER = "Never"
    RECREATE = "Recreate"


ConnectorName = Annotated[
    str,
    StringConstraints(max_length=limits.CONNECTOR_NAME_MAX),
    Form(limits.CONNECTOR_NAME_PATTERN, f"must be 2 to 25 {LABEL}"),
]


class ConnectorSubnet(Model):
    """A subnet of its own for the connector: a /28 with purpose PRIVATE, used by nothing else.

    In a Shared VPC it is the host project's.
    """

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

    name: ConnectorName | None = Field(
        default=None, description="Name of the connector. Default: ${environment}-connector."
    )
    project_id: ProjectId | None = Field(
        default=None,
        description="Project of the connector: projectId (default), or the Shared VPC's network.hostProjectId.",
    )
    ip_cidr_range: (
        Annotated[
            str,
            StringConstraints(max_length=ADDRESS_MAX),
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

    replacement: ConnectorReplacement = Field(
        default=ConnectorReplacement.NEVER,
        description=(
            "Recreate: where range, subnet or shrinking counts cannot be changed in place, a new connector is made"
            " beside the old one, under another name (see status.connector); where the new one needs the old one's"
            " addresses, the old one is deleted first, if disruptionPolicy is Allow. Never: only say so."
        ),
    )
    retire: ConnectorName | None = Field(
        default=None,
        description=(
            "Consent to delete the replaced connector of this name: no Cloud Run service uses it any more. The"
            " operator cannot see all of them by itself."
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


class DirectVpcEgressSpec(Model):
    """Direct VPC egress: Cloud Run's instances have addresses in a subnet of the network, without a connector."""

    subnet: ComputeName = Field(
        description="The subnetwork that Cloud Run uses, in the resource's region: a /26 or larger."
    )
    tags: Annotated[
        list[ComputeName],
        Field(max_length=limits.FIREWALL_TARGET_TAGS_MAX, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(
        default=[],
        description="Network tags of the revision, by which an egress rule is aimed at it; ingress rules cannot be.",
    )

    @field_validator("tags")
    @classmethod
    def _tags_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("tags names a tag twice")
        return value


def check_placement(
    project_id: str,
    network: NetworkSpec | None,
    connector: ConnectorSpec | None,
    direct: DirectVpcEgressSpec | None,
    *,
    egress_always: bool,
) -> None:
    """The same as `PLACEMENT_RULES`; ValueError with a sentence about what cannot be."""
    if (connector is None) == (direct is None):
        raise ValueError(_ONE_ENTRY)
    if direct is not None and not direct.tags and egress_always:
        raise ValueError(_NOT_AIMED)
    if connector is None:
        return
    host = (network.host_project_id if network else None) or project_id
    project = connector.project_id or project_id
    if project not in (project_id, host):
        raise ValueError(_FOREIGN_PROJECT)
    if project != host and connector.subnet is None:
        raise ValueError(_NEEDS_SUBNET)
