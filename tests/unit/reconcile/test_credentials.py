"""Reading passwords and certificates: from where, how often, and what is said when they cannot be had."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from redis_connectivity.cloud.doors import AccessToken
from redis_connectivity.cloud.errors import CloudError, Forbidden, NotFound, Retryable
from redis_connectivity.cloud.lanes import AnyLane, Lane
from redis_connectivity.core.access import (
    AccessWant,
    AuthorityOf,
    AuthStringOf,
    PasswordIn,
    SecretKeyOf,
    TlsWant,
    TokenOf,
)
from redis_connectivity.kube.errors import Gone, KubeError, KubeForbidden, KubeUnavailable
from redis_connectivity.probes.model import FailureCode
from redis_connectivity.reconcile import credentials
from redis_connectivity.reconcile.credentials import CredentialReader, CredentialTrouble

PASSWORD = AccessWant(PasswordIn("redis-auth", "password", None))
USER = AccessWant(PasswordIn("redis-auth", "password", "user"))
ACCOUNT = "chat@p.iam.gserviceaccount.com"
OPERATOR = "operator@p.iam.gserviceaccount.com"
TOKEN = AccessWant(TokenOf("p", ACCOUNT))
OWN_CA = AccessWant(tls=TlsWant(authority=AuthorityOf("cluster", "p", "us-central1", "chat"), verify_name=False))
AUTH_STRING = AccessWant(AuthStringOf("p", "us-central1", "cache"))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class World:
    """Secrets, an instance's AUTH string, and a clock."""

    data: Mapping[str, str] = field(default_factory=dict)
    auth_string: str = ""
    authorities: tuple[str, ...] = ()
    stuck: bool = False
    error: KubeError | CloudError | None = None
    now: float = 1000.0
    reads: list[tuple[str, ...]] = field(default_factory=list)

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        self.reads.append((namespace, name))
        if self.error is not None:
            raise self.error
        return self.data

    @property
    def redis(self) -> "World":
        return self

    @property
    def redis_cluster(self) -> "World":
        return self

    @property
    def memorystore(self) -> "World":
        return self

    @property
    def iam_credentials(self) -> "World":
        return self

    async def get_certificate_authority(self, project: str, region: str, name: str, lane: AnyLane) -> tuple[str, ...]:
        assert lane is Lane.POLL
        self.reads.append((project, region, name, "ca"))
        if self.stuck:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.authorities

    def is_own(self, account: str) -> bool:
        return account == OPERATOR

    async def access_token(self, project: str, account: str, lane: AnyLane) -> AccessToken:
        assert lane is Lane.POLL
        self.reads.append((project, account))
        if self.error is not None:
            raise self.error
        return AccessToken(SecretStr(f"ya29.{len(self.reads)}"), 900.0)

    async def get_auth_string(self, project: str, region: str, name: str, lane: AnyLane) -> SecretStr:
        assert lane is Lane.POLL, "a user's change goes first"
        self.reads.append((project, region, name))
        if self.error is not None:
            raise self.error
        return SecretStr(self.auth_string)

    def reader(self) -> CredentialReader:
        return CredentialReader(self, self, clock=lambda: self.now)


async def test_a_password_and_a_user() -> None:
    world = World({"password": encoded("s3cret\n"), "user": encoded("app")})
    found = await world.reader().credentials("staging", USER)
    assert found is not None
    assert found.username is not None
    assert (found.username.get_secret_value(), found.password.get_secret_value()) == ("app", "s3cret")
    assert "s3cret" not in repr(found) + str(found) + found.model_dump_json()
    assert world.reads == [("staging", "redis-auth")], "of the resource's own namespace, and once"


async def test_nothing_is_read_for_nobody() -> None:
    world = World()
    assert await world.reader().credentials("staging", AccessWant()) is None
    assert await world.reader().tls("staging", AccessWant()) is None
    assert world.reads == []


