"""Values to Google's messages and back: properties for rules, examples for the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from google.cloud import compute_v1, memorystore_v1, redis_cluster_v1, redis_v1, vpcaccess_v1
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from redis_connectivity.cloud.translate import (
    compute_operation,
    firewall_from_google,
    firewall_to_google,
    network_from_google,
    network_ref,
    normalised,
    ports_from_google,
    ports_to_google,
    subnetwork_from_google,
)
from redis_connectivity.cloud.translate_policies import policies_from_google
from redis_connectivity.cloud.translate_psc import cluster_from_google, trusted, valkey_from_google
from redis_connectivity.cloud.translate_services import (
    connector_from_google,
    connector_to_google,
    instance_from_google,
    service_operation,
)
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    NetworkRef,
    PolicyAction,
    PolicyKind,
    RedisInstanceState,
)
from redis_connectivity.core.pscvalues import (
    Authorization,
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
)

names = st.from_regex(r"[a-z][-a-z0-9]{0,20}[a-z0-9]", fullmatch=True)
ports = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: (min(pair), max(pair))), max_size=4
).map(lambda pairs: tuple(sorted(set(pairs))))
layer4 = st.frozensets(
    st.builds(Layer4, st.sampled_from(["tcp", "udp", "icmp", "all", "sctp", "47"]), ports), min_size=1, max_size=3
)
ranges = st.frozensets(
    st.one_of(
        st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
        st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
            lambda pair: str(IPv4Network((pair[0] >> (32 - pair[1]) << (32 - pair[1]), pair[1])))
        ),
    ),
    max_size=4,
)
tags = st.frozensets(names, max_size=3)
rules = st.builds(
    FirewallRule,
    network=st.builds(NetworkRef, names, names),
    name=names,
    direction=st.sampled_from(Direction),
    action=st.sampled_from(Action),
    priority=st.integers(0, 65535),
    layer4=layer4,
    source_ranges=ranges,
    destination_ranges=ranges,
    source_tags=tags,
    target_tags=tags,
    source_service_accounts=tags,
    target_service_accounts=tags,
    disabled=st.booleans(),
    logging=st.sampled_from([None, "INCLUDE_ALL_METADATA", "EXCLUDE_ALL_METADATA"]),
    description=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30),
)


def over_the_wire(rule: FirewallRule) -> FirewallRule:
    """As JSON and back, as an insert and a get would take it."""
    text = compute_v1.Firewall.to_json(firewall_to_google(rule))
    return firewall_from_google(json_format.Parse(text, compute_v1.Firewall.pb(compute_v1.Firewall())), "other")


@given(rules)
def test_a_rule_survives_the_round_trip(rule: FirewallRule) -> None:
    assert over_the_wire(rule) == normalised(rule)


@given(rules)
def test_normalising_twice_is_normalising_once(rule: FirewallRule) -> None:
    assert normalised(normalised(rule)) == normalised(rule)


@given(ports)
def test_ports_survive_the_round_trip(pairs: tuple[tuple[int, int], ...]) -> None:
    assert ports_from_google(ports_to_google(pairs)) == pairs


def google_firewall(**fields: Any) -> FirewallRule:
    return firewall_from_google(
        json_format.Parse(json.dumps(fields), compute_v1.Firewall.pb(compute_v1.Firewall())), "acme"
    )


def test_what_google_fills_in_is_no_difference() -> None:
    rule = google_firewall(
        name="allow-redis",
        network="https://www.googleapis.com/compute/v1/projects/acme/global/networks/staging-vpc",
        allowed=[{"IPProtocol": "TCP", "ports": ["6379", "1-2"]}],
        sourceRanges=["10.2.0.0/28", "10.9.9.9"],
        id="123",
        selfLink="https://…",
        creationTimestamp="2026-01-01T00:00:00Z",
        logConfig={"enable": True},
    )
    assert rule == FirewallRule(
        network=NetworkRef("acme", "staging-vpc"),
        name="allow-redis",
        direction=Direction.INGRESS,
        action=Action.ALLOW,
        priority=1000,
        layer4=frozenset({Layer4("tcp", ((1, 2), (6379, 6379)))}),
        source_ranges=frozenset({"10.2.0.0/28", "10.9.9.9/32"}),
        logging="INCLUDE_ALL_METADATA",
    )
    assert rule.id == "123"


def test_no_range_at_all_means_everywhere() -> None:
    deny = google_firewall(name="deny", network="n", denied=[{"IPProtocol": "all"}], direction="EGRESS", priority=0)
    assert (deny.action, deny.priority) == (Action.DENY, 0)
    assert deny.destination_ranges == {"0.0.0.0/0"}
    assert deny.source_ranges == frozenset()
    assert google_firewall(name="x", network="n", allowed=[{"IPProtocol": "tcp"}]).source_ranges == {"0.0.0.0/0"}
    tagged = google_firewall(name="x", network="n", allowed=[{"IPProtocol": "tcp"}], sourceTags=["t"])
    assert tagged.source_ranges == frozenset()


def test_metadata_is_only_sent_while_logging_is_on() -> None:
    rule = google_firewall(name="x", network="n", allowed=[{"IPProtocol": "tcp"}])
    off = compute_v1.Firewall.to_dict(firewall_to_google(rule))
    assert off["log_config"] == {"enable": False}
    on = compute_v1.Firewall.to_dict(firewall_to_google(replace(rule, logging="EXCLUDE_ALL_METADATA")))
    assert on["log_config"] == {"enable": True, "metadata": "EXCLUDE_ALL_METADATA"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.googleapis.com/compute/v1/projects/p/global/networks/n", NetworkRef("p", "n")),
        (
            "https://compute.googleapis.com/compute/v1/projects/example.com:p/global/networks/n",
            NetworkRef("example.com:p", "n"),
        ),
        ("projects/p/global/networks/n", NetworkRef("p", "n")),
        ("global/networks/default", NetworkRef("own", "default")),
        ("n", NetworkRef("own", "n")),
    ],
)
def test_network_references(text: str, expected: NetworkRef) -> None:
    assert network_ref(text, "own") == expected


def test_networks_and_subnetworks() -> None:
    pb = compute_v1.Network.pb(
        compute_v1.Network(
            name="n",
            network_firewall_policy_enforcement_order="BEFORE_CLASSIC_FIREWALL",
            peerings=[
                compute_v1.NetworkPeering(name="redis-peer-1", network="projects/g/global/networks/x", state="ACTIVE")
            ],
        )
    )
    network = network_from_google(pb, "acme")
    assert network.enforcement_order == "BEFORE_CLASSIC_FIREWALL"
    assert [(peering.name, peering.state) for peering in network.peerings] == [("redis-peer-1", "ACTIVE")]
    subnet = compute_v1.Subnetwork(
        name="s",
        region="https://www.googleapis.com/compute/v1/projects/acme/regions/us-central1",
        network="https://www.googleapis.com/compute/v1/projects/host/global/networks/n",
        ip_cidr_range="10.0.0.0/28",
    )
    value = subnetwork_from_google(compute_v1.Subnetwork.pb(subnet), "acme")
    assert value is not None
    assert (value.region, value.network, value.purpose) == ("us-central1", NetworkRef("host", "n"), "PRIVATE")
    assert subnetwork_from_google(compute_v1.Subnetwork.pb(compute_v1.Subnetwork(name="six")), "acme") is None


def test_operations_that_fail_say_why() -> None:
    document = {
        "name": "op",
        "status": "DONE",
        "targetLink": "t",
        "httpErrorStatusCode": 403,
        "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota 'FIREWALLS' exceeded."}]},
    }
    pb = json_format.Parse(json.dumps(document), compute_v1.Operation.pb(compute_v1.Operation()))
    operation = compute_operation(compute_v1.Operation.wrap(pb), "acme")
    assert operation.done
    failure = operation.failure("firewalls.insert")
    assert failure is not None
    assert (failure.code, failure.message, failure.status) == ("QUOTA_EXCEEDED", "Quota 'FIREWALLS' exceeded.", 403)
    assert compute_operation(compute_v1.Operation(name="op", status="RUNNING"), "acme").done is False


def policies(*documents: dict[str, Any]) -> Any:
    answer = compute_v1.NetworksGetEffectiveFirewallsResponse.pb(compute_v1.NetworksGetEffectiveFirewallsResponse())
    json_format.Parse(json.dumps({"firewallPolicys": documents}), answer)
    return policies_from_google(answer.firewall_policys, "acme")


def test_effective_policies_keep_their_order_and_sort_their_rules() -> None:
    rule = {
        "action": "deny",
        "direction": "EGRESS",
        "match": {"destIpRanges": ["10.0.0.0/8"], "layer4Configs": [{"ipProtocol": "TCP", "ports": ["6379"]}]},
        "targetResources": ["https://www.googleapis.com/compute/v1/projects/acme/global/networks/n"],
        "ruleName": "no-redis",
    }
    org, net, system, new = policies(
        {
            "type": "HIERARCHY",
            "name": "123",
            "shortName": "org",
            "rules": [{**rule, "priority": 9}, {**rule, "priority": 1}],
        },
        {"type": "NETWORK", "name": "net", "priority": 5, "rules": []},
        {"type": "SYSTEM_GLOBAL", "name": "sys"},
        {"type": "UNSPECIFIED", "name": "odd"},
    )
    assert [policy.kind for policy in (org, net, system, new)] == [
        PolicyKind.HIERARCHY,
        PolicyKind.NETWORK,
        PolicyKind.SYSTEM,
        PolicyKind.HIERARCHY,
    ]
    assert [item.priority for item in org.rules] == [1, 9]
    assert (org.priority, net.priority) == (None, 5)
    first = org.rules[0]
    assert first.action is PolicyAction.DENY
    assert first.layer4 == {Layer4("tcp", ((6379, 6379),))}
    assert first.target_networks == {NetworkRef("acme", "n")}
    assert first.opaque == frozenset()


def test_what_cannot_be_judged_offline_is_named() -> None:
    (policy,) = policies(
        {
            "type": "HIERARCHY",
            "rules": [
                {
                    "action": "allow",
                    "match": {"destFqdns": ["example.com"], "srcSecureTags": [{"name": "tagValues/1"}]},
                },
                {"action": "mirror", "priority": 2, "targetType": "INTERNAL_MANAGED_LB"},
            ],
        }
    )
    assert policy.rules[0].opaque == {"destFqdns", "srcSecureTags"}
    assert policy.rules[1].opaque == {"action:mirror", "targetType:INTERNAL_MANAGED_LB"}


CONNECTOR = Connector(
    project="acme",
    region="us-central1",
    name="staging-connector",
    state=ConnectorState.READY,
    network="staging-vpc",
    ip_cidr_range=IPv4Network("10.2.0.0/28"),
    machine_type="e2-micro",
    min_instances=2,
    max_instances=3,
)


def test_connectors_both_ways() -> None:
    body = connector_to_google(CONNECTOR)
    assert body.name == ""
    assert (body.network, body.ip_cidr_range, body.subnet.name) == ("staging-vpc", "10.2.0.0/28", "")
    body.name = "projects/42/locations/us-central1/connectors/staging-connector"  # Google may write the number
    body.state = vpcaccess_v1.Connector.State.READY
    assert connector_from_google(body, "acme", "us-central1") == CONNECTOR
    in_subnet = replace(CONNECTOR, network="", ip_cidr_range=None, subnet="s", subnet_project="host")
    body = connector_to_google(in_subnet)
    assert (body.subnet.name, body.subnet.project_id, body.network) == ("s", "host", "")
    own = vpcaccess_v1.Connector(name="x/c", subnet=vpcaccess_v1.Connector.Subnet(name="s"))
    assert connector_from_google(own, "acme", "r").subnet_project == "acme"


def test_instances_and_states_to_come() -> None:
    instance = redis_v1.Instance(
        name="projects/p/locations/r/instances/cache",
        host="10.1.2.3",
        port=6378,
        authorized_network="projects/acme/global/networks/staging-vpc",
        connect_mode=redis_v1.Instance.ConnectMode.PRIVATE_SERVICE_ACCESS,
        transit_encryption_mode=redis_v1.Instance.TransitEncryptionMode.SERVER_AUTHENTICATION,
        state=redis_v1.Instance.State.READY,
        redis_version="REDIS_7_0",
    )
    value = instance_from_google(instance, "acme", "us-central1")
    assert (value.name, value.host, value.port, value.transit_encryption) == ("cache", "10.1.2.3", 6378, True)
    assert value.authorized_network == NetworkRef("acme", "staging-vpc")
    assert value.connect_mode == "PRIVATE_SERVICE_ACCESS"
    unknown = redis_v1.Instance.pb(redis_v1.Instance(name="x/y"))
    unknown.state = 77
    value = instance_from_google(redis_v1.Instance.wrap(unknown), "acme", "r")
    assert value.state is RedisInstanceState.UNKNOWN
    assert value.authorized_network is None
    assert value.connect_mode == "DIRECT_PEERING"


def test_clusters_with_connections_from_every_field() -> None:
    states = redis_cluster_v1.PscConnectionStatus
    network = "projects/acme/global/networks/prod-vpc"
    cluster = redis_cluster_v1.Cluster(
        name="projects/p/locations/r/clusters/chat",
        state=redis_cluster_v1.Cluster.State.ACTIVE,
        authorization_mode=redis_cluster_v1.AuthorizationMode.AUTH_MODE_IAM_AUTH,
        transit_encryption_mode=redis_cluster_v1.TransitEncryptionMode.TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION,
        discovery_endpoints=[
            redis_cluster_v1.DiscoveryEndpoint(
                address="10.9.0.4", port=6379, psc_config=redis_cluster_v1.PscConfig(network=network)
            )
        ],
        psc_connections=[
            redis_cluster_v1.PscConnection(
                address="10.9.0.4",
                network=network,
                connection_type=redis_cluster_v1.ConnectionType.CONNECTION_TYPE_DISCOVERY,
                psc_connection_status=states.PSC_CONNECTION_STATUS_ACTIVE,
            ),
            redis_cluster_v1.PscConnection(
                address="10.9.0.5", network=network, psc_connection_status=states.PSC_CONNECTION_STATUS_NOT_FOUND
            ),
        ],
        cluster_endpoints=[
            redis_cluster_v1.ClusterEndpoint(
                connections=[
                    redis_cluster_v1.ConnectionDetail(
                        psc_connection=redis_cluster_v1.PscConnection(
                            address="10.8.0.4", network="projects/99/global/networks/other"
                        )
                    ),
                    redis_cluster_v1.ConnectionDetail(),
                ]
            )
        ],
    )
    value = cluster_from_google(cluster, "acme", "us-central1")
    prod = NetworkRef("acme", "prod-vpc")
    assert value == RedisCluster(
        "acme",
        "us-central1",
        "chat",
        PscState.ACTIVE,
        (
            PscConnection("10.8.0.4", 0, ConnectionRole.NODES, ConnectionStatus.UNSPECIFIED, NetworkRef("99", "other")),
            PscConnection("10.9.0.4", 6379, ConnectionRole.DISCOVERY, ConnectionStatus.ACTIVE, prod),
            PscConnection("10.9.0.5", 0, ConnectionRole.NODES, ConnectionStatus.NOT_FOUND, prod),
        ),
        Authorization.IAM_AUTH,
        transit_encryption=True,
    )


@pytest.mark.parametrize("automatic", [True, False], ids=["by policy", "registered"])
@pytest.mark.parametrize(
    ("mode", "cluster_mode", "roles"),
    [
        ("CLUSTER", True, ("DISCOVERY", "")),
        ("CLUSTER_DISABLED", False, ("PRIMARY", "READER")),
        ("STANDALONE", False, ()),
    ],
)
def test_valkey_in_both_modes_and_both_forms(
    mode: str, cluster_mode: bool, roles: tuple[str, ...], automatic: bool
) -> None:
    types = memorystore_v1.ConnectionType
    made = memorystore_v1.PscAutoConnection if automatic else memorystore_v1.PscConnection
    field = "psc_auto_connection" if automatic else "psc_connection"
    connections = [
        memorystore_v1.Instance.ConnectionDetail(
            **{
                field: made(
                    ip_address=f"10.9.0.{number}",
                    port=6379 if role else None,
                    network="projects/acme/global/networks/prod-vpc",
                    connection_type=types[f"CONNECTION_TYPE_{role or 'UNSPECIFIED'}"],
                    psc_connection_status=memorystore_v1.PscConnectionStatus.ACTIVE,
                )
            }
        )
        for number, role in enumerate(roles, start=4)
    ]
    instance = memorystore_v1.Instance(
        name="projects/p/locations/r/instances/chat-cache",
        state=memorystore_v1.Instance.State.ACTIVE,
        mode=memorystore_v1.Instance.Mode[mode],
        authorization_mode=memorystore_v1.Instance.AuthorizationMode.AUTH_DISABLED,
        endpoints=[memorystore_v1.Instance.InstanceEndpoint(connections=connections)],
        engine_version="VALKEY_8_0",
    )
    value = valkey_from_google(instance, "acme", "us-central1")
    assert (value.name, value.cluster_mode, value.authorization) == ("chat-cache", cluster_mode, Authorization.DISABLED)
    assert [(one.role, one.port, one.status) for one in value.connections] == [
        (ConnectionRole(role or "NODES"), 6379 if role else 0, ConnectionStatus.ACTIVE) for role in roles
    ]


@pytest.mark.parametrize(
    ("mode", "own"),
    [
        (None, True),
        ("UNSPECIFIED", True),
        ("GOOGLE_MANAGED_PER_INSTANCE_CA", True),
        ("GOOGLE_MANAGED_SHARED_CA", False),
        ("CUSTOMER_MANAGED_CAS_CA", False),
        (77, False),
    ],
)
def test_a_ca_of_its_own_is_one_that_signs_for_nobody_else(mode: str | int | None, own: bool) -> None:
    def number(words: Any) -> int:
        return mode if isinstance(mode, int) else int(words[f"SERVER_CA_MODE_{mode}"])

    cluster = redis_cluster_v1.Cluster.pb(redis_cluster_v1.Cluster(name="x/y"))
    valkey = memorystore_v1.Instance.pb(memorystore_v1.Instance(name="x/y"))
    if mode is not None:
        cluster.server_ca_mode = number(redis_cluster_v1.ServerCaMode)
        valkey.server_ca_mode = number(memorystore_v1.Instance.ServerCaMode)
    assert cluster_from_google(redis_cluster_v1.Cluster.wrap(cluster), "acme", "r").own_ca is own
    assert valkey_from_google(memorystore_v1.Instance.wrap(valkey), "acme", "r").own_ca is own


@pytest.mark.parametrize("api", [redis_cluster_v1, memorystore_v1])
def test_all_certificates_of_a_ca_are_trusted_each_once(api: Any) -> None:
    chain = api.CertificateAuthority.ManagedCertificateAuthority.CertChain
    managed = api.CertificateAuthority.ManagedCertificateAuthority(
        ca_certs=[chain(certificates=["OLD", "ROOT\n"]), chain(certificates=["NEW\n", "ROOT"])]
    )
    assert trusted(api.CertificateAuthority(managed_server_ca=managed)) == ("OLD\n", "ROOT\n", "NEW\n")
    assert trusted(api.CertificateAuthority()) == ()


def test_words_of_clusters_and_valkey_that_are_yet_to_come() -> None:
    cluster = redis_cluster_v1.Cluster.pb(redis_cluster_v1.Cluster(name="x/y"))
    cluster.state, cluster.authorization_mode = 77, 78
    value = cluster_from_google(redis_cluster_v1.Cluster.wrap(cluster), "acme", "r")
    assert (value.state, value.authorization, value.connections) == (PscState.UNKNOWN, Authorization.DISABLED, ())
    instance = memorystore_v1.Instance.pb(
        memorystore_v1.Instance(
            name="x/y", discovery_endpoints=[memorystore_v1.DiscoveryEndpoint(address="10.9.0.4", port=6379)]
        )
    )
    instance.state, instance.mode = 77, 78
    old = valkey_from_google(memorystore_v1.Instance.wrap(instance), "acme", "r")
    assert (old.state, old.cluster_mode) == (PscState.UNKNOWN, True)
    assert [(one.address, one.role) for one in old.connections] == [("10.9.0.4", ConnectionRole.DISCOVERY)]


def test_long_running_operations_are_read_whatever_they_carry() -> None:
    operation = service_operation(
        {
            "name": "projects/acme/locations/r/operations/1",
            "done": True,
            "metadata": {"@type": "type.googleapis.com/no.such.Type", "method": "a.b.CreateConnector", "target": "t"},
            "error": {"code": 3, "message": "Operation failed: Invalid IP CIDR range was provided."},
        }
    )
    assert operation.done
    assert operation.failure is not None
    assert (operation.failure.code, operation.failure.number, operation.failure.method) == (
        "INVALID_ARGUMENT",
        3,
        "CreateConnector",
    )
    assert service_operation({"name": "x"}).failure is None
