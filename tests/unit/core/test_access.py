"""How a target is to be spoken to: what the spec says, and what it leaves to the target that was found."""

from dataclasses import replace
from typing import Any

import pytest

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.access import (
    NO_ACCESS,
    AccessWant,
    AuthorityOf,
    AuthStringOf,
    PasswordIn,
    SecretKeyOf,
    TlsWant,
    TokenOf,
    access_want,
)
from redis_connectivity.core.cloudvalues import NetworkRef, RedisInstance, RedisInstanceState
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.pscvalues import (
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
    ValkeyInstance,
)

NETWORK = NetworkRef("acme-staging", "staging-vpc")
PLACE = ("acme-staging", "us-central1", "chat")
CONNECTION = PscConnection("10.9.0.4", 6379, ConnectionRole.DISCOVERY, ConnectionStatus.ACTIVE, NETWORK)
INSTANCE = RedisInstance(*PLACE, RedisInstanceState.READY, host="10.9.0.4", port=6379, authorized_network=NETWORK)
CLUSTER = RedisCluster(*PLACE, PscState.ACTIVE, connections=(CONNECTION,))
VALKEY = ValkeyInstance(*PLACE, PscState.ACTIVE, connections=(CONNECTION,))
KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "memorystore": ({"memorystore": {"instance": "chat"}}, INSTANCE),
    "cluster": ({"cluster": {"name": "chat"}}, CLUSTER),
    "valkey": ({"valkey": {"instance": "chat"}}, VALKEY),
    "vm": ({"vm": {"host": "10.128.0.5"}}, None),
}


def want(kind: str, *, seen: Any = None, **more: Any) -> AccessWant:
    redis, found = KINDS[kind]
    spec = RedisConnectivitySpec.model_validate(
        {
            "environment": "staging",
            "projectId": "acme-staging",
            "region": "us-central1",
            "connector": {"ipCidrRange": "10.2.0.0/28"},
            "redis": {**redis, **more},
        }
    )
    desired = resolve(ResourceId("cluster", "ns", "path", "uid"), spec)
    return access_want(
        spec.redis, desired, Observed(network=None, connector=None, rules=(), redis=seen if seen is not None else found)
    )


def test_nothing_is_wanted_of_a_plain_redis() -> None:
    assert want("vm") == NO_ACCESS
    assert want("memorystore") == NO_ACCESS


@pytest.mark.parametrize(
    ("kind", "auth", "expected"),
    [
        ("vm", {"secretRef": {"name": "a", "usernameKey": "u"}}, PasswordIn("a", "password", "u")),
        ("memorystore", {"memorystoreAuth": True}, AuthStringOf(*PLACE)),
        ("cluster", {"iam": {"serviceAccount": "x@acme.iam.gserviceaccount.com"}}, "token"),
        ("valkey", {"iam": {"serviceAccount": "x@acme.iam.gserviceaccount.com"}}, "token"),
    ],
)
def test_who_connects_is_as_declared(kind: str, auth: dict[str, Any], expected: Any) -> None:
    token = TokenOf("acme-staging", "x@acme.iam.gserviceaccount.com")
    assert want(kind, auth=auth).auth == (token if expected == "token" else expected)


@pytest.mark.parametrize(("kind", "seen"), [("cluster", CLUSTER), ("valkey", VALKEY)])
def test_a_managed_redis_is_trusted_by_its_own_ca_whatever_its_certificates_name(kind: Any, seen: Any) -> None:
    encrypted = replace(seen, transit_encryption=True)
    authority = AuthorityOf(kind, *PLACE)
    assert want(kind, seen=encrypted).tls == TlsWant(authority=authority, verify_name=False)
    named = {"serverName": "redis.internal"}
    assert want(kind, seen=encrypted, tls=named).tls == TlsWant(authority=authority, server_name="redis.internal")
    declared = {"caSecretRef": {"name": "ca"}}
    assert want(kind, seen=encrypted, tls=declared).tls == TlsWant(SecretKeyOf("ca", "ca.crt"))
    assert want(kind, seen=encrypted, tls={"enabled": False}).tls is None


@pytest.mark.parametrize(("kind", "seen"), [("cluster", CLUSTER), ("valkey", VALKEY)])
def test_a_ca_that_signs_for_others_too_is_left_to_the_user_and_names_are_compared(kind: str, seen: Any) -> None:
    shared = replace(seen, transit_encryption=True, own_ca=False)
    assert want(kind, seen=shared).tls == TlsWant()
    assert TlsWant().verify_name


def test_an_instance_brings_its_certificates_along() -> None:
    encrypted = replace(INSTANCE, transit_encryption=True, server_ca_certificates=("A", "B"))
    assert want("memorystore", seen=encrypted).tls == TlsWant(certificates="A\nB", verify_name=False)


@pytest.mark.parametrize(
    ("kind", "seen", "cluster"),
    [
        ("cluster", CLUSTER, True),
        ("valkey", VALKEY, True),
        ("valkey", replace(VALKEY, cluster_mode=False), False),
        ("memorystore", INSTANCE, False),
    ],
)
def test_the_nodes_of_a_cluster_are_asked_too(kind: str, seen: Any, cluster: bool) -> None:
    assert want(kind, seen=seen).cluster is cluster
