"""Where Redis is: the part of the spec under `redis`, one model per kind of target."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.access import RedisAuth, RedisTls
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.fields import (
    ADDRESS_MAX,
    IS_MACHINE,
    LABEL,
    ComputeName,
    MachineAddress,
    Port,
    ServiceAccount,
    check_machine,
)
from redis_connectivity.api.form import Form

__all__ = [
    "TARGET_KINDS",
    "ClusterTarget",
    "EndpointTarget",
    "MemorystoreTarget",
    "RedisTarget",
    "ValkeyTarget",
    "VmTarget",
]


class MemorystoreTarget(Model):
    """A Memorystore for Redis instance, in the resource's project and region."""

    instance: Annotated[
        str,
        StringConstraints(max_length=limits.MEMORYSTORE_ID_MAX),
        Form(limits.MEMORYSTORE_ID_PATTERN, f"must be 1 to 40 {LABEL}"),
    ] = Field(description="The instance's id; host and port are read from Google.")


class ClusterTarget(Model):
    """A Memorystore for Redis Cluster, in the resource's project and region."""

    name: Annotated[
        str,
        StringConstraints(max_length=limits.REDIS_CLUSTER_ID_MAX),
        Form(limits.REDIS_CLUSTER_ID_PATTERN, f"must be 1 to 63 {LABEL}"),
    ] = Field(description="The cluster's id; its addresses in the network are read from Google.")


class ValkeyTarget(Model):
    """A Memorystore for Valkey instance, with cluster mode or without, in the resource's project and region."""

    instance: Annotated[
        str,
        StringConstraints(max_length=limits.VALKEY_ID_MAX),
        Form(
            limits.VALKEY_ID_PATTERN,
            "must be 4 to 63 characters of a-z, 0-9 and '-', starting with a letter or digit and not ending with '-'",
        ),
    ] = Field(description="The instance's id; its addresses in the network are read from Google.")


