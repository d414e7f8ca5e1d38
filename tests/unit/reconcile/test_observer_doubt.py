"""What cannot be read anew is believed for a while, and looked at again when that is over."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings
from support.waiting import eventually

PROJECT, REGION = "acme-staging", "us-central1"
FIREWALLS, CONNECTORS = keys.firewalls(PROJECT), keys.connectors(PROJECT, REGION)
SPEC = {
    "environment": "staging",
    "projectId": PROJECT,
    "region": REGION,
    "connector": {"ipCidrRange": "10.2.0.0/28"},
    "redis": {"vm": {"host": "10.128.0.5"}},
}
DESIRED: Desired = resolve(ResourceId("cluster", "ns", "path", "uid"), RedisConnectivitySpec.model_validate(SPEC))


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant()) as running:
        running.control.project(PROJECT)
        running.control.put("networks", PROJECT, "staging-vpc")
        yield running.control


@pytest.fixture
async def cloud(google: ControlClient) -> AsyncIterator[GoogleCloud]:
    endpoints = Endpoints(compute=google.url, vpcaccess=google.url, redis=google.url)
    opened = await GoogleCloud.open(CloudConfig(endpoints=endpoints, credentials=CredentialsConfig(mode="anonymous")))
    yield opened
    await opened.close()


async def look(observer: Observer) -> Observed:
    return await observer.observe(DESIRED, Ledger(), fresh=False, lane=Lane.REPAIR)


def quota(google: ControlClient, method: str) -> None:
    status = 403 if method.startswith("compute.") else 429
    google.fault(method, status=status, reason="rateLimitExceeded", message="Quota exceeded.", project=PROJECT)


async def test_where_all_can_be_read_nothing_is_doubted(cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace())
    await look(observer)
    assert observer.doubted_in(DESIRED) is None


async def test_what_is_believed_for_longer_as_polls_get_slower_is_looked_at_again_after_that(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    observer = Observer(cloud, Pace(interval=10.0))
    await look(observer)
    read = time.monotonic()
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    first = observer.doubted_in(DESIRED)
    assert first is not None
    assert 55 < first + (time.monotonic() - read) < 61
    quota(google, "vpcaccess.connectors.list")
    await cloud.inventory.attempt(CONNECTORS, Lane.POLL)
    second = observer.doubted_in(DESIRED)
    assert second is not None
    assert 115 < second + (time.monotonic() - read) < 121
    # Until then what was read is an answer.
    assert not isinstance((await look(observer)).rules, Unseen)


async def test_what_is_too_old_is_no_answer_and_waits_for_its_poll(google: ControlClient, cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace(interval=0.01))
    await look(observer)
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)

    async def is_over() -> bool:
        return observer.doubted_in(DESIRED) is None

    await eventually(is_over, deadline=5, describe="the end of the belief")
    seen = await look(observer)
    assert isinstance(seen.rules, Unseen)
    assert seen.rules.reason is Reason.QUOTA_EXHAUSTED


async def test_a_refusal_is_no_matter_of_belief(google: ControlClient, cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace())
    await look(observer)
    google.fault("compute.firewalls.list", status=403, reason="forbidden", message="No.", project=PROJECT)
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    assert observer.doubted_in(DESIRED) is None
    assert isinstance((await look(observer)).rules, Unseen)
