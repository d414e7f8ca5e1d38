"""IAM authentication and in-transit encryption of Redis Cluster and Valkey, on the whole path."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.shipped import google_role
from redis_connectivity_lab.stack import Lab
from support.hardened import REGION
from support.place import Place
from support.targets import FIRST, SECOND, Targeted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ENCRYPTED_WITH_IAM = {
    "cluster": {
        "authorizationMode": "AUTH_MODE_IAM_AUTH",
        "transitEncryptionMode": "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION",
        "shardCount": 3,
    },
    "valkey": {"authorizationMode": "IAM_AUTH", "transitEncryptionMode": "SERVER_AUTHENTICATION"},
}
KINDS = {"cluster": "clusters", "valkey": "valkeys"}
CONNECT = {"cluster": "redis.clusters.connect", "valkey": "memorystore.instances.connect"}
READ_CA = {"cluster": "redis.clusters.get", "valkey": "memorystore.instances.get"}
MAKE_TOKEN = "iamcredentials.serviceAccounts.generateAccessToken"
ROLE = {"cluster": "roles/redis.dbConnectionUser", "valkey": "roles/memorystore.dbConnectionUser"}


@pytest.fixture(params=sorted(ENCRYPTED_WITH_IAM))
def place(lab: Lab, operator: OperatorProcess, request: pytest.FixtureRequest) -> Iterator[Place]:
    target = str(request.param)
    made = Place.make(lab, (operator,), kind=Targeted, target=target)
    try:
        world = made.world
        fields = {"network": world.network, "addresses": [FIRST, SECOND], **ENCRYPTED_WITH_IAM[target]}
        world.control.put(KINDS[target], world.project, REGION, "cache", **fields)
        lab.cloud.settle()
        yield made
        made.assert_unhurt()
    finally:
        made.clear()


def token_of(place: Place, account: str) -> str:
    """The access token that the account has now, as the operator gets it."""
    url = f"{place.world.google}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    body = json.dumps({"scope": ["https://www.googleapis.com/auth/cloud-platform"]}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=30) as answer:
        return str(json.load(answer)["accessToken"])


def test_the_path_is_proven_with_an_access_token_over_tls(place: Place) -> None:
    """Each right on the way is told while it is missing; what was refused once is made anew; no token is ever told."""
    world, target = place.world, getattr(place.world, "target", "")
    account = f"chat@{world.project}.iam.gserviceaccount.com"
    redis = {**world.resource(place.namespace)["spec"]["redis"], "auth": {"iam": {"serviceAccount": account}}}

    def allow(*roles: str, **more: list[str]) -> None:
        granted = frozenset().union(*(google_role(one) for one in ("role", *roles)))
        world.control.allow(world.project, {ANONYMOUS: sorted(granted), **more})
        place.lab.cloud.settle()

    allow()
    place.apply()
    said = place.says("Reachable", "Unknown", "CredentialsUnavailable")
    assert f"Grant {READ_CA[target]}" in said

    allow("role-certificate-authority")
    # It asks for a token and gets none: an answer of Redis itself, over TLS that was verified.
    place.ready()
    assert place.status()["redis"]["tls"] is True
    assert place.status()["redis"]["authorization"] == "IAM_AUTH"

    place.apply(redis=redis)
    assert "Grant iam.serviceAccounts.getAccessToken" in place.says("Reachable", "Unknown", "CredentialsUnavailable")
    allow("role-certificate-authority", "role-access-token")
    place.until(
        lambda: f"there is no service account {account}" in place.says("Reachable", "Unknown"),
        "the account to be missed",
    )

    world.control.put("accounts", world.project, account)
    place.says("Reachable", "False", "AuthenticationFailed")
    place.until(lambda: place.status().get("diagnosis", {}).get("code") == "AuthWrong", "the cause to be found")
    evidence = " ".join(place.status()["diagnosis"]["evidence"])
    assert f"must have {ROLE[target]} in project {world.project}" in evidence

    allow("role-certificate-authority", "role-access-token", **{account: [CONNECT[target]]})
    place.ready()
    first = token_of(place, account)

    world.control.put("accounts", world.project, account)  # the token has run out
    place.lab.cloud.settle()
    second = token_of(place, account)
    assert first != second
    mark = place.mark()
    place.until(lambda: place.world.calls(MAKE_TOKEN, since=mark), "the refused token to be made anew")
    place.lab.kubectl(
        "annotate", "rconn", "path", "-n", place.namespace, "--overwrite", "redisconnectivity.io/reconcile-at=again"
    )
    place.until(lambda: place.status().get("lastHandledReconcileAt") == "again", "another probe")
    place.says("Reachable", "True", "ProbeSucceeded")

    kinds = "rconn,events,events.events.k8s.io,configmaps,leases"
    told = [place.lab.kubectl("get", kinds, "-A", "-o", "yaml", "--show-managed-fields")]
    told += [place.operators[0].metrics(), place.operators[0].log.read_text(errors="replace")]
    told += [one.read_text(errors="replace") for one in place.lab.cloud.state_dir.glob("services/*.log")]
    assert "ProbeSucceeded" in told[0]
    assert not any(token in text for token in (first, second) for text in told)
