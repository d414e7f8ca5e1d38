"""What Google's Connectivity Tests are asked about a path, and what their answer means beside the operator's."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.second_opinion import (
    Finding,
    Opinion,
    Question,
    QuestionError,
    Result,
    agreement,
    question,
)

REVISION = "projects/acme/locations/us-central1/revisions/chat-00007-abc"


def desired(redis: dict[str, Any], **spec: Any) -> Desired:
    whole = {
        "environment": "staging",
        "projectId": "acme-staging",
        "region": "us-central1",
        "connector": {"ipCidrRange": "10.2.0.0/28"},
        "redis": redis,
        **spec,
    }
    return resolve(ResourceId("c", "staging", "chat", "u"), RedisConnectivitySpec.model_validate(whole))


def test_a_machine_is_asked_about_by_its_address_and_network() -> None:
    asked = question(desired({"vm": {"host": "10.128.0.5"}}), "chat-00007-abc", "10.128.0.5", 6379)
    assert asked == Question(
        project="acme-staging",
        revision="projects/acme-staging/locations/us-central1/revisions/chat-00007-abc",
        port=6379,
        address=IPv4Address("10.128.0.5"),
        network="projects/acme-staging/global/networks/staging-vpc",
    )


@pytest.mark.parametrize(
    ("redis", "resource", "is_cluster"),
    [
        ({"memorystore": {"instance": "cache"}}, "instances/cache", False),
        ({"cluster": {"name": "cache"}}, "clusters/cache", True),
    ],
)
def test_what_google_manages_is_asked_about_by_name(redis: dict[str, Any], resource: str, is_cluster: bool) -> None:
    asked = question(desired(redis), REVISION, "10.9.0.3", 6379)
    assert asked.resource == f"projects/acme-staging/locations/us-central1/{resource}"
    assert asked.is_cluster is is_cluster
    assert asked.address is None
    # The test is made where the revision is; the other projects decide, too.
    assert (asked.project, asked.related_projects) == ("acme", ("acme-staging",))


def test_a_shared_vpc_s_host_project_is_looked_at() -> None:
    path = desired(
        {"vm": {"host": "10.128.0.5"}},
        network={"name": "shared", "hostProjectId": "acme-host"},
        connector={"ipCidrRange": "10.2.0.0/28", "projectId": "acme-host"},
    )
    asked = question(path, "chat-1", "10.128.0.5", 6379)
    assert asked.network == "projects/acme-host/global/networks/shared"
    assert asked.related_projects == ("acme-host",)


@pytest.mark.parametrize(
    ("revision", "host", "words"),
    [
        ("chat-1", "", "Redis is not found yet"),
        ("chat-1", "redis.example.com", "redis.example.com is a DNS name"),
        ("projects/acme/services/chat", "10.0.0.1", "give its name, or projects/PROJECT/locations/REGION/revisions"),
    ],
)
def test_what_cannot_be_asked_is_told(revision: str, host: str, words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        question(desired({"endpoint": {"host": "redis.example.com", "port": 6379}}), revision, host, 6379)


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("ready", ["True", "False", "Unknown"])
def test_every_pair_of_verdicts_has_a_meaning(result: Result, ready: str) -> None:
    said = agreement(Opinion(result), ready, "SomeReason")
    assert said.startswith(f"The operator says Ready={ready} (SomeReason)")
    if ready != "Unknown" and result in (Result.REACHABLE, Result.UNREACHABLE):
        agree = (result is Result.REACHABLE) is (ready == "True")
        assert ("both find" in said) is agree


def test_where_the_analysis_stopped_is_known() -> None:
    aborted = Finding("ABORT", "aborted", cause="PERMISSION_DENIED")
    assert Opinion(Result.REACHABLE, (Finding("APPLY_ROUTE", "route"), aborted)).stopped == (aborted,)
