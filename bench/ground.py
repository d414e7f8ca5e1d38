"""The lab as the benches use it: many projects and resources; probes only where a resource names a prober."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import yaml

from redis_connectivity_lab.controlplane import ControlPlane
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import Lab

__all__ = ["REDIS_HOST", "Ground", "Watch", "opened"]

_COLLECTION = "/apis/redisconnectivity.io/v1alpha1/namespaces/{}/redisconnectivities"
#: Of every project's Redis: projects do not share networks.
REDIS_HOST = "10.128.0.5"
_REGION = "us-central1"
_STOP_SECONDS = 10.0
_IDLE_SECONDS = 10.0
#: Budgets that do not bind: a quota's waiting is not the operator's time. No probes: there are no Redis servers.
_SETTINGS = {
    "COMPUTE_READ_BUDGET": "600000",
    "COMPUTE_WRITE_BUDGET": "600000",
    "VPCACCESS_BUDGET": "600000",
    "REDIS_BUDGET": "600000",
    "OPERATOR_PROBES": "false",
}


class _Api:
    """One connection to the API server, kept: a TLS handshake a request would be the bench's own time."""

    def __init__(self, control_plane: ControlPlane) -> None:
        config = yaml.safe_load(control_plane.kubeconfig.read_text(encoding="utf-8"))
        address = urlsplit(control_plane.url)
        trust = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self.connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=600, context=trust)
        self._used = time.monotonic()
        self._headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/json",
        }

    def open(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """The response, not yet read."""
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.connection.close()  # the API server may have, too; it is opened again by itself
        self._used = time.monotonic()
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, body=data, headers=self._headers)
        response = self.connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {response.status}: {response.read().decode()[:500]}")
        return response


class Watch:
    """Notes when each resource of a namespace was first Ready and in sync, as a watching client sees it."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._api = _Api(control_plane)
        self._path = f"{_COLLECTION.format(namespace)}?watch=1"
        self._thread = threading.Thread(target=self._follow, name=f"watch {namespace}", daemon=True)
        self._lock = threading.Lock()
        self._ready: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._response = self._api.open("GET", self._path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Shut down, not closed: the reader holds the response, and reads on what is only closed.
        with contextlib.suppress(OSError):
            self._api.connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(_STOP_SECONDS)
        self._api.connection.close()

    def _follow(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # the end, see __exit__
            while line := self._response.readline():
                body = json.loads(line)["object"]
                if _is(body, "Ready") and _is(body, "InSync"):
                    with self._lock:
                        self._ready.setdefault(body["metadata"]["name"], time.monotonic())

    def ready(self) -> dict[str, float]:
        """When (monotonic) each was Ready, of those that have been."""
        with self._lock:
            return dict(self._ready)

    def wait(self, names: list[str], deadline: float = 900.0) -> dict[str, float]:
        """Return when all of these have been Ready."""
        wait_until(
            lambda: self.ready().keys() >= set(names),
            deadline=deadline,
            describe=lambda: f"{len(names)} resources to be ready; {len(self.ready())} have been",
        )
        return self.ready()


class Ground:
    """A lab with an operator in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.control = lab.cloud.control
        self._api = _Api(lab.control_plane)

    @property
    def pid(self) -> int:
        """The operator's process."""
        return self.lab.operator.pid

    def projects(self, prefix: str, count: int) -> list[str]:
        """Fresh projects with a network each."""
        names = [f"{prefix}-{number:03d}" for number in range(count)]
        for name in names:
            self.control.project(name)
            self.control.put("networks", name, "staging-vpc")
        return names

    def open_path(self, project: str) -> str:
        """Give a project a connector, a Redis, a prober, and somebody's rule that lets them meet; the prober's URL."""
        control, network = self.control, "staging-vpc"
        control.put("subnetworks", project, _REGION, "redis", network=network, ipCidrRange="10.128.0.0/20")
        machine = (project, f"{_REGION}-a", "redis-vm")
        control.put("instances", *machine, network=network, address=REDIS_HOST, redisPort=6379)
        control.put(
            "connectors",
            project,
            _REGION,
            "staging-connector",
            network=network,
            ipCidrRange="10.2.0.0/28",
            minInstances=2,
            maxInstances=3,
            machineType="e2-micro",
        )
        control.put(
            "firewalls",
            project,
            "somebody-allows-redis",
            network=network,
            direction="INGRESS",
            priority=1000,
            allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}],
            sourceRanges=["10.2.0.0/28"],
        )
        path = f"projects/{project}/locations/{_REGION}/connectors/staging-connector"
        control.put("services", project, _REGION, "prober", connector=path)
        return f"{self.lab.cloud.url}/_run/{project}/{_REGION}/prober"

    def watch(self, namespace: str) -> Watch:
        """A new namespace, and a watch on it."""
        self.lab.control_plane.create_namespace(namespace)
        return Watch(self.lab.control_plane, namespace)

    def create(self, namespace: str, name: str, project: str, *, managed: bool = False, **spec: object) -> float:
        """Create a resource with a VM target; answers when (monotonic) that was asked for.

        The connector is not managed unless asked for, so that only a rule is made. `spec` has more of the spec.
        """
        body = {
            "apiVersion": "redisconnectivity.io/v1alpha1",
            "kind": "RedisConnectivity",
            "metadata": {"name": name},
            "spec": {
                "environment": "staging",
                "projectId": project,
                "region": "us-central1",
                "connector": {"ipCidrRange": "10.2.0.0/28", "management": "Managed" if managed else "None"},
                "redis": {"vm": {"host": REDIS_HOST}},
                **spec,
            },
        }
        begun = time.monotonic()
        self._api.open("POST", _COLLECTION.format(namespace), body).read()
        return begun

    def rules(self, project: str) -> list[str]:
        """The names of a project's rules, read in the emulator's memory: asking over HTTP would load it."""
        found: list[str] = self.lab.cloud.emulator.call(lambda emulator: sorted(emulator.store.get(project).firewalls))
        return found


def _is(body: dict[str, Any], kind: str) -> bool:
    conditions = body.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


@contextmanager
def opened(timings: Timings, poll: float = 3.0, *, kind: Literal["relay", "auto"] = "relay") -> Iterator[Ground]:
    """A lab of its own with a started operator; `kind` auto where packets count."""
    with Lab(timings, kind=kind, settings={"POLL_INTERVAL": str(poll), **_SETTINGS}) as lab:
        lab.operator.start()
        yield Ground(lab)
