"""A Redis that is missing is looked for in all regions: by one call, once in a while, and as a hint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import QuotaExhausted
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings

PROJECT, REGION, FAR = "acme-staging", "us-central1", "europe-west1"
KINDS = [
    pytest.param("redis", {"memorystore": {"instance": "cache"}}, "redis.instances.list", id="memorystore"),
    pytest.param("clusters", {"cluster": {"name": "cache"}}, "redis.clusters.list", id="cluster"),
    pytest.param("valkeys", {"valkey": {"instance": "cache"}}, "memorystore.instances.list", id="valkey"),
]


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant()) as running:
        running.control.project(PROJECT)
        running.control.put("networks", PROJECT, "staging-vpc")
        yield running.control


def desired(redis: dict[str, Any]) -> Desired:
    spec: dict[str, Any] = {"environment": "staging", "projectId": PROJECT, "region": REGION, "redis": redis}
    spec["connector"] = {"ipCidrRange": "10.2.0.0/28"}
    return resolve(ResourceId("cluster", "ns", "path", "uid"), RedisConnectivitySpec.model_validate(spec))


async def observe(cloud: GoogleCloud, redis: dict[str, Any], by: Observer | None = None) -> Observed:
    observer = by or Observer(cloud, Pace())
    return await observer.observe(desired(redis), Ledger(), fresh=True, lane=Lane.USER_CHANGE)


def lists(google: ControlClient, method: str) -> list[str]:
    """The places that were listed, in order."""
    return [str(one["resource"]).split("/")[3] for one in google.audit(kind="read", method=method)]


@pytest.mark.parametrize(("kind", "redis", "method"), KINDS)
async def test_what_is_missing_here_is_found_in_another_region_by_one_call(
    google: ControlClient, cloud: GoogleCloud, kind: str, redis: dict[str, Any], method: str
) -> None:
    for region, name in ((FAR, "cache"), (FAR, "other"), (REGION, "other")):
        google.put(kind, PROJECT, region, name, network="staging-vpc")
    observer = Observer(cloud, Pace())
    seen = [await observe(cloud, redis, observer) for _ in range(3)]
    assert [(one.redis, one.redis_elsewhere) for one in seen] == [(None, (FAR,))] * 3
    assert lists(google, method).count("-") == 1


async def test_a_look_from_before_a_redis_was_missed_does_not_count(google: ControlClient, cloud: GoogleCloud) -> None:
    """As when one resource has a slip in a name, and minutes later another's instance is made in a wrong region."""
    observer = Observer(cloud, Pace())
    slip, right = {"memorystore": {"instance": "cash"}}, {"memorystore": {"instance": "cache"}}
    assert (await observe(cloud, slip, observer)).redis_elsewhere == ()
    google.put("redis", PROJECT, FAR, "cache", network="staging-vpc")
    assert (await observe(cloud, right, observer)).redis_elsewhere == (FAR,)
    # The same name again, after it was there for a while, is a new case, too.
    google.put("redis", PROJECT, REGION, "cache", network="staging-vpc")
    assert (await observe(cloud, right, observer)).redis is not None
    google.delete("redis", PROJECT, REGION, "cache")
    google.put("redis", PROJECT, "us-east1", "cache", network="staging-vpc")
    assert (await observe(cloud, right, observer)).redis_elsewhere == (FAR, "us-east1")


@pytest.mark.parametrize(("kind", "redis", "method"), KINDS)
async def test_what_is_there_is_looked_for_nowhere_else(
    google: ControlClient, cloud: GoogleCloud, kind: str, redis: dict[str, Any], method: str
) -> None:
    for region in (REGION, FAR):
        google.put(kind, PROJECT, region, "cache", network="staging-vpc")
    seen = await observe(cloud, redis)
    assert (seen.redis is not None, seen.redis_elsewhere) == (True, ())
    assert lists(google, method) == [REGION]


def observed_connector(management: str = "Observed") -> Desired:
    spec: dict[str, Any] = {
        "environment": "staging",
        "projectId": PROJECT,
        "region": REGION,
        "redis": {"endpoint": {"host": "10.9.0.5", "port": 6379}},
        "connector": {"ipCidrRange": "10.2.0.0/28", "management": management},
    }
    return resolve(ResourceId("cluster", "ns", "path", "uid"), RedisConnectivitySpec.model_validate(spec))


