"""Whatever a project holds: resources that are valid, that change nothing, and a reason for everything left out."""

import re
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import ENVIRONMENT_PATTERN
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.actions import UpdateRule
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    FirewallRule,
    Layer4,
    Machine,
    Network,
    NetworkRef,
    PolicyAction,
    PolicyKind,
    RedisInstance,
    RedisInstanceState,
    Subnetwork,
)
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity.core.importing import Imported, Inventory, import_paths
from redis_connectivity.core.importnames import environment_of, unique_name
from redis_connectivity.core.importtargets import opened
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.prober import labels_of
from redis_connectivity.core.pscvalues import ConnectionRole, ConnectionStatus, PscConnection, PscState, RedisCluster
from redis_connectivity.core.runvalues import RunService, WayOut

PROJECT, REGION = "acme-staging", "us-central1"
NETWORK = NetworkRef(PROJECT, "staging-vpc")
CONNECTOR = Connector(
    PROJECT,
    REGION,
    "staging-connector",
    ConnectorState.READY,
    network="staging-vpc",
    ip_cidr_range=IPv4Network("10.2.0.0/28"),
    machine_type="e2-micro",
    min_instances=2,
    max_instances=3,
)
INSTANCE = RedisInstance(
    PROJECT, REGION, "cache", RedisInstanceState.READY, host="10.9.0.3", port=6379, authorized_network=NETWORK
)
VM = Machine("us-central1-a", "redis-vm", NETWORK, "10.128.0.5", frozenset({"redis-instance", "web"}), status="RUNNING")
REDIS_IN = FirewallRule(
    NETWORK,
    "redis-in",
    Direction.INGRESS,
    Action.ALLOW,
    800,
    frozenset({Layer4("tcp", ((6379, 6379),))}),
    source_ranges=frozenset({"10.2.0.0/28"}),
    target_tags=frozenset({"redis-instance"}),
)
DENY_OUT = FirewallRule(
    NETWORK,
    "deny-out",
    Direction.EGRESS,
    Action.DENY,
    900,
    frozenset({Layer4("all")}),
    destination_ranges=frozenset({"0.0.0.0/0"}),
)


def holding(**more: Any) -> Inventory:
    given: dict[str, Any] = {"networks": (Network(NETWORK),), "connectors": (CONNECTOR,), "rules": (), **more}
    return Inventory(PROJECT, REGION, **given)


def run(**more: Any) -> Imported:
    return import_paths(holding(**more), namespace="staging")


def left(found: Imported) -> dict[str, str]:
    return {one.what: one.why for one in found.left}


def test_a_memorystore_needs_few_words() -> None:
    found = run(instances=(INSTANCE,))

    (one,) = found.resources
    assert found.left == ()
    assert one.name == "cache"
    assert one.spec == {
        "environment": "staging",
        "projectId": PROJECT,
        "region": REGION,
        "connector": {"ipCidrRange": "10.2.0.0/28", "management": "Observed"},
        "redis": {"memorystore": {"instance": "cache"}},
    }
    assert one.foretold.steps == ()


def test_a_vm_is_found_by_the_rule_that_opens_it() -> None:
    found = run(machines=(VM,), rules=(REDIS_IN,))

    (one,) = found.resources
    assert one.spec["redis"] == {"vm": {"host": "10.128.0.5"}}
    # With Auto the operator would make a rule of its own.
    assert one.spec["firewall"] == {"ingress": "Never"}
    assert one.outlook.before is ConditionStatus.TRUE
    assert any("opened by rule redis-in" in text for text in one.found)
    assert any("at port 6379" in text for text in one.guessed)


def test_a_closed_path_is_written_as_it_is_and_told_to_be_closed() -> None:
    found = run(instances=(INSTANCE,), rules=(DENY_OUT,))

    (one,) = found.resources
    assert one.spec["firewall"] == {"egress": "Never"}
    assert one.outlook.before is ConditionStatus.FALSE


