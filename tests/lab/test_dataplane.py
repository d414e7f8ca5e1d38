"""The data plane for real, as namespaces with a packet filter and as the relay: the same connections, the same fate."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import FailureCode, HttpCheck, PingCheck, ProbeAnswer, ProbeRequest, TlsOptions
from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.dataplane import DataPlane, DataPlaneClient, DataPlaneError, open_dataplane
from redis_connectivity_lab.dataplane.protocol import HostFirewall
from redis_connectivity_lab.topology import App, Direction, Host, HostKind, L4Match, Rule
from support.waiting import eventually
from unit.dataplane.dataplane_values import (
    ALL,
    ALLOW,
    CONNECTOR,
    MANAGED,
    NETWORK,
    OTHER_NETWORK,
    REDIS,
    SERVICE,
    VM,
    host,
    rule,
    skip_where_impossible,
    topology,
)

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

#: Long enough for a connection within one machine that is busy, short enough to wait for a refusal in silence.
SECONDS = 1.0
#: For what must get through however busy the machine is.
PATIENT = 20.0
PASSES = None
TIMES_OUT = FailureCode.CONNECT_TIMEOUT
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
CLOSED_OUT = rule("closed-out", allow=False, direction=EGRESS, matches=(ALL,))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["namespaces", "relay"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[DataPlane]:
    skip_where_impossible(request.param)
    async with await open_dataplane(request.param) as opened:
        print(opened.describe())
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def dataplane(running: DataPlane) -> AsyncIterator[DataPlane]:
    yield running
    await running.apply(topology(hosts=()))


async def fate(
    dataplane: DataPlane, to: Host, source: Host = CONNECTOR, port: int = 6379, seconds: float = SECONDS
) -> FailureCode | None:
    """None for a PONG, else how the PING failed."""
    answer = await dataplane.ping_from(source.id, str(to.address), port, seconds)
    return answer.failure.code if answer.failure else None


async def probe_through(socket: Path, to: Host, seconds: float = PATIENT) -> ProbeAnswer:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        request = ProbeRequest(host=str(to.address), port=6379, timeout_seconds=seconds)
        return await ask("http://prober", request, session=session)


async def ready(dataplane: DataPlane) -> Path:
    async def socket() -> Path | None:
        return dataplane.service_socket(SERVICE)

    return await eventually(socket, deadline=60, describe="the service answers")


@pytest.mark.parametrize(
    ("rules", "to_vm", "to_managed"),
    [
        pytest.param((), TIMES_OUT, PASSES, id="implied rules alone"),
        pytest.param((ALLOW,), PASSES, PASSES, id="allowed"),
        pytest.param((dataclasses.replace(ALLOW, disabled=True),), TIMES_OUT, PASSES, id="disabled allow"),
        pytest.param((ALLOW, rule("deny", allow=False)), TIMES_OUT, PASSES, id="deny at equal priority"),
        pytest.param((ALLOW, rule("deny", allow=False, priority=1001)), PASSES, PASSES, id="deny behind"),
        pytest.param((ALLOW, rule("deny", allow=False, priority=1, disabled=True)), PASSES, PASSES, id="disabled deny"),
        pytest.param(
            (ALLOW, dataclasses.replace(CLOSED_OUT, target_tags=("vpc-connector",))),
            TIMES_OUT,
            TIMES_OUT,
            id="egress denied on the connector's tag",
        ),
        pytest.param(
            (ALLOW, dataclasses.replace(CLOSED_OUT, target_tags=("another",))), PASSES, PASSES, id="on another's tag"
        ),
        pytest.param(
            (ALLOW, CLOSED_OUT, rule("open", direction=EGRESS, priority=9, destinations=("10.9.0.0/29",))),
            TIMES_OUT,
            PASSES,
            id="egress opened to managed",
        ),
        pytest.param((rule(source_tags=("vpc-connector",)),), PASSES, PASSES, id="source tag"),
        pytest.param((rule(source_tags=("nobody",)),), TIMES_OUT, PASSES, id="nobody's tag"),
        pytest.param((dataclasses.replace(ALLOW, target_tags=("web",)),), TIMES_OUT, PASSES, id="other target"),
        pytest.param((rule(matches=(L4Match("tcp", ((6380, 6390),)),)),), TIMES_OUT, PASSES, id="other port"),
        pytest.param((rule(matches=(L4Match("udp"),)),), TIMES_OUT, PASSES, id="other protocol"),
        pytest.param(
            (rule("deny", allow=False, priority=0, matches=(ALL,)),), TIMES_OUT, PASSES, id="no way to managed"
        ),
        pytest.param((rule(network=OTHER_NETWORK),), TIMES_OUT, PASSES, id="other network's rule"),
    ],
)
async def test_fate_of_a_ping(
    dataplane: DataPlane, rules: tuple[Rule, ...], to_vm: FailureCode | None, to_managed: FailureCode | None
) -> None:
    await dataplane.apply(topology(*rules))
    expected = {VM: to_vm, MANAGED: to_managed}
    waits = {to: PATIENT if fate_there is PASSES else SECONDS for to, fate_there in expected.items()}
    fates = await asyncio.gather(*(fate(dataplane, to, seconds=wait) for to, wait in waits.items()))
    assert fates == list(expected.values())


async def test_what_is_not_there(dataplane: DataPlane) -> None:
    open_wide = rule("open", matches=(ALL,))
    elsewhere = host("elsewhere", "10.0.0.8", redis_port=6379, network=OTHER_NETWORK)
    await dataplane.apply(topology(open_wide, hosts=(CONNECTOR, VM, elsewhere)))
    nobody = dataclasses.replace(VM, address=VM.address + 9)
    assert await asyncio.gather(
        fate(dataplane, nobody), fate(dataplane, elsewhere), fate(dataplane, VM, port=6380)
    ) == [TIMES_OUT, TIMES_OUT, FailureCode.CONNECTION_REFUSED]


async def test_a_service_lives_with_its_connector_and_feels_each_rule(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW, services=(SERVICE,)))
    socket = await ready(dataplane)
    assert (await probe_through(socket, VM)).ok
    await dataplane.apply(topology(services=(SERVICE,)))
    answer = await probe_through(socket, VM, SECONDS)
    assert answer.failure
    assert answer.failure.code is TIMES_OUT
    assert answer.prober.via == f"cloudRun/{SERVICE.name}"
    await dataplane.apply(topology(ALLOW, services=(SERVICE,)))
    assert (await probe_through(socket, VM)).ok

    await dataplane.apply(topology(ALLOW, hosts=(VM, MANAGED), services=(SERVICE,)))
    assert dataplane.service_socket(SERVICE) is None
    with pytest.raises(DataPlaneError, match=r"connector is not in the data plane"):
        await fate(dataplane, VM)
    await dataplane.apply(topology(ALLOW, services=(SERVICE,)))
    assert (await probe_through(await ready(dataplane), VM)).ok


async def test_an_open_connection_outlives_its_rule(dataplane: DataPlane) -> None:
    """Held open by a Redis that answers only after the rule is gone."""
    await dataplane.apply(topology(ALLOW))
    await dataplane.pause_redis(VM.id)
    held = asyncio.create_task(dataplane.ping_from(CONNECTOR.id, str(VM.address), 6379, 20))

    async def established() -> bool:
        return any(each["rule"] == ALLOW.name and each["count"] for each in await dataplane.counters())

    await eventually(established, deadline=10, describe="the connection was let through")
    await dataplane.apply(topology())
    assert await fate(dataplane, VM) is TIMES_OUT
    await dataplane.start_redis(VM.id)
    assert (await held).ok


async def test_redis_in_all_its_states(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW))
    await dataplane.pause_redis(VM.id)
    assert await fate(dataplane, VM) is FailureCode.READ_TIMEOUT
    await dataplane.start_redis(VM.id)
    assert await fate(dataplane, VM) is PASSES
    await dataplane.slow_redis(VM.id, 0.1)
    assert await fate(dataplane, VM) is PASSES
    await dataplane.slow_redis(VM.id, 0)
    await dataplane.stop_redis(VM.id)
    assert await fate(dataplane, VM) is FailureCode.CONNECTION_REFUSED
    await dataplane.apply(topology(ALLOW, rule("more")))
    assert await fate(dataplane, VM) is FailureCode.CONNECTION_REFUSED, (
        "an apply does not undo what was done on purpose"
    )
    states = {each["id"]: each["redis"] for each in (await dataplane.status())["hosts"]}
    assert states == {"connector": None, "managed": "running", "vm": "stopped"}
    await dataplane.start_redis(VM.id)
    assert await fate(dataplane, VM) is PASSES
    with pytest.raises(DataPlaneError, match="no Redis runs on connector"):
        await dataplane.pause_redis(CONNECTOR.id)


async def test_a_machines_own_firewall_answers_where_googles_is_silent(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW))
    await dataplane.host_firewall(VM.id, HostFirewall.UNREACHABLE)
    assert await fate(dataplane, VM) is FailureCode.NETWORK_UNREACHABLE
    await dataplane.host_firewall(VM.id, HostFirewall.RESET)
    assert await fate(dataplane, VM) is FailureCode.CONNECTION_RESET
    await dataplane.apply(topology())
    assert await fate(dataplane, VM) is TIMES_OUT, "Google's firewall comes first"
    await dataplane.apply(topology(ALLOW))
    await dataplane.host_firewall(VM.id, HostFirewall.OPEN)
    assert await fate(dataplane, VM) is PASSES


async def test_passwords_ports_addresses_and_tags_change(dataplane: DataPlane) -> None:
    secret = dataclasses.replace(VM, redis_password='p"w \\ é')
    await dataplane.apply(topology(ALLOW, hosts=(CONNECTOR, secret)))
    assert await fate(dataplane, VM) is FailureCode.AUTHENTICATION_REQUIRED
    moved = dataclasses.replace(secret, redis_password=None, address=VM.address + 1)
    await dataplane.apply(topology(ALLOW, hosts=(CONNECTOR, moved)))
    assert await asyncio.gather(fate(dataplane, VM), fate(dataplane, moved)) == [TIMES_OUT, PASSES]
    await dataplane.apply(topology(ALLOW, hosts=(CONNECTOR, dataclasses.replace(moved, tags=()))))
    assert await fate(dataplane, moved) is TIMES_OUT
    anew = dataclasses.replace(VM, id="anew")
    await dataplane.apply(topology(ALLOW, hosts=(CONNECTOR, anew)))
    assert await fate(dataplane, anew) is PASSES


async def test_topologies_coalesce_and_the_latest_wins(dataplane: DataPlane) -> None:
    many = [topology(rule(f"r{n}", sources=("10.0.0.0/8",) if n % 2 else ("10.9.9.0/24",))) for n in range(40)]
    await asyncio.gather(*(dataplane.apply(each) for each in many))
    assert await fate(dataplane, VM) is PASSES
    await dataplane.apply(many[0])
    assert await fate(dataplane, VM) is TIMES_OUT


async def test_an_impossible_topology_changes_nothing(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW))
    with pytest.raises(DataPlaneError, match="no port range"):
        await dataplane.apply(topology(rule(matches=(L4Match("tcp", ((9, 1),)),)), hosts=(CONNECTOR,)))
    assert await fate(dataplane, VM) is PASSES
    await dataplane.apply(topology())
    assert await fate(dataplane, VM) is TIMES_OUT


async def test_another_process_can_ask_the_agent(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW))
    client = await DataPlaneClient.open(dataplane.state_dir)
    await client.stop_redis(VM.id)
    await client.close()
    assert await fate(dataplane, VM) is FailureCode.CONNECTION_REFUSED


async def test_counters_name_the_rule(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(ALLOW, rule("deny", allow=False, priority=5, sources=("10.2.0.2/32",))))
    assert await fate(dataplane, VM) is TIMES_OUT
    counted = {each["rule"]: each["count"] for each in await dataplane.counters()}
    assert counted["deny"] > 0
    assert not counted.get(ALLOW.name)
    assert {each["network"] for each in await dataplane.counters()} == {NETWORK.name}


async def test_many_hosts_at_once(dataplane: DataPlane) -> None:
    crowd = tuple(host(f"h{n}", f"10.1.0.{n + 1}", redis_port=6379 if n < 3 else None) for n in range(40))
    await dataplane.apply(topology(rule(sources=("10.1.0.0/24",)), hosts=crowd))
    fates = await asyncio.gather(*(fate(dataplane, crowd[n % 3], source=crowd[n], seconds=PATIENT) for n in range(40)))
    assert fates == [PASSES] * 40
    kinds = {each.kind for each in crowd}
    assert kinds == {HostKind.VM}


async def test_tls_and_an_application_behind_the_rules(dataplane: DataPlane) -> None:
    """As the chain of a probe meets them: Redis in TLS alone, and a service that itself goes through the rules."""
    authority = Authority("the lab's CA")
    secure = dataclasses.replace(VM, redis_tls=authority.issue(addresses=[str(VM.address)]))
    chat = dataclasses.replace(host("chat", "10.0.0.9"), app=App(8080, str(MANAGED.address), 6379))
    open_all = rule("open", matches=(ALL,), sources=("10.0.0.0/8",))
    hosts = (CONNECTOR, secure, MANAGED, chat)
    await dataplane.apply(topology(open_all, hosts=hosts, services=(SERVICE,)))
    socket = await ready(dataplane)
    checks = (PingCheck(), HttpCheck(name="auth", url=f"http://{chat.address}:8080/auth/healthz"))

    async def probed(tls: TlsOptions | None) -> ProbeAnswer:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
            request = ProbeRequest(host=str(VM.address), port=6379, timeout_seconds=10, tls=tls, checks=checks)
            return await ask("http://prober", request, session=session)

    trusting = TlsOptions(ca_certificates=authority.pem)

    async def passes() -> bool:
        return (await probed(trusting)).ok

    await eventually(passes, deadline=60, describe="the application answers")
    answer = await probed(None)
    assert answer.failure
    assert answer.failure.code is FailureCode.TLS_REQUIRED

    # The application's own way to Redis is judged, too.
    closed = rule(
        "closed", allow=False, direction=EGRESS, priority=900, matches=(REDIS,), destinations=("10.9.0.3/32",)
    )
    await dataplane.apply(topology(open_all, closed, hosts=hosts, services=(SERVICE,)))
    answer = await probed(trusting)
    assert answer.failure
    assert (answer.failure.step, answer.failure.code) == ("auth", FailureCode.UNEXPECTED_STATUS)
