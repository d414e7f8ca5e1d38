"""The lab's side: topology, subscriptions, control endpoints, Cloud Run's front end, the process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from emulator_support import COMPUTE, LOCATION, PARENT, PROJECT, REGION, Http, connector, rule

from redis_connectivity_lab.dataplane.compile import compile_topology
from redis_connectivity_lab.emulator import ControlClient, ControlError, Emulator, EmulatorThread, Timings
from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, NetworkId, Rule, ServiceId

NET = NetworkId(PROJECT, "staging-vpc")
CONNECTOR = f"{PARENT}/connectors/staging-connector"


def test_topology(emulator: EmulatorThread, control: ControlClient) -> None:
    assert emulator.topology().networks == {NET}
    control.put("connectors", PROJECT, REGION, "staging-connector", **connector())
    control.put(
        "instances",
        PROJECT,
        "us-central1-a",
        "redis-vm",
        network="staging-vpc",
        address="10.1.0.5",
        tags=["redis-instance", "db"],
        serviceAccount="redis@acme.iam.gserviceaccount.com",
        redisPort=6379,
        redisPassword="pw",
    )
    control.put("redis", PROJECT, REGION, "cache", network="staging-vpc", authString="s", reservedIpRange="10.5.0.0/29")
    control.put("services", PROJECT, REGION, "prober", connector="staging-connector")
    control.put("firewalls", PROJECT, "deny", network="staging-vpc", **_deny())
    topology = emulator.topology()
    assert topology.hosts == {
        Host(
            id=CONNECTOR,
            kind=HostKind.CONNECTOR,
            network=NET,
            address=IPv4Address("10.2.0.2"),
            range=IPv4Network("10.2.0.0/28"),
            tags=("vpc-connector", "vpc-connector-us-central1-staging-connector"),
            region=REGION,
        ),
        Host(
            id=f"projects/{PROJECT}/zones/us-central1-a/instances/redis-vm",
            kind=HostKind.VM,
            network=NET,
            address=IPv4Address("10.1.0.5"),
            range=IPv4Network("10.1.0.5/32"),
            tags=("db", "redis-instance"),
            service_account="redis@acme.iam.gserviceaccount.com",
            redis_port=6379,
            redis_password="pw",
            region=REGION,
        ),
        Host(
            id=f"{PARENT}/instances/cache",
            kind=HostKind.MANAGED,
            network=NET,
            address=IPv4Address("10.5.0.3"),
            range=IPv4Network("10.5.0.3/32"),
            redis_port=6379,
            redis_password="s",
        ),
    }
    assert topology.services == {ServiceId(PROJECT, REGION, "prober", CONNECTOR)}
    rules = {each.name: each for each in topology.rules}
    assert rules["deny"] == Rule(
        network=NET,
        name="deny",
        direction=Direction.EGRESS,
        priority=500,
        allow=False,
        matches=(L4Match("tcp", ((1, 100), (6379, 6379))), L4Match("icmp")),
        destination_ranges=("10.0.0.0/8",),
        target_tags=("vpc-connector",),
        disabled=True,
    )
    own = rules["aet-uscentral1-staging--connector-egrfw"]
    assert (own.allow, own.priority, own.direction) == (False, 100, Direction.EGRESS)
    assert own.target_tags == ("vpc-connector-us-central1-staging-connector",)
    # What users do not see is in force all the same.
    control.project(PROJECT, aetVisible=False)
    assert emulator.topology().rules == topology.rules
    assert emulator.topology() == topology
    assert len(control.topology()["rules"]) == len(topology.rules)


def _deny() -> dict[str, Any]:
    return {
        "direction": "EGRESS",
        "priority": 500,
        "denied": [{"IPProtocol": "tcp", "ports": ["1-100", "6379"]}, {"IPProtocol": "icmp"}],
        "destinationRanges": ["10.0.0.0/8"],
        "targetTags": ["vpc-connector"],
        "disabled": True,
    }


def test_ipv6_rules_do_not_become_rules_for_everyone(emulator: EmulatorThread, control: ControlClient) -> None:
    control.put(
        "firewalls", PROJECT, "six", network="staging-vpc", allowed=[{"IPProtocol": "tcp"}], sourceRanges=["fd00::/8"]
    )
    control.put("instances", PROJECT, "us-central1-a", "vm", network="staging-vpc", address="10.1.0.5", tags=["t"])
    (compiled,) = compile_topology(emulator.topology()).values()
    (machine,) = compiled.hosts
    assert machine.ingress == ()


@pytest.mark.parametrize(
    ("state", "there"), [("READY", True), ("UPDATING", True), ("ERROR", False), ("DELETING", False)]
)
def test_only_a_running_connector_is_a_host(
    emulator: EmulatorThread, control: ControlClient, state: str, there: bool
) -> None:
    control.put("connectors", PROJECT, REGION, "staging-connector", **connector())
    control.patch("connectors", PROJECT, REGION, "staging-connector", state=state)
    assert bool(emulator.topology().hosts) is there


def test_a_stopped_vm_is_no_host(emulator: EmulatorThread, control: ControlClient) -> None:
    key = ("us-central1-a", "vm")
    control.put("instances", PROJECT, *key, network="staging-vpc", address="10.1.0.5", tags=["t"], redisPort=6379)
    control.patch("instances", PROJECT, *key, status="TERMINATED")
    assert emulator.topology().hosts == frozenset()
    control.patch("instances", PROJECT, *key, status="RUNNING", tags=["u"])
    (host,) = emulator.topology().hosts
    assert (host.tags, host.redis_port) == (("u",), 6379)
    control.delete("instances", PROJECT, *key)
    assert emulator.topology().hosts == frozenset()


async def test_subscribers_hear_of_changes_once_per_turn() -> None:
    heard: list[int] = []
    async with Emulator(Timings.instant()) as emulator:
        end = emulator.subscribe(lambda: heard.append(len(emulator.topology().networks)))
        emulator.lab.project(PROJECT)
        for index in range(50):
            emulator.lab.put("networks", PROJECT, (f"net-{index}",), {})
        await asyncio.sleep(0)
        assert heard == [50]
        end()
        end()
        emulator.lab.put("networks", PROJECT, ("more",), {})
        await asyncio.sleep(0)
        assert heard == [50]
    with pytest.raises(RuntimeError, match="already"):
        async with emulator:
            await emulator.start()


def test_subscribers_hear_of_api_calls(emulator: EmulatorThread, http: Http) -> None:
    versions: list[int] = []
    emulator.call(lambda each: each.subscribe(lambda: versions.append(each.store.version)))
    http.done("POST", f"{COMPUTE}/global/firewalls", rule())
    assert versions


def test_reset_and_removal(http: Http, control: ControlClient) -> None:
    number = control.project(PROJECT)["number"]
    control.put("connectors", PROJECT, REGION, "c1", **connector())
    http.done("POST", f"{COMPUTE}/global/firewalls", rule())
    control.allow(PROJECT, {"anonymous": ["*"]})
    control.quotas(PROJECT, {"redis": 1})
    state = control.reset(PROJECT)
    assert (state["number"], state["iam"], state["quotas"]) == (number, None, {})
    assert "items" not in http("GET", f"{COMPUTE}/global/networks")[1]
    assert "items" not in http("GET", f"{COMPUTE}/global/operations")[1]
    control.remove_project(PROJECT)
    assert http("GET", f"{COMPUTE}/global/networks")[0] == 404
    assert control.request("GET", "projects") == {"projects": []}


def test_an_operation_of_before_a_reset_changes_nothing_after_it(http: Http, control: ControlClient) -> None:
    stall = control.fault("*", "stall_operation")
    http("POST", f"{COMPUTE}/global/firewalls", rule())
    http("POST", f"{LOCATION}/connectors?connectorId=c1", connector())
    control.reset(PROJECT)
    control.put("networks", PROJECT, "staging-vpc")
    control.remove_fault(stall)
    http.done("POST", f"{COMPUTE}/global/firewalls", rule(name="new"))
    assert [each["name"] for each in control.list("firewalls", PROJECT)] == ["new"]
    assert control.list("connectors", PROJECT) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("GET", "projects/none/networks", None, 404),
        ("PUT", "projects/none/networks/n", {}, 404),
        ("PUT", f"projects/{PROJECT}", {"colour": 1}, 400),
        ("PUT", f"projects/{PROJECT}", {"disabledApis": ["bigquery"]}, 400),
        ("PUT", f"projects/{PROJECT}/iam", {"bindings": ["x"]}, 400),
        ("PUT", f"projects/{PROJECT}/quotas", {"storage": 1}, 400),
        ("PUT", f"projects/{PROJECT}/quotas", {"redis": -1}, 400),
        ("PUT", f"projects/{PROJECT}/firewalls/x", {"network": "staging-vpc"}, 400),
        ("PUT", f"projects/{PROJECT}/instances/z/vm", {"network": "none", "address": "10.0.0.1"}, 400),
        ("PUT", f"projects/{PROJECT}/instances/z/vm", {"network": "staging-vpc", "address": "ten"}, 400),
        ("PUT", f"projects/{PROJECT}/instances/z/vm", {"network": "staging-vpc"}, 400),
        ("PUT", f"projects/{PROJECT}/instances/z/vm", {"network": "staging-vpc", "address": "10.0.0.1", "a": 1}, 400),
        (
            "PUT",
            f"projects/{PROJECT}/instances/z/vm",
            {"network": "staging-vpc", "address": "10.0.0.1", "status": "?"},
            400,
        ),
        ("PUT", f"projects/{PROJECT}/services/{REGION}/s", {"colour": 1}, 400),
        ("PUT", f"projects/{PROJECT}/connectors/{REGION}/c1", {"network": "none", "ipCidrRange": "10.2.0.0/28"}, 400),
        ("PUT", f"projects/{PROJECT}/redis/{REGION}/r1", {"network": "staging-vpc", "host": "ten"}, 400),
        ("PATCH", f"projects/{PROJECT}/services/{REGION}/s", {}, 400),
        ("PATCH", "timings", {"coffee": 1}, 400),
        ("DELETE", "faults/none", None, 404),
        ("GET", "audit?since=yesterday", None, 400),
        ("DELETE", "projects/none", None, 404),
    ],
)
def test_control_refuses_with_a_sentence(http: Http, method: str, path: str, body: Any, status: int) -> None:
    got, answer = http(method, f"/lab/v1/{path}", body)
    assert got == status
    assert answer["error"]["message"]


@pytest.mark.parametrize("verb", ["patch", "delete"])
@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("networks", ("none",)),
        ("subnetworks", (REGION, "none")),
        ("firewalls", ("none",)),
        ("instances", ("z", "none")),
        ("connectors", (REGION, "none")),
        ("redis", (REGION, "none")),
        ("services", (REGION, "none")),
        ("policies", ("none",)),
    ],
)
def test_control_says_what_is_not_there(control: ControlClient, verb: str, kind: str, key: tuple[str, ...]) -> None:
    with pytest.raises(ControlError) as caught:
        getattr(control, verb)(kind, PROJECT, *key)
    assert caught.value.status in {400, 404}


def test_control_changes_as_people_do(http: Http, control: ControlClient) -> None:
    http.done("POST", f"{COMPUTE}/global/firewalls", rule())
    name = "allow-vpc-connector-to-redis"
    before = http("GET", f"{COMPUTE}/global/firewalls/{name}")[1]
    control.patch("firewalls", PROJECT, name, sourceRanges=["10.2.0.0/30"], actor="mallory")
    after = http("GET", f"{COMPUTE}/global/firewalls/{name}")[1]
    assert after == before | {"sourceRanges": ["10.2.0.0/30"]}
    control.patch("networks", PROJECT, "staging-vpc", networkFirewallPolicyEnforcementOrder="BEFORE_CLASSIC_FIREWALL")
    assert http("GET", f"{COMPUTE}/global/networks/staging-vpc")[1]["networkFirewallPolicyEnforcementOrder"].startswith(
        "BEFORE"
    )
    control.delete("firewalls", PROJECT, name)
    assert http("GET", f"{COMPUTE}/global/firewalls/{name}")[0] == 404
    for kind in ("networks", "subnetworks", "instances", "services", "policies", "redis", "connectors"):
        assert isinstance(control.list(kind, PROJECT), list)


def test_a_replacement_that_is_refused_leaves_what_was_there(control: ControlClient) -> None:
    control.put("connectors", PROJECT, REGION, "c1", **connector())
    control.put("redis", PROJECT, REGION, "r1", network="staging-vpc")
    control.put("subnetworks", PROJECT, REGION, "s1", network="staging-vpc", ipCidrRange="10.1.0.0/24")
    before = [control.list(kind, PROJECT) for kind in ("connectors", "redis", "subnetworks", "firewalls")]
    with pytest.raises(ControlError):
        control.put("connectors", PROJECT, REGION, "c1", **connector(network="none"))
    with pytest.raises(ControlError):
        control.put("redis", PROJECT, REGION, "r1", network="none")
    with pytest.raises(ControlError):
        control.put("subnetworks", PROJECT, REGION, "s1", network="none", ipCidrRange="10.1.0.0/24")
    assert [control.list(kind, PROJECT) for kind in ("connectors", "redis", "subnetworks", "firewalls")] == before
    control.put("connectors", PROJECT, REGION, "c1", **connector(ipCidrRange="10.6.0.0/28"))
    sources = [each.get("sourceRanges") for each in control.list("firewalls", PROJECT)]
    assert len(sources) == 6
    assert ["10.6.0.0/28"] in sources


def test_health(control: ControlClient) -> None:
    assert control.healthy()
    assert not ControlClient("http://127.0.0.1:1").healthy()


@contextmanager
def _service(emulator: EmulatorThread, folder: Path) -> Iterator[Path]:
    """A process's stand-in that listens on a unix socket, in the emulator's loop."""
    socket = folder / "service.sock"

    async def echo(request: web.Request) -> web.Response:
        body = await request.text()
        text = f"{request.method} {request.path_qs} {body} {request.headers.get('X-Asked', '')}"
        return web.Response(text=text, status=int(request.query.get("status", "200")), headers={"X-Told": "yes"})

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        return runner

    runner = emulator.run(start())
    try:
        yield socket
    finally:
        emulator.run(runner.cleanup())


def test_cloud_run_front(emulator: EmulatorThread, http: Http, control: ControlClient, tmp_path: Path) -> None:
    base = f"/_run/{PROJECT}/{REGION}/prober"
    assert http("GET", f"{base}/x")[0] == 404
    assert http("GET", "/_run/only")[0] == 404
    control.put("services", PROJECT, REGION, "prober", connector="staging-connector")
    status, text = http("GET", f"{base}/x")
    assert status == 503
    assert "The service you requested is not available yet." in text
    asked: list[ServiceId] = []
    with _service(emulator, tmp_path) as socket:

        def route(service: ServiceId) -> Path:
            asked.append(service)
            return socket

        emulator.call(lambda each: each.set_service_router(route))
        assert http("GET", f"{base}/probe?host=10.1.0.5&a=%20b") == (200, "GET /probe?host=10.1.0.5&a=%20b  ")
        assert http("GET", base) == (200, "GET /  ")
        assert http("GET", f"{base}?status=418") == (418, "GET /?status=418  ")
        response = http.session.post(f"{http.url}{base}/a/b", data="body", headers={"X-Asked": "hop"}, timeout=10)
        assert response.text == "POST /a/b body hop"
        assert response.headers["X-Told"] == "yes"
    assert asked[0] == ServiceId(PROJECT, REGION, "prober", CONNECTOR)
    # The process is gone, its socket too.
    assert http("GET", f"{base}/x")[0] == 503
    assert [each["status"] for each in control.audit(kind="data")][-1] == 503
    assert control.audit_summary()["kinds"]["data"] == 7


def test_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "redis_connectivity_lab.emulator"]
    with subprocess.Popen(
        [*command, "--project", PROJECT, "--speed", "instant"], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            control = ControlClient(url)
            assert control.healthy()
            assert [each["name"] for each in control.list("networks", PROJECT)] == ["default"]
            busy = subprocess.run(
                [*command, "--port", url.rsplit(":", 1)[1]], capture_output=True, text=True, timeout=60, check=False
            )
            assert busy.returncode == 1
            assert "cannot listen on 127.0.0.1" in busy.stderr
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_the_emulator_keeps_google_out_of_its_process() -> None:
    """The clients cost 170 MB and seconds; the emulator must not need them."""
    code = (
        "import sys, redis_connectivity_lab.emulator; "
        "print([name for name in sys.modules if name.startswith('google.cloud')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