@pytest.mark.parametrize(
    ("change", "redis"),
    [
        ({"target_tags": frozenset({"web"})}, {"host": "10.128.0.5", "targetTags": ["web"]}),
        (
            {"target_tags": frozenset(), "target_service_accounts": frozenset({"redis@p.iam.gserviceaccount.com"})},
            {"host": "10.128.0.5", "targetServiceAccounts": ["redis@p.iam.gserviceaccount.com"]},
        ),
        ({"source_ranges": frozenset(), "source_tags": frozenset({"vpc-connector"})}, {"host": "10.128.0.5"}),
        ({"layer4": frozenset({Layer4("tcp", ((6000, 7000),))})}, {"host": "10.128.0.5"}),
    ],
)
def test_how_a_rule_selects_is_kept(change: dict[str, Any], redis: dict[str, Any]) -> None:
    machine = replace(VM, service_accounts=frozenset({"redis@p.iam.gserviceaccount.com"}))
    (one,) = run(machines=(machine,), rules=(replace(REDIS_IN, **change),)).resources
    assert one.spec["redis"] == {"vm": redis}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"target_tags": frozenset()}, "which of them is Redis is not told"),
        ({"target_tags": frozenset({"nobody"})}, "no machine of network staging-vpc is selected by it"),
        ({"source_ranges": frozenset({"10.2.0.0/29"})}, "a part of 10.2.0.0/28"),
        ({"layer4": frozenset({Layer4("tcp")})}, "every port, which does not tell that Redis is behind it"),
        ({"layer4": frozenset({Layer4("all")}), "target_tags": frozenset()}, "every port"),
    ],
)
def test_a_rule_that_tells_too_little_is_named(change: dict[str, Any], why: str) -> None:
    found = run(machines=(VM,), rules=(replace(REDIS_IN, **change),))
    assert found.resources == ()
    assert why in left(found)["rule redis-in"]


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True},
        {"action": Action.DENY},
        {"source_ranges": frozenset({"192.0.2.0/24"})},
        {"layer4": frozenset({Layer4("tcp", ((22, 22),))})},
        {"network": NetworkRef(PROJECT, "other-vpc")},
        {"name": "aet-uscentral1-staging--connector-sssgrp"},
    ],
)
def test_a_rule_for_something_else_opens_no_path(change: dict[str, Any]) -> None:
    found = run(machines=(VM,), rules=(replace(REDIS_IN, **change),))
    assert found.resources == ()
    assert list(left(found)) == ["connector staging-connector"]


@pytest.mark.parametrize(
    ("connector", "why"),
    [
        (replace(CONNECTOR, state=ConnectorState.ERROR), "state ERROR"),
        (replace(CONNECTOR, network="gone-vpc"), "gone-vpc is not in project"),
        (
            replace(CONNECTOR, network="", ip_cidr_range=None, subnet="serverless", subnet_project="host-project"),
            "Shared VPC",
        ),
        (replace(CONNECTOR, ip_cidr_range=IPv4Network("192.0.2.0/28")), "must be private"),
    ],
)
def test_a_connector_that_cannot_be_declared_is_named(connector: Connector, why: str) -> None:
    found = run(connectors=(connector,), instances=(INSTANCE,))
    assert found.resources == ()
    assert any(why in text for text in left(found).values())
    assert "Memorystore instance cache" in left(found) or "cannot be declared" in str(left(found))


def test_a_connector_on_a_subnet_is_declared_by_it() -> None:
    subnet = Subnetwork(PROJECT, REGION, "serverless", NETWORK, IPv4Network("10.2.0.0/28"))
    connector = replace(CONNECTOR, network="", ip_cidr_range=None, subnet="serverless", subnet_project=PROJECT)
    (one,) = run(connectors=(connector,), subnetworks=(subnet,), instances=(INSTANCE,)).resources
    assert one.spec["connector"] == {"subnet": {"name": "serverless"}, "management": "Observed"}


