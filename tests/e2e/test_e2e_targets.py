"""Every kind of Redis target: shut before, open and Ready after, cut, healed and shut again, by real packets."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redis_connectivity.api.limits import NODE_PORTS
from redis_connectivity.probes.model import FailureCode
from redis_connectivity_lab.dataplane import DataPlaneError
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import Lab
from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place
from support.targets import ALL_TARGETS, FIRST, SECOND, Targeted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

#: Seconds until silence counts as shut, and until an answer counts as late: the machine may be busy.
SILENCE, PATIENCE = 1.0, 10.0
Make = Callable[[str], Place]


@pytest.fixture
def make(lab: Lab, operator: OperatorProcess) -> Iterator[Make]:
    """Makes places with a target of some kind."""
    made: list[Place] = []

    def one(target: str) -> Place:
        made.append(Place.make(lab, (operator,), kind=Targeted, target=target))
        lab.cloud.settle()
        return made[-1]

    try:
        yield one
        for place in made:
            place.assert_unhurt()
    finally:
        for place in made:
            place.clear()


def world_of(place: Place) -> Targeted:
    assert isinstance(place.world, Targeted)
    return place.world


def fate(place: Place, host: str, port: int, seconds: float = PATIENCE) -> FailureCode | None:
    """How a PING from the connector's own namespace ends; None for a PONG."""
    place.lab.cloud.settle()
    answer = place.lab.cloud.ping_from(world_of(place).connector_id, host, port, seconds)
    return answer.failure.code if answer.failure else None


def diagnosed(place: Place, code: str) -> None:
    """The first cause is the true one."""
    place.until(lambda: place.status().get("diagnosis", {}).get("code") == code, f"the diagnosis to be {code}")


def shut(place: Place) -> None:
    for host, port in world_of(place).must_reach:
        assert fate(place, host, port, SILENCE) is FailureCode.CONNECT_TIMEOUT, f"{host}:{port} is open"


def opened(place: Place) -> None:
    for host, port in world_of(place).must_reach:
        assert fate(place, host, port) is None, f"{host}:{port} is shut"


@pytest.mark.parametrize("target", ALL_TARGETS)
def test_a_path_to_each_target_is_opened_cut_healed_and_shut(make: Make, target: str) -> None:
    place = make(target)
    world = world_of(place)
    shut(place)
    place.apply()
    place.ready()
    opened(place)

    rules = world.own_rules()
    assert set(rules) == ({EGRESS, INGRESS} if world.ingress else {EGRESS})
    egress = rules[EGRESS]
    assert egress["allowed"] == [{"IPProtocol": "tcp", "ports": world.ports}]
    assert sorted(egress["destinationRanges"]) == sorted({f"{host}/32" for host, _ in world.must_reach})
    if world.ingress is not None:
        fields = ("targetTags", "targetServiceAccounts", "destinationRanges")
        assert {name: rules[INGRESS][name] for name in fields if name in rules[INGRESS]} == world.ingress
        assert rules[INGRESS]["sourceRanges"] == ["10.2.0.0/28"]
    redis = place.status()["redis"]
    assert (redis["kind"], redis["host"], redis["port"]) == (world.kind, *world.must_reach[0])
    assert place.status()["probe"]["crossesConnector"] is True

    for name in rules:
        world.control.delete("firewalls", world.project, name)
        place.until(lambda gone=name: gone in world.own_rules(), f"{name} to be made again")
        place.ready()
        opened(place)

    place.delete()
    place.until(lambda: not world.own_rules() and not place.ledgers(), "nothing of ours to be left")
    shut(place)


