"""The lab as the benches use it: many projects, many resources, no probes; only the operator's own work is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis_connectivity_lab.controlplane.rest import ApiError
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import Lab

__all__ = ["Ground", "opened"]

_COLLECTION = "/apis/redisconnectivity.io/v1alpha1/namespaces/{}/redisconnectivities"
#: Budgets that do not bind: a quota's waiting is not the operator's time.
_BUDGETS = {
    "COMPUTE_READ_BUDGET": "600000",
    "COMPUTE_WRITE_BUDGET": "600000",
    "VPCACCESS_BUDGET": "600000",
    "REDIS_BUDGET": "600000",
}


class Ground:
    """A lab with an operator in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.control = lab.cloud.control
        self.client = lab.control_plane.client

    def projects(self, prefix: str, count: int) -> list[str]:
        """Fresh projects with a network each."""
        names = [f"{prefix}-{number:03d}" for number in range(count)]
        for name in names:
            self.control.project(name)
            self.control.put("networks", name, "staging-vpc")
        return names

    def resource(self, project: str, name: str, *, managed: bool = False) -> dict[str, Any]:
        """A resource with a VM target; the connector is not managed unless asked for, so only rules are made."""
        return {
            "apiVersion": "redisconnectivity.io/v1alpha1",
            "kind": "RedisConnectivity",
            "metadata": {"name": name},
            "spec": {
                "environment": "staging",
                "projectId": project,
                "region": "us-central1",
                "connector": {"ipCidrRange": "10.2.0.0/28", "management": "Managed" if managed else "None"},
                "redis": {"vm": {"host": "10.128.0.5"}},
            },
        }

    def create(self, namespace: str, resources: list[dict[str, Any]]) -> None:
        """Create resources, one request each."""
        for one in resources:
            self.client.call("POST", _COLLECTION.format(namespace), one)

    def ready(self, namespace: str) -> int:
        """How many are Ready and in sync."""
        try:
            items = self.client.call("GET", _COLLECTION.format(namespace))["items"]
        except ApiError:
            return 0
        return sum(_is(one, "Ready") and _is(one, "InSync") for one in items)

    def wait_ready(self, namespace: str, count: int, deadline: float = 600.0) -> None:
        """Return when `count` resources are Ready."""
        wait_until(
            lambda: self.ready(namespace) >= count,
            deadline=deadline,
            interval=0.02 if count == 1 else 0.25,
            describe=lambda: (
                f"{count} resources to be ready, {self.ready(namespace)} are; {self.lab.operator.log_tail(10)}"
            ),
        )


def _is(body: dict[str, Any], kind: str) -> bool:
    conditions = body.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


@contextmanager
def opened(timings: Timings, poll: float = 3.0) -> Iterator[Ground]:
    """A lab of its own with a started operator."""
    with Lab(timings, settings={"POLL_INTERVAL": str(poll), **_BUDGETS}) as lab:
        lab.operator.start()
        yield Ground(lab)