async def test_what_was_read_is_used_for_a_minute_and_read_anew_when_refused() -> None:
    world = World({"password": encoded("first")})
    reader = world.reader()
    await reader.credentials("staging", PASSWORD)
    world.now += 59
    await reader.credentials("staging", PASSWORD)
    assert len(world.reads) == 1

    world.data = {"password": encoded("second")}
    found = await reader.credentials("staging", PASSWORD, fresh=True)
    assert found is not None
    assert found.password.get_secret_value() == "second"
    world.now += 61
    await reader.credentials("staging", PASSWORD)
    assert len(world.reads) == 3


async def test_namespaces_do_not_share() -> None:
    world = World({"password": encoded("x")})
    reader = world.reader()
    await reader.credentials("one", PASSWORD)
    await reader.credentials("two", PASSWORD)
    assert world.reads == [("one", "redis-auth"), ("two", "redis-auth")]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Gone("404"), FailureCode.SECRET_NOT_FOUND, "there is no Secret redis-auth in namespace staging: create it"),
        (KubeForbidden("403"), FailureCode.SECRET_FORBIDDEN, "may not get Secret redis-auth in namespace staging"),
        (KubeUnavailable("503"), FailureCode.CREDENTIALS_UNAVAILABLE, "cannot be read now"),
    ],
)
async def test_a_secret_that_cannot_be_read(error: KubeError, code: FailureCode, words: str) -> None:
    with pytest.raises(CredentialTrouble) as trouble:
        await World(error=error).reader().credentials("staging", PASSWORD)
    assert trouble.value.code is code
    assert words in str(trouble.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "there is no key password of Secret redis-auth in namespace staging: add it"),
        ({"pass": encoded("x")}, "there is no key password"),
        ({"password": ""}, "is empty: fill it in"),
        ({"password": encoded("\r\n")}, "is empty: fill it in"),
        ({"password": base64.b64encode(b"\xff\xfe").decode()}, "is no UTF-8 text: mend it"),
        ({"password": "%%%"}, "is no UTF-8 text: mend it"),
        ({"password": encoded("x" * 8193)}, "is longer than 8192 characters: mend it"),
    ],
)
async def test_a_secret_without_a_usable_password(data: Mapping[str, str], words: str) -> None:
    with pytest.raises(CredentialTrouble, match=words) as trouble:
        await World(data).reader().credentials("staging", PASSWORD)
    assert trouble.value.code is FailureCode.SECRET_KEY_MISSING
    assert trouble.value.__cause__ is None, "a cause could carry what was in the Secret"


async def test_what_failed_is_not_kept() -> None:
    world = World(error=Gone("404"))
    reader = world.reader()
    with pytest.raises(CredentialTrouble):
        await reader.credentials("staging", PASSWORD)
    world.error, world.data = None, {"password": encoded("there now")}
    assert await reader.credentials("staging", PASSWORD) is not None


async def test_the_instances_own_auth_string() -> None:
    world = World(auth_string="from-google")
    found = await world.reader().credentials("staging", AUTH_STRING)
    assert found is not None
    assert (found.username, found.password.get_secret_value()) == (None, "from-google")
    assert world.reads == [("p", "us-central1", "cache")]


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (World(auth_string=""), "AUTH is off on instance cache: turn it on there, or remove spec.redis.auth"),
        (
            World(error=Forbidden("no", project="p", permission="redis.instances.getAuthString")),
            "Grant redis.instances.getAuthString",
        ),
        (World(error=Retryable("503", project="p")), "it is tried again"),
    ],
)
async def test_no_auth_string(world: World, words: str) -> None:
    with pytest.raises(CredentialTrouble, match=words) as trouble:
        await world.reader().credentials("staging", AUTH_STRING)
    assert trouble.value.code is FailureCode.CREDENTIALS_UNAVAILABLE


async def test_certificates_from_where_the_spec_says() -> None:
    world = World({"ca.crt": encoded("PEM")})
    from_secret = AccessWant(tls=TlsWant(SecretKeyOf("ca", "ca.crt"), server_name="redis.internal"))
    found = await world.reader().tls("staging", from_secret)
    assert found is not None
    assert (found.ca_certificates, found.server_name, found.verify_name) == ("PEM", "redis.internal", True)

    of_instance = AccessWant(tls=TlsWant(certificates="GOOGLE", verify_name=False))
    found = await world.reader().tls("staging", of_instance)
    assert found is not None
    assert (found.ca_certificates, found.verify_name) == ("GOOGLE", False)
    assert world.reads == [("staging", "ca")]