def moved_key(place: Place) -> tuple[str, int]:
    """A key that the discovery endpoint sends elsewhere, and to which port of the nodes' address."""
    cloud, source = place.lab.cloud, world_of(place).connector_id
    for number in range(100):
        reply: Any = cloud.command_from(source, FIRST, 6379, "SET", f"key-{number}", "v", seconds=PATIENCE)
        if isinstance(reply, dict) and reply["error"].startswith("MOVED"):
            address, _, port = reply["error"].split()[2].partition(":")
            assert address == SECOND
            return f"key-{number}", int(port)
    raise AssertionError("the discovery endpoint's node holds every key")


def test_the_key_of_another_node_is_reached_only_once_the_rule_covers_the_nodes_ports(make: Make) -> None:
    """The first command works and the cluster's client hangs: what an allow for 6379 alone does."""
    place = make("cluster")
    world = world_of(place)
    world.control.put(
        "firewalls",
        world.project,
        "allow-redis-port-only",
        network=world.network,
        direction="EGRESS",
        priority=800,
        allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}],
        destinationRanges=[f"{FIRST}/32", f"{SECOND}/32"],
    )
    assert fate(place, FIRST, 6379) is None
    cloud, source = place.lab.cloud, world.connector_id
    place.until(
        lambda: "cluster_state:ok" in str(cloud.command_from(source, FIRST, 6379, "CLUSTER", "INFO", seconds=PATIENCE)),
        "the cluster to serve",
    )
    key, port = moved_key(place)
    assert NODE_PORTS[0] <= port <= NODE_PORTS[1]
    with pytest.raises(DataPlaneError, match="did not answer"):
        cloud.command_from(source, SECOND, port, "SET", key, "v", seconds=SILENCE)

    place.apply()
    place.ready()
    cloud.settle()
    assert cloud.command_from(source, SECOND, port, "SET", key, "v", seconds=PATIENCE) == "OK"
    assert cloud.command_from(source, SECOND, port, "GET", key, seconds=PATIENCE) == "v"

    # Somebody narrows our rule to what they think is enough.
    place.break_rule(EGRESS, allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}])
    place.until(
        lambda: world.rules()[EGRESS]["allowed"] == [{"IPProtocol": "tcp", "ports": ["6379", "11000-13047"]}],
        "the rule to be as wide as it must be",
    )
    place.ready()
    assert fate(place, SECOND, port) is None


def test_a_probe_asks_every_node_of_a_cluster(make: Make) -> None:
    """The entry's own PING would say that all is well; without the nodes' ports no client gets anywhere."""
    place = make("cluster")
    checks = [{"tcp": {}}, {"redisPing": {}}, {"redisReadWrite": {}}]
    probe = {"proberUrl": place.world.prober_url, "interval": "2s", "timeout": "2s", "checks": checks}
    place.apply(probe=probe, driftPolicy="Report")
    place.ready(deadline=60)

    place.break_rule(EGRESS, allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}])
    said = place.says("Reachable", "False", "ProbeFailed")
    assert f"node {SECOND}:11" in said
    assert [one["status"] for one in place.status()["probe"]["checks"]] == ["Succeeded", "Failed", "Skipped"]


@pytest.mark.parametrize("target", ["cluster", "valkey"])
def test_what_is_wrong_with_a_target_behind_endpoints_is_named(make: Make, target: str) -> None:
    place = make(target)
    world = world_of(place)
    kind = "clusters" if target == "cluster" else "valkeys"
    world.control.delete(kind, world.project, REGION, "cache")
    place.apply()
    assert "cache in" in place.says("RedisReady", "False", "RedisNotFound")
    diagnosed(place, "RedisMissing")
    world.put_redis()
    place.ready()
    assert place.status()["redis"]["tls"] is False
    assert place.status()["redis"]["authorization"] == "DISABLED"
    assert [one["role"] for one in place.status()["redis"]["endpoints"]] == ["DISCOVERY", "NODES"]

    world.control.patch(kind, world.project, REGION, "cache", state="CREATING")
    assert "wait until it is ACTIVE" in place.says("RedisReady", "False", "RedisNotReady")
    diagnosed(place, "RedisNotReady")
    world.control.patch(kind, world.project, REGION, "cache", state="ACTIVE")
    place.ready()

    lose(world, kind)
    message = place.says("RedisReady", "False", "RedisConnectionLost")
    assert f"{SECOND} (NODES) is NOT_FOUND" in message
    diagnosed(place, "PSCConnectionLost")
    assert place.status()["redis"]["endpoints"][1]["pscConnectionStatus"] == "NOT_FOUND"
    assert world.own_rules().keys() == {EGRESS}, "the rule stays: it is not the cause"
    world.put_redis()
    place.ready()


