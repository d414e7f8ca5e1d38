"""Whom a change concerns: the owner of a rule alone, or everybody on its network."""

from ipaddress import IPv4Address

from redis_connectivity.api.spec import ConnectorManagement, DeletionPolicy, DriftPolicy, FirewallSpec
from redis_connectivity.cloud.keys import Kind
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4, Network, NetworkRef
from redis_connectivity.core.desired import ConnectorWant, Desired, MemorystoreWant, VmWant
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity.reconcile.store import Key
from redis_connectivity.reconcile.wakeups import concerned


def desired(name: str, network: str = "vpc", connector: str = "c", instance: str | None = None) -> Desired:
    return Desired(
        owner=ResourceId("cluster", "ns", name, f"uid-{name}"),
        project="p",
        region="us-central1",
        network=NetworkRef("p", network),
        connector=ConnectorWant(connector, ConnectorManagement.MANAGED, None, "s", "e2-micro", None, None),
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
    assert concerned(Kind.SUBNETWORKS, {"x"}, {}, {}, RESOURCES) == {A, B, C}