def test_a_machine_in_another_region_is_judged_by_the_policies_there() -> None:
    guard = FirewallPolicy(
        PolicyKind.SYSTEM,
        "guard",
        "guard",
        (FirewallPolicyRule(1, PolicyAction.DENY, Direction.INGRESS, frozenset({Layer4("all")})),),
    )
    subnet = Subnetwork(PROJECT, "europe-west1", "redis", NETWORK, IPv4Network("10.128.0.0/20"))
    given = {"machines": (replace(VM, zone="europe-west1-b"),), "rules": (REDIS_IN,), "subnetworks": (subnet,)}
    (here,) = run(**given, regional_policies={("staging-vpc", REGION): (guard,)}).resources
    assert here.outlook.before is ConditionStatus.TRUE
    (there,) = run(**given, regional_policies={("staging-vpc", "europe-west1"): (guard,)}).resources
    assert there.outlook.before is ConditionStatus.FALSE
    unread = {("staging-vpc", "europe-west1"): Unseen(Reason.PERMISSION_DENIED, "Grant it.")}
    assert left(run(**given, regional_policies=unread)) == {
        "firewall policies of network staging-vpc in europe-west1": "could not be read: Grant it."
    }


# --- Direct VPC egress

RUN_SUBNET = Subnetwork(PROJECT, REGION, "run", NETWORK, IPv4Network("10.64.0.0/24"))
IN_SUBNET = replace(REDIS_IN, source_ranges=frozenset({"10.64.0.0/24"}))
FULL = WayOut(
    network=f"projects/{PROJECT}/global/networks/staging-vpc",
    subnetwork=f"projects/{PROJECT}/regions/{REGION}/subnetworks/run",
)


def service(name: str, way: WayOut = FULL, **more: Any) -> RunService:
    return RunService(PROJECT, REGION, name, "image", (), way, **more)


def direct(*services: RunService, **more: Any) -> Imported:
    given = {"connectors": (), "subnetworks": (RUN_SUBNET,), "services": services, "instances": (INSTANCE,), **more}
    return run(**given)


def test_services_that_leave_by_one_subnet_are_one_path() -> None:
    found = direct(service("web"), service("chat", WayOut(subnetwork="run")), service("elsewhere", WayOut()))
    (one,) = found.resources
    assert found.left == ()
    assert one.spec == {
        "environment": "staging",
        "projectId": PROJECT,
        "region": REGION,
        "directVpcEgress": {"subnet": "run"},
        "redis": {"memorystore": {"instance": "cache"}},
    }
    assert one.found[0].startswith("Cloud Run services chat, web on Direct VPC egress from subnet run (10.64.0.0/24)")
    assert one.foretold.steps == ()


def test_services_with_tags_of_their_own_are_paths_of_their_own() -> None:
    tagged = replace(FULL, tags=frozenset({"web", "chat"}))
    found = direct(service("web", tagged), service("plain"))
    assert [one.spec["directVpcEgress"] for one in found.resources] == [
        {"subnet": "run"},
        {"subnet": "run", "tags": ["chat", "web"]},
    ]
    assert [one.name for one in found.resources] == ["cache", "cache-run"]


def test_a_machine_is_found_by_the_rule_that_opens_it_to_the_subnet() -> None:
    (one,) = direct(service("chat"), instances=(), machines=(VM,), rules=(IN_SUBNET,)).resources
    assert one.spec["redis"] == {"vm": {"host": "10.128.0.5"}}
    assert one.spec["firewall"] == {"ingress": "Never"}


def test_a_revisions_tag_is_no_source_of_an_ingress_rule() -> None:
    by_tag = replace(REDIS_IN, source_ranges=frozenset(), source_tags=frozenset({"chat"}))
    way = replace(FULL, tags=frozenset({"chat"}))
    found = direct(service("chat", way), instances=(), machines=(VM,), rules=(by_tag,))
    assert found.resources == ()
    why = "no Redis was found on its network staging-vpc"
    assert left(found)["Direct VPC egress of chat from subnet run with network tags chat"] == why


