"""Redis Cluster and Valkey: what is refused, filled in and connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from emulator_support import LOCATION, PROJECT, REGION, Http

from redis_connectivity_lab.emulator import ControlClient

NETWORK = f"projects/{PROJECT}/global/networks/staging-vpc"


@dataclass(frozen=True)
class Api:
    base: str
    id_parameter: str
    good: dict[str, Any]
    kind: str
    permission: str
    fault: str

    def create(self, name: str = "chat-cache") -> str:
        return f"{self.base}?{self.id_parameter}={name}"

    def one(self, name: str = "chat-cache") -> str:
        return f"{self.base}/{name}"

    def body(self, **changes: Any) -> dict[str, Any]:
        return {key: value for key, value in (self.good | changes).items() if value is not None}


CLUSTER = Api(
    f"{LOCATION}/clusters",
    "clusterId",
    {"pscConfigs": [{"network": NETWORK}], "shardCount": 3},
    "clusters",
    "redis.clusters",
    "redis.clusters.create",
)
VALKEY = Api(
    f"/memorystore{LOCATION}/instances",
    "instanceId",
    {"pscAutoConnections": [{"network": NETWORK, "projectId": PROJECT}], "shardCount": 1},
    "valkeys",
    "memorystore.instances",
    "memorystore.instances.create",
)
BOTH = pytest.mark.parametrize("api", [CLUSTER, VALKEY], ids=["cluster", "valkey"])


@pytest.mark.parametrize(
    ("api", "changes", "text"),
    [
        (CLUSTER, {"pscConfigs": None}, "psc_configs"),
        (CLUSTER, {"pscConfigs": [{"network": "staging-vpc"}]}, "Invalid network"),
        (CLUSTER, {"pscConfigs": [{"network": NETWORK.replace("staging-vpc", "none")}]}, "was not found"),
        (CLUSTER, {"shardCount": None}, "shard_count must be specified"),
        (CLUSTER, {"shardCount": 0}, "between 1 and 250"),
        (CLUSTER, {"replicaCount": 6}, "between 0 and 5"),
        (CLUSTER, {"authorizationMode": "PASSWORD"}, "Invalid value at 'authorizationMode'"),
        (CLUSTER, {"colour": "red"}, 'Unknown name "colour"'),
        (VALKEY, {"pscAutoConnections": None}, "PSC auto connection"),
        (VALKEY, {"pscAutoConnections": [{"network": "x"}]}, "Invalid network"),
        (VALKEY, {"engineVersion": "REDIS_7_0"}, "Unknown engine version"),
        (VALKEY, {"mode": "CLUSTER_DISABLED", "shardCount": 2}, "must be 1 when cluster mode is disabled"),
        (VALKEY, {"mode": "HALF"}, "Invalid value at 'mode'"),
        (VALKEY, {"shardCount": None}, "shard_count must be specified"),
    ],
)
def test_refused(http: Http, api: Api, changes: dict[str, Any], text: str) -> None:
    status, answer = http("POST", api.create(), api.body(**changes))
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert text in answer["error"]["message"]


@pytest.mark.parametrize(
    ("api", "name"),
    [(CLUSTER, ""), (CLUSTER, "1a"), (CLUSTER, "a-"), (CLUSTER, "a" * 64), (VALKEY, "abc"), (VALKEY, "abcd-")],
)
def test_bad_ids(http: Http, api: Api, name: str) -> None:
    assert http("POST", api.create(name), api.body())[0] == 400


@BOTH
def test_lifetime(http: Http, control: ControlClient, api: Api) -> None:
    stall = control.fault(api.fault, "stall_operation")
    status, operation = http("POST", api.create(), api.body())
    assert (status, operation["done"]) == (200, False)
    got = http("GET", api.one())[1]
    assert got["state"] == "CREATING"
    assert "pscConnections" not in got
    assert "endpoints" not in got
    assert http("POST", api.create(), api.body())[1]["error"]["status"] == "ALREADY_EXISTS"
    assert http("DELETE", api.one())[1]["error"]["status"] == "FAILED_PRECONDITION"
    assert control.topology()["hosts"] == []
    control.remove_fault(stall)
    control.put(api.kind, PROJECT, REGION, "second", network="staging-vpc", addresses=["10.128.0.200", "10.128.0.201"])
    listed = http("GET", api.base)[1][api.base.rsplit("/", 1)[1]]
    assert sorted(one["name"].rsplit("/", 1)[1] for one in listed) == ["chat-cache", "second"]
    control.patch(api.kind, PROJECT, REGION, "second", deletionProtectionEnabled=True)
    assert "deletion protection" in http("DELETE", api.one("second"))[1]["error"]["message"]
    control.patch(api.kind, PROJECT, REGION, "second", deletionProtectionEnabled=None, state="UPDATING")
    assert {host["address"] for host in control.topology()["hosts"]} >= {"10.128.0.200", "10.128.0.201"}
    control.delete(api.kind, PROJECT, REGION, "second")
    assert http("GET", api.one("second"))[0] == 404


@BOTH
def test_only_with_permission_and_within_its_own_quota(http: Http, control: ControlClient, api: Api) -> None:
    control.allow(PROJECT, {"anonymous": ["redis.instances.*", "vpcaccess.*"]})
    refused = http("GET", api.base)
    assert refused[0] == 403
    assert f"{api.permission}.list" in refused[1]["error"]["message"]
    control.allow(PROJECT, None)
    control.quotas(PROJECT, {"redis.clusters" if api is CLUSTER else "memorystore": 1})
    assert http("GET", api.base)[0] == 200
    exhausted = http("GET", api.base)
    assert (exhausted[0], exhausted[1]["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert http("GET", f"{LOCATION}/instances")[0] == 200


def test_a_cluster_has_two_addresses_in_its_network(http: Http, control: ControlClient) -> None:
    made = http.long_done("POST", CLUSTER.create(), CLUSTER.body())["response"]
    assert made["state"] == "ACTIVE"
    (endpoint,) = made["discoveryEndpoints"]
    assert (endpoint["port"], endpoint["pscConfig"]) == (6379, {"network": NETWORK})
    discovery, nodes = made["pscConnections"]
    assert discovery["address"] == endpoint["address"] != nodes["address"]
    assert discovery["connectionType"] == "CONNECTION_TYPE_DISCOVERY"
    assert "connectionType" not in nodes
    hosts = {host["address"]: host for host in control.topology()["hosts"]}
    assert hosts[nodes["address"]]["cluster_ports"] == [11000, 11001, 11002]
    assert hosts[discovery["address"]]["forward"] == {"port": 6379, "address": nodes["address"], "to_port": 11000}
    # Somebody deletes the forwarding rule of the nodes: their address leads nowhere any more.
    lost = [discovery, nodes | {"pscConnectionStatus": "PSC_CONNECTION_STATUS_NOT_FOUND"}]
    control.patch("clusters", PROJECT, REGION, "chat-cache", pscConnections=lost)
    assert [host["address"] for host in control.topology()["hosts"]] == [discovery["address"]]


@pytest.mark.parametrize(("mode", "roles"), [("CLUSTER", ["DISCOVERY", ""]), ("STANDALONE", ["PRIMARY", "READER"])])
def test_valkey_in_both_modes(http: Http, control: ControlClient, mode: str, roles: list[str]) -> None:
    made = http.long_done("POST", VALKEY.create(), VALKEY.body(mode=mode))["response"]
    assert made["mode"] == ("CLUSTER" if mode == "CLUSTER" else "CLUSTER_DISABLED")
    connections = [one["pscAutoConnection"] for one in made["endpoints"][0]["connections"]]
    assert [one.get("connectionType", "").removeprefix("CONNECTION_TYPE_") for one in connections] == roles
    assert [one.get("port") for one in connections] == [6379 if role else None for role in roles]
    first, second = (one["ipAddress"] for one in connections)
    hosts = {host["address"]: host for host in control.topology()["hosts"]}
    if mode == "CLUSTER":
        assert hosts[second]["cluster_ports"] == [11000]
        assert hosts[first]["forward"]["address"] == second
    else:
        assert hosts[first]["redis_port"] == 6379
        assert hosts[second]["forward"] == {"port": 6379, "address": first, "to_port": 6379}


@BOTH
def test_a_failed_create_leaves_nothing(http: Http, control: ControlClient, api: Api) -> None:
    control.fault(api.fault, "fail_operation", code=8, message="no capacity")
    assert http.long_done("POST", api.create(), api.body())["error"] == {"code": 8, "message": "no capacity"}
    assert http("GET", api.one())[0] == 404


def test_operations_of_valkey_are_under_its_own_path(http: Http) -> None:
    operation = http.long_done("POST", VALKEY.create(), VALKEY.body())
    assert http("GET", f"/v1/{operation['name']}")[0] == 404
    listed = http("GET", f"/memorystore{LOCATION}/operations")[1]["operations"]
    assert [one["name"] for one in listed] == [operation["name"]]