class VmTarget(Model):
    """A Redis that runs on virtual machines in the network."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!(has(self.targetTags) && has(self.targetServiceAccounts))",
                "targetTags and targetServiceAccounts cannot be mixed in one firewall rule: keep one of them",
            )
        )
    )

    host: MachineAddress = Field(description="The machine's internal IPv4 address.")
    port: Port = Field(default=limits.REDIS_PORT, description="The port that Redis listens on.")
    target_tags: list[ComputeName] | None = Field(
        default=None,
        min_length=1,
        max_length=limits.FIREWALL_TARGET_TAGS_MAX,
        description=(
            "Network tags of the Redis machines; the ingress rule applies to machines that carry one. Default:"
            f" {limits.REDIS_TAG}, unless targetServiceAccounts is given."
        ),
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    target_service_accounts: list[ServiceAccount] | None = Field(
        default=None,
        min_length=1,
        max_length=limits.FIREWALL_SERVICE_ACCOUNTS_MAX,
        description="Service accounts of the Redis machines, instead of tags; the ingress rule applies to machines"
        " that run as one.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )

    _host_is_a_machine = field_validator("host")(check_machine)

    @field_validator("target_tags", "target_service_accounts")
    @classmethod
    def _once_each(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("the list names something twice; name each once")
        return value

    @model_validator(mode="after")
    def _tags_or_accounts(self) -> Self:
        if self.target_tags is not None and self.target_service_accounts is not None:
            raise ValueError(
                "targetTags and targetServiceAccounts cannot be mixed in one firewall rule: keep one of them"
            )
        return self


#: Names that lead back to the caller, or to the keys of the machine it runs on.
_OWN_NAMES: Final = ("metadata.google.internal",)
_OWN_DOMAIN: Final = ".localhost"

_ENDPOINT_FORM: Final = Form(
    limits.FULL_DNS_NAME_PATTERN,
    "must be an IPv4 address such as 10.128.0.9, or a full DNS name in lower case such as redis.example.internal",
)


class EndpointTarget(Model):
    """Any address that is reached through the network: an internal load balancer, a proxy, a server on premises."""

    host: Annotated[
        str,
        StringConstraints(max_length=ADDRESS_MAX),
        Field(
            json_schema_extra=cel(
                rule(
                    f"(isIP(self) && ip(self).family() == 4) || {_ENDPOINT_FORM.matches('self')}",
                    _ENDPOINT_FORM.sentence,
                ),
                rule(
                    f"!isIP(self) || ({IS_MACHINE})",
                    "host must be the address of a machine: not loopback, link-local, multicast or 0.0.0.0",
                ),
                rule(
                    f"!self.endsWith('{_OWN_DOMAIN}') && !(self in {list(_OWN_NAMES)})",
                    "host must name a Redis: this one names the caller's own machine or its metadata server",
                ),
            )
        ),
    ] = Field(
        description=(
            "IPv4 address or DNS name. Firewall rules are about addresses: for a name none is made, and the firewall"
            " hop is proven by the prober alone."
        )
    )
    port: Port = Field(default=limits.REDIS_PORT, description="The port that Redis is reached at.")

    @field_validator("host")
    @classmethod
    def _host_is_somewhere_else(cls, value: str) -> str:
        if value.replace(".", "").isdigit():
            return check_machine(value)
        _ENDPOINT_FORM.check(value)
        if value.endswith(_OWN_DOMAIN) or value in _OWN_NAMES:
            raise ValueError(f"{value} names the caller's own machine or its metadata server, not a Redis")
        return value


#: Fields of RedisTarget that say where Redis is; exactly one is given.
TARGET_KINDS: Final = ("memorystore", "cluster", "valkey", "vm", "endpoint")
_ONE_KIND: Final = "exactly one of memorystore, cluster, valkey, vm and endpoint says where Redis is"

_AUTH_STRING_OF_MEMORYSTORE: Final = (
    "auth.memorystoreAuth is for a memorystore target; use auth.secretRef for any other, or auth.iam for a cluster or"
    " valkey with IAM authentication"
)
_IAM_OF_PSC: Final = "auth.iam is for a cluster or valkey target: no other Redis takes IAM access tokens"


class RedisTarget(Model):
    """Where Redis is: exactly one of the kinds."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(" + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in TARGET_KINDS) + " == 1", _ONE_KIND),
            rule(
                "!has(self.auth) || !has(self.auth.memorystoreAuth) || has(self.memorystore)",
                _AUTH_STRING_OF_MEMORYSTORE,
            ),
            rule("!has(self.auth) || !has(self.auth.iam) || has(self.cluster) || has(self.valkey)", _IAM_OF_PSC),
        )
    )

    memorystore: MemorystoreTarget | None = Field(default=None, description="A Memorystore for Redis instance.")
    cluster: ClusterTarget | None = Field(default=None, description="A Memorystore for Redis Cluster.")
    valkey: ValkeyTarget | None = Field(default=None, description="A Memorystore for Valkey instance.")
    vm: VmTarget | None = Field(default=None, description="A self-managed Redis on Compute Engine machines.")
    endpoint: EndpointTarget | None = Field(default=None, description="Any host and port reached through the network.")
    auth: RedisAuth | None = Field(
        default=None, description="Whose password or access token a probe gives. Default: none."
    )
    tls: RedisTls | None = Field(default=None, description="TLS to Redis.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in TARGET_KINDS) != 1:
            raise ValueError(_ONE_KIND)
        return self

    @model_validator(mode="after")
    def _auth_string_of_memorystore(self) -> Self:
        if self.auth is not None and self.auth.memorystore_auth is not None and self.memorystore is None:
            raise ValueError(_AUTH_STRING_OF_MEMORYSTORE)
        return self

    @model_validator(mode="after")
    def _iam_of_psc(self) -> Self:
        if self.auth is not None and self.auth.iam is not None and self.cluster is None and self.valkey is None:
            raise ValueError(_IAM_OF_PSC)
        return self
