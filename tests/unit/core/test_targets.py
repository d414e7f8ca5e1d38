"""Every kind of target: what must be let through to it, where a rule can apply, what is said when it is not well."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.limits import NODE_PORTS
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.actions import DeleteRule, InsertRule
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    Network,
    NetworkRef,
    Peering,
    RedisInstance,
    RedisInstanceState,
)
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.probing import ProbeMemory, ProbeResult
from redis_connectivity.core.pscvalues import (
    Authorization,
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
    ValkeyInstance,
)
from redis_connectivity.core.statusbuild import StatusInput, build_status
from redis_connectivity.core.targets import look_at, same_network

OWNER = ResourceId("cluster", "ns", "path", "uid-1")
NETWORK = NetworkRef("acme-staging", "staging-vpc")
RANGE = IPv4Network("10.2.0.0/28")
ACCOUNT = "redis@acme-staging.iam.gserviceaccount.com"
EGRESS, INGRESS = "allow-vpc-connector-egress-to-redis", "allow-vpc-connector-to-redis"
PEERED = Network(NETWORK, peerings=(Peering("redis-peer-12345", "x", "ACTIVE"),))
INSTANCE = RedisInstance(
    "acme-staging",
    "us-central1",
    "cache",
    RedisInstanceState.READY,
    host="10.129.0.3",
    port=6379,
    authorized_network=NETWORK,
)


def connection(address: str, role: ConnectionRole, **more: Any) -> PscConnection:
    given = {"port": 6379, "status": ConnectionStatus.ACTIVE, "network": NETWORK} | more
    return PscConnection(address, given["port"], role, given["status"], given["network"])


DISCOVERY = connection("10.129.0.4", ConnectionRole.DISCOVERY)
NODES = connection("10.129.0.5", ConnectionRole.NODES, port=0)
CLUSTER = RedisCluster("acme-staging", "us-central1", "cache", PscState.ACTIVE, (NODES, DISCOVERY))
VALKEY = ValkeyInstance("acme-staging", "us-central1", "cache", PscState.ACTIVE, connections=(DISCOVERY, NODES))
PRIMARY = connection("10.129.0.4", ConnectionRole.PRIMARY)
READER = connection("10.129.0.5", ConnectionRole.READER)
PLAIN_VALKEY = replace(VALKEY, cluster_mode=False, connections=(READER, PRIMARY))
TARGETS: dict[str, dict[str, Any]] = {
    "memorystore": {"memorystore": {"instance": "cache"}},
    "cluster": {"cluster": {"name": "cache"}},
    "valkey": {"valkey": {"instance": "cache"}},
    "vm": {"vm": {"host": "10.128.0.5"}},
    "vm-accounts": {"vm": {"host": "10.128.0.5", "targetServiceAccounts": [ACCOUNT]}},
    "endpoint": {"endpoint": {"host": "10.128.0.9", "port": 6390}},
    "name": {"endpoint": {"host": "redis.example.internal"}},
}
DENY_ALL = (
    FirewallRule(
        NETWORK,
        "deny-out",
        Direction.EGRESS,
        Action.DENY,
        900,
        frozenset({Layer4("all")}),
        destination_ranges=frozenset({"0.0.0.0/0"}),
    ),
    FirewallRule(
        NETWORK,
        "deny-in",
        Direction.INGRESS,
        Action.DENY,
        900,
        frozenset({Layer4("all")}),
        source_ranges=frozenset({"0.0.0.0/0"}),
    ),
)


def desired(target: str, **more: Any) -> Desired:
    spec = {
        "environment": "staging",
        "projectId": "acme-staging",
        "region": "us-central1",
        "connector": {"ipCidrRange": str(RANGE)},
        "redis": TARGETS[target],
        **more,
    }
    return resolve(OWNER, RedisConnectivitySpec.model_validate(spec))


def observed(redis: Any = None, *rules: FirewallRule, network: Network = PEERED) -> Observed:
    ready = Connector(
        "acme-staging",
        "us-central1",
        "staging-connector",
        ConnectorState.READY,
        network="staging-vpc",
        ip_cidr_range=RANGE,
        machine_type="e2-micro",
        min_instances=2,
        max_instances=3,
    )
    return Observed(network=network, connector=ready, redis=redis, rules=(*DENY_ALL, *rules))


def plan(target: str, redis: Any = None, *rules: FirewallRule, network: Network = PEERED, **more: Any) -> Plan:
    return make_plan(desired(target, **more), observed(redis, *rules, network=network), Ledger(), 0.0)


def made(planned: Plan) -> dict[str, FirewallRule]:
    return {one.rule.name: one.rule for one in planned.actions if isinstance(one, InsertRule)}


def ports(*pairs: tuple[int, int]) -> frozenset[Layer4]:
    return frozenset({Layer4("tcp", pairs)})


@pytest.mark.parametrize(
    ("target", "redis", "addresses", "layer4"),
    [
        ("memorystore", INSTANCE, {"10.129.0.3/32"}, ports((6379, 6379))),
        (
            "memorystore",
            replace(INSTANCE, port=6378, read_endpoint="10.129.0.4", read_endpoint_port=6378, transit_encryption=True),
            {"10.129.0.3/32", "10.129.0.4/32"},
            ports((6378, 6378)),
        ),
        ("cluster", CLUSTER, {"10.129.0.4/32", "10.129.0.5/32"}, ports((6379, 6379), NODE_PORTS)),
        ("valkey", VALKEY, {"10.129.0.4/32", "10.129.0.5/32"}, ports((6379, 6379), NODE_PORTS)),
        ("valkey", PLAIN_VALKEY, {"10.129.0.4/32", "10.129.0.5/32"}, ports((6379, 6379), NODE_PORTS)),
        ("vm", None, {"10.128.0.5/32"}, ports((6379, 6379))),
        ("endpoint", None, {"10.128.0.9/32"}, ports((6390, 6390))),
    ],
)
def test_egress_covers_every_address_and_port(target: str, redis: Any, addresses: set[str], layer4: Any) -> None:
    rule = made(plan(target, redis))[EGRESS]
    assert (rule.destination_ranges, rule.layer4, rule.priority) == (addresses, layer4, 899)
    assert rule.target_tags == {"vpc-connector-us-central1-staging-connector"}


@pytest.mark.parametrize(
    ("target", "tags", "accounts"), [("vm", {"redis-instance"}, set()), ("vm-accounts", set(), {ACCOUNT})]
)
def test_ingress_applies_to_machines_by_tags_or_by_accounts_never_both(
    target: str, tags: set[str], accounts: set[str]
) -> None:
    rule = made(plan(target))[INGRESS]
    assert (rule.target_tags, rule.target_service_accounts) == (tags, accounts)
    assert (rule.source_ranges, rule.source_tags, rule.destination_ranges) == ({str(RANGE)}, set(), set())


@pytest.mark.parametrize(
    ("target", "redis"), [("memorystore", INSTANCE), ("cluster", CLUSTER), ("valkey", VALKEY), ("endpoint", None)]
)
def test_no_ingress_rule_where_none_can_be_known_to_apply(target: str, redis: Any) -> None:
    assert made(plan(target, redis)).keys() == {EGRESS}


def test_ingress_at_an_endpoint_is_made_by_address_when_asked_for() -> None:
    rule = made(plan("endpoint", firewall={"ingress": "Always"}))[INGRESS]
    assert (rule.destination_ranges, rule.target_tags) == ({"10.128.0.9/32"}, set())
    assert rule.source_ranges == {str(RANGE)}


def test_a_name_has_no_rule_and_takes_earlier_ones_away() -> None:
    ours = FirewallRule(
        NETWORK,
        EGRESS,
        Direction.EGRESS,
        Action.ALLOW,
        899,
        ports((6379, 6379)),
        destination_ranges=frozenset({"10.128.0.9/32"}),
        description=Marker(OWNER, Direction.EGRESS, EGRESS).description(),
    )
    planned = plan("name", None, ours)
    assert [type(one) for one in planned.actions] == [DeleteRule]
    assert planned.firewall.reason is Reason.FIREWALL_NOT_JUDGED
    assert planned.destination == ("redis.example.internal", 6379)
    rest = plan("name")
    assert (rest.actions, rest.in_sync.reason, rest.open_hop) == ((), Reason.IN_SYNC, None)


def status(target: str, redis: Any = None, probe: ProbeMemory | None = None, **more: Any) -> RedisConnectivityStatus:
    want, seen = desired(target, **more), observed(redis)
    given = StatusInput(
        want, seen, make_plan(want, seen, Ledger(), 0.0), probe, 1, RedisConnectivityStatus(), now=10.0, probed=True
    )
    return build_status(given)


def test_a_name_is_ready_when_the_prober_proves_it_and_unknown_before() -> None:
    def ready(made: RedisConnectivityStatus) -> tuple[str, Reason]:
        one = next(one for one in made.conditions if one.type is ConditionType.READY)
        return one.status.value, one.reason

    assert ready(status("name"))[0] == "Unknown"
    where = "redis.example.internal:6379"
    answer = ProbeResult(9.0, ok=True, origin="Prober", target=where, seconds=0.01)
    proven = ProbeMemory("Prober", where, reachable=True, successes=1, last=answer, last_success=answer)
    assert ready(status("name", probe=proven)) == ("True", Reason.PATH_PROVEN)
    own = replace(proven, origin="Operator", last=replace(answer, origin="Operator"))
    assert ready(status("name", probe=own)) == ("Unknown", Reason.FIREWALL_NOT_JUDGED)
    kinds = {one.type: one for one in status("name").conditions}
    assert kinds[ConditionType.STALLED].status == "False"
    assert kinds[ConditionType.RECONCILING].reason is Reason.SETTLED


@pytest.mark.parametrize(
    ("target", "redis", "network", "reason", "text"),
    [
        ("memorystore", None, PEERED, Reason.REDIS_NOT_FOUND, "no Memorystore instance cache in acme-staging"),
        ("cluster", None, PEERED, Reason.REDIS_NOT_FOUND, "spec.redis.cluster.name"),
        ("valkey", None, PEERED, Reason.REDIS_NOT_FOUND, "spec.redis.valkey.instance"),
        (
            "memorystore",
            replace(INSTANCE, state=RedisInstanceState.MAINTENANCE),
            PEERED,
            Reason.REDIS_NOT_READY,
            "is MAINTENANCE; wait until it is READY",
        ),
        (
            "cluster",
            replace(CLUSTER, state=PscState.CREATING, connections=()),
            PEERED,
            Reason.REDIS_NOT_READY,
            "is CREATING; wait until it is ACTIVE",
        ),
        (
            "valkey",
            replace(VALKEY, state=PscState.MIGRATING),
            PEERED,
            Reason.REDIS_NOT_READY,
            "is MIGRATING; wait until it is ACTIVE",
        ),
        ("valkey", replace(VALKEY, state=PscState.UNKNOWN), PEERED, Reason.REDIS_NOT_READY, "is UNKNOWN"),
        (
            "memorystore",
            replace(INSTANCE, authorized_network=NetworkRef("acme-staging", "prod-vpc")),
            PEERED,
            Reason.REDIS_WRONG_NETWORK,
            "authorised for network acme-staging/prod-vpc",
        ),
        (
            "cluster",
            replace(CLUSTER, connections=(replace(DISCOVERY, network=NetworkRef("acme-staging", "prod-vpc")),)),
            PEERED,
            Reason.REDIS_WRONG_NETWORK,
            "has its endpoints in network acme-staging/prod-vpc",
        ),
        (
            "cluster",
            replace(CLUSTER, connections=()),
            PEERED,
            Reason.REDIS_CONNECTION_LOST,
            "a service connection policy",
        ),
        (
            "valkey",
            replace(VALKEY, connections=(DISCOVERY, replace(NODES, status=ConnectionStatus.NOT_FOUND))),
            PEERED,
            Reason.REDIS_CONNECTION_LOST,
            "10.129.0.5 (NODES) is NOT_FOUND",
        ),
        ("memorystore", INSTANCE, Network(NETWORK), Reason.REDIS_PEERING_MISSING, "no peering redis-peer-*"),
        (
            "memorystore",
            replace(INSTANCE, connect_mode="PRIVATE_SERVICE_ACCESS"),
            PEERED,
            Reason.REDIS_PEERING_MISSING,
            "no peering servicenetworking-googleapis-com",
        ),
        (
            "memorystore",
            INSTANCE,
            Network(NETWORK, peerings=(Peering("redis-peer-1", "x", "INACTIVE"),)),
            Reason.REDIS_PEERING_INACTIVE,
            "redis-peer-1 is INACTIVE",
        ),
    ],
)
def test_what_is_wrong_is_named(target: str, redis: Any, network: Network, reason: Reason, text: str) -> None:
    verdict = plan(target, redis, network=network).redis
    assert (verdict.ok, verdict.reason) == (False, reason)
    assert text in verdict.message


@pytest.mark.parametrize("target", ["memorystore", "cluster", "valkey"])
def test_what_cannot_be_read_is_told_as_it_is(target: str) -> None:
    verdict = plan(target, Unseen(Reason.PERMISSION_DENIED, "no right")).redis
    assert (verdict.reason, verdict.message) == (Reason.PERMISSION_DENIED, "no right")


@pytest.mark.parametrize(("target", "redis"), [("cluster", INSTANCE), ("memorystore", CLUSTER), ("valkey", CLUSTER)])
def test_a_value_of_another_kind_is_no_target(target: str, redis: Any) -> None:
    assert look_at(desired(target).target, redis, NETWORK) is None


def test_endpoints_of_other_networks_do_not_count() -> None:
    elsewhere = connection("10.50.0.4", ConnectionRole.DISCOVERY, network=NetworkRef("acme-staging", "prod-vpc"))
    seen = look_at(desired("cluster").target, replace(CLUSTER, connections=(elsewhere, DISCOVERY, NODES)), NETWORK)
    assert seen is not None
    assert [one.host for one in seen.endpoints] == ["10.129.0.4", "10.129.0.5"]
    assert seen.main == ("10.129.0.4", 6379)


def test_registered_endpoints_without_a_port_are_asked_at_redis_own() -> None:
    bare = replace(CLUSTER, connections=(replace(DISCOVERY, port=0), NODES))
    seen = look_at(desired("cluster").target, bare, NETWORK)
    assert seen is not None
    assert seen.main == ("10.129.0.4", 6379)


@pytest.mark.parametrize(
    ("project", "name", "same"),
    [("acme-staging", "staging-vpc", True), ("1234", "staging-vpc", True), ("1234", "other", False), ("x", "y", False)],
)
def test_a_project_number_says_nothing_against_an_id(project: str, name: str, same: bool) -> None:
    assert same_network(NetworkRef(project, name), NETWORK) is same


@pytest.mark.parametrize(
    ("target", "redis", "kind", "reach", "tls", "authorization"),
    [
        ("memorystore", replace(INSTANCE, auth_enabled=True), "Memorystore", "Peering", False, "AUTH_STRING"),
        (
            "cluster",
            replace(CLUSTER, transit_encryption=True, authorization=Authorization.IAM_AUTH),
            "Cluster",
            "PrivateServiceConnect",
            True,
            "IAM_AUTH",
        ),
        (
            "valkey",
            replace(VALKEY, authorization=Authorization.TOKEN_AUTH),
            "Valkey",
            "PrivateServiceConnect",
            False,
            "TOKEN_AUTH",
        ),
        ("vm", None, "VM", "Network", None, None),
        ("endpoint", None, "Endpoint", "Network", None, None),
    ],
)
def test_status_tells_what_the_target_asks_for(
    target: str, redis: Any, kind: str, reach: str, tls: bool | None, authorization: str | None
) -> None:
    told = status(target, redis).redis
    assert told is not None
    assert (told.kind, told.reached_by, told.tls, told.authorization) == (kind, reach, tls, authorization)


def test_what_a_client_must_bring_is_told() -> None:
    told = plan("cluster", replace(CLUSTER, transit_encryption=True, authorization=Authorization.IAM_AUTH)).redis
    assert told.ok
    assert "Connections must be TLS. Clients must give an access token" in told.message


def test_status_tells_every_endpoint() -> None:
    told = status("cluster", CLUSTER).redis
    assert told is not None
    assert [(one.host, one.ports, one.role, one.psc_connection_status) for one in told.endpoints] == [
        ("10.129.0.4", ["6379", "11000-13047"], "DISCOVERY", "ACTIVE"),
        ("10.129.0.5", ["6379", "11000-13047"], "NODES", "ACTIVE"),
    ]


def test_a_deny_on_a_few_of_the_nodes_ports_is_in_the_way() -> None:
    """The rule must beat it, though neither the first nor the last port meets it."""
    some = FirewallRule(
        NETWORK,
        "deny-some",
        Direction.EGRESS,
        Action.DENY,
        500,
        ports((12000, 12010)),
        destination_ranges=frozenset({"10.129.0.5/32"}),
    )
    assert made(plan("cluster", CLUSTER, some))[EGRESS].priority == 499


def test_what_is_open_is_told_with_all_ports_and_addresses() -> None:
    planned = plan("cluster", CLUSTER)
    rules = tuple(replace(rule, id="1") for rule in made(planned).values())
    done = make_plan(desired("cluster"), observed(CLUSTER, *rules), planned.ledger, 1.0)
    assert done.firewall.ok
    assert "tcp:6379,11000-13047 from 10.2.0.0/28 to 10.129.0.4 and 10.129.0.5" in done.firewall.message