def test_without_a_subnet_it_is_the_one_named_like_the_network() -> None:
    named = replace(RUN_SUBNET, name="staging-vpc")
    (one,) = direct(service("chat", WayOut(network="staging-vpc")), subnetworks=(named,)).resources
    assert one.spec["directVpcEgress"] == {"subnet": "staging-vpc"}


def test_probers_and_services_that_go_are_no_paths() -> None:
    labels = frozenset(labels_of("cluster").items())
    found = direct(service("redis-connectivity-prober-12345", labels=labels), service("old", deleting=True))
    assert found.resources == ()
    assert list(left(found)) == ["Memorystore instance cache"]


@pytest.mark.parametrize(
    ("way", "more", "why"),
    [
        (replace(FULL, subnetwork="gone"), {}, "its subnet gone is not in project acme-staging"),
        (
            replace(FULL, subnetwork=f"projects/acme-host/regions/{REGION}/subnetworks/run"),
            {},
            "import with --host-project acme-host",
        ),
        (FULL, {"subnetworks": Unseen(Reason.PERMISSION_DENIED, "Grant it.")}, "that of subnet run: Grant it."),
        (FULL, {"networks": ()}, "its network staging-vpc is not in project acme-staging"),
    ],
)
def test_a_service_whose_subnet_is_not_known_is_named(way: WayOut, more: dict[str, Any], why: str) -> None:
    found = direct(service("chat", way), **more)
    assert found.resources == ()
    assert why in left(found)["Cloud Run service chat"]


def test_a_service_on_the_host_projects_subnet_is_declared_with_it() -> None:
    way = WayOut(
        network=f"projects/{HOST}/global/networks/shared-vpc",
        subnetwork=f"projects/{HOST}/regions/{REGION}/subnetworks/conn",
    )
    (one,) = shared(connectors=(), services=(service("chat", way),)).resources
    assert one.spec["network"] == {"name": "shared-vpc", "hostProjectId": HOST}
    assert one.spec["directVpcEgress"] == {"subnet": "conn"}


def test_what_the_operator_keeps_for_a_subnet_is_not_written_again() -> None:
    owner = ResourceId("cluster", "staging", "chat", "uid-1")
    kept = replace(IN_SUBNET, description=Marker(owner, Direction.INGRESS, "redis-in").description())
    found = direct(service("chat"), instances=(), machines=(VM,), rules=(kept,))
    assert found.resources == ()
    assert "resource staging/chat looks after it already" in next(iter(left(found).values()))


def test_what_is_kept_for_one_tag_is_not_kept_for_another() -> None:
    """Ingress rules cannot tell a subnet's revisions apart, so they are for all of them."""
    owner = ResourceId("cluster", "staging", "chat", "uid-1")
    kept = replace(IN_SUBNET, description=Marker(owner, Direction.INGRESS, "redis-in").description())
    way = replace(FULL, tags=frozenset({"web"}))
    (one,) = direct(service("web", way), instances=(), machines=(VM,), rules=(kept,)).resources
    assert one.spec["directVpcEgress"] == {"subnet": "run", "tags": ["web"]}


def test_a_projects_number_is_taken_for_the_project() -> None:
    way = WayOut(subnetwork=f"projects/123456789/regions/{REGION}/subnetworks/run")
    (one,) = direct(service("chat", way)).resources
    assert one.spec["directVpcEgress"] == {"subnet": "run"}


def test_only_machines_that_can_be_targets_are_worth_a_look_at_their_region() -> None:
    web = replace(VM, name="web", tags=frozenset({"web"}))
    elsewhere = replace(VM, name="other", network=NetworkRef(PROJECT, "other-vpc"))
    every_port = replace(REDIS_IN, name="all", layer4=frozenset({Layer4("tcp")}), target_tags=frozenset({"web"}))
    assert opened((REDIS_IN, every_port), (VM, web, elsewhere)) == (VM,)


