"""An emulator per test, with a project and a network, and ways to speak to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator_support import PROJECT, Clients, Http

from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(Timings.instant(), seed=1) as running:
        yield running


@pytest.fixture
def control(emulator: EmulatorThread) -> ControlClient:
    client = emulator.control
    client.project(PROJECT)
    client.put("networks", PROJECT, "staging-vpc")
    return client


@pytest.fixture
def http(emulator: EmulatorThread, control: ControlClient) -> Iterator[Http]:
    plain = Http(emulator.url)
    with plain.session:
        yield plain


@pytest.fixture
def clients(emulator: EmulatorThread, control: ControlClient) -> Clients:
    return Clients(emulator.url)
