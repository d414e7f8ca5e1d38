"""compute.networks, compute.subnetworks and the effective firewalls: refusals, fill-ins, policies."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_support import COMPUTE, PROJECT, REGION, Clients, Http, connector, rule
from google.cloud import compute_v1

from redis_connectivity_lab.emulator import ControlClient

NETWORKS = f"{COMPUTE}/global/networks"
SUBNETWORKS = f"{COMPUTE}/regions/{REGION}/subnetworks"
NETWORK = f"projects/{PROJECT}/global/networks/staging-vpc"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"autoCreateSubnetworks": False}, "Required field 'resource.name'"),
        ({"name": "Net", "autoCreateSubnetworks": False}, "Must be a match of regex"),
        ({"name": "net"}, "Legacy networks"),
        ({"name": "net", "autoCreateSubnetworks": False, "mtu": 100}, "between 1300 and 8896"),
        ({"name": "net", "autoCreateSubnetworks": False, "routingConfig": {"routingMode": "LOCAL"}}, "routing mode"),
        ({"name": "net", "autoCreateSubnetworks": False, "networkFirewallPolicyEnforcementOrder": "X"}, "enforcement"),
        ({"name": "net", "autoCreateSubnetworks": False, "colour": "red"}, "Unknown name"),
    ],
)
def test_networks_refused(http: Http, body: dict[str, Any], text: str) -> None:
    status, answer = http("POST", NETWORKS, body)
    assert status == 400
    assert text in answer["error"]["message"]


def test_network_exists(http: Http) -> None:
    assert http("POST", NETWORKS, {"name": "staging-vpc", "autoCreateSubnetworks": False})[0] == 409


def test_network_changes(http: Http, control: ControlClient) -> None:
    path = f"{NETWORKS}/staging-vpc"
    http.done("PATCH", path, {"routingConfig": {"routingMode": "GLOBAL"}})
    assert http("GET", path)[1]["routingConfig"] == {"bgpBestPathSelectionMode": "LEGACY", "routingMode": "GLOBAL"}
    assert http("PATCH", path, {"name": "other"})[0] == 400
    assert http("PATCH", f"{NETWORKS}/none", {})[0] == 404
    control.fault("compute.networks.patch", "stall_operation")
    http("PATCH", path, {"mtu": 1500})
    for method in ("PATCH", "DELETE"):
        assert http(method, path, {})[1]["error"]["errors"][0]["reason"] == "resourceNotReady"


@pytest.mark.parametrize("user", ["firewall", "subnetwork", "instance", "redis", "connector"])
def test_network_in_use(http: Http, control: ControlClient, user: str) -> None:
    if user == "firewall":
        control.put("firewalls", PROJECT, "r", network="staging-vpc", allowed=[{"IPProtocol": "all"}])
    elif user == "subnetwork":
        control.put("subnetworks", PROJECT, REGION, "s", network="staging-vpc", ipCidrRange="10.1.0.0/24")
    elif user == "instance":
        control.put("instances", PROJECT, "us-central1-a", "vm", network="staging-vpc", address="10.1.0.2")
    elif user == "redis":
        control.put("redis", PROJECT, REGION, "cache", network="staging-vpc")
    else:
        control.put("connectors", PROJECT, REGION, "conn", **connector())
    status, answer = http("DELETE", f"{NETWORKS}/staging-vpc")
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "resourceInUseByAnotherResource")
    with pytest.raises(Exception, match="delete that first"):
        control.delete("networks", PROJECT, "staging-vpc")


def test_default_network(http: Http, control: ControlClient) -> None:
    control.project(PROJECT, defaultNetwork=True)
    network = http("GET", f"{NETWORKS}/default")[1]
    assert len(network["subnetworks"]) == 41
    subnetwork = http("GET", f"{SUBNETWORKS}/default")[1]
    assert subnetwork["ipCidrRange"].endswith("/20")
    http.done("DELETE", f"{NETWORKS}/default")
    assert http("GET", f"{SUBNETWORKS}/default")[0] == 404


@pytest.mark.parametrize(
    ("changes", "text", "status"),
    [
        ({"name": None}, "Required field 'resource.name'", 400),
        ({"network": None}, "Required field 'resource.network'", 400),
        ({"ipCidrRange": None}, "Required field 'resource.ipCidrRange'", 400),
        ({"ipCidrRange": "10.1.0.1/24"}, "CIDR", 400),
        ({"ipCidrRange": "10.1.0.0"}, "CIDR", 400),
        ({"ipCidrRange": "fd00::/64"}, "CIDR", 400),
        ({"ipCidrRange": "10.1.0.0/30"}, "between 4 and 29", 400),
        ({"ipCidrRange": "10.0.0.0/16"}, "conflicts with existing subnetwork 'taken'", 400),
        ({"purpose": "FUN"}, "Unknown purpose", 400),
        ({"network": "global/networks/none"}, "was not found", 404),
    ],
)
def test_subnetworks_refused(
    http: Http, control: ControlClient, changes: dict[str, Any], text: str, status: int
) -> None:
    control.put("subnetworks", PROJECT, "us-east1", "taken", network="staging-vpc", ipCidrRange="10.0.1.0/24")
    body = {"name": "s", "network": NETWORK, "ipCidrRange": "10.1.0.0/24"} | changes
    got, answer = http("POST", SUBNETWORKS, {key: value for key, value in body.items() if value is not None})
    assert got == status
    assert text in answer["error"]["message"]


def test_subnetwork_patch_needs_the_fingerprint(http: Http, control: ControlClient) -> None:
    control.put("subnetworks", PROJECT, REGION, "s", network="staging-vpc", ipCidrRange="10.1.0.0/24")
    path = f"{SUBNETWORKS}/s"
    before = http("GET", path)[1]
    assert http("PATCH", path, {"description": "x"})[0] == 400
    status, answer = http("PATCH", path, {"description": "x", "fingerprint": "AAAAAAAAAAA="})
    assert (status, answer["error"]["errors"][0]["reason"]) == (412, "conditionNotMet")
    changed = {"description": "x", "fingerprint": before["fingerprint"]}
    assert http("PATCH", path, changed | {"ipCidrRange": "10.2.0.0/24"})[0] == 400
    status, _ = http("PATCH", path, changed)
    assert status == 200
    assert http("POST", SUBNETWORKS, {"name": "s"})[0] == 409
    control.put("instances", PROJECT, "us-central1-a", "vm", network="staging-vpc", address="10.1.0.2", subnetwork="s")
    assert http("DELETE", path)[0] == 400
    assert http("DELETE", f"{SUBNETWORKS}/none")[0] == 404


def test_effective_firewalls(clients: Clients, http: Http, control: ControlClient) -> None:
    control.put("networks", PROJECT, "other-vpc")
    control.put("firewalls", PROJECT, "elsewhere", network="other-vpc", allowed=[{"IPProtocol": "all"}])
    http.done("POST", f"{COMPUTE}/global/firewalls", rule())
    deny = {
        "priority": 100,
        "action": "deny",
        "direction": "EGRESS",
        "match": {"destIpRanges": ["10.0.0.0/8"], "layer4Configs": [{"ipProtocol": "tcp"}]},
    }
    control.put("policies", PROJECT, "1001", type="NETWORK", shortName="net", priority=7, rules=[deny])
    control.put("policies", PROJECT, "1000", type="HIERARCHY", shortName="org", rules=[deny], priority=1)
    control.put("policies", PROJECT, "1002", type="NETWORK_REGIONAL", region=REGION, rules=[deny])
    control.put("policies", PROJECT, "1003", type="NETWORK", networks=["other-vpc"], rules=[deny])
    answer = clients.networks.get_effective_firewalls(project=PROJECT, network="staging-vpc")
    assert [each.name for each in answer.firewalls] == ["allow-vpc-connector-to-redis"]
    assert [(each.type_, each.name, each.priority) for each in answer.firewall_policys] == [
        ("HIERARCHY", "1000", 0),
        ("NETWORK", "1001", 7),
    ]
    found = answer.firewall_policys[0].rules[0]
    assert (found.action, found.priority, list(found.match.dest_ip_ranges)) == ("deny", 100, ["10.0.0.0/8"])

    regional = compute_v1.RegionNetworkFirewallPoliciesClient(
        credentials=clients.networks.transport._credentials, client_options={"api_endpoint": clients.url}
    )
    request = compute_v1.GetEffectiveFirewallsRegionNetworkFirewallPolicyRequest(
        project=PROJECT, region=REGION, network=NETWORK
    )
    names = [each.name for each in regional.get_effective_firewalls(request).firewall_policys]
    assert names == ["1000", "1001", "1002"]
    assert http("GET", f"{COMPUTE}/regions/{REGION}/firewallPolicies/getEffectiveFirewalls")[0] == 400
    assert http("GET", f"{NETWORKS}/none/getEffectiveFirewalls")[0] == 404
    control.put("connectors", PROJECT, REGION, "conn", **connector())
    assert len(clients.networks.get_effective_firewalls(project=PROJECT, network="staging-vpc").firewalls) == 7
    control.project(PROJECT, aetVisible=False)
    assert len(clients.networks.get_effective_firewalls(project=PROJECT, network="staging-vpc").firewalls) == 1
    control.delete("policies", PROJECT, "1000")
    assert len(clients.networks.get_effective_firewalls(project=PROJECT, network="staging-vpc").firewall_policys) == 1
    with pytest.raises(Exception, match="policy's type"):
        control.put("policies", PROJECT, "1", type="ODD")
