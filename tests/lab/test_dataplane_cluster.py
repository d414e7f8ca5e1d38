"""A Redis Cluster behind an endpoint, for real: nodes with slots, and the packet filter in front of their ports."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from typing import Any

import pytest
import pytest_asyncio

from redis_connectivity.probes.model import FailureCode
from redis_connectivity_lab.dataplane import DataPlane, DataPlaneError, open_dataplane
from redis_connectivity_lab.dataplane.cluster import SLOTS
from redis_connectivity_lab.topology import Direction, Forward, HostKind, L4Match
from support.waiting import eventually
from unit.dataplane.dataplane_values import ALL, CONNECTOR, host, rule, skip_where_impossible, topology

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

SECONDS = 0.5
PORTS = (11000, 11001, 11002)
NODES = dataclasses.replace(
    host("nodes", "10.9.0.5", kind=HostKind.MANAGED), redis_port=None, redis_password=None, cluster_ports=PORTS
)
DISCOVERY = dataclasses.replace(
    host("discovery", "10.9.0.4", kind=HostKind.MANAGED),
    redis_port=None,
    forward=Forward(6379, NODES.address, PORTS[0]),
)
EGRESS = Direction.EGRESS
DENY = rule("deny-egress", allow=False, direction=EGRESS, priority=900, matches=(ALL,))


def allow(*ports: tuple[int, int], to: tuple[str, ...] = ("10.9.0.4/32", "10.9.0.5/32")) -> Any:
    return rule("allow", direction=EGRESS, priority=899, matches=(L4Match("tcp", ports),), destinations=to)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["namespaces", "relay"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, DataPlane]]:
    skip_where_impossible(request.param)
    async with await open_dataplane(request.param) as opened:
        yield request.param, opened


@pytest_asyncio.fixture(loop_scope="module")
async def dataplane(running: tuple[str, DataPlane]) -> AsyncIterator[DataPlane]:
    yield running[1]
    await running[1].apply(topology(hosts=()))


async def ask(dataplane: DataPlane, to: str, port: int, *words: str) -> Any:
    return await dataplane.command_from(CONNECTOR.id, to, port, *words, seconds=SECONDS)


async def fate(dataplane: DataPlane, to: str, port: int) -> FailureCode | None:
    answer = await dataplane.ping_from(CONNECTOR.id, to, port, SECONDS)
    return answer.failure.code if answer.failure else None


async def serving(dataplane: DataPlane) -> list[list[Any]]:
    """The cluster's own word on who has which slots, once it serves them."""

    async def served() -> bool:
        return "cluster_state:ok" in str(await ask(dataplane, "10.9.0.4", 6379, "CLUSTER", "INFO"))

    await eventually(served, deadline=30, describe="the cluster serves")
    return list(await ask(dataplane, "10.9.0.4", 6379, "CLUSTER", "SLOTS"))


async def test_the_endpoint_leads_to_nodes_that_share_all_slots(
    running: tuple[str, DataPlane], dataplane: DataPlane
) -> None:
    await dataplane.apply(topology(hosts=(CONNECTOR, DISCOVERY, NODES)))
    slots = await serving(dataplane)
    # The relay has room for one node, which then has all slots.
    ports = PORTS if running[0] == "namespaces" else PORTS[:1]
    assert sorted(entry[2][1] for entry in slots) == list(ports)
    assert {entry[2][0] for entry in slots} == {str(NODES.address)}
    assert sum(entry[1] - entry[0] + 1 for entry in slots) == SLOTS
    status = await dataplane.status()
    assert {one["id"]: one["redis"] for one in status["hosts"]}[NODES.id] == "running"
    assert await fate(dataplane, "10.9.0.4", 11000) is FailureCode.CONNECTION_REFUSED


async def test_a_key_is_reached_on_its_node_alone(running: tuple[str, DataPlane], dataplane: DataPlane) -> None:
    """Where only 6379 is open the first command works, and the one that follows the cluster's word hangs."""
    if running[0] == "relay":
        pytest.skip("the relay's cluster is one node: there is nowhere to be sent to")
    hosts = (CONNECTOR, DISCOVERY, NODES)
    await dataplane.apply(topology(DENY, allow((6379, 6379)), hosts=hosts))
    await serving(dataplane)
    key, port = "key-of-another-node", None
    for number in range(100):
        key = f"key-{number}"
        reply = await ask(dataplane, "10.9.0.4", 6379, "SET", key, "value")
        if isinstance(reply, dict):
            word, _, where = str(reply["error"]).split()
            assert word == "MOVED"
            address, _, moved = where.partition(":")
            assert address == str(NODES.address)
            port = int(moved)
            break
    assert port in PORTS[1:]
    with pytest.raises(DataPlaneError, match="did not answer"):
        await ask(dataplane, str(NODES.address), port, "SET", key, "value")
    assert await fate(dataplane, str(NODES.address), port) is FailureCode.CONNECT_TIMEOUT
    # The right ports on the wrong address alone are no help either.
    await dataplane.apply(topology(DENY, allow((6379, 6379), (11000, 13047), to=("10.9.0.4/32",)), hosts=hosts))
    assert await fate(dataplane, str(NODES.address), port) is FailureCode.CONNECT_TIMEOUT
    await dataplane.apply(topology(DENY, allow((6379, 6379), (11000, 13047)), hosts=hosts))
    assert await ask(dataplane, str(NODES.address), port, "SET", key, "value") == "OK"
    assert await ask(dataplane, str(NODES.address), port, "GET", key) == "value"


async def test_nodes_stop_and_start_together(dataplane: DataPlane) -> None:
    await dataplane.apply(topology(hosts=(CONNECTOR, DISCOVERY, NODES)))
    await dataplane.pause_redis(NODES.id)
    assert await fate(dataplane, "10.9.0.4", 6379) is FailureCode.READ_TIMEOUT
    await dataplane.stop_redis(NODES.id)
    assert await fate(dataplane, "10.9.0.5", 11000) is FailureCode.CONNECTION_REFUSED
    await dataplane.start_redis(NODES.id)
    assert await fate(dataplane, "10.9.0.4", 6379) is None
    await serving(dataplane)


async def test_where_an_endpoint_leads_can_change(dataplane: DataPlane) -> None:
    plain = dataclasses.replace(NODES, cluster_ports=(), redis_port=6379)
    await dataplane.apply(topology(hosts=(CONNECTOR, DISCOVERY, plain)))
    assert await fate(dataplane, "10.9.0.4", 6379) is not None
    lead = dataclasses.replace(DISCOVERY, forward=Forward(6379, IPv4Address("10.9.0.5"), 6379))
    await dataplane.apply(topology(hosts=(CONNECTOR, lead, plain)))
    assert await fate(dataplane, "10.9.0.4", 6379) is None
