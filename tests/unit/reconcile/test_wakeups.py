"""Whom a change concerns: the owner of a rule alone, or everybody on its network."""

from dataclasses import replace
from ipaddress import IPv4Address

from redis_connectivity.api.spec import ConnectorManagement, DeletionPolicy, DriftPolicy, FirewallSpec
from redis_connectivity.cloud.keys import Kind
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4, Network, NetworkRef
from redis_connectivity.core.desired import (
    ClusterWant,
    ConnectorWant,
    Desired,
    EndpointWant,
    MemorystoreWant,
    ValkeyWant,
    VmWant,
)
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity.core.prober import prober_path
from redis_connectivity.core.runvalues import RunService, WayOut
from redis_connectivity.reconcile.store import Key
from redis_connectivity.reconcile.wakeups import concerned


def desired(name: str, network: str = "vpc", connector: str = "c", instance: str | None = None) -> Desired:
    return Desired(
        owner=ResourceId("cluster", "ns", name, f"uid-{name}"),
        project="p",
        region="us-central1",
        network=NetworkRef("p", network),
        entry=ConnectorWant(connector, "p", ConnectorManagement.MANAGED, None, "s", "e2-micro", None, None),
        target=MemorystoreWant(instance) if instance else VmWant(IPv4Address("10.0.0.1"), 6379, frozenset({"t"})),
        firewall=FirewallSpec(),
        drift_policy=DriftPolicy.REMEDIATE,
        deletion_policy=DeletionPolicy.DELETE,
    )


A, B, C = Key("ns", "a"), Key("ns", "b"), Key("ns", "c")
RESOURCES = {A: desired("a"), B: desired("b", connector="d", instance="cache"), C: desired("c", network="other")}


def rule(name: str, description: str = "", network: str = "vpc") -> FirewallRule:
    return FirewallRule(
        NetworkRef("p", network),
        name,
        Direction.INGRESS,
        Action.ALLOW,
        1000,
        frozenset({Layer4("tcp")}),
        description=description,
    )


def marked(owner: str, name: str, marker_name: str | None = None) -> FirewallRule:
    who = ResourceId("cluster", "ns", owner, f"uid-{owner}")
    return rule(name, Marker(who, Direction.INGRESS, marker_name or name).description())


def test_a_rule_of_one_resource_wakes_that_one_only() -> None:
    assert concerned(Kind.FIREWALLS, {"r"}, {"r": marked("a", "r")}, {}, RESOURCES) == {A}


def test_a_foreign_rule_wakes_everybody_on_its_network() -> None:
    assert concerned(Kind.FIREWALLS, {"deny"}, {}, {"deny": rule("deny")}, RESOURCES) == {A, B}


def test_a_rule_whose_marker_was_stripped_wakes_its_owner_and_its_network() -> None:
    before, after = {"r": marked("a", "r")}, {"r": rule("r")}
    assert concerned(Kind.FIREWALLS, {"r"}, before, after, RESOURCES) == {A, B}


def test_a_copy_under_another_name_counts_as_foreign() -> None:
    assert concerned(Kind.FIREWALLS, {"copy"}, {}, {"copy": marked("a", "copy", "r")}, RESOURCES) == {A, B}


def test_connectors_networks_and_instances_wake_by_name() -> None:
    network = Network(NetworkRef("p", "other"))
    assert concerned(Kind.CONNECTORS, {"d"}, {}, {}, RESOURCES) == {B}
    assert concerned(Kind.NETWORKS, {"other"}, {}, {"other": network}, RESOURCES) == {C}
    assert concerned(Kind.REDIS_INSTANCES, {"cache"}, {}, {}, RESOURCES) == {B}
    clusters = {
        A: replace(RESOURCES[A], target=ClusterWant("cache")),
        B: replace(RESOURCES[B], target=ValkeyWant("cache")),
        C: replace(RESOURCES[C], target=EndpointWant("cache.example.com", 6379)),
    }
    assert concerned(Kind.REDIS_INSTANCES, {"cache"}, {}, {}, clusters) == set()
    assert concerned(Kind.REDIS_CLUSTERS, {"cache"}, {}, {}, clusters) == {A}
    assert concerned(Kind.VALKEY_INSTANCES, {"cache"}, {}, {}, clusters) == {B}
    assert concerned(Kind.SUBNETWORKS, {"x"}, {}, {}, RESOURCES) == {A, B, C}


def test_a_service_wakes_those_that_probe_through_it() -> None:
    probing = {key: replace(desired(key.name), deploys_prober=True) for key in (A, B)}
    resources = {**probing, C: desired("c")}
    name = prober_path(probing[A]).rsplit("/", 1)[-1]
    assert concerned(Kind.RUN_SERVICES, {name}, {}, {}, resources) == {A, B}
    assert concerned(Kind.RUN_SERVICES, {"shop"}, {}, {}, resources) == frozenset()


def test_a_service_that_comes_to_a_connector_or_leaves_it_wakes_those_that_use_it() -> None:
    resources = {
        A: replace(desired("a", connector="one"), deploys_prober=True),
        B: replace(desired("b", connector="two"), deploys_prober=True),
        C: desired("c", connector="one"),
    }

    def shop(connector: str, uri: str = "") -> RunService:
        way = WayOut(connector=f"projects/p/locations/r/connectors/{connector}" if connector else "")
        return RunService("p", "r", "shop", "image", (), way, uri=uri)

    def woken(before: RunService | None, after: RunService | None) -> frozenset[Key]:
        was, now = ({"shop": one} if one is not None else {} for one in (before, after))
        return concerned(Kind.RUN_SERVICES, {"shop"}, was, now, resources)

    assert woken(None, shop("one")) == {A}
    assert woken(shop("one"), None) == {A}
    assert woken(shop("one"), shop("two")) == {A, B}
    # Another revision on the way it had is no news.
    assert woken(shop("one"), shop("one", uri="https://shop.run.app")) == frozenset()
    assert woken(None, shop("")) == frozenset()
