"""What cannot be read anew is believed for a while, and looked at again when that is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
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


async def look(observer: Observer, since: float | None = None) -> Observed:
    return await observer.observe(DESIRED, Ledger(), fresh=False, lane=Lane.REPAIR, since=since)


def quota(google: ControlClient, method: str) -> None:
    status = 403 if method.startswith("compute.") else 429
    google.fault(method, status=status, reason="rateLimitExceeded", message="Quota exceeded.", project=PROJECT)


async def test_where_all_can_be_read_nothing_is_doubted(cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace())
    assert observer.doubted_in(await look(observer)) is None


async def test_what_is_believed_for_longer_as_polls_get_slower_is_looked_at_again_after_that(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    observer = Observer(cloud, Pace(interval=10.0))
    await look(observer)
    read = time.monotonic()
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    first = observer.doubted_in(await look(observer))
    assert first is not None
    assert 55 < first + (time.monotonic() - read) < 61
    quota(google, "vpcaccess.connectors.list")
    await cloud.inventory.attempt(CONNECTORS, Lane.POLL)
    seen = await look(observer)
    second = observer.doubted_in(seen)
    assert second is not None
    assert 115 < second + (time.monotonic() - read) < 121
    # Until then what was read is an answer.
    assert not isinstance(seen.rules, Unseen)


async def test_what_was_believed_is_looked_at_at_once_when_the_work_took_longer(
    google: ControlClient, cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer(cloud, Pace(interval=10.0))
    await look(observer)
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    seen = await look(observer)
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000)
    monkeypatch.setattr("redis_connectivity.reconcile.observer.time", later)
    left = observer.doubted_in(seen)
    assert left is not None
    assert left < 1


async def test_what_is_too_old_is_no_answer_and_waits_for_its_poll(google: ControlClient, cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace(interval=0.01))
    await look(observer)
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)

    async def unseen() -> Observed | None:
        seen = await look(observer)
        return seen if isinstance(seen.rules, Unseen) else None

    seen = await eventually(unseen, deadline=5, describe="the end of the belief")
    assert isinstance(seen.rules, Unseen)
    assert seen.rules.reason is Reason.QUOTA_EXHAUSTED
    assert observer.doubted_in(seen) is None


async def test_nobody_waits_for_news_until_a_quota_refills(google: ControlClient, cloud: GoogleCloud) -> None:
    """It would keep a worker from everybody else for a minute."""
    observer = Observer(cloud, Pace(interval=10.0))
    await look(observer)
    quota(google, "compute.firewalls.list")
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    async with asyncio.timeout(5):
        seen = await look(observer, since=0.0)
    assert not isinstance(seen.rules, Unseen)


async def test_credentials_that_are_good_again_are_so_for_views_that_are_polled_rarely(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    observer, rare = Observer(cloud, Pace()), keys.region_policies(DESIRED.network, REGION)
    await look(observer)
    method = "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls"
    google.fault(method, status=401, message="Who are you?", project=PROJECT)
    await cloud.inventory.attempt(rare, Lane.POLL)
    assert isinstance((await look(observer)).regional_policies, Unseen)
    google.clear_faults()
    # Nobody asks in vain before it is known that it is not in vain.
    mark = len(google.audit(method=method))
    assert isinstance((await look(observer)).regional_policies, Unseen)
    assert len(google.audit(method=method)) == mark
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    assert (await look(observer)).regional_policies == ()


async def test_a_refusal_is_no_matter_of_belief(google: ControlClient, cloud: GoogleCloud) -> None:
    observer = Observer(cloud, Pace())
    await look(observer)
    google.fault("compute.firewalls.list", status=403, reason="forbidden", message="No.", project=PROJECT)
    await cloud.inventory.attempt(FIREWALLS, Lane.POLL)
    seen = await look(observer)
    assert isinstance(seen.rules, Unseen)
    assert observer.doubted_in(seen) is None
