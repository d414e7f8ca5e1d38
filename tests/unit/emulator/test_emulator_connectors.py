"""vpcaccess: what is refused at once, what arrives in the operation, states, growing, and the rules that come along."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_support import LOCATION, PARENT, PROJECT, REGION, Http, connector

from redis_connectivity_lab.emulator import ControlClient

CONNECTORS = f"{LOCATION}/connectors"
CREATE = f"{CONNECTORS}?connectorId=staging-connector"
CONNECTOR = f"{CONNECTORS}/staging-connector"

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("name set", {"name": "x"}, "Connector name must not be set."),
    ("no placement", {"network": None, "ipCidrRange": None}, "Exactly one of"),
    ("both placements", {"subnet": {"name": "s"}}, "Exactly one of"),
    ("range without network", {"network": None}, "Both network and ip_cidr_range"),
    ("network without range", {"ipCidrRange": None}, "Both network and ip_cidr_range"),
    ("network as URL", {"network": f"projects/{PROJECT}/global/networks/staging-vpc"}, "must be a name, not a URL"),
    ("subnet without name", {"network": None, "ipCidrRange": None, "subnet": {"projectId": "p"}}, "subnet name"),
    ("/24", {"ipCidrRange": "10.2.0.0/24"}, "prefix length of 28"),
    ("/29", {"ipCidrRange": "10.2.0.0/29"}, "prefix length of 28"),
    ("host bits", {"ipCidrRange": "10.2.0.1/28"}, "Invalid IP CIDR range"),
    ("no range", {"ipCidrRange": "ten"}, "Invalid IP CIDR range"),
    ("IPv6", {"ipCidrRange": "fd00::/28"}, "prefix length of 28"),
    ("one instance", {"minInstances": 1}, "instances underlying the connector must be at least 2"),
    ("too many at least", {"minInstances": 10}, "must be at most 9"),
    ("too few at most", {"maxInstances": 2}, "must be at least 3"),
    ("too many", {"maxInstances": 11}, "must be at most 10"),
    ("bounds equal", {"minInstances": 3, "maxInstances": 3}, "must be less than the maximum"),
    ("bounds crossed", {"minInstances": 5, "maxInstances": 4}, "must be less than the maximum"),
    ("odd throughput", {"minInstances": None, "minThroughput": 250}, "multiple of 100"),
    ("high throughput", {"maxInstances": None, "maxThroughput": 1100}, "multiple of 100"),
    ("machine type", {"machineType": "n2-standard-8"}, "is not supported"),
    ("labels do not exist", {"labels": {"a": "b"}}, 'Unknown name "labels": Cannot find field.'),
    ("unknown enum word", {"state": "GREAT"}, "Invalid value at 'state'"),
]

#: What one must make in the host project for connectors in service projects.
_CONTROL = [
    {"IPProtocol": "tcp", "ports": ["667"]},
    {"IPProtocol": "udp", "ports": ["665-666"]},
    {"IPProtocol": "icmp"},
]
SERVICE_RULES: dict[str, dict[str, Any]] = {
    "serverless-to-vpc-connector": {
        "direction": "INGRESS",
        "allowed": _CONTROL,
        "sourceRanges": ["35.199.224.0/19"],
    },
    "vpc-connector-to-serverless": {
        "direction": "EGRESS",
        "allowed": _CONTROL,
        "destinationRanges": ["35.199.224.0/19"],
    },
    "vpc-connector-health-checks": {
        "direction": "INGRESS",
        "allowed": _CONTROL[:1],
        "sourceRanges": ["35.191.0.0/16", "35.191.192.0/18", "130.211.0.0/22"],
    },
}


@pytest.mark.parametrize(("changes", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(http: Http, changes: dict[str, Any], text: str) -> None:
    status, answer = http("POST", CREATE, connector(**changes))
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert text in answer["error"]["message"]
    assert http("GET", CONNECTORS)[1] == {}


@pytest.mark.parametrize("name", ["", "a", "1conn", "My-conn", "conn-", "a" * 26, "a_b"])
def test_bad_ids(http: Http, name: str) -> None:
    status, answer = http("POST", f"{CONNECTORS}?connectorId={name}", connector())
    assert status == 400
    assert answer["error"]["message"].startswith("Connector ID must follow the pattern")


@pytest.mark.parametrize("name", ["ab", "a" * 25, "serverless-vpc-connector"])
def test_good_ids(http: Http, name: str) -> None:
    assert "response" in http.long_done("POST", f"{CONNECTORS}?connectorId={name}", connector())


@pytest.mark.parametrize(
    ("given", "instances", "throughput"),
    [
        ({"minInstances": None, "maxInstances": None}, (2, 3), (200, 300)),
        ({"minInstances": None, "maxInstances": None, "minThroughput": 300, "maxThroughput": 400}, (3, 4), (300, 400)),
        ({"minInstances": 2, "maxInstances": 10, "minThroughput": 500, "maxThroughput": 600}, (2, 10), (200, 1000)),
    ],
)
def test_scaling(http: Http, given: dict[str, Any], instances: tuple[int, int], throughput: tuple[int, int]) -> None:
    made = http.long_done("POST", CREATE, connector(**given))["response"]
    assert (made["minInstances"], made["maxInstances"]) == instances
    assert (made["minThroughput"], made["maxThroughput"]) == throughput


def test_lifetime(http: Http, control: ControlClient) -> None:
    stall = control.fault("vpcaccess.connectors.*", "stall_operation")
    status, operation = http("POST", CREATE, connector())
    assert status == 200
    assert "done" not in operation
    assert operation["metadata"]["method"] == "google.cloud.vpcaccess.v1.VpcAccessService.CreateConnector"
    assert http("GET", CONNECTOR)[1]["state"] == "CREATING"
    assert http("GET", f"{CONNECTOR}?$alt=json;enum-encoding%3Dint")[1]["state"] == 2
    assert control.list("firewalls", PROJECT) == []
    assert http("POST", CREATE, connector())[1]["error"]["status"] == "ALREADY_EXISTS"
    assert http("DELETE", CONNECTOR)[1]["error"]["status"] == "FAILED_PRECONDITION"
    control.remove_fault(stall)
    http.long_done("POST", f"{CONNECTORS}?connectorId=second", connector(ipCidrRange="10.3.0.0/28"))
    assert http("GET", CONNECTOR)[1]["state"] == "READY"
    assert len(control.list("firewalls", PROJECT)) == 12
    control.fault("vpcaccess.connectors.delete", "stall_operation")
    http("DELETE", CONNECTOR)
    assert http("GET", CONNECTOR)[1]["state"] == "DELETING"
    control.clear_faults()
    http.long_done("DELETE", f"{CONNECTORS}/second")
    assert control.list("firewalls", PROJECT) == []
    assert http("GET", CONNECTOR)[0] == 404


CONFLICT = (
    "Operation failed: Invalid IP CIDR range was provided. It conflicts with an existing subnetwork. "
    "Please delete the connector manually."
)


@pytest.mark.parametrize("taken_by", ["subnetwork", "secondary range", "connector", "redis"])
def test_overlap_arrives_in_the_operation(http: Http, control: ControlClient, taken_by: str) -> None:
    if taken_by == "subnetwork":
        control.put("subnetworks", PROJECT, REGION, "s", network="staging-vpc", ipCidrRange="10.2.0.0/16")
    elif taken_by == "secondary range":
        pods = [{"rangeName": "pods", "ipCidrRange": "10.2.0.0/20"}]
        control.put(
            "subnetworks",
            PROJECT,
            REGION,
            "s",
            network="staging-vpc",
            ipCidrRange="10.9.0.0/16",
            secondaryIpRanges=pods,
        )
    elif taken_by == "connector":
        control.put("connectors", PROJECT, "europe-west1", "other", **connector())
    else:
        control.put("redis", PROJECT, REGION, "cache", network="staging-vpc", reservedIpRange="10.2.0.8/29")
    operation = http.long_done("POST", CREATE, connector())
    assert operation["error"] == {"code": 3, "message": CONFLICT}
    assert "response" not in operation
    assert http("GET", CONNECTOR)[1]["state"] == "ERROR"
    # It stays until somebody deletes it, and is in the way meanwhile.
    assert http("POST", CREATE, connector(ipCidrRange="10.7.0.0/28"))[0] == 409
    http.long_done("DELETE", CONNECTOR)
    assert "response" in http.long_done("POST", CREATE, connector(ipCidrRange="10.7.0.0/28"))


def test_same_range_on_another_network(http: Http, control: ControlClient) -> None:
    control.put("networks", PROJECT, "other-vpc")
    control.put("connectors", PROJECT, REGION, "other", **connector(network="other-vpc"))
    assert "response" in http.long_done("POST", CREATE, connector())


@pytest.mark.parametrize(
    "placement", [{"network": "production-vpc"}, {"network": None, "ipCidrRange": None, "subnet": {"name": "nowhere"}}]
)
def test_nowhere_to_be(http: Http, placement: dict[str, Any]) -> None:
    operation = http.long_done("POST", CREATE, connector(**placement))
    assert operation["error"]["code"] == 13
    assert http("GET", CONNECTOR)[1]["state"] == "ERROR"


def _on_subnet(**subnet: str) -> dict[str, Any]:
    return connector(network=None, ipCidrRange=None, subnet=subnet)


def test_on_a_subnetwork(http: Http, control: ControlClient) -> None:
    control.put("subnetworks", PROJECT, REGION, "conn", network="staging-vpc", ipCidrRange="10.8.0.0/28")
    made = http.long_done("POST", CREATE, _on_subnet(name="conn"))["response"]
    assert made["subnet"] == {"name": "conn"}
    assert not {"network", "ipCidrRange"} & set(made)
    sources = [each.get("sourceRanges") for each in control.list("firewalls", PROJECT)]
    assert ["10.8.0.0/28"] in sources
    status, answer = http("DELETE", f"/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks/conn")
    assert status == 400
    assert "already being used by" in answer["error"]["message"]
    second = http.long_done("POST", f"{CONNECTORS}?connectorId=second", _on_subnet(name="conn"))
    assert second["error"]["code"] == 3


def test_subnetworks_that_do_not_fit(http: Http, control: ControlClient) -> None:
    control.put("subnetworks", PROJECT, REGION, "big", network="staging-vpc", ipCidrRange="10.8.0.0/24")
    control.put(
        "subnetworks",
        PROJECT,
        REGION,
        "proxy",
        network="staging-vpc",
        ipCidrRange="10.9.0.0/28",
        purpose="REGIONAL_MANAGED_PROXY",
    )
    for name in ("big", "proxy"):
        operation = http.long_done("POST", f"{CONNECTORS}?connectorId=on-{name}", _on_subnet(name=name))
        assert operation["error"]["code"] == 13


def _host_project(control: ControlClient) -> None:
    control.project("acme-host")
    control.put("networks", "acme-host", "shared")
    control.put("subnetworks", "acme-host", REGION, "conn", network="shared", ipCidrRange="10.8.0.0/28")


def test_in_a_service_project_google_makes_no_rules(http: Http, control: ControlClient) -> None:
    _host_project(control)
    for name, rule in SERVICE_RULES.items():
        control.put("firewalls", "acme-host", name, network="shared", targetTags=["vpc-connector"], **rule)
    assert "response" in http.long_done("POST", CREATE, _on_subnet(name="conn", projectId="acme-host"))
    assert {one["name"] for one in control.list("firewalls", "acme-host")} == set(SERVICE_RULES)
    assert control.list("firewalls", PROJECT) == []
    host = control.topology()["hosts"][0]
    assert (host["network"], host["address"]) == ({"project": "acme-host", "name": "shared"}, "10.8.0.2")


@pytest.mark.parametrize("missing", ["serverless-to-vpc-connector", "vpc-connector-health-checks", "nothing"])
def test_in_a_service_project_a_connector_needs_rules_to_get_healthy(
    http: Http, control: ControlClient, missing: str
) -> None:
    _host_project(control)
    for name, rule in SERVICE_RULES.items():
        if name != missing:
            control.put("firewalls", "acme-host", name, network="shared", targetTags=["vpc-connector"], **rule)
    if missing == "nothing":
        deny = {"direction": "EGRESS", "denied": [{"IPProtocol": "all"}], "priority": 900}
        control.put("firewalls", "acme-host", "deny-egress", network="shared", **deny)
    operation = http.long_done("POST", CREATE, _on_subnet(name="conn", projectId="acme-host"))
    assert operation["error"]["code"] == 13
    assert "failed to get healthy" in operation["error"]["message"]
    assert http("GET", CONNECTOR)[1]["state"] == "ERROR"


def test_growing(http: Http) -> None:
    http.long_done("POST", CREATE, connector())
    path = f"{CONNECTOR}?updateMask=maxInstances,minInstances"
    made = http.long_done("PATCH", path, {"minInstances": 3, "maxInstances": 5})["response"]
    assert (made["minInstances"], made["maxInstances"], made["maxThroughput"]) == (3, 5, 500)
    assert made["state"] == "READY"
    snake = f"{CONNECTOR}?updateMask=machine_type"
    assert (
        http.long_done("PATCH", snake, {"machineType": "e2-standard-4"})["response"]["machineType"] == "e2-standard-4"
    )
    # Without a mask every modifiable field of the body counts.
    made = http.long_done("PATCH", CONNECTOR, {"minInstances": 4, "maxInstances": 6})["response"]
    assert (made["minInstances"], made["maxInstances"]) == (4, 6)


@pytest.mark.parametrize(
    ("mask", "body", "text"),
    [
        ("maxInstances", {"maxInstances": 6}, "updated together"),
        ("minInstances,maxInstances", {"minInstances": 3, "maxInstances": 4}, "can only be increased"),
        ("minInstances,maxInstances", {"minInstances": 2, "maxInstances": 5}, "can only be increased"),
        ("minInstances,maxInstances", {"minInstances": 3}, "not in the connector"),
        ("minInstances,maxInstances", {"minInstances": 3, "maxInstances": 11}, "at most 10"),
        ("network", {"network": "other"}, "cannot be updated"),
        ("ipCidrRange", {"ipCidrRange": "10.3.0.0/28"}, "cannot be updated"),
        ("machineType", {"machineType": "giant"}, "not supported"),
    ],
)
def test_patches_refused(http: Http, mask: str, body: dict[str, Any], text: str) -> None:
    http.long_done("POST", CREATE, connector(minInstances=3, maxInstances=5))
    status, answer = http("PATCH", f"{CONNECTOR}?updateMask={mask}", body)
    assert status == 400
    assert text in answer["error"]["message"]


def test_only_a_ready_one_is_patched(http: Http, control: ControlClient) -> None:
    control.put("connectors", PROJECT, REGION, "staging-connector", **connector(state="ERROR"))
    path = f"{CONNECTOR}?updateMask=machineType"
    assert http("PATCH", path, {"machineType": "f1-micro"})[1]["error"]["status"] == "FAILED_PRECONDITION"


def test_failed_create(http: Http, control: ControlClient) -> None:
    text = "An internal error occurred: VPC Access connector failed to get healthy."
    control.fault("vpcaccess.connectors.create", "fail_operation", code=13, message=text)
    assert http.long_done("POST", CREATE, connector())["error"] == {"code": 13, "message": text}
    assert http("GET", CONNECTOR)[1]["state"] == "ERROR"


def test_unknown_region_and_operation(http: Http) -> None:
    path = f"/v1/projects/{PROJECT}/locations/mars-east1/connectors"
    assert http("GET", path)[0] == 403
    assert http("GET", f"{LOCATION}/operations/none")[0] == 404
    assert http("GET", f"/v1/projects/{PROJECT}/locations/{REGION}")[1]["locationId"] == REGION
    assert http("GET", f"/v1/projects/{PROJECT}/locations/mars-east1")[0] == 404


def test_pages(http: Http, control: ControlClient) -> None:
    for index in range(5):
        control.put("connectors", PROJECT, REGION, f"conn-{index}", **connector(ipCidrRange=f"10.{index}.0.0/28"))
    seen, token = [], ""
    while True:
        page = http("GET", f"{CONNECTORS}?pageSize=2&pageToken={token}")[1]
        seen += [each["name"] for each in page["connectors"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert seen == [f"{PARENT}/connectors/conn-{index}" for index in range(5)]
    assert http("GET", f"{CONNECTORS}?pageToken=nonsense")[0] == 400
    assert http("GET", f"{CONNECTORS}?pageSize=many")[0] == 400
