"""What a prober is asked and what it answers; the only home of the probe's failure codes.

Field names are camelCase on the wire. All times are seconds, all timestamps RFC 3339 in UTC.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

__all__ = [
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_TIMEOUT_SECONDS",
    "MEANINGS",
    "MIN_TIMEOUT_SECONDS",
    "FailureCode",
    "ProbeAnswer",
    "ProbeFailure",
    "ProbeRequest",
    "ProbeStep",
    "ProberInfo",
    "StepName",
]

MIN_TIMEOUT_SECONDS: Final = 0.1
MAX_TIMEOUT_SECONDS: Final = 30.0
DEFAULT_TIMEOUT_SECONDS: Final = 5.0
_MAX_DNS_NAME: Final = 253
_LABEL: Final = re.compile(r"^[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?$")


class FailureCode(enum.StrEnum):
    """Why a probe failed: a closed vocabulary. `MEANINGS` says what each one proves."""

    RESOLVE_FAILED = "ResolveFailed"
    CONNECT_TIMEOUT = "ConnectTimeout"
    CONNECTION_REFUSED = "ConnectionRefused"
    NETWORK_UNREACHABLE = "NetworkUnreachable"
    CONNECTION_RESET = "ConnectionReset"
    READ_TIMEOUT = "ReadTimeout"
    NOT_REDIS = "NotRedis"
    AUTHENTICATION_REQUIRED = "AuthenticationRequired"
    WRONG_PASSWORD = "WrongPassword"  # noqa: S105 - a code, no secret
    TOO_MANY_CLIENTS = "TooManyClients"
    LOADING = "Loading"
    PROTECTED_MODE = "ProtectedMode"
    SERVER_ERROR = "ServerError"
    PROTOCOL_ERROR = "ProtocolError"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    PROBER_UNAVAILABLE = "ProberUnavailable"
    PROBER_TIMEOUT = "ProberTimeout"
    PROBER_REFUSED = "ProberRefused"
    PROBER_INVALID_ANSWER = "ProberInvalidAnswer"
    PROBER_FAULT = "ProberFault"


#: What each failure code proves about the path, in one sentence for people.
MEANINGS: Final[Mapping[FailureCode, str]] = MappingProxyType(
    {
        FailureCode.RESOLVE_FAILED: "The name has no IPv4 address where the prober runs, or DNS is too slow.",
        FailureCode.CONNECT_TIMEOUT: "No answer to the TCP handshake: a firewall drops it, or no host is there.",
        FailureCode.CONNECTION_REFUSED: "Packets reach the host, and nothing listens on that port.",
        FailureCode.NETWORK_UNREACHABLE: "The prober has no route to the address, or a router said so.",
        FailureCode.CONNECTION_RESET: "The TCP connection was made, then broken off before PING's answer.",
        FailureCode.READ_TIMEOUT: "The TCP connection was made, then silence: the server hangs or wants TLS.",
        FailureCode.NOT_REDIS: "What listens there does not speak Redis' protocol (or only inside TLS).",
        FailureCode.AUTHENTICATION_REQUIRED: "Redis answered: the network is fine, a password is needed.",
        FailureCode.WRONG_PASSWORD: "Redis answered: the network is fine, the password is not.",
        FailureCode.TOO_MANY_CLIENTS: "Redis answered that its maxclients limit is reached.",
        FailureCode.LOADING: "Redis answered that it is still loading its data set.",
        FailureCode.PROTECTED_MODE: "Redis answered that protected mode lets only its own host in.",
        FailureCode.SERVER_ERROR: "Redis answered PING with another error; the message carries it.",
        FailureCode.PROTOCOL_ERROR: "The answer was in Redis' protocol, but neither PONG nor an error.",
        FailureCode.TARGET_NOT_ALLOWED: "The prober may not connect there (see its --allow), and did not.",
        FailureCode.PROBER_UNAVAILABLE: "The prober is out of reach, overloaded or failing (HTTP 429, 5xx).",
        FailureCode.PROBER_TIMEOUT: "The prober did not answer in time, so nothing is known about Redis.",
        FailureCode.PROBER_REFUSED: "The prober's HTTP endpoint turned the request down (HTTP 3xx or 4xx).",
        FailureCode.PROBER_INVALID_ANSWER: "What answered at the prober's URL is no prober of this version.",
        FailureCode.PROBER_FAULT: "The prober itself could not open a connection (no free descriptor, say).",
    }
)

#: Steps of the check, in order.
StepName = Literal["tcp", "redisPing"]


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


class ProbeRequest(_Wire):
    """One check to do: connect to `host`:`port` and PING, all within `timeout_seconds`."""

    host: Annotated[str, Field(min_length=1, max_length=_MAX_DNS_NAME + 1), AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65535, strict=True)]
    timeout_seconds: Annotated[float, Field(strict=True, ge=MIN_TIMEOUT_SECONDS, le=MAX_TIMEOUT_SECONDS)] = (
        DEFAULT_TIMEOUT_SECONDS
    )


class ProbeStep(_Wire):
    """One step that was tried, whether it held, and the seconds it took (`tcp` without name resolution)."""

    name: StepName
    ok: bool
    seconds: Annotated[float, Field(ge=0)]


class ProbeFailure(_Wire):
    """The first thing that went wrong. Step `prober` means that no packet was sent to Redis at all."""

    step: Literal["prober", "tcp", "redisPing"]
    code: FailureCode
    message: Annotated[str, Field(min_length=1, max_length=1000)]


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
        if [step.name for step in self.steps] != ["tcp", "redisPing"][: len(self.steps)]:
            raise ValueError("steps are tcp, then redisPing")
        return self
