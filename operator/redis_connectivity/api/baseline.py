"""What status tells of the time before the operator's first change, and of what it adopted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from redis_connectivity.api.base import Model, Time

__all__ = ["AdoptedRuleStatus", "BaselineConnectorStatus", "BaselineDirectionStatus", "BaselineStatus"]

#: A resource takes over one rule a direction.
ADOPTED_RULES_MAX = 2


class BaselineConnectorStatus(Model):
    """The connector before the operator's first change."""

    name: str
    state: str = Field(description="Google's own word, or Absent.")
    ip_cidr_range: str | None = None
    machine_type: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    adopted: bool = Field(default=False, description="Whether this resource took it over; then it is never deleted.")


class BaselineDirectionStatus(Model):
    """One direction of the path before the operator's first change."""

    direction: Literal["INGRESS", "EGRESS"]
    answer: Literal["Allowed", "Denied", "Unknown"]
    by: str = Field(description="What decided so: a rule, a policy, or the implied rule.")


class AdoptedRuleStatus(Model):
    """A firewall rule that this resource took over, as it was before."""

    name: str
    direction: Literal["INGRESS", "EGRESS"]
    priority: int
    allowed: str
    disabled: bool
    description: str
    source_ranges: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    destination_ranges: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})
    target_tags: list[str] = Field(default=[], json_schema_extra={"x-kubernetes-list-type": "atomic"})


class BaselineStatus(Model):
    """What it looked like before the operator's first change; written once."""

    taken: Time | None = None
    connector: BaselineConnectorStatus | None = None
    directions: list[BaselineDirectionStatus] = Field(
        default=[], max_length=2, json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    adopted_rules: list[AdoptedRuleStatus] = Field(
        default=[],
        max_length=ADOPTED_RULES_MAX,
        description="Rules that were taken over; deletionPolicy: Restore puts them back like this.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