async def token(reader: CredentialReader, *, fresh: bool = False) -> str:
    found = await reader.credentials("staging", TOKEN, fresh=fresh)
    assert found is not None
    assert found.username is None, "the default user"
    return found.password.get_secret_value()


async def test_an_access_token_is_used_until_shortly_before_its_end_and_made_anew_when_refused() -> None:
    world = World()
    reader = world.reader()
    assert [await token(reader), await token(reader)] == ["ya29.1", "ya29.1"]
    world.now += 779
    assert await token(reader) == "ya29.1"
    world.now += 2
    assert await token(reader) == "ya29.2"
    assert await token(reader, fresh=True) == "ya29.2", "a token that is so new is not what is wrong"
    world.now += 10.1
    assert await token(reader, fresh=True) == "ya29.3"
    assert await token(reader) == "ya29.3"
    assert world.reads == [("p", ACCOUNT)] * 3


async def test_the_operators_own_token_is_given_to_nobody() -> None:
    world = World()
    with pytest.raises(CredentialTrouble, match=f"{OPERATOR} is the operator's own, whose token is given to nobody"):
        await world.reader().credentials("staging", AccessWant(TokenOf("p", OPERATOR)))
    assert world.reads == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            NotFound("Gaia id not found", project="p"),
            f"there is no service account {ACCOUNT}: name the right one in spec.redis.auth.iam.serviceAccount",
        ),
        (
            Forbidden("no", project="p", permission="iam.serviceAccounts.getAccessToken"),
            "Grant iam.serviceAccounts.getAccessToken",
        ),
        (Retryable("503", project="p"), "it is tried again"),
    ],
)
async def test_no_access_token(error: CloudError, words: str) -> None:
    with pytest.raises(CredentialTrouble, match=words) as trouble:
        await token(World(error=error).reader())
    assert trouble.value.code is FailureCode.CREDENTIALS_UNAVAILABLE
    assert ACCOUNT in str(trouble.value)


async def test_the_own_ca_of_a_cluster_is_kept_for_an_hour() -> None:
    world = World(authorities=("OLD\n", "NEW\n"))
    reader = world.reader()
    for _ in range(2):
        found = await reader.tls("staging", OWN_CA)
        assert found is not None
        assert (found.ca_certificates, found.verify_name) == ("OLD\nNEW\n", False)
        world.now += 3599 / 2
    assert len(world.reads) == 1
    world.now += 2
    await reader.tls("staging", OWN_CA)
    assert len(world.reads) == 2


async def test_a_ca_that_was_not_trusted_is_read_anew_but_not_again_and_again() -> None:
    """The API grants 60 calls a minute for everybody, and a certificate may be refused at each probe."""
    world = World(authorities=("PEM\n",))
    reader = world.reader()
    for second in range(120):
        await reader.tls("staging", OWN_CA, fresh=second > 0)
        world.now += 1
    assert len(world.reads) == 2


async def test_no_ca() -> None:
    world = World()
    reader = world.reader()
    with pytest.raises(CredentialTrouble, match="Google tells no CA of Redis Cluster chat"):
        await reader.tls("staging", OWN_CA)
    world.authorities = ("PEM\n",)
    world.now += 61
    assert await reader.tls("staging", OWN_CA) is not None
    refused = Forbidden("no", project="p", permission="redis.clusters.get")
    with pytest.raises(
        CredentialTrouble, match=r"the CA of Redis Cluster chat cannot be read.*Grant redis\.clusters\.get"
    ):
        await World(error=refused).reader().tls("staging", OWN_CA)


async def test_a_probe_does_not_wait_for_ever_for_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's quota may be short, and who waits holds a place among the probes in flight."""
    monkeypatch.setattr(credentials, "_PATIENCE", 0.01)

    with pytest.raises(CredentialTrouble, match="the CA of Redis Cluster chat could not be read within"):
        await World(stuck=True).reader().tls("staging", OWN_CA)
