"""The chain of checks that a probe makes, in order; the first failure ends it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from redis_connectivity.api import limits
from redis_connectivity.api.base import Model, cel, rule
from redis_connectivity.api.duration import DURATION, Between, not_longer, parse_duration
from redis_connectivity.api.form import Form

__all__ = [
    "CHECKS_CEL",
    "CHECKS_MAX",
    "DEFAULT_CHAIN",
    "Check",
    "HttpCheck",
    "HttpMethod",
    "ReadWriteCheck",
    "chain_problem",
]

#: Checks in one chain: few, for all of them share one deadline.
CHECKS_MAX: Final = 10
#: What is checked where nothing is said.
DEFAULT_CHAIN: Final = ("tcp", "redisPing")

_ONE_KIND: Final = "a check is exactly one of tcp, redisPing, redisReadWrite and http"
_ORDER: Final = "checks go in the order tcp, redisPing, redisReadWrite, http: what comes later rests on what is before"
_ONCE: Final = "tcp, redisPing and redisReadWrite can each be checked once only"
_NAMES: Final = "each http check needs a name of its own"
_SPEAKS_OF_REDIS: Final = "checks must have redisPing or redisReadWrite: Reachable speaks of Redis"
_NEEDS_PROBER: Final = "http checks run behind the connector: set proberUrl, or from: CloudRun, or remove them"
_BOUND: Final = "a check's timeout must not be longer than the probe's"
_BODY: Final = "a GET or HEAD has no body; remove body, or set method: POST"
_HEAD: Final = "the answer to a HEAD has no body; remove expectBody, or set method: GET"


class HttpMethod(enum.StrEnum):
    """Methods that an http check may use."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"


class Plain(Model):
    """A check with nothing to set."""


class ReadWriteCheck(Model):
    """Writes a key of its own, reads it back, deletes it. The key is random and expires; nothing else is touched."""

    key_prefix: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128),
        Form(limits.REDIS_KEY_PREFIX_PATTERN, "must be 1 to 128 printable characters without spaces"),
    ] = Field(default="redis-connectivity:probe:", description="What the key begins with; an ACL user needs it.")


class HttpCheck(Model):
    """A request to a service behind the connector, such as the login or a chat from end to end."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule("!has(self.body) || self.method == 'POST'", _BODY),
            rule("!has(self.expectBody) || self.method != 'HEAD'", _HEAD),
        )
    )

    name: Annotated[
        str,
        StringConstraints(max_length=63),
        Form(
            limits.CHECK_NAME_PATTERN,
            "must be 1 to 63 characters of a-z, 0-9 and '-', starting with a letter and not ending with '-'",
        ),
    ] = Field(description="What status and metrics call it, such as chat.")
    url: Annotated[
        str,
        StringConstraints(max_length=2048),
        Form(
            limits.CHECK_URL_PATTERN, "must be an http or https URL with a host, such as http://10.128.0.9:8080/healthz"
        ),
    ] = Field(description="Where; redirects are not followed.")
    method: HttpMethod = Field(default=HttpMethod.GET, description="The request's method.")
    body: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None, description="What is sent, as application/json. It is no place for secrets."
    )
    expect_status: int = Field(default=200, strict=True, ge=100, le=599, description="The status that is right.")
    expect_body: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None, description="Text that the first 64 KiB of the answer must contain."
    )

    @model_validator(mode="after")
    def _bodies(self) -> Self:
        if self.body is not None and self.method is not HttpMethod.POST:
            raise ValueError(_BODY)
        if self.expect_body is not None and self.method is HttpMethod.HEAD:
            raise ValueError(_HEAD)
        return self


CheckKind = Literal["tcp", "redisPing", "redisReadWrite", "http"]


class Check(Model):
    """One link of the chain: exactly one kind, and perhaps a deadline of its own."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "[has(self.tcp), has(self.redisPing), has(self.redisReadWrite), has(self.http)].exists_one(k, k)",
                _ONE_KIND,
            )
        )
    )

    tcp: Plain | None = Field(default=None, description="A TCP connection to Redis opens.")
    redis_ping: Plain | None = Field(
        default=None, description="Redis answers PING, after TLS and AUTH where they are set."
    )
    redis_read_write: ReadWriteCheck | None = Field(
        default=None, description="A key of its own is written, read back and deleted."
    )
    http: HttpCheck | None = Field(default=None, description="A service behind the connector answers as expected.")
    timeout: Annotated[str, StringConstraints(max_length=20), DURATION, Between("100ms", "30s")] | None = Field(
        default=None, description="Deadline of this check. Default: what is left of the probe's."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(one is not None for one in (self.tcp, self.redis_ping, self.redis_read_write, self.http)) != 1:
            raise ValueError(_ONE_KIND)
        return self

    @property
    def kind(self) -> CheckKind:
        """Which kind it is."""
        if self.tcp is not None:
            return "tcp"
        if self.redis_ping is not None:
            return "redisPing"
        return "redisReadWrite" if self.redis_read_write is not None else "http"

    @property
    def name(self) -> str:
        """What status calls it."""
        return self.http.name if self.http is not None else self.kind

    @property
    def timeout_seconds(self) -> float | None:
        """Its own deadline in seconds, where it has one."""
        return parse_duration(self.timeout) if self.timeout is not None else None


_RANK: Final = {"tcp": 0, "redisPing": 1, "redisReadWrite": 2, "http": 3}
_RANK_CEL: Final = "has(c.tcp) ? 0 : has(c.redisPing) ? 1 : has(c.redisReadWrite) ? 2 : 3"
_ONCE_CEL: Final = " && ".join(
    f"self.checks.filter(c, has(c.{kind})).size() <= 1" for kind in ("tcp", "redisPing", "redisReadWrite")
)

#: What holds between the checks of a chain, and between them and the rest of the probe.
CHECKS_CEL: Final = tuple(
    rule(f"!has(self.checks) || ({expression})", message)
    for expression, message in (
        (f"self.checks.map(c, {_RANK_CEL}).isSorted()", _ORDER),
        (_ONCE_CEL, _ONCE),
        (
            "self.checks.all(a, !has(a.http) || self.checks.exists_one(b, has(b.http) && b.http.name == a.http.name))",
            _NAMES,
        ),
        ("self.checks.exists(c, has(c.redisPing) || has(c.redisReadWrite))", _SPEAKS_OF_REDIS),
        (
            "has(self.proberUrl) || (has(self.from) && self.from == 'CloudRun') || !self.checks.exists(c, has(c.http))",
            _NEEDS_PROBER,
        ),
        (f"self.checks.all(c, !has(c.timeout) || {not_longer('c.timeout', 'self.timeout')})", _BOUND),
    )
)


def chain_problem(checks: Sequence[Check], *, prober: bool, timeout_seconds: float) -> str | None:
    """What is wrong with a chain, by the same rules as CHECKS_CEL; None when nothing is."""
    kinds = [check.kind for check in checks]
    names = [check.name for check in checks if check.kind == "http"]
    rules = (
        (sorted(kinds, key=_RANK.__getitem__) == kinds, _ORDER),
        (all(kinds.count(kind) <= 1 for kind in ("tcp", "redisPing", "redisReadWrite")), _ONCE),
        (len(set(names)) == len(names), _NAMES),
        ("redisPing" in kinds or "redisReadWrite" in kinds, _SPEAKS_OF_REDIS),
        (prober or not names, _NEEDS_PROBER),
        (all(check.timeout_seconds is None or check.timeout_seconds <= timeout_seconds for check in checks), _BOUND),
    )
    return next((message for holds, message in rules if not holds), None)