def test_names_are_given_where_they_differ_from_the_defaults() -> None:
    network = NetworkRef(PROJECT, "default")
    connector = replace(CONNECTOR, name="vpc-conn", network="default")
    (one,) = run(
        networks=(Network(network),),
        connectors=(connector,),
        instances=(replace(INSTANCE, authorized_network=network),),
    ).resources
    assert one.spec["environment"] == "default"
    assert one.spec["network"] == {"name": "default"}
    assert one.spec["connector"]["name"] == "vpc-conn"


def test_two_connectors_to_one_redis_have_names_of_their_own() -> None:
    second = replace(CONNECTOR, name="b-connector", ip_cidr_range=IPv4Network("10.3.0.0/28"))
    found = run(connectors=(CONNECTOR, second), instances=(INSTANCE,))
    assert [one.name for one in found.resources] == ["cache", "cache-staging-connector"]
    assert [one.spec["connector"].get("name") for one in found.resources] == ["b-connector", None]


def test_a_cluster_is_found_by_its_connections() -> None:
    connection = PscConnection("10.128.0.9", 6379, ConnectionRole.DISCOVERY, ConnectionStatus.ACTIVE, NETWORK)
    cluster = RedisCluster(PROJECT, REGION, "big", PscState.ACTIVE, (connection,))
    stray = replace(cluster, name="stray", connections=())
    found = run(clusters=(cluster, stray))
    (one,) = found.resources
    assert one.spec["redis"] == {"cluster": {"name": "big"}}
    assert "does not tell on which network" in left(found)["Redis Cluster stray"]


def test_only_one_network_when_asked() -> None:
    other = NetworkRef(PROJECT, "other-vpc")
    found = import_paths(
        holding(
            networks=(Network(NETWORK), Network(other)),
            connectors=(CONNECTOR, replace(CONNECTOR, name="other-connector", network="other-vpc")),
            instances=(INSTANCE, replace(INSTANCE, name="elsewhere", authorized_network=other)),
        ),
        namespace="staging",
        network="other-vpc",
    )
    assert [one.name for one in found.resources] == ["elsewhere"]
    assert found.left == ()


def test_what_the_operator_keeps_already_is_not_written_again() -> None:
    owner = ResourceId("cluster", "staging", "chat", "uid-1")
    kept = replace(REDIS_IN, description=Marker(owner, Direction.INGRESS, "redis-in").description())
    found = run(machines=(VM,), rules=(kept,))
    assert found.resources == ()
    assert "resource staging/chat looks after it already" in next(iter(left(found).values()))


def test_what_could_not_be_read_is_named() -> None:
    hidden = Unseen(Reason.PERMISSION_DENIED, "Grant redis.instances.list.")
    inventory = holding(instances=hidden, machines=hidden, services=hidden)
    found = import_paths(inventory, namespace="staging")
    assert inventory.unread
    assert "Grant redis.instances.list." in left(found)["every Memorystore instance"]
    assert "every VM" in left(found)
    assert "every Cloud Run service" in left(found)


def test_adoption_is_written_and_foretold() -> None:
    found = import_paths(
        holding(machines=(VM,), rules=(REDIS_IN,), connectors=(replace(CONNECTOR, machine_type="e2-standard-4"),)),
        namespace="staging",
        adopt=True,
    )
    (one,) = found.resources
    assert one.spec["adoptionPolicy"] == "Adopt"
    assert one.spec["connector"]["management"] == "Managed"
    # Without it, adopting would change the machines.
    assert one.spec["connector"]["machineType"] == "e2-standard-4"
    (step,) = one.foretold.steps
    assert isinstance(step.action, UpdateRule)
    assert step.action.rule.name == "redis-in"


@pytest.mark.parametrize(
    ("network", "environment"),
    [
        ("staging-vpc", "staging"),
        ("default", "default"),
        ("a-vpc-vpc", "a-vpc"),
        ("n" * 63, "n" * 59),
    ],
)
def test_environments_come_from_networks(network: str, environment: str) -> None:
    assert environment_of(network)[0] == environment


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert unique_name("cache", "conn", {"cache", "cache-conn", "cache-conn-2"}) == "cache-conn-3"


# --- whatever there is

