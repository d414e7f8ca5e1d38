"""Credentials and endpoints: what is found, what is said when nothing is, and what is never asked twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import google.auth
import google.auth.impersonated_credentials
import pytest
from cloud_fakes import wire
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import Unauthenticated
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's key, made up on the spot, as Application Default Credentials."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "acme",
                "private_key_id": "1",
                "private_key": pem.decode(),
                "client_email": "operator@acme.iam.gserviceaccount.com",
                "token_uri": "http://127.0.0.1:9/token",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))


def test_no_credentials_say_what_to_do_and_are_not_searched_for_again(
    nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CredentialSource(CredentialsConfig())
    with pytest.raises(Unauthenticated, match="Workload Identity") as caught:
        source.get()
    assert caught.value.reason == "DefaultCredentialsError"

    def searched(**_: object) -> None:
        pytest.fail("searched again")

    monkeypatch.setattr(google.auth, "default", searched)
    with pytest.raises(Unauthenticated):
        source.get()


async def test_a_call_without_credentials_is_an_error_like_any_other(nowhere: None) -> None:
    cloud = await GoogleCloud.open(CloudConfig())
    with pytest.raises(Unauthenticated) as caught:
        await cloud.compute.get_firewall("acme", "x", Lane.REPAIR)
    assert (caught.value.project, caught.value.method) == ("acme", "firewalls.get")
    await cloud.close()


def test_impersonation(key_file: Path) -> None:
    source = CredentialSource(CredentialsConfig(impersonate="deputy@acme.iam.gserviceaccount.com"))
    found = source.get()
    assert isinstance(found, google.auth.impersonated_credentials.Credentials)
    assert found.service_account_email == "deputy@acme.iam.gserviceaccount.com"
    assert source.get() is found


async def test_a_key_serves_every_door_by_tokens_it_signs_itself(key_file: Path) -> None:
    # Its token endpoint is dead: Google's transports prefer self-signed tokens (AIP-4111) and never ask it.
    async with wire(lambda _: (200, {})) as server:
        cloud = await GoogleCloud.open(
            CloudConfig(endpoints=Endpoints(compute=server.url, vpcaccess=server.url, redis=server.url))
        )
        await cloud.compute.list_firewalls("acme", Lane.REPAIR)
        await cloud.vpcaccess.list_connectors("acme", "r", Lane.REPAIR)
        await cloud.redis.list_instances("acme", "r", Lane.REPAIR)
        await cloud.close()
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://private.example.com/", "https://private.example.com"),
        ("private.example.com", "https://private.example.com"),
        (" http://127.0.0.1:1 ", "http://127.0.0.1:1"),
        ("", None),
        (None, None),
    ],
)
def test_endpoints_are_normalised(given: str | None, expected: str | None) -> None:
    assert Endpoints(compute=given).compute == expected


def test_an_endpoint_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="redis endpoint"):
        Endpoints(redis="ftp://x")


def test_importing_the_package_does_not_import_google() -> None:
    program = (
        "import sys, redis_connectivity.cloud, redis_connectivity.cloud.errors; "
        "sys.exit(any(name.startswith('google.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
