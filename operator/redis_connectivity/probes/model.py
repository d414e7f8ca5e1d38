"""What a prober is asked and what it answers.

Field names are camelCase on the wire. All times are seconds, all timestamps RFC 3339 in UTC.
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    StringConstraints,
    field_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from redis_connectivity.api import limits
from redis_connectivity.api.checks import CHECKS_MAX, HttpMethod
from redis_connectivity.api.form import Form
from redis_connectivity.probes.codes import MEANINGS, FailureCode

__all__ = [
    "DEFAULT_CHECKS",
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_CERTIFICATES",
    "MAX_MESSAGE",
    "MAX_PASSWORD",
    "MAX_TIMEOUT_SECONDS",
    "MAX_USERNAME",
    "MEANINGS",
    "MIN_TIMEOUT_SECONDS",
    "PROBER_STEP",
    "Credentials",
    "FailureCode",
    "HttpCheck",
    "PingCheck",
    "ProbeAnswer",
    "ProbeCheck",
    "ProbeFailure",
    "ProbeRequest",
    "ProbeStep",
    "ProberInfo",
    "ReadWriteCheck",
    "TcpCheck",
    "TlsOptions",
]

MIN_TIMEOUT_SECONDS: Final = 0.1
MAX_TIMEOUT_SECONDS: Final = 30.0
DEFAULT_TIMEOUT_SECONDS: Final = 5.0
_MAX_DNS_NAME: Final = 253
_LABEL: Final = re.compile(r"^[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?$")


#: The step of a failure for which no packet was sent to Redis at all.
PROBER_STEP: Final = "prober"
#: Greatest lengths of what goes along, and of a failure's message: characters.
MAX_CERTIFICATES: Final = 64 * 1024
MAX_PASSWORD: Final = 8192
MAX_USERNAME: Final = 1024
MAX_MESSAGE: Final = 1000


class _Wire(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )


def _host(value: str) -> str:
    """The host in its plain form: an IPv4 address, or a lower-case DNS name without the final dot."""
    name = value.lower().removesuffix(".")
    labels = name.split(".")
    if labels[-1].isdigit():  # such a name can only be meant as an address (RFC 3696, section 2)
        try:
            return str(IPv4Address(name))
        except AddressValueError as error:
            raise ValueError(f"{value!r} is no IPv4 address: {error}") from error
    if ":" in value:
        raise ValueError(f"{value!r}: neither IPv6 addresses nor host:port; give an IPv4 address or a DNS name")
    if len(name) > _MAX_DNS_NAME or not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{value!r} is neither an IPv4 address nor a DNS name")
    return name


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timeout = Annotated[float, Field(strict=True, ge=MIN_TIMEOUT_SECONDS, le=MAX_TIMEOUT_SECONDS)]


class _Check(_Wire):
    #: Its own deadline; without one, what is left of the probe's.
    timeout_seconds: Timeout | None = None


class TcpCheck(_Check):
    """A TCP connection opens."""

    kind: Literal["tcp"] = "tcp"

    @property
    def name(self) -> str:
        """What steps call it."""
        return self.kind


class PingCheck(_Check):
    """Redis answers PING, inside TLS and after AUTH where they are asked for."""

    kind: Literal["redisPing"] = "redisPing"

    @property
    def name(self) -> str:
        """What steps call it."""
        return self.kind


class ReadWriteCheck(_Check):
    """A random key that expires is written, read back and deleted."""

    kind: Literal["redisReadWrite"] = "redisReadWrite"
    key_prefix: Annotated[str, StringConstraints(pattern=limits.REDIS_KEY_PREFIX_PATTERN)]

    @property
    def name(self) -> str:
        """What steps call it."""
        return self.kind


class HttpCheck(_Check):
    """A service answers a request as expected; redirects are not followed."""

    kind: Literal["http"] = "http"
    name: Annotated[str, StringConstraints(max_length=63), Form(limits.CHECK_NAME_PATTERN, "must be a DNS label")]
    url: Annotated[str, StringConstraints(max_length=2048), Form(limits.CHECK_URL_PATTERN, "must be an http(s) URL")]
    method: HttpMethod = HttpMethod.GET
    body: Annotated[str, StringConstraints(max_length=4096)] | None = None
    expect_status: Annotated[int, Field(strict=True, ge=100, le=599)] = 200
    expect_body: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None


ProbeCheck = Annotated[TcpCheck | PingCheck | ReadWriteCheck | HttpCheck, Field(discriminator="kind")]

#: What is done where the request says nothing.
DEFAULT_CHECKS: Final = (TcpCheck(), PingCheck())


class TlsOptions(_Wire):
    """How to speak TLS: CA certificates (PEM) instead of the system's, and the name that the server must have.

    Without a name it must carry the target's address. `verify_name` false leaves names alone: a CA that signs for one
    server only proves enough.
    """

    ca_certificates: Annotated[str, StringConstraints(max_length=MAX_CERTIFICATES)] | None = None
    server_name: Annotated[str, StringConstraints(max_length=_MAX_DNS_NAME)] | None = None
    verify_name: bool = True


class Credentials(_Wire):
    """Whom to AUTH as. Both are secret: they show in no text made of this but `ProbeRequest.wire`."""

    username: Annotated[SecretStr, Field(min_length=1, max_length=MAX_USERNAME)] | None = None
    password: Annotated[SecretStr, Field(min_length=1, max_length=MAX_PASSWORD)]

    @field_serializer("username", "password", when_used="json")
    def _told(self, value: SecretStr | None, info: SerializationInfo) -> str | None:
        if value is None:
            return None
        return value.get_secret_value() if (info.context or {}).get("reveal") else str(value)


class ProbeRequest(_Wire):
    """One probe to make of `host`:`port`: the checks in order, up to the first failure, all within `timeout_seconds`.

    `cluster`: the target is the entry to a Redis Cluster, whose nodes belong to it.
    """

    host: Annotated[str, Field(min_length=1, max_length=_MAX_DNS_NAME + 1), AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65535, strict=True)]
    timeout_seconds: Timeout = DEFAULT_TIMEOUT_SECONDS
    tls: TlsOptions | None = None
    auth: Credentials | None = None
    cluster: bool = False
    checks: Annotated[tuple[ProbeCheck, ...], Field(min_length=1, max_length=CHECKS_MAX)] = DEFAULT_CHECKS

    def wire(self) -> str:
        """The request as a prober takes it, passwords included. What is not asked for is left out: older ones live."""
        usual = {
            name
            for name, otherwise in (("cluster", False), ("checks", DEFAULT_CHECKS))
            if getattr(self, name) == otherwise
        }
        return self.model_dump_json(exclude_none=True, exclude=usual, context={"reveal": True})


StepName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][-A-Za-z0-9]{0,62}$")]


class ProbeStep(_Wire):
    """One check that was tried, whether it held, and the seconds it took."""

    name: StepName
    ok: bool
    seconds: Annotated[float, Field(ge=0)]


class ProbeFailure(_Wire):
    """The first thing that went wrong. Step `prober` means that no packet was sent to Redis at all."""

    step: StepName
    code: FailureCode
    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]


class ProberInfo(_Wire):
    """Who looked: the code's version, and where its packets left from (such as `cloudRun/chat-prober`)."""

    version: str
    via: str


class ProbeAnswer(_Wire):
    """What was seen. `latency_seconds` is the whole check, from name resolution to the verdict."""

    ok: bool
    steps: tuple[ProbeStep, ...]
    latency_seconds: Annotated[float, Field(ge=0)]
    failure: ProbeFailure | None
    observed_at: Annotated[
        AwareDatetime,
        PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    ]
    prober: ProberInfo

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.ok != (self.failure is None):
            raise ValueError("an answer is ok exactly when it has no failure")
        if self.ok and not (self.steps and all(step.ok for step in self.steps)):
            raise ValueError("an answer that is ok has only steps that are ok, and at least one")
        if not all(step.ok for step in self.steps[:-1]):
            raise ValueError("the first step that fails is the last")
        if len({step.name for step in self.steps}) != len(self.steps):
            raise ValueError("each step is told once")
        return self
