"""What every test may use; the lab's parts are started on first use, once a session."""

import secrets
from collections.abc import Iterator

import hypothesis
import pytest

from redis_connectivity_lab.controlplane import ControlPlane, find

# How fast examples are made and run is the machine's affair: labs run beside the unit tests. What they find is not.
hypothesis.settings.register_profile(
    "project", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A real etcd and kube-apiserver, shared by all tests of the session."""
    with ControlPlane(find()) as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace, gone with everything in it afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.purge_namespace(name)
