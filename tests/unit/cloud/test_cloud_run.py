"""The Cloud Run door against the emulator, and ID tokens as a workload on Google Cloud gets them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import Conflict, NotFound, Unauthenticated
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.core.runvalues import Rollout, RunService, WayOut
from redis_connectivity_lab.emulator import Emulator, EmulatorThread, Timings
from support.waiting import eventually

PROJECT, REGION, LANE = "acme-staging", "us-central1", Lane.REPAIR
CONNECTOR = f"projects/{PROJECT}/locations/{REGION}/connectors/staging-connector"
SERVICE = RunService(
    project=PROJECT,
    region=REGION,
    name="prober",
    image="gcr.io/acme/operator:1.0",
    args=("prober",),
    way=WayOut(CONNECTOR),
    labels=frozenset({("redis-connectivity-cluster", "uid")}),
    service_account="prober@acme-staging.iam.gserviceaccount.com",
)


@asynccontextmanager
async def cloud() -> AsyncIterator[tuple[GoogleCloud, Emulator]]:
    async with Emulator(Timings.instant()) as emulator:
        emulator.lab.project(PROJECT)
        emulator.lab.put("networks", PROJECT, ("staging-vpc",), {})
        place = {"network": "staging-vpc", "ipCidrRange": "10.2.0.0/28"}
        emulator.lab.put("connectors", PROJECT, (REGION, "staging-connector"), place)
        subnet = {"network": "staging-vpc", "ipCidrRange": "10.64.0.0/24"}
        emulator.lab.put("subnetworks", PROJECT, (REGION, "run"), subnet)
        config = CloudConfig(Endpoints(run=emulator.url), CredentialsConfig(mode="anonymous"))
        google = await GoogleCloud.open(config)
        try:
            yield google, emulator
        finally:
            await google.close()


async def deployed(google: GoogleCloud, name: str = "prober") -> RunService:
    """The service once Google is done with it."""

    async def seen() -> RunService | None:
        found = await google.fresh_run_service(PROJECT, REGION, name, LANE)
        assert found is not None
        return found if found.rollout is not Rollout.UNDER_WAY else None

    return await eventually(seen, deadline=60, describe="the deployment to end")


async def test_a_service_goes_there_and_back() -> None:
    async with cloud() as (google, emulator):
        await google.create_run_service(SERVICE, lane=LANE)
        found = await deployed(google)
        uri = f"{emulator.url}/_run/{PROJECT}/{REGION}/prober"
        assert found == replace(SERVICE, uri=uri, rollout=Rollout.SUCCEEDED, serves=True)
        listed = await google.inventory.refresh(keys.run_services(PROJECT, REGION))
        assert dict(listed.items) == {"prober": found}
        with pytest.raises(Conflict):
            await google.create_run_service(SERVICE, lane=LANE)

        way = WayOut(
            network=f"projects/{PROJECT}/global/networks/staging-vpc",
            subnetwork=f"projects/{PROJECT}/regions/{REGION}/subnetworks/run",
            tags=frozenset({"a", "b"}),
        )
        await google.update_run_service(replace(SERVICE, way=way, attempt=2), lane=LANE)
        found = await deployed(google)
        assert (found.way, found.attempt, found.labels) == (way, 2, SERVICE.labels)

        await google.delete_run_service(PROJECT, REGION, "prober", lane=LANE)

        async def gone() -> bool:
            return await google.fresh_run_service(PROJECT, REGION, "prober", LANE) is None

        await eventually(gone, deadline=60, describe="the service to go")
        with pytest.raises(NotFound):
            await google.delete_run_service(PROJECT, REGION, "prober", lane=LANE)


async def test_a_failed_deployment_says_why() -> None:
    async with cloud() as (google, emulator):
        emulator.lab.project(PROJECT, missing_images=[SERVICE.image])
        await google.create_run_service(SERVICE, lane=LANE)
        found = await deployed(google)
    assert (found.rollout, found.serves, found.uri) == (Rollout.FAILED, False, "")
    assert f"Image '{SERVICE.image}' not found." in found.message


async def test_one_that_is_on_its_way_out_is_seen_alone_but_not_listed() -> None:
    async with cloud() as (google, emulator):
        emulator.timings.run_delete = 60.0
        await google.create_run_service(SERVICE, lane=LANE)
        await deployed(google)
        await google.delete_run_service(PROJECT, REGION, "prober", lane=LANE)
        found = await google.run.get_service(PROJECT, REGION, "prober", LANE)
        assert found.deleting
        assert await google.run.list_services(PROJECT, REGION, LANE) == ()


async def test_without_credentials_and_metadata_server_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GCE_METADATA_HOST", raising=False)
    async with cloud() as (google, _):
        with pytest.raises(Unauthenticated, match="GCE_METADATA_HOST"):
            await google.tokens.bearer("https://prober.run.app")


#: In a process of its own: google-auth reads where the metadata server is when it is imported.
_ASK = """
import asyncio, sys
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.options import CredentialsConfig

async def main():
    cloud = await GoogleCloud.open(CloudConfig(credentials=CredentialsConfig(mode="anonymous")))
    first, again = [await cloud.tokens.bearer(sys.argv[1]) for _ in range(2)]
    other = await cloud.tokens.bearer("https://other.run.app")
    assert first == again and other != first
    cloud.tokens.forget(sys.argv[1])
    sys.stdout.write(await cloud.tokens.bearer(sys.argv[1]))
    await cloud.close()

asyncio.run(main())
"""


def test_the_metadata_server_gives_a_token_for_one_service() -> None:
    audience = "https://prober.run.app"
    with EmulatorThread(Timings.instant()) as emulator:
        host = emulator.url.partition("://")[2]
        env = {**os.environ, "GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}
        done = subprocess.run(
            [sys.executable, "-c", _ASK, audience], env=env, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        known = emulator.call(lambda one: one._id_tokens.principal(f"Bearer {done.stdout}", audience))
        elsewhere = emulator.call(lambda one: one._id_tokens.principal(f"Bearer {done.stdout}", "https://x.run.app"))
    assert known == "anonymous"
    assert elsewhere is None
