"""What Google grants few calls for is read once for many that want it fresh."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity_lab.emulator import Emulator, Timings

PROJECT, REGION = "acme-staging", "us-central1"


@pytest.mark.parametrize(
    ("kind", "redis", "made", "method"),
    [
        ("clusters", {"cluster": {"name": "cache"}}, RedisCluster, "redis.clusters.list"),
        ("valkeys", {"valkey": {"instance": "cache"}}, ValkeyInstance, "memorystore.instances.list"),
    ],
)
async def test_many_changes_share_one_list(kind: str, redis: dict[str, Any], made: type, method: str) -> None:
    spec = {"environment": "staging", "projectId": PROJECT, "region": REGION, "redis": redis}
    spec["connector"] = {"ipCidrRange": "10.2.0.0/28"}
    async with Emulator(Timings.instant()) as emulator:
        emulator.lab.project(PROJECT)
        emulator.lab.put("networks", PROJECT, ("staging-vpc",), {"autoCreateSubnetworks": False})
        emulator.lab.put(kind, PROJECT, (REGION, "cache"), {"network": "staging-vpc"})
        cloud = await GoogleCloud.open(
            CloudConfig(
                endpoints=Endpoints(
                    compute=emulator.url,
                    vpcaccess=emulator.url,
                    redis=emulator.url,
                    redis_cluster=emulator.url,
                    memorystore=f"{emulator.url}/memorystore",
                ),
                credentials=CredentialsConfig(mode="anonymous"),
            )
        )
        try:
            observer = Observer(cloud, Pace())
            for number in range(4):
                owners = [ResourceId("cluster", "ns", f"path-{number}-{one}", f"uid-{number}-{one}") for one in "abc"]
                wants = [resolve(owner, RedisConnectivitySpec.model_validate(spec)) for owner in owners]
                seen = await asyncio.gather(
                    *(observer.observe(want, Ledger(), fresh=True, lane=Lane.USER_CHANGE) for want in wants)
                )
                assert all(isinstance(one.redis, made) for one in seen)
        finally:
            await cloud.close()
        calls = [one.method for one in emulator.audit.records(kind="read")]
    assert calls.count(method) == 1
    # What may be read as often as one likes is read anew each time, once for all who ask together.
    assert calls.count("compute.firewalls.list") >= 4