labels = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
short = st.from_regex(r"[a-z][-a-z0-9]{0,23}[a-z0-9]", fullmatch=True)
network_names = st.lists(labels, min_size=1, max_size=3, unique=True)
spans = st.sampled_from([IPv4Network(one) for one in ("10.2.0.0/28", "10.3.0.16/28", "192.0.2.0/28", "172.16.4.0/27")])
tag_sets = st.frozensets(st.sampled_from(["redis-instance", "web", "db"]), max_size=2)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    names = draw(network_names)
    refs = [NetworkRef(PROJECT, name) for name in names]
    some_network = st.sampled_from(refs)
    subnet = Subnetwork(PROJECT, REGION, "sub", refs[0], IPv4Network("10.4.0.0/28"))
    connectors = [
        replace(
            CONNECTOR,
            name=name,
            network="" if (by_subnet := draw(st.booleans())) else draw(some_network).name,
            ip_cidr_range=None if by_subnet else draw(spans),
            subnet="sub" if by_subnet else "",
            subnet_project=draw(st.sampled_from([PROJECT, PROJECT, "host-project"])) if by_subnet else "",
            state=draw(st.sampled_from([ConnectorState.READY, ConnectorState.READY, ConnectorState.CREATING])),
        )
        for name in draw(st.lists(short, max_size=3, unique=True))
    ]
    instances = [
        replace(
            INSTANCE,
            name=name,
            authorized_network=draw(st.none() | some_network),
            state=draw(st.sampled_from(RedisInstanceState)),
            host=draw(st.sampled_from(["", "10.9.0.3"])),
            connect_mode=draw(st.sampled_from(["DIRECT_PEERING", "PRIVATE_SERVICE_ACCESS"])),
        )
        for name in draw(st.lists(labels.filter(lambda one: len(one) <= 40), max_size=2, unique=True))
    ]
    machines = [
        replace(
            VM,
            zone=draw(st.sampled_from(["us-central1-a", "us-central1-b"])),
            name=name,
            network=draw(some_network),
            tags=draw(tag_sets),
        )
        for name in draw(st.lists(labels, max_size=3))
    ]
    rules = [
        replace(
            REDIS_IN,
            name=name,
            network=draw(some_network),
            action=draw(st.sampled_from(Action)),
            direction=draw(st.sampled_from(Direction)),
            priority=draw(st.sampled_from([0, 800, 1000])),
            source_ranges=draw(st.sampled_from([frozenset(), frozenset({"10.0.0.0/8"}), frozenset({"10.2.0.0/28"})])),
            target_tags=draw(tag_sets),
        )
        for name in draw(st.lists(labels, max_size=4, unique=True))
    ]
    rules = [replace(one, source_ranges=frozenset()) if one.direction is Direction.EGRESS else one for one in rules]
    ways = st.builds(
        WayOut,
        network=st.sampled_from(["", "sub", f"projects/{PROJECT}/global/networks/{names[0]}"]),
        subnetwork=st.sampled_from(["sub", "gone", f"projects/host-project/regions/{REGION}/subnetworks/sub"]),
        tags=tag_sets,
    )
    services = [service(name, draw(ways)) for name in draw(st.lists(short, max_size=3, unique=True))]
    return Inventory(
        PROJECT,
        REGION,
        networks=tuple(Network(one) for one in refs),
        connectors=tuple(connectors),
        rules=tuple(rules),
        subnetworks=(subnet,),
        machines=tuple(machines),
        instances=tuple(instances),
        services=tuple(services),
    )


@settings(deadline=None, max_examples=150)
@given(inventories(), st.booleans())
def test_every_resource_is_valid_unique_and_changes_nothing(inventory: Inventory, adopt: bool) -> None:
    found = import_paths(inventory, namespace="staging", adopt=adopt)

    names = [one.name for one in found.resources]
    assert len(set(names)) == len(names)
    for one in found.resources:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?", one.name)
        assert re.fullmatch(ENVIRONMENT_PATTERN, one.spec["environment"])
        # As it is written, so it is read: YAML has no types of ours.
        spec = RedisConnectivitySpec.model_validate(one.spec)
        want = resolve(ResourceId("none", "staging", one.name, "none"), spec)
        if want.direct is None:
            assert want.connector.name in {each.name for each in inventory.connectors}
        else:
            assert want.direct.subnet == "sub"
        assert want.network in {each.ref for each in inventory.networks}
        if not adopt:
            assert one.foretold.steps == ()


