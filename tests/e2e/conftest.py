"""One lab for the whole folder; one operator for most of its tests, which each have a project and namespace alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import Lab
from support.commands import Commands
from support.place import Place

TIMINGS = Timings(firewall=0.1, connector_create=0.5, connector_update=0.4, connector_delete=0.4)
SETTINGS = {"POLL_INTERVAL": "0.5", "SCARCE_POLL_INTERVAL": "1", "STATUS_HEARTBEAT": "600", "RELIST_INTERVAL": "5"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show where everything stood when a test failed."""
    report = yield
    if report.failed and report.when == "call":
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Place):
                try:
                    report.sections.append(
                        (f"namespace {value.namespace}, project {value.world.project}", value.report())
                    )
                except Exception as error:  # noqa: BLE001 - the test's own failure is the news, not this
                    report.sections.append(("report", f"could not be made: {error!r}"))
    return report


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    with Lab(TIMINGS, settings=SETTINGS) as running:
        yield running


@pytest.fixture
def operator(lab: Lab) -> OperatorProcess:
    """The operator that looks after all namespaces; started when it is first wanted."""
    if not lab.operator.alive:
        lab.operator.start()
    return lab.operator


@pytest.fixture
def place(lab: Lab, operator: OperatorProcess, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A project and a namespace of the test's own (parametrise indirectly: memorystore, plain)."""
    kind = getattr(request, "param", "vm")
    made = Place.make(lab, (operator,), memorystore=kind == "memorystore")
    try:
        yield made
        made.assert_unhurt()
    finally:
        made.clear()


@pytest.fixture
def commands(place: Place, tmp_path: Path) -> Iterator[Commands]:
    """Commands that ask the lab's Google, each as a user runs them."""
    url = place.world.google
    endpoints = dict.fromkeys(("COMPUTE", "VPCACCESS", "REDIS", "REDIS_CLUSTER", "RUN", "IAM_CREDENTIALS"), url)
    endpoints["MEMORYSTORE"] = f"{url}/memorystore"
    named = {f"REDIS_CONNECTIVITY_{name}_ENDPOINT": endpoint for name, endpoint in endpoints.items()}
    metadata = url.partition("://")[2]
    named |= {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata}
    run = Commands(tmp_path, {**named, "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous", "COLUMNS": "300"})
    try:
        yield run
    finally:
        run.end()


@pytest.fixture
def kubeconfig(lab: Lab) -> str:
    return str(lab.control_plane.kubeconfig)