@pytest.mark.parametrize(("management", "found"), [("Observed", (FAR,)), ("Managed", ())])
async def test_a_connector_that_others_make_is_looked_for_where_the_network_is(
    google: ControlClient, cloud: GoogleCloud, management: str, found: tuple[str, ...]
) -> None:
    """One that the operator makes itself is missing nowhere."""
    for region, block in ((FAR, "10.70.0.0/24"), ("us-east1", "10.71.0.0/24")):
        google.put("subnetworks", PROJECT, region, "there", network="staging-vpc", ipCidrRange=block)
    google.put("connectors", PROJECT, FAR, "staging-connector", network="staging-vpc", ipCidrRange="10.2.0.0/28")
    observer, want = Observer(cloud, Pace()), observed_connector(management)
    seen = [await observer.observe(want, Ledger(), fresh=False, lane=Lane.POLL) for _ in range(3)]
    assert [(one.connector, one.connector_elsewhere) for one in seen] == [(None, found)] * 3
    listed = lists(google, "vpcaccess.connectors.list")
    assert listed.count(FAR) == listed.count("us-east1") == (1 if found else 0)


async def test_a_look_that_begins_late_is_no_reason_for_another(
    google: ControlClient, cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine time goes by between the question and the reading."""
    google.put("redis", PROJECT, FAR, "cache", network="staging-vpc")
    observer = Observer(cloud, Pace())
    redis = {"memorystore": {"instance": "cache"}}
    assert (await observe(cloud, redis, observer)).redis_elsewhere == (FAR,)
    slow = SimpleNamespace(monotonic=lambda: time.monotonic() - 0.5)
    monkeypatch.setattr("redis_connectivity.reconcile.elsewhere.time", slow)
    assert (await observe(cloud, redis, observer)).redis_elsewhere == (FAR,)
    assert lists(google, "redis.instances.list").count("-") == 1


async def test_a_slip_in_the_name_is_found_nowhere(google: ControlClient, cloud: GoogleCloud) -> None:
    google.put("redis", PROJECT, FAR, "cache", network="staging-vpc")
    assert (await observe(cloud, {"memorystore": {"instance": "cash"}})).redis_elsewhere == ()
    assert "-" in lists(google, "redis.instances.list")


async def test_what_cannot_be_read_here_is_looked_for_nowhere_else(google: ControlClient, cloud: GoogleCloud) -> None:
    google.put("redis", PROJECT, FAR, "cache", network="staging-vpc")
    google.allow(PROJECT, {"anonymous": ["compute.*", "vpcaccess.*"]})
    seen = await observe(cloud, {"memorystore": {"instance": "cache"}})
    assert isinstance(seen.redis, Unseen)
    assert (seen.redis.reason, seen.redis_elsewhere) == (Reason.PERMISSION_DENIED, ())
    assert lists(google, "redis.instances.list") == [REGION]


async def test_a_look_at_all_regions_that_fails_is_no_trouble(google: ControlClient, cloud: GoogleCloud) -> None:
    """Here there is none: that much is known, whatever else cannot be. It is not tried again with each look."""
    google.put("redis", PROJECT, FAR, "cache", network="staging-vpc")
    google.fault("redis.instances.list", resource="*/locations/-*", status=503)
    observer = Observer(cloud, Pace())
    seen = [await observe(cloud, {"memorystore": {"instance": "cache"}}, observer) for _ in range(3)]
    assert [(one.redis, one.redis_elsewhere) for one in seen] == [(None, ())] * 3
    first = lists(google, "redis.instances.list").count("-")
    await observe(cloud, {"memorystore": {"instance": "cache"}}, observer)
    assert lists(google, "redis.instances.list").count("-") == first > 0


async def test_a_project_whose_quota_is_used_up_is_not_asked_for_a_hint(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    """Nobody waits for quota to be told where else something is."""
    redis = {"memorystore": {"instance": "cache"}}
    assert (await observe(cloud, redis)).redis is None
    cloud.inventory.forget(keys.redis_instances(PROJECT, keys.EVERYWHERE))
    used_up = QuotaExhausted("no more", project=PROJECT, service="redis", method="instances.list", resource="")
    cloud.governor.report(PROJECT, QuotaGroup.REDIS, used_up)
    observer, want = Observer(cloud, Pace()), desired(redis)
    seen = await asyncio.wait_for(observer.observe(want, Ledger(), fresh=False, lane=Lane.POLL), 30)
    assert (seen.redis, seen.redis_elsewhere) == (None, ())
    assert lists(google, "redis.instances.list").count("-") == 1
