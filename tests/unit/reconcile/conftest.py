"""What tests of the observer look at: the emulated Google Cloud that a file's own `google` has filled."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity_lab.emulator import ControlClient


@pytest.fixture
async def cloud(google: ControlClient) -> AsyncIterator[GoogleCloud]:
    url = google.url
    endpoints = Endpoints(compute=url, vpcaccess=url, redis=url, redis_cluster=url, memorystore=f"{url}/memorystore")
    opened = await GoogleCloud.open(
        CloudConfig(endpoints=endpoints, credentials=CredentialsConfig(mode="anonymous")), rng=random.Random(1)
    )
    yield opened
    await opened.close()
