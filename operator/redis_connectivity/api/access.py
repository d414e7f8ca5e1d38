"""How Redis is spoken to: as whom, and which certificates are trusted. Names of Secrets, never their contents."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.fields import ServiceAccount
from redis_connectivity.api.form import Form

__all__ = [
    "PASSWORDS_NEED_A_SAFE_WAY",
    "CaSecretRef",
    "IamAuth",
    "PasswordSecretRef",
    "RedisAuth",
    "RedisTls",
    "check_safe_way",
]

_NAME_MAX: Final = 253

SecretName = Annotated[
    str,
    StringConstraints(max_length=_NAME_MAX),
    Form(
        limits.OBJECT_NAME_PATTERN, "must be a Secret's name: characters of a-z, 0-9, '-' and '.', such as redis-auth"
    ),
]
SecretKey = Annotated[
    str,
    StringConstraints(max_length=_NAME_MAX),
    Form(limits.SECRET_KEY_PATTERN, "must be a key of a Secret: characters of A-Z, a-z, 0-9, '-', '_' and '.'"),
]

_ONE_SOURCE: Final = (
    "exactly one of secretRef, memorystoreAuth: true and iam says where the password or access token comes from"
)
_TLS_OFF: Final = "caSecretRef and serverName mean nothing with enabled: false; remove them or enable TLS"


class PasswordSecretRef(Model):
    """A Secret in the resource's own namespace that holds the password, and perhaps the user's name."""

    name: SecretName = Field(description="Name of the Secret, in this resource's namespace.")
    password_key: SecretKey = Field(default="password", description="Key that holds the password.")
    username_key: SecretKey | None = Field(
        default=None, description="Key that holds the ACL user's name. Without it: the default user."
    )


class IamAuth(Model):
    """IAM authentication of a Redis Cluster or of Valkey: an access token takes the password's place."""

    service_account: ServiceAccount = Field(
        description=(
            "Service account that connects, such as the one your Cloud Run service runs as. The operator makes itself a"
            " short-lived access token for it (iam.serviceAccounts.getAccessToken); its own token is never given to"
            " Redis."
        )
    )


class RedisAuth(Model):
    """Whose password or token a probe gives. It is read when it is used, and kept nowhere but in memory."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "[has(self.secretRef), has(self.memorystoreAuth) && self.memorystoreAuth, has(self.iam)]"
                ".filter(given, given).size() == 1",
                _ONE_SOURCE,
            )
        )
    )

    secret_ref: PasswordSecretRef | None = Field(
        default=None, description="A Secret of this namespace; the operator needs the right to get it."
    )
    memorystore_auth: bool | None = Field(
        default=None,
        strict=True,
        description="True: the instance's AUTH string, read by redis.instances.getAuthString.",
    )
    iam: IamAuth | None = Field(
        default=None, description="IAM authentication, for a Redis Cluster or Valkey that asks for it."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.secret_ref is not None, bool(self.memorystore_auth), self.iam is not None].count(True) != 1:
            raise ValueError(_ONE_SOURCE)
        return self


class CaSecretRef(Model):
    """A Secret in the resource's own namespace that holds CA certificates."""

    name: SecretName = Field(description="Name of the Secret, in this resource's namespace.")
    key: SecretKey = Field(default="ca.crt", description="Key that holds the certificates, as PEM.")


class RedisTls(Model):
    """Whether Redis is spoken to in TLS, and who is believed."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.enabled) || self.enabled || (!has(self.caSecretRef) && !has(self.serverName))",
                _TLS_OFF,
            )
        )
    )

    enabled: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether to speak TLS. Default: as the managed Redis is set; for any other, true where this group is given."
        ),
    )
    ca_secret_ref: CaSecretRef | None = Field(
        default=None,
        description=(
            "CA certificates to trust. Default: those of the managed Redis' own CA; for any other, and where a CA is"
            " shared or yours (serverCaMode), those of the system."
        ),
    )
    server_name: (
        Annotated[
            str,
            StringConstraints(max_length=_NAME_MAX),
            Form(limits.DNS_NAME_PATTERN, "must be a DNS name such as redis.example.com"),
        ]
        | None
    ) = Field(default=None, description="Name that the server's certificate must carry. Default: the target's address.")

    @model_validator(mode="after")
    def _off_means_off(self) -> Self:
        if self.enabled is False and (self.ca_secret_ref is not None or self.server_name is not None):
            raise ValueError(_TLS_OFF)
        return self


_SAFE_WAY: Final = (
    "with redis.auth, probe.proberUrl must be https, or http to a loopback or private address: passwords go along"
)

#: Passwords are sent to the prober: over https, or over http where nobody else listens.
PASSWORDS_NEED_A_SAFE_WAY: Final[dict[str, Any]] = rule(
    "!has(self.redis.auth) || !has(self.probe) || !has(self.probe.proberUrl)"
    " || self.probe.proberUrl.startsWith('https://')"
    f" || self.probe.proberUrl.matches(r'{limits.NEAR_HTTP_URL_PATTERN}')",
    _SAFE_WAY,
)


def check_safe_way(prober_url: str) -> None:
    """Raise ValueError when passwords must not be sent to this prober."""
    if not prober_url.startswith("https://") and re.fullmatch(limits.NEAR_HTTP_URL_PATTERN, prober_url) is None:
        raise ValueError(_SAFE_WAY)
