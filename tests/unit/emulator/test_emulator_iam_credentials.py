"""Access tokens of accounts, and the Redis that they open."""

from datetime import UTC, datetime
from typing import Any

import pytest
from emulator_support import PROJECT, REGION, Clients, Http

from redis_connectivity_lab.emulator import ControlClient

ACCOUNT = f"chat@{PROJECT}.iam.gserviceaccount.com"
NAME = f"projects/-/serviceAccounts/{ACCOUNT}"
PATH = f"/v1/{NAME}:generateAccessToken"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def test_an_account_has_a_token_that_the_apis_know(clients: Clients, control: ControlClient, http: Http) -> None:
    control.put("accounts", PROJECT, ACCOUNT)
    made = clients.iam_credentials.generate_access_token(name=NAME, scope=[SCOPE], lifetime={"seconds": 900})
    assert 890 < (made.expire_time - datetime.now(UTC)).total_seconds() <= 900
    control.allow(PROJECT, {ACCOUNT: ["compute.networks.list"]})
    asked = {"headers": {"Authorization": f"Bearer {made.access_token}"}}
    assert http("GET", f"/compute/v1/projects/{PROJECT}/global/networks", **asked)[0] == 200
    assert http("GET", f"/compute/v1/projects/{PROJECT}/global/firewalls", **asked)[0] == 403

    control.put("accounts", PROJECT, ACCOUNT)  # as if the token had run out
    assert http("GET", f"/compute/v1/projects/{PROJECT}/global/networks", **asked)[0] == 401
    assert [one["email"] for one in control.list("accounts", PROJECT)] == [ACCOUNT]
    control.delete("accounts", PROJECT, ACCOUNT)
    assert control.list("accounts", PROJECT) == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"scope": []}, 400, "scope must be specified"),
        ({"scope": [SCOPE], "lifetime": "7200s"}, 400, "between 1s and 3600s"),
        ({"scope": [SCOPE], "lifetime": "soon"}, 400, "between 1s and 3600s"),
        ({"scope": [SCOPE], "colour": "red"}, 400, 'Unknown name "colour"'),
        ({"scope": [SCOPE]}, 404, f"Gaia id not found for email {ACCOUNT}"),
    ],
)
def test_what_is_refused(http: Http, body: dict[str, Any], status: int, words: str) -> None:
    answered, told = http("POST", PATH, body)
    assert (answered, words in told["error"]["message"]) == (status, True)


def test_only_who_may_make_tokens_gets_one(http: Http, control: ControlClient) -> None:
    control.put("accounts", PROJECT, ACCOUNT)
    control.allow(PROJECT, {"anonymous": ["compute.*"]})
    status, told = http("POST", PATH, {"scope": [SCOPE]})
    assert status == 403
    assert "iam.serviceAccounts.getAccessToken" in told["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "mode", "permission"),
    [
        ("clusters", "AUTH_MODE_IAM_AUTH", "redis.clusters.connect"),
        ("valkeys", "IAM_AUTH", "memorystore.instances.connect"),
    ],
)
def test_redis_takes_the_tokens_of_those_who_may_connect(
    control: ControlClient, kind: str, mode: str, permission: str
) -> None:
    def tokens() -> list[str] | None:
        found = [host["redis_tokens"] for host in control.topology()["hosts"] if host["id"].endswith("/nodes")]
        return None if found[0] is None else list(found[0])

    control.put(kind, PROJECT, REGION, "chat", network="staging-vpc")
    assert tokens() is None, "IAM is not asked"
    control.put(kind, PROJECT, REGION, "chat", network="staging-vpc", authorizationMode=mode)
    control.allow(PROJECT, {ACCOUNT: ["redis.clusters.get"]})
    control.put("accounts", PROJECT, ACCOUNT)
    assert tokens() == []
    control.allow(PROJECT, {ACCOUNT: [permission]})
    (first,) = tokens() or []
    control.put("accounts", PROJECT, ACCOUNT)
    (second,) = tokens() or []
    assert first != second


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("clusters", "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"), ("valkeys", "SERVER_AUTHENTICATION")],
)
def test_what_is_encrypted_has_a_ca(control: ControlClient, http: Http, kind: str, mode: str) -> None:
    base = "/v1" if kind == "clusters" else "/memorystore/v1"
    collection = "clusters" if kind == "clusters" else "instances"
    path = f"{base}/projects/{PROJECT}/locations/{REGION}/{collection}/chat/certificateAuthority"
    control.put(kind, PROJECT, REGION, "chat", network="staging-vpc")
    assert http("GET", path)[1]["managedServerCa"] == {"caCerts": []}
    control.put(kind, PROJECT, REGION, "chat", network="staging-vpc", transitEncryptionMode=mode)
    status, told = http("GET", path)
    assert (status, told["name"].endswith("/chat/certificateAuthority")) == (200, True)
    ((certificate,),) = [chain["certificates"] for chain in told["managedServerCa"]["caCerts"]]
    assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    (host,) = [host for host in control.topology()["hosts"] if host["id"].endswith("/nodes")]
    assert host["redis_tls"]["certificate"].startswith("-----BEGIN CERTIFICATE-----")
