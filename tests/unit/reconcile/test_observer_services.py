"""Cloud Run services are known where they are read for a prober, and never read to be named."""

from __future__ import annotations

from typing import Any

import pytest

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.consent import services_on
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.runvalues import RunService, WayOut
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity_lab.emulator import EmulatorThread, Timings

PROJECT, REGION, NAME = "acme-staging", "us-central1", "staging-connector"
IMAGE = "us-docker.pkg.dev/acme/images/redis-connectivity:1.0"


@pytest.mark.parametrize(("probe", "named"), [({"from": "CloudRun"}, ("chat",)), ({}, ())])
async def test_who_uses_a_connector_is_known_where_a_prober_is_deployed(
    probe: dict[str, Any], named: tuple[str, ...]
) -> None:
    with EmulatorThread(Timings.instant()) as running:
        google, url = running.control, running.control.url
        google.project(PROJECT)
        google.put("networks", PROJECT, "staging-vpc")
        google.put("connectors", PROJECT, REGION, NAME, network="staging-vpc", ipCidrRange="10.2.0.0/28")
        path = f"projects/{PROJECT}/locations/{REGION}/connectors/{NAME}"
        google.put("connectors", PROJECT, REGION, "another", network="staging-vpc", ipCidrRange="10.3.0.0/28")
        endpoints = Endpoints(compute=url, vpcaccess=url, redis=url, run=url)
        cloud = await GoogleCloud.open(
            CloudConfig(endpoints=endpoints, credentials=CredentialsConfig(mode="anonymous"))
        )
        try:
            for name, way in (("chat", path), ("web", path.replace(NAME, "another"))):
                service = RunService(PROJECT, REGION, name, IMAGE, ("prober",), WayOut(connector=way))
                await cloud.create_run_service(service, lane=Lane.USER_CHANGE)
            spec: dict[str, Any] = {"environment": "staging", "projectId": PROJECT, "region": REGION, "probe": probe}
            spec |= {"connector": {"ipCidrRange": "10.2.0.0/28"}, "redis": {"vm": {"host": "10.128.0.5"}}}
            owner = ResourceId("cluster", "ns", "path", "uid")
            want, observer = resolve(owner, RedisConnectivitySpec.model_validate(spec)), Observer(cloud, Pace())
            if probe:
                # As the prober's own work does; the observation reads nothing for it.
                await observer.run_services(PROJECT, REGION, fresh=True, lane=Lane.POLL)
            seen = await observer.observe(want, Ledger(), fresh=True, lane=Lane.POLL)
            assert isinstance(seen.connector, Connector)
            assert services_on(want, seen.connector, seen) == named
            assert len(google.audit(method="run.services.list")) == bool(probe)
        finally:
            await cloud.close()
