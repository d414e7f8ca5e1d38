"""What probes do about passwords and CAs that are not accepted, or cannot be had: against a prober with a script."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from redis_connectivity.core.access import AccessWant, AuthorityOf, AuthStringOf, TlsWant
from redis_connectivity.metrics import Metrics
from redis_connectivity.probes.model import (
    Credentials,
    FailureCode,
    HttpCheck,
    PingCheck,
    ProbeAnswer,
    ProbeFailure,
    ProberInfo,
    ProbeStep,
    TlsOptions,
)
from redis_connectivity.reconcile.credentials import CredentialTrouble
from redis_connectivity.reconcile.probejob import ProbeJob
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.store import Key
from support.waiting import eventually

KEY = Key("ns", "path")
OWN_CA = AccessWant(
    auth=AuthStringOf("p", "r", "i"), tls=TlsWant(authority=AuthorityOf("cluster", "p", "r", "c"), verify_name=False)
)
SYSTEMS_CA = AccessWant(auth=AuthStringOf("p", "r", "i"), tls=TlsWant())
CHECKS = (PingCheck(timeout_seconds=None), HttpCheck(timeout_seconds=None, name="auth", url="http://10.0.0.9/"))


@dataclass
class World:
    """A prober that answers by a script and then well, and a reader that counts what is read anew."""

    script: list[tuple[FailureCode, str]]
    trouble: dict[str, CredentialTrouble] = field(default_factory=dict)
    asked: int = 0
    read: list[str] = field(default_factory=list)

    async def credentials(self, namespace: str, want: AccessWant, *, fresh: bool = False) -> Credentials | None:
        assert (namespace, want.auth) == (KEY.namespace, AuthStringOf("p", "r", "i"))
        return self._read("auth anew" if fresh else "auth", Credentials(password=SecretStr("x")))

    async def tls(self, namespace: str, want: AccessWant, *, fresh: bool = False) -> TlsOptions | None:
        assert (namespace, want.tls is None) == (KEY.namespace, False)
        return self._read("tls anew" if fresh else "tls", TlsOptions())

    def _read(self, what: str, value: Any) -> Any:
        self.read.append(what)
        if what in self.trouble:
            raise self.trouble[what]
        return value

    async def probe(self, _: web.Request) -> web.Response:
        code, step = self.script[self.asked] if self.asked < len(self.script) else (None, "")
        self.asked += 1
        failure = ProbeFailure(step=step, code=code, message=f"{code} it is") if code else None
        answer = ProbeAnswer(
            ok=failure is None,
            steps=() if failure else (ProbeStep(name="redisPing", ok=True, seconds=0.001),),
            latency_seconds=0.001,
            failure=failure,
            observed_at=datetime.now(UTC),
            prober=ProberInfo(version="1", via="test"),
        )
        return web.Response(text=answer.model_dump_json(), content_type="application/json")


@asynccontextmanager
async def probed(world: World, access: AccessWant) -> AsyncIterator[ProbeScheduler]:
    """The schedule after its first probe."""
    app = web.Application()
    app.router.add_post("/v1/probe", world.probe)
    async with TestServer(app) as server:
        credentials: Any = world
        probes = ProbeScheduler(
            in_flight=4,
            metrics=Metrics(),
            changed=lambda _: None,
            now=time.time,
            credentials=credentials,
            rng=random.Random(1),
        )
        probes.ensure(
            KEY, ProbeJob("10.0.0.3", 6379, 3600.0, 5.0, str(server.make_url("/")), 2, 1, checks=CHECKS, access=access)
        )
        try:
            await eventually(lambda: _done(probes), deadline=30, describe=lambda: "the first probe")
            yield probes
        finally:
            await probes.close()


async def _done(probes: ProbeScheduler) -> bool:
    memory = probes.memory(KEY)
    return memory is not None and memory.last is not None


def last(probes: ProbeScheduler) -> tuple[bool, str, str]:
    memory = probes.memory(KEY)
    assert memory is not None
    assert memory.last is not None
    return memory.last.ok, memory.last.code, memory.last.message


@pytest.mark.parametrize(
    ("refusal", "access", "anew"),
    [
        ((FailureCode.WRONG_PASSWORD, "redisPing"), OWN_CA, "auth anew"),
        ((FailureCode.AUTHENTICATION_REQUIRED, "redisPing"), OWN_CA, "auth anew"),
        ((FailureCode.CERTIFICATE_UNTRUSTED, "redisPing"), OWN_CA, "tls anew"),
    ],
)
async def test_what_is_not_accepted_is_read_anew_at_once(refusal: Any, access: AccessWant, anew: str) -> None:
    world = World([refusal])
    async with probed(world, access) as probes:
        assert last(probes)[0]
    assert [one for one in world.read if one.endswith("anew")] == [anew]
    assert world.asked == 2


@pytest.mark.parametrize(
    ("refusal", "access"),
    [
        # A server of the application's, which the system's CAs are for.
        ((FailureCode.CERTIFICATE_UNTRUSTED, "auth"), OWN_CA),
        # There is nothing that could be another the next time.
        ((FailureCode.CERTIFICATE_UNTRUSTED, "redisPing"), SYSTEMS_CA),
        ((FailureCode.CONNECT_TIMEOUT, "tcp"), OWN_CA),
    ],
)
async def test_nothing_is_read_anew_that_cannot_help(refusal: Any, access: AccessWant) -> None:
    world = World([refusal])
    async with probed(world, access) as probes:
        assert last(probes)[:2] == (False, refusal[0].value)
    assert world.read == ["auth", "tls"]
    assert world.asked == 1


async def test_what_redis_said_stands_where_nothing_can_be_read_anew() -> None:
    trouble = {"auth anew": CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, "no quota")}
    async with probed(World([(FailureCode.WRONG_PASSWORD, "redisPing")], trouble), OWN_CA) as probes:
        assert last(probes)[:2] == (False, "WrongPassword")


async def test_a_long_story_of_googles_is_told_as_far_as_there_is_room() -> None:
    """A page of HTML from something between here and Google, say."""
    trouble = {"auth": CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, "<html>" * 400)}
    async with probed(World([], trouble), OWN_CA) as probes:
        ok, code, message = last(probes)
    assert (ok, code) == (False, "CredentialsUnavailable")
    assert message == ("<html>" * 400)[:1000]