def lose(world: Targeted, kind: str) -> None:
    """Somebody deletes the forwarding rule that leads to the nodes."""
    (body,) = world.control.list(kind, world.project)
    if kind == "clusters":
        one, other = body["pscConnections"]
        fields: dict[str, Any] = {
            "pscConnections": [one, other | {"pscConnectionStatus": "PSC_CONNECTION_STATUS_NOT_FOUND"}]
        }
    else:
        one, other = body["endpoints"][0]["connections"]
        lost = {"pscAutoConnection": other["pscAutoConnection"] | {"pscConnectionStatus": "NOT_FOUND"}}
        fields = {"endpoints": [{"connections": [one, lost]}]}
    world.control.patch(kind, world.project, REGION, "cache", **fields)


@pytest.mark.parametrize("target", ["cluster", "valkey"])
def test_a_target_of_another_network_is_named(make: Make, target: str) -> None:
    place = make(target)
    world = world_of(place)
    kind = "clusters" if target == "cluster" else "valkeys"
    world.control.put("networks", world.project, "prod-vpc")
    world.control.put(kind, world.project, REGION, "cache", network="prod-vpc", addresses=[FIRST, SECOND])
    place.apply()
    message = place.says("RedisReady", "False", "RedisWrongNetwork")
    assert f"{world.project}/prod-vpc" in message
    diagnosed(place, "RedisWrongNetwork")
    assert world.own_rules() == {}


@pytest.mark.parametrize("target", ["memorystore", "memorystore-private-service-access"])
def test_a_lost_peering_is_named(make: Make, target: str) -> None:
    place = make(target)
    world = world_of(place)
    place.apply()
    place.ready()
    (network,) = world.control.list("networks", world.project)
    (peering,) = network["peerings"]
    world.control.patch("networks", world.project, world.network, peerings=[peering | {"state": "INACTIVE"}])
    assert f"{peering['name']} is INACTIVE" in place.says("RedisReady", "False", "RedisPeeringInactive")
    world.control.patch("networks", world.project, world.network, peerings=[])
    place.says("RedisReady", "False", "RedisPeeringMissing")
    diagnosed(place, "PeeringMissing")
    world.control.patch("networks", world.project, world.network, peerings=[peering])
    place.ready()


def test_an_endpoint_whose_machines_nobody_told_of_gets_egress_alone(make: Make) -> None:
    place = make("endpoint")
    world = world_of(place)
    place.apply(firewall={})
    message = place.says("FirewallReady", "True", "FirewallOpen")
    assert "set spec.firewall.ingress to Always" in message
    assert world.own_rules().keys() == {EGRESS}
    place.says("Reachable", "False", "ProbeFailed")
    place.apply()
    place.ready()
    opened(place)


def test_a_name_has_no_rules_and_is_proven_by_the_prober_alone(make: Make) -> None:
    place = make("endpoint")
    world = world_of(place)
    place.apply()
    place.ready()
    place.apply(redis={"endpoint": {"host": "redis.example.internal"}})
    assert "is a DNS name" in place.says("FirewallReady", "Unknown", "FirewallNotJudged")
    place.until(lambda: not world.own_rules(), "rules about an address that is not declared any more to go")
    place.says("Reachable", "False", "ProbeFailed", deadline=60)
    place.says("InSync", "True")
