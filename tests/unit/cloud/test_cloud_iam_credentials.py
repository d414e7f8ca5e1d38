"""Access tokens through Google's own client: how long they are believed to be good, and whose are not made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import iam_credentials_v1

from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import NotFound
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity_lab.emulator import Emulator, Timings

PROJECT = "acme-staging"
ACCOUNT = f"chat@{PROJECT}.iam.gserviceaccount.com"


async def made(emulator: Emulator) -> tuple[str, float]:
    cloud = await GoogleCloud.open(
        CloudConfig(Endpoints(iam_credentials=emulator.url), CredentialsConfig(mode="anonymous"))
    )
    try:
        token = await cloud.iam_credentials.access_token(PROJECT, ACCOUNT, Lane.POLL)
        assert token.text.get_secret_value() not in repr(token)
        return token.text.get_secret_value(), token.seconds
    finally:
        await cloud.close()


async def test_a_token_is_good_for_as_long_as_was_asked_for() -> None:
    async with Emulator(Timings.instant()) as emulator:
        emulator.lab.project(PROJECT)
        with pytest.raises(NotFound, match="Gaia id not found"):
            await made(emulator)
        emulator.lab.put("accounts", PROJECT, (ACCOUNT,), {})
        text, seconds = await made(emulator)
        assert text == emulator.store.get(PROJECT).accounts[ACCOUNT]
        assert 880 < seconds <= 900


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [(None, 900), (timedelta(days=1), 900), (timedelta(hours=-1), 300)],
    ids=["not told", "a clock that is slow", "a clock that is fast"],
)
async def test_no_clock_makes_it_shorter_than_can_be(
    monkeypatch: pytest.MonkeyPatch, expiry: timedelta | None, seconds: float
) -> None:
    def generate(*_: Any, **__: Any) -> iam_credentials_v1.GenerateAccessTokenResponse:
        at = datetime.now(UTC) + expiry if expiry is not None else None
        return iam_credentials_v1.GenerateAccessTokenResponse(access_token="ya29.x", expire_time=at)

    monkeypatch.setattr(iam_credentials_v1.IAMCredentialsClient, "generate_access_token", generate)
    async with Emulator(Timings.instant()) as emulator:
        assert await made(emulator) == ("ya29.x", seconds)


def test_the_operators_own_account_is_known_by_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(AnonymousCredentials):
        service_account_email = "operator@acme-staging.iam.gserviceaccount.com"

    monkeypatch.setattr(google.auth, "default", lambda **_: (Own(), PROJECT))
    source = CredentialSource(CredentialsConfig(mode="adc"))
    assert source.account() == "", "nobody has asked for them yet"
    source.get()
    assert source.account() == Own.service_account_email
    nobody = CredentialSource(CredentialsConfig(mode="anonymous"))
    nobody.get()
    assert nobody.account() == ""