@settings(deadline=None, max_examples=150)
@given(inventories())
def test_nothing_is_dropped_silently(inventory: Inventory) -> None:
    found = import_paths(inventory, namespace="staging")
    told = " ".join(f"{one.what} {one.why}" for one in found.left)
    told += " ".join(text for one in found.resources for text in one.found)

    for connector in inventory.connectors:
        assert f"connector {connector.name}" in told
    assert not isinstance(inventory.services, Unseen)
    for one in inventory.services:
        assert re.search(rf"(services? |, |egress of ){re.escape(one.name)}\b", told)
    assert not isinstance(inventory.instances, Unseen)
    for instance in inventory.instances:
        assert f"Memorystore instance {instance.name}" in told


# --- Shared VPC

HOST = "acme-host"
SHARED = NetworkRef(HOST, "shared-vpc")
ON_SUBNET = replace(CONNECTOR, network="", ip_cidr_range=None, subnet="conn", subnet_project=HOST)
SUBNETS = (Subnetwork(HOST, REGION, "conn", SHARED, IPv4Network("10.8.0.0/28")),)


def shared(**more: Any) -> Imported:
    given: dict[str, Any] = {
        "networks": (Network(SHARED),),
        "connectors": (ON_SUBNET,),
        "subnetworks": SUBNETS,
        "instances": (replace(INSTANCE, authorized_network=SHARED),),
        "host_project": HOST,
        **more,
    }
    return run(**given)


def test_a_connector_of_the_service_project_is_on_the_host_projects_subnet() -> None:
    (one,) = shared().resources
    assert one.spec["projectId"] == PROJECT
    assert one.spec["network"] == {"name": "shared-vpc", "hostProjectId": HOST}
    assert one.spec["connector"] == {"name": "staging-connector", "subnet": {"name": "conn"}, "management": "Observed"}
    assert one.foretold.steps == ()


def test_a_connector_of_the_host_project_is_named_with_it() -> None:
    (one,) = shared(connectors=(replace(CONNECTOR, project=HOST, network="shared-vpc"),)).resources
    assert one.spec["connector"]["projectId"] == HOST
    assert one.spec["connector"]["ipCidrRange"] == "10.2.0.0/28"
    assert one.foretold.steps == ()


def test_connectors_of_one_name_in_both_projects_are_two_paths() -> None:
    theirs = replace(CONNECTOR, project=HOST, network="shared-vpc")
    first, second = shared(connectors=(ON_SUBNET, theirs)).resources
    assert first.name != second.name
    assert {"projectId" in one.spec["connector"] for one in (first, second)} == {True, False}


def test_what_another_project_is_to_be_read_for_is_said() -> None:
    found = run(connectors=(ON_SUBNET,), instances=(INSTANCE,))
    assert (
        "(Shared VPC), which is not read here: import with --host-project acme-host"
        in left(found)["connector staging-connector"]
    )
    own = shared(connectors=(CONNECTOR,))
    assert (
        "networks of acme-host are read here: import without --host-project" in left(own)["connector staging-connector"]
    )


def test_machines_of_one_name_in_both_projects_are_two_targets() -> None:
    rule = replace(REDIS_IN, network=SHARED, source_ranges=frozenset({"10.8.0.0/28"}))
    machines = tuple(replace(VM, network=SHARED, address=address) for address in ("10.128.0.5", "10.128.0.6"))
    found = shared(rules=(rule,), instances=(), machines=machines)
    assert [one.spec["redis"]["vm"]["host"] for one in found.resources] == ["10.128.0.5", "10.128.0.6"]
