"""Cloud Run services deployed through the API, on the real data plane: their traffic takes the declared way."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from redis_connectivity_lab.cloudside import CloudSide
from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.emulator.timings import Timings
from support.waiting import wait_until

pytestmark = pytest.mark.lab

PROJECT, REGION, NETWORK = "acme-run", "us-central1", "run-vpc"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
REDIS = "10.128.0.5"
IMAGE = "us-docker.pkg.dev/acme/images/redis-connectivity:1.0"
#: By name, how a service gets into the network, and the range that its traffic then comes from.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "connector": ({"connector": f"{PARENT}/connectors/run-connector"}, "10.2.0.0/28"),
    "direct": ({"networkInterfaces": [{"network": NETWORK, "subnetwork": "run"}]}, "10.64.0.0/24"),
}


def allow(cloud: CloudSide, way: str) -> None:
    rule = {"direction": "INGRESS", "priority": 900, "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}]}
    cloud.control.put("firewalls", PROJECT, f"from-{way}", network=NETWORK, sourceRanges=[WAYS[way][1]], **rule)


@pytest.fixture(scope="module")
def cloud() -> Iterator[CloudSide]:
    with CloudSide(Timings(connector_create=0.1, run_deploy=0.1, run_delete=0.1)) as running:
        control = running.control
        control.project(PROJECT)
        control.allow(PROJECT, {ANONYMOUS: ["run.*"]})
        control.put("networks", PROJECT, NETWORK)
        control.put("subnetworks", PROJECT, REGION, "machines", network=NETWORK, ipCidrRange="10.128.0.0/20")
        control.put("subnetworks", PROJECT, REGION, "run", network=NETWORK, ipCidrRange="10.64.0.0/24")
        control.put("connectors", PROJECT, REGION, "run-connector", network=NETWORK, ipCidrRange="10.2.0.0/28")
        where = {"network": NETWORK, "address": REDIS, "tags": ["redis-instance"], "redisPort": 6379}
        control.put("instances", PROJECT, f"{REGION}-a", "redis-vm", **where)
        # Stronger than Google's own allows for a connector.
        deny = {"direction": "INGRESS", "priority": 950, "denied": [{"IPProtocol": "all"}]}
        control.put("firewalls", PROJECT, "deny-all", network=NETWORK, sourceRanges=["0.0.0.0/0"], **deny)
        for name in WAYS:
            allow(running, name)
        running.settle()
        yield running


def call(url: str, body: Any = None, method: str | None = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={key.replace("_", "-"): v for key, v in headers.items()})
    request.method = method or ("POST" if data else "GET")
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    return json.loads(text) if answer.headers.get_content_type() == "application/json" else text


def deploy(cloud: CloudSide, name: str, access: dict[str, Any], image: str = IMAGE) -> dict[str, Any]:
    """The service as it is once its operation has ended; made, or changed where it is there."""
    template = {"containers": [{"image": image, "args": ["prober"]}], "vpcAccess": access}
    base = f"{cloud.url}/v2/{PARENT}/services"
    try:
        operation = call(f"{base}?serviceId={name}", {"template": template})
    except urllib.error.HTTPError as refusal:
        if refusal.code != HTTPStatus.CONFLICT:
            raise
        operation = call(f"{base}/{name}", {"template": template}, "PATCH")
    ended = call(f"{cloud.url}/v2/{operation['name']}:wait", {})
    assert ended["done"], ended
    return dict(ended["response"])


def probe(cloud: CloudSide, service: dict[str, Any]) -> dict[str, Any]:
    audience = urllib.parse.quote(service["uri"])
    identity = f"{cloud.url}/computeMetadata/v1/instance/service-accounts/default/identity?audience={audience}"
    token = call(identity, Metadata_Flavor="Google")
    asked = {"host": REDIS, "port": 6379, "timeoutSeconds": 2, "checks": [{"kind": "tcp"}, {"kind": "redisPing"}]}
    return dict(call(f"{service['uri']}/v1/probe", asked, Authorization=f"Bearer {token}"))


@pytest.mark.parametrize("way", WAYS)
def test_its_traffic_takes_the_declared_way(cloud: CloudSide, way: str) -> None:
    access, _ = WAYS[way]
    service = deploy(cloud, f"prober-{way}", access)
    assert probe(cloud, service)["ok"]
    # Without the rule for its own way, and with the other one's still there, nothing gets through.
    cloud.control.delete("firewalls", PROJECT, f"from-{way}")
    cloud.settle()
    assert not probe(cloud, service)["ok"]
    allow(cloud, way)
    cloud.settle()
    assert probe(cloud, service)["ok"]


def test_a_new_revision_takes_over(cloud: CloudSide) -> None:
    access, _ = WAYS["connector"]
    first = deploy(cloud, "changing", access)
    assert probe(cloud, first)["ok"]
    second = deploy(cloud, "changing", access, f"{IMAGE}.1")
    assert second["latestReadyRevision"] != first["latestReadyRevision"]
    assert probe(cloud, second)["ok"]

    def running() -> list[str]:
        return [one["name"] for one in cloud.status()["services"] if one["name"] == "changing"]

    wait_until(lambda: running() == ["changing"], deadline=60, describe="one process alone")
    call(f"{cloud.url}/v2/{PARENT}/services/changing", method="DELETE")
    wait_until(lambda: running() == [], deadline=60, describe="no process")
