"""The spec of a RedisConnectivityPolicy: what the resources of some namespaces may declare.

A policy only takes away. It says nothing about namespaces it does not name, and where several name a namespace, each
of them must allow what is declared: that is all that an admission policy with parameters can express, and it means that
nobody widens what somebody else has narrowed.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic.config import JsonDict

from redis_connectivity.api import limits
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.form import Form
from redis_connectivity.api.ranges import Ipv4Range, NarrowWhenPublic, PrivateRange

__all__ = ["PolicySources", "PolicyTargets", "RedisConnectivityPolicySpec"]

_Glob = Annotated[
    str,
    StringConstraints(max_length=limits.NAME_GLOB_MAX),
    Form(
        limits.NAME_GLOB_PATTERN,
        "must be a name, or a part of one with '*' for the rest: characters of a-z, 0-9, '-' and '*'",
    ),
]
_Text = Annotated[str, StringConstraints(max_length=limits.NAME_GLOB_MAX)]
_SourceRange = Annotated[_Text, Ipv4Range(), PrivateRange()]
_TargetRange = Annotated[_Text, Ipv4Range(), NarrowWhenPublic()]
_SET: Final[JsonDict] = {"x-kubernetes-list-type": "set"}


def _once(values: list[str] | None) -> list[str] | None:
    """The list, when nothing stands in it twice."""
    if values is not None and len(set(values)) != len(values):
        raise ValueError("an entry stands there twice")
    return values


class PolicySources(Model):
    """Where the addresses that reach Redis may come from; what is not listed is not allowed."""

    model_config = ConfigDict(
        json_schema_extra=cel(rule("has(self.ranges) || has(self.subnets)", "sources lists ranges, subnets or both"))
    )

    ranges: list[_SourceRange] | None = Field(
        default=None,
        max_length=limits.POLICY_LIST_MAX,
        description="Ranges that connector.ipCidrRange must lie within. Without it, no connector is placed by a range.",
        json_schema_extra=_SET,
    )
    subnets: list[_Glob] | None = Field(
        default=None,
        max_length=limits.POLICY_LIST_MAX,
        description="Names of subnets, * for any characters. Without it, nothing is placed in a subnet.",
        json_schema_extra=_SET,
    )

    _unique = field_validator("ranges", "subnets")(_once)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.ranges is None and self.subnets is None:
            raise ValueError("sources lists ranges, subnets or both")
        return self


class PolicyTargets(Model):
    """Where Redis may be, where the resource says so by address."""

    ranges: list[_TargetRange] = Field(
        max_length=limits.POLICY_LIST_MAX,
        description="Ranges that the address in redis.vm or redis.endpoint must lie within (a DNS name lies in none);"
        " not about a managed Redis.",
        json_schema_extra=_SET,
    )

    _unique = field_validator("ranges")(_once)


_LIMITS = ("environments", "projects", "networks", "sources", "targets")
_NO_LIMIT = f"a policy lists at least one of {', '.join(_LIMITS[:-1])} and {_LIMITS[-1]}"


class RedisConnectivityPolicySpec(Model):
    """What RedisConnectivity resources of some namespaces may declare. A list that is absent limits nothing."""

    model_config = ConfigDict(
        json_schema_extra=cel(rule(" || ".join(f"has(self.{name})" for name in _LIMITS), _NO_LIMIT))
    )

    namespaces: list[_Glob] = Field(
        min_length=1,
        max_length=limits.POLICY_LIST_MAX,
        description="Names of the namespaces that this is about, * for any characters. By name, because a namespace's"
        " labels belong to whoever may edit it.",
        json_schema_extra=_SET,
    )
    except_namespaces: list[_Glob] = Field(
        default=[],
        max_length=limits.POLICY_LIST_MAX,
        description="Names of namespaces that this is not about, though they match.",
        json_schema_extra=_SET,
    )
    environments: list[_Glob] | None = Field(
        default=None,
        max_length=limits.POLICY_LIST_MAX,
        description="Environments that may be declared, * for any characters. An empty list allows none.",
        json_schema_extra=_SET,
    )
    projects: list[_Glob] | None = Field(
        default=None,
        max_length=limits.POLICY_LIST_MAX,
        description="Google Cloud projects that may be declared (a Shared VPC's host project, too), * for any"
        " characters. An empty list allows none.",
        json_schema_extra=_SET,
    )
    networks: list[_Glob] | None = Field(
        default=None,
        max_length=limits.POLICY_LIST_MAX,
        description="VPC networks that may be declared, by name or by default, * for any characters. An empty list"
        " allows none.",
        json_schema_extra=_SET,
    )
    sources: PolicySources | None = Field(
        default=None, description="Where the addresses that reach Redis may come from."
    )
    targets: PolicyTargets | None = Field(
        default=None, description="Where Redis may be, where the resource says so by address."
    )

    _unique = field_validator("namespaces", "except_namespaces", "environments", "projects", "networks")(_once)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if all(getattr(self, name) is None for name in _LIMITS):
            raise ValueError(_NO_LIMIT)
        return self
