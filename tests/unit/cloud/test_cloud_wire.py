"""Google's own clients over real HTTP, against a server that answers exactly what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from cloud_fakes import Answer, Request, Wire, wire

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.caller import Timeouts
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OperationFailed,
    OperationPending,
    QuotaExhausted,
    Retryable,
    Unauthenticated,
)
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    NetworkRef,
)

POLL, REPAIR = Lane.POLL, Lane.REPAIR
RULE = FirewallRule(
    network=NetworkRef("acme", "staging-vpc"),
    name="allow-redis",
    direction=Direction.INGRESS,
    action=Action.ALLOW,
    priority=0,
    layer4=frozenset({Layer4("tcp", ((6379, 6379),))}),
    source_ranges=frozenset({"10.2.0.0/28"}),
    target_tags=frozenset({"redis-instance"}),
    logging="INCLUDE_ALL_METADATA",
    description="ours",
)
OPERATION = {"kind": "compute#operation", "name": "op-1", "status": "RUNNING"}
DONE = {**OPERATION, "status": "DONE"}

Opened = tuple[GoogleCloud, Wire]


@asynccontextmanager
async def cloud(respond: Callable[[Request], Any], **settings: Any) -> AsyncIterator[Opened]:
    async with wire(respond) as server:
        config = CloudConfig(
            endpoints=Endpoints(
                compute=server.url,
                vpcaccess=server.url + "/",
                redis=server.url,
                redis_cluster=server.url,
                memorystore=server.url,
            ),
            credentials=CredentialsConfig(mode="anonymous"),
            **settings,
        )
        opened = await GoogleCloud.open(config)
        try:
            yield opened, server
        finally:
            await opened.close()


def always(status: int, body: Any) -> Callable[[Request], Answer]:
    return lambda _: (status, body)


def google_rule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "network": "https://www.googleapis.com/compute/v1/projects/acme/global/networks/staging-vpc",
        "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
        "sourceRanges": ["10.2.0.0/28"],
        **more,
    }


async def test_lists_follow_every_page() -> None:
    pages = {
        "": {"items": [google_rule("a"), google_rule("b")], "nextPageToken": "two"},
        "two": {"items": [google_rule("c")], "nextPageToken": "three"},
        "three": {},
    }

    async with cloud(lambda request: (200, pages[request.query.get("pageToken", "")])) as (opened, server):
        found = await opened.compute.list_firewalls("acme", POLL)
    assert [rule.name for rule in found] == ["a", "b", "c"]
    assert [request.query.get("pageToken") for request in server.requests] == [None, "two", "three"]
    assert all(request.query["maxResults"] == "500" for request in server.requests)
    assert opened.governor.stats()[0].granted == 3  # every page is a request that counts


async def test_a_list_without_an_end_is_noticed() -> None:
    async with cloud(always(200, {"nextPageToken": "again"})) as (opened, _):
        with pytest.raises(Retryable, match="no end"):
            await opened.compute.list_networks("acme", POLL)


async def test_aggregated_subnetworks_of_all_regions_and_an_unreachable_one() -> None:
    subnet = {"name": "s", "region": "x/regions/us-central1", "network": "n", "ipCidrRange": "10.0.0.0/28"}
    body: dict[str, Any] = {
        "items": {
            "regions/us-central1": {"subnetworks": [subnet]},
            "regions/asia-east1": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
        }
    }
    async with cloud(lambda _: (200, body)) as (opened, server):
        (found,) = await opened.compute.list_subnetworks("acme", POLL)
        assert (found.region, found.name) == ("us-central1", "s")
        assert server.requests[0].path == "/compute/v1/projects/acme/aggregated/subnetworks"
        body["unreachables"] = ["regions/asia-east1"]
        with pytest.raises(Retryable, match="could not reach"):
            await opened.compute.list_subnetworks("acme", POLL)


async def test_insert_and_its_operation_stay_on_the_endpoint() -> None:
    rounds = iter([OPERATION, DONE])

    def respond(request: Request) -> Answer:
        if request.path.endswith("/wait"):
            return 200, next(rounds)
        return 200, OPERATION

    async with cloud(respond) as (opened, server):
        operation = await opened.insert_firewall(RULE, request_id="11111111-1111-4111-8111-111111111111", lane=REPAIR)
        done = await opened.compute.wait_operation("acme", operation, patience=10, lane=REPAIR)
    assert done.done
    (insert,) = server.of("POST", "/firewalls")
    assert insert.query["requestId"] == "11111111-1111-4111-8111-111111111111"
    assert insert.body["network"] == "projects/acme/global/networks/staging-vpc"
    assert insert.body["allowed"] == [{"IPProtocol": "tcp", "ports": ["6379"]}]
    assert insert.body["logConfig"] == {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}
    assert insert.body["priority"] == 0
    waits = server.of("POST", "/global/operations/op-1/wait")
    assert len(waits) == 2  # "not done" is asked again, on the same endpoint


async def test_put_replaces_everything_so_that_lists_can_be_cleared() -> None:
    bare = replace(
        RULE, target_tags=frozenset(), source_tags=frozenset({"only"}), source_ranges=frozenset(), logging=None
    )
    async with cloud(always(200, OPERATION)) as (opened, server):
        await opened.update_firewall(bare, request_id="22222222-2222-4222-8222-222222222222", lane=REPAIR)
    (put,) = server.requests
    assert (put.method, put.path) == ("PUT", "/compute/v1/projects/acme/global/firewalls/allow-redis")
    assert put.query["requestId"] == "22222222-2222-4222-8222-222222222222"
    assert put.body == {
        "name": "allow-redis",
        "network": "projects/acme/global/networks/staging-vpc",
        "direction": "INGRESS",
        "priority": 0,
        "description": "ours",
        "disabled": False,
        "logConfig": {"enable": False},
        "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
        "sourceTags": ["only"],
    }


async def test_an_operation_that_fails_and_one_that_does_not_end() -> None:
    failed = {**DONE, "error": {"errors": [{"code": "RESOURCE_NOT_FOUND", "message": "no network"}]}}
    async with cloud(lambda request: (200, failed if "bad" in request.path else OPERATION)) as (opened, _):
        with pytest.raises(OperationFailed, match="no network") as caught:
            await opened.compute.wait_operation("acme", "bad", patience=5, lane=REPAIR)
        assert caught.value.code == "RESOURCE_NOT_FOUND"
        with pytest.raises(OperationPending) as pending:
            await opened.compute.wait_operation("acme", "slow", patience=0, lane=REPAIR)
        assert pending.value.resource == "slow"


async def test_a_wait_the_server_holds_on_to_is_taken_up_again() -> None:
    hold = asyncio.Event()
    rounds = iter([hold])

    async def respond(_: Request) -> Answer:
        first = next(rounds, None)
        if first is not None:
            await first.wait()  # the server's hold, longer than the client's round
        return 200, DONE

    async with cloud(respond, timeouts=Timeouts(wait=1.0)) as (opened, server):
        assert (await opened.compute.wait_operation("acme", "op-1", patience=10, lane=REPAIR)).done
        assert len(server.requests) == 2
        hold.set()


async def test_waits_do_not_starve_reads() -> None:
    hold = asyncio.Event()

    async def respond(request: Request) -> Answer:
        if request.path.endswith("/wait"):
            await hold.wait()
            return 200, DONE
        return 200, google_rule("a")

    async with cloud(respond, threads=1, reserve=0, wait_threads=2) as (opened, _):
        waits = [
            asyncio.create_task(opened.compute.wait_operation("acme", f"op-{n}", patience=10, lane=REPAIR))
            for n in range(4)
        ]
        found = await asyncio.wait_for(opened.compute.get_firewall("acme", "a", POLL), 10)
        assert found.name == "a"
        hold.set()
        await asyncio.gather(*waits)


async def test_settling_a_rule_reads_it_back_into_the_view() -> None:
    def respond(request: Request) -> Answer:
        if request.path.endswith("/wait"):
            return 200, DONE
        if request.path.endswith("/firewalls/allow-redis"):
            return 200, google_rule("allow-redis", id="7")
        if request.path.endswith("/firewalls/gone"):
            return 404, {"error": {"code": 404, "message": "gone", "errors": [{"reason": "notFound"}]}}
        return 200, {"items": [google_rule("gone")]}

    async with cloud(respond) as (opened, _):
        key = keys.firewalls("acme")
        await opened.inventory.need(key, 60)
        rule = await opened.settle_firewall("acme", "op-1", "allow-redis", patience=5, lane=REPAIR)
        assert rule is not None
        assert rule.id == "7"
        assert set(opened.inventory.peek(key).items) == {"gone", "allow-redis"}
        assert await opened.settle_firewall("acme", "op-1", "gone", patience=5, lane=REPAIR) is None
        assert set(opened.inventory.peek(key).items) == {"allow-redis"}


async def test_a_write_with_an_unknown_end_makes_the_view_stale() -> None:
    def respond(request: Request) -> Answer:
        return (200, {"items": []}) if request.method == "GET" else (503, "upstream")

    async with cloud(respond) as (opened, server):
        key = keys.firewalls("acme")
        await opened.inventory.need(key, 60)
        with pytest.raises(Retryable):
            await opened.insert_firewall(RULE, request_id="r", lane=REPAIR)
        await opened.inventory.need(key, 60)
        assert len(server.of("GET")) == 2


async def test_effective_policies() -> None:
    body = {
        "firewallPolicys": [{"type": "HIERARCHY", "name": "1", "shortName": "org"}],
        "firewalls": [google_rule("x")],
    }
    async with cloud(always(200, body)) as (opened, server):
        view = await opened.inventory.need(keys.effective_policies(NetworkRef("acme", "net")), 60)
    (policy,) = view.items["net"]
    assert policy.short_name == "org"
    assert server.requests[0].path == "/compute/v1/projects/acme/global/networks/net/getEffectiveFirewalls"


async def test_the_policies_of_a_region() -> None:
    body = {
        "firewallPolicys": [
            {"type": "SYSTEM_REGIONAL", "name": "google", "rules": []},
            {"type": "NETWORK_REGIONAL", "name": "2", "displayName": "team", "rules": []},
        ],
        "firewalls": [google_rule("x")],
    }
    async with cloud(always(200, body)) as (opened, server):
        view = await opened.inventory.need(keys.region_policies(NetworkRef("acme", "net"), "us-central1"), 60)
    assert [(one.kind.value, one.short_name) for one in view.items["net"]] == [
        ("SYSTEM", ""),
        ("NETWORK_REGIONAL", "team"),
    ]
    (request,) = server.requests
    assert request.path == "/compute/v1/projects/acme/regions/us-central1/firewallPolicies/getEffectiveFirewalls"
    assert request.query["network"] == "projects/acme/global/networks/net"


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
LRO = {
    "name": "projects/acme/locations/us-central1/operations/7",
    "metadata": {
        "@type": "type.googleapis.com/google.cloud.vpcaccess.v1.OperationMetadata",
        "method": "google.cloud.vpcaccess.v1.VpcAccessService.CreateConnector",
        "createTime": "2024-04-01T12:34:56.123456Z",
        "target": CONNECTOR.full_name,
    },
}


async def test_create_gives_the_operation_and_never_sends_a_name() -> None:
    async with cloud(always(200, LRO)) as (opened, server):
        assert await opened.create_connector(CONNECTOR, lane=REPAIR) == LRO["name"]
    (post,) = server.requests
    assert post.path == "/v1/projects/acme/locations/us-central1/connectors"
    assert post.query["connectorId"] == "staging-connector"
    assert post.body == {
        "network": "staging-vpc",
        "ipCidrRange": "10.2.0.0/28",
        "machineType": "e2-micro",
        "minInstances": 2,
        "maxInstances": 3,
    }


async def test_patch_sends_both_bounds_and_both_paths() -> None:
    async with cloud(always(200, LRO)) as (opened, server):
        where = ("acme", "us-central1", "staging-connector")
        assert await opened.patch_connector(*where, min_instances=2, max_instances=5, lane=REPAIR) == LRO["name"]
        await opened.patch_connector(
            *where, min_instances=2, max_instances=5, machine_type="e2-standard-4", lane=REPAIR
        )
    plain, typed = server.requests
    assert (plain.method, plain.path) == ("PATCH", f"/v1/{CONNECTOR.full_name}")
    assert plain.query == {"updateMask": "maxInstances,minInstances"}
    assert plain.body == {"minInstances": 2, "maxInstances": 5}
    assert typed.query == {"updateMask": "machineType,maxInstances,minInstances"}
    assert typed.body["machineType"] == "e2-standard-4"


async def test_connectors_are_listed_read_and_deleted() -> None:
    wired = {
        "name": CONNECTOR.full_name,
        "network": "staging-vpc",
        "ipCidrRange": "10.2.0.0/28",
        "machineType": "e2-micro",
        "minInstances": 2,
        "maxInstances": 3,
        "minThroughput": 200,
        "state": "READY",
    }

    def respond(request: Request) -> Answer:
        if request.method == "DELETE":
            return 200, LRO
        if request.path.endswith("/connectors"):
            page = request.query.get("pageToken")
            return 200, {"connectors": [wired]} if page else {"connectors": [], "nextPageToken": "p"}
        return 200, {**wired, "state": 1}

    async with cloud(respond) as (opened, server):
        assert await opened.vpcaccess.list_connectors("acme", "us-central1", POLL) == (CONNECTOR,)
        assert await opened.fresh_connector("acme", "us-central1", "staging-connector", REPAIR) == CONNECTOR
        name = await opened.delete_connector("acme", "us-central1", "staging-connector", lane=REPAIR)
        assert name == LRO["name"]
    assert server.of("GET")[0].query["$alt"] == "json;enum-encoding=int"


async def test_operations_of_connectors() -> None:
    failed = {**LRO, "done": True, "error": {"code": 3, "message": "Operation failed: Invalid IP CIDR range."}}

    def respond(request: Request) -> Answer:
        if request.path.endswith("/operations"):
            return 200, {"operations": [LRO, failed]}
        return 200, failed

    async with cloud(respond) as (opened, server):
        operation = await opened.poll_vpcaccess_operation(str(LRO["name"]), REPAIR)
        assert operation.failure is not None
        assert operation.failure.number == 3
        assert operation.target == CONNECTOR.full_name
        assert server.requests[0].path == f"/v1/{LRO['name']}"
        listed = await opened.vpcaccess.list_operations("acme", "us-central1", REPAIR)
        assert [item.done for item in listed] == [False, True]
        with pytest.raises(Invalid, match="not the name"):
            await opened.poll_vpcaccess_operation("nonsense", REPAIR)


async def test_the_placeholder_of_an_unreachable_region_is_not_an_instance() -> None:
    body = {
        "instances": [
            {
                "name": "projects/acme/locations/us-central1/instances/cache",
                "state": 2,
                "host": "10.1.2.3",
                "port": 6379,
            },
            {"name": "projects/acme/locations/us-central1/instances/-"},
        ],
        "unreachable": ["projects/acme/locations/asia-east1"],
    }
    async with cloud(always(200, body)) as (opened, _):
        listing = await opened.redis.list_instances("acme", "us-central1", POLL)
        assert [instance.name for instance in listing.items] == ["cache"]
        assert listing.unreachable == ("projects/acme/locations/asia-east1", "projects/acme/locations/us-central1")
        # A view with holes would make what is missing look deleted.
        with pytest.raises(Retryable, match="could not reach"):
            await opened.inventory.need(keys.redis_instances("acme", "us-central1"), 60)


async def test_clusters_are_listed_whole_or_not_at_all() -> None:
    name = "projects/acme/locations/us-central1/clusters"
    network = "projects/acme/global/networks/prod-vpc"
    pages = {
        "": {"clusters": [{"name": f"{name}/chat", "state": 2}], "nextPageToken": "more"},
        "more": {
            "clusters": [
                {
                    "name": f"{name}/queue",
                    "state": 2,
                    "discoveryEndpoints": [{"address": "10.9.0.4", "port": 6379, "pscConfig": {"network": network}}],
                }
            ]
        },
    }
    async with cloud(lambda request: (200, pages[request.query.get("pageToken", "")])) as (opened, server):
        seen = await opened.inventory.need(keys.redis_clusters("acme", "us-central1"), 60)
        assert sorted(seen.items) == ["chat", "queue"]
        (connection,) = seen.items["queue"].connections
        assert (connection.address, connection.port, connection.network) == (
            "10.9.0.4",
            6379,
            NetworkRef("acme", "prod-vpc"),
        )
        assert {one.path for one in server.requests} == {"/v1/projects/acme/locations/us-central1/clusters"}
    hole = {"clusters": [{"name": f"{name}/-"}], "unreachable": []}
    async with cloud(always(200, hole)) as (opened, _):
        with pytest.raises(Retryable, match="projects/acme/locations/us-central1 while listing Redis Clusters"):
            await opened.inventory.need(keys.redis_clusters("acme", "us-central1"), 60)


async def test_valkey_instances_are_listed_whole_or_not_at_all() -> None:
    instance = {"name": "projects/acme/locations/us-central1/instances/chat-cache", "state": 2, "mode": 4}
    async with cloud(always(200, {"instances": [instance]})) as (opened, server):
        seen = await opened.inventory.need(keys.valkey_instances("acme", "us-central1"), 60)
        assert not seen.items["chat-cache"].cluster_mode
        assert server.requests[0].path == "/v1/projects/acme/locations/us-central1/instances"
    hole = {"instances": [instance], "unreachable": ["projects/acme/locations/us-central1"]}
    async with cloud(always(200, hole)) as (opened, _):
        with pytest.raises(Retryable, match="while listing Valkey instances"):
            await opened.inventory.need(keys.valkey_instances("acme", "us-central1"), 60)


async def test_one_redis_instance() -> None:
    body = {"name": "projects/acme/locations/us-central1/instances/cache", "state": 2, "host": "10.1.2.3", "port": 6379}
    async with cloud(always(200, body)) as (opened, _):
        assert (await opened.redis.get_instance("acme", "us-central1", "cache", POLL)).host == "10.1.2.3"


Call = Callable[[GoogleCloud], Any]
CALLS: list[Call] = [
    lambda opened: opened.compute.get_firewall("acme", "x", POLL),
    lambda opened: opened.vpcaccess.get_connector("acme", "r", "x", POLL),
    lambda opened: opened.patch_connector("acme", "r", "x", min_instances=2, max_instances=3, lane=POLL),
    lambda opened: opened.redis.get_instance("acme", "r", "x", POLL),
    lambda opened: opened.redis_cluster.list_clusters("acme", "r", POLL),
    lambda opened: opened.memorystore.list_instances("acme", "r", POLL),
]
DOORS = ["compute", "vpcaccess", "session", "redis", "redis-cluster", "memorystore"]


@pytest.mark.parametrize("call", CALLS, ids=DOORS)
@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "invalid", Invalid),
        (401, "authError", Unauthenticated),
        (403, "forbidden", Forbidden),
        (403, "rateLimitExceeded", QuotaExhausted),
        (404, "notFound", NotFound),
        (409, "alreadyExists", Conflict),
        (429, "rateLimitExceeded", QuotaExhausted),
        (503, "backendError", Retryable),
    ],
)
async def test_every_door_speaks_the_same_taxonomy(call: Call, status: int, reason: str, kind: type[Exception]) -> None:
    body = {"error": {"code": status, "message": "Google says so", "errors": [{"reason": reason}]}}
    async with cloud(always(status, body)) as (opened, server):
        with pytest.raises(kind, match="Google says so"):
            await call(opened)
        # No retries here; only Google's session tries to refresh the credentials after a 401, twice.
        assert len(server.requests) == (3 if status == 401 else 1)


@pytest.mark.parametrize("call", CALLS, ids=DOORS)
async def test_answers_that_are_none(call: Call) -> None:
    async with cloud(always(200, "<html>welcome to the hotel</html>")) as (opened, _):
        with pytest.raises(Retryable) as caught:
            await call(opened)
        assert caught.value.reason == "badAnswer"


@pytest.mark.parametrize("call", CALLS, ids=DOORS)
async def test_nobody_listens(call: Call) -> None:
    async with wire(always(200, {})) as server:
        pass
    config = CloudConfig(
        endpoints=Endpoints(
            compute=server.url, vpcaccess=server.url, redis=server.url, redis_cluster=server.url, memorystore=server.url
        ),
        credentials=CredentialsConfig(mode="anonymous"),
    )
    opened = await GoogleCloud.open(config)
    with pytest.raises(Retryable) as caught:
        await call(opened)
    assert caught.value.reason == "connection"
    await opened.close()


async def test_an_exhausted_project_is_paused_and_nobody_else() -> None:
    def respond(request: Request) -> Answer:
        if "/projects/poor/" in request.path:
            return 403, {"error": {"code": 403, "message": "slow", "errors": [{"reason": "rateLimitExceeded"}]}}
        return 200, google_rule("a")

    async with cloud(respond) as (opened, server):
        with pytest.raises(QuotaExhausted):
            await opened.compute.get_firewall("poor", "a", POLL)
        blocked = asyncio.create_task(opened.compute.get_firewall("poor", "a", POLL))
        await asyncio.wait_for(opened.compute.get_firewall("rich", "a", POLL), 10)
        assert not blocked.done()
        assert opened.governor.throttled_until("poor") is not None
        assert (opened.governor.poll_factor("poor"), opened.governor.poll_factor("rich")) == (2, 1)
        assert len([request for request in server.requests if "poor" in request.path]) == 1
        blocked.cancel()


async def test_metrics_hear_of_every_call() -> None:
    heard: list[tuple[str, str, str, str]] = []

    def note(service: str, method: str, project: str, outcome: str, seconds: float) -> None:
        assert seconds > 0
        heard.append((service, method, project, outcome))

    def respond(request: Request) -> Answer:
        return (200, google_rule("a")) if request.path.endswith("/a") else (404, None)

    async with wire(respond) as server:
        config = CloudConfig(endpoints=Endpoints(compute=server.url), credentials=CredentialsConfig(mode="anonymous"))
        opened = await GoogleCloud.open(config, on_call=note)
        await opened.compute.get_firewall("acme", "a", POLL)
        with pytest.raises(NotFound):
            await opened.compute.get_firewall("acme", "b", POLL)
        await opened.close()
    assert heard == [("compute", "firewalls.get", "acme", "ok"), ("compute", "firewalls.get", "acme", "NotFound")]
