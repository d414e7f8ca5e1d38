"""Who may call, how often, in which project; trouble on demand; and what the audit log says of it all."""

from __future__ import annotations

import pytest
import requests
from emulator_support import COMPUTE, LOCATION, PARENT, PROJECT, REGION, Clients, Http, connector, rule
from google.api_core import exceptions

from redis_connectivity_lab.emulator import ControlClient, Fault, FaultKind
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.iam import Quotas
from redis_connectivity_lab.emulator.store import Project

RULES = f"{COMPUTE}/global/firewalls"
RULE = f"{RULES}/allow-vpc-connector-to-redis"


def test_permissions_of_firewalls(http: Http, control: ControlClient) -> None:
    control.tokens({"t0ken": "operator@acme"})
    caller = {"Authorization": "Bearer t0ken"}
    control.allow(PROJECT, {"operator@acme": ["compute.firewalls.list"]})
    assert http("GET", RULES, headers=caller)[0] == 200
    status, answer = http("POST", RULES, rule(), headers=caller)
    assert status == 403
    path = f"projects/{PROJECT}/global/firewalls/allow-vpc-connector-to-redis"
    assert answer["error"]["message"] == f"Required 'compute.firewalls.create' permission for '{path}'"
    assert answer["error"]["errors"][0]["reason"] == "forbidden"
    control.allow(PROJECT, {"operator@acme": ["compute.firewalls.*"]})
    status, answer = http("POST", RULES, rule(), headers=caller)
    network = f"projects/{PROJECT}/global/networks/staging-vpc"
    assert answer["error"]["message"] == f"Required 'compute.networks.updatePolicy' permission for '{network}'"
    control.allow(PROJECT, {"operator@acme": ["compute.firewalls.*", "compute.networks.updatePolicy"]})
    status, operation = http("POST", RULES, rule(), headers=caller)
    assert status == 200
    wait = operation["selfLink"].removeprefix("https://www.googleapis.com") + "/wait"
    assert "compute.globalOperations.get" in http("POST", wait, headers=caller)[1]["error"]["message"]
    # Nobody in particular may still do nothing.
    assert http("GET", RULES)[0] == 403
    control.allow(PROJECT, None)
    assert http("GET", RULES)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", f"{LOCATION}/connectors", "vpcaccess.connectors.list"),
        ("GET", f"{LOCATION}/connectors/c1", "vpcaccess.connectors.get"),
        ("POST", f"{LOCATION}/connectors?connectorId=c1", "vpcaccess.connectors.create"),
        ("PATCH", f"{LOCATION}/connectors/c1", "vpcaccess.connectors.update"),
        ("DELETE", f"{LOCATION}/connectors/c1", "vpcaccess.connectors.delete"),
        ("GET", f"{LOCATION}/operations/o", "vpcaccess.operations.get"),
        ("GET", f"/v1/projects/{PROJECT}/locations", "vpcaccess.locations.list"),
        ("GET", f"{LOCATION}/instances", "redis.instances.list"),
        ("GET", f"{LOCATION}/instances/i1", "redis.instances.get"),
        ("GET", f"{LOCATION}/instances/i1/authString", "redis.instances.getAuthString"),
        ("GET", f"{COMPUTE}/global/networks/n", "compute.networks.get"),
        (
            "GET",
            f"{COMPUTE}/global/networks/staging-vpc/getEffectiveFirewalls",
            "compute.networks.getEffectiveFirewalls",
        ),
        ("GET", f"{COMPUTE}/regions/{REGION}/subnetworks", "compute.subnetworks.list"),
        ("GET", f"{COMPUTE}/zones/z/instances/i", "compute.instances.get"),
        ("DELETE", RULE, "compute.firewalls.delete"),
    ],
)
def test_each_method_needs_its_permission(
    http: Http, control: ControlClient, method: str, path: str, permission: str
) -> None:
    control.allow(PROJECT, {"anonymous": []})
    status, answer = http(method, path)
    assert status == 403
    assert permission in answer["error"]["message"]
    control.allow(PROJECT, {"*": [permission]})
    status, answer = http(method, path)
    assert status != 403, answer


def test_redis_operations_need_the_permission_of_redis(http: Http, control: ControlClient) -> None:
    body = {"tier": 1, "memorySizeGb": 1, "authorizedNetwork": f"projects/{PROJECT}/global/networks/staging-vpc"}
    operation = http("POST", f"{LOCATION}/instances?instanceId=i1", body)[1]
    control.allow(PROJECT, {"anonymous": ["vpcaccess.operations.get"]})
    assert "redis.operations.get" in http("GET", f"/v1/{operation['name']}")[1]["error"]["message"]
    assert control.audit()[-1]["method"] == "redis.operations.get"


def test_unknown_token(http: Http, control: ControlClient) -> None:
    control.tokens({"t0ken": "operator@acme"})
    for header in ("Bearer other", "Basic t0ken"):
        status, answer = http("GET", RULES, headers={"Authorization": header})
        assert status == 401
        assert answer["error"]["errors"][0]["reason"] == "authError"
        status, answer = http("GET", f"{LOCATION}/connectors", headers={"Authorization": header})
        assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    control.tokens({"t0ken": None})
    assert http("GET", RULES, headers={"Authorization": "Bearer t0ken"})[0] == 401


def test_unknown_project(http: Http) -> None:
    status, answer = http("GET", "/compute/v1/projects/nowhere-1/global/firewalls")
    assert (status, answer["error"]["message"]) == (404, "The resource 'projects/nowhere-1' was not found")
    status, answer = http("GET", f"/v1/projects/nowhere-1/locations/{REGION}/connectors")
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert answer["error"]["details"][0]["reason"] == "CONSUMER_INVALID"


def test_project_by_number(http: Http, control: ControlClient) -> None:
    number = control.project(PROJECT)["number"]
    assert http("GET", f"/compute/v1/projects/{number}/global/networks/staging-vpc")[0] == 200


def test_disabled_api(http: Http, control: ControlClient) -> None:
    control.project(PROJECT, disabledApis=["vpcaccess", "compute"])
    status, answer = http("GET", f"{LOCATION}/connectors")
    assert (status, answer["error"]["details"][0]["reason"]) == (403, "SERVICE_DISABLED")
    status, answer = http("GET", RULES)
    assert (status, answer["error"]["errors"][0]["reason"]) == (403, "accessNotConfigured")
    assert http("GET", f"{LOCATION}/instances")[0] == 200
    control.project(PROJECT, disabledApis=[])
    assert http("GET", RULES)[0] == 200


def test_quotas_on_the_wire(http: Http, control: ControlClient) -> None:
    control.quotas(PROJECT, {"compute.writes": 0, "vpcaccess": 0, "redis": 0})
    status, answer = http("POST", RULES, rule())
    assert (status, answer["error"]["errors"][0]["reason"]) == (403, "rateLimitExceeded")
    for path in ("connectors", "instances"):
        status, answer = http("GET", f"{LOCATION}/{path}")
        assert (status, answer["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert http("GET", RULES)[0] == 200
    control.quotas(PROJECT, {})
    assert http("GET", f"{LOCATION}/connectors")[0] == 200


def test_quotas_come_back_with_the_next_minute() -> None:
    clock = [119.0]
    quotas = Quotas(lambda: clock[0])
    project = Project("p", "1", quotas={"redis": 2})
    other = Project("q", "2", quotas={"redis": 2})
    quotas.spend(project, "redis", "redis")
    quotas.spend(project, "redis", "redis")
    with pytest.raises(ApiError, match="Quota exceeded"):
        quotas.spend(project, "redis", "redis")
    quotas.spend(other, "redis", "redis")
    clock[0] = 120.0
    quotas.spend(project, "redis", "redis")


def test_fault_status(clients: Clients, http: Http, control: ControlClient) -> None:
    control.fault("compute.firewalls.insert", status=403, reason="rateLimitExceeded", message="slow down", count=1)
    status, answer = http("POST", RULES, rule())
    assert (status, answer["error"]["errors"][0]) == (
        403,
        {"domain": "usageLimits", "message": "slow down", "reason": "rateLimitExceeded"},
    )
    http.done("POST", RULES, rule())
    control.fault("vpcaccess.connectors.list", status=503)
    with pytest.raises(exceptions.ServiceUnavailable):
        clients.vpcaccess.list_connectors(parent=PARENT, retry=None)
    assert control.request("GET", "faults")["faults"][0]["hits"] == 1


def test_faults_are_aimed(http: Http, control: ControlClient) -> None:
    control.project("acme-other")
    control.fault("compute.*.list", project=PROJECT, status=500)
    assert http("GET", RULES)[0] == 500
    assert http("GET", "/compute/v1/projects/acme-other/global/firewalls")[0] == 200
    assert http("GET", f"{LOCATION}/connectors")[0] == 200
    control.clear_faults()
    fault = control.fault("*", resource="*/networks/staging-vpc", status=500)
    assert http("GET", f"{COMPUTE}/global/networks/staging-vpc")[0] == 500
    assert http("GET", f"{COMPUTE}/global/networks")[0] == 200
    control.remove_fault(fault)
    assert http("GET", f"{COMPUTE}/global/networks/staging-vpc")[0] == 200


def test_fault_probability_is_repeatable(http: Http, control: ControlClient) -> None:
    control.fault("compute.firewalls.list", status=500, probability=0.5)
    answers = [http("GET", RULES)[0] for _ in range(40)]
    assert 5 < answers.count(500) < 35


def test_cut_connections(http: Http, control: ControlClient) -> None:
    fault = control.fault("compute.firewalls.insert", "reset")
    with pytest.raises(requests.ConnectionError):
        http("POST", RULES, rule())
    assert control.audit(method="compute.firewalls.insert")[-1]["status"] == 0
    control.remove_fault(fault)
    assert control.list("firewalls", PROJECT) == []
    control.fault("compute.firewalls.insert", "drop_answer", count=1)
    with pytest.raises(requests.ConnectionError):
        http("POST", RULES, rule())
    # The work was begun though its answer was lost; telling the operation by list, it ends as any other.
    operation = http("GET", f"{COMPUTE}/global/operations")[1]["items"][0]
    path = operation["selfLink"].removeprefix("https://www.googleapis.com")
    assert http("POST", f"{path}/wait")[1]["status"] == "DONE"
    assert http("GET", RULE)[0] == 200


def test_delay(http: Http, control: ControlClient) -> None:
    control.fault("compute.firewalls.list", "delay", delay=30)
    with pytest.raises(requests.ReadTimeout):
        http.session.get(http.url + RULES, timeout=0.1)


@pytest.mark.parametrize(
    "body",
    [{"kind": "meteor"}, {"colour": "red"}, {"probability": 0}, {"probability": 2}, {"count": 0}],
)
def test_faults_that_make_no_sense(control: ControlClient, body: dict[str, object]) -> None:
    with pytest.raises(Exception, match="400"):
        control.request("POST", "faults", body)


def test_fault_kinds_in_python() -> None:
    fault = Fault(FaultKind.STATUS, method="a.*", count=1)
    assert fault.matches("a.b", "p", "r")
    fault.hits = 1
    assert not fault.matches("a.b", "p", "r")


def test_audit(http: Http, control: ControlClient) -> None:
    control.clear_audit()
    last = control.audit_summary()["last"]
    control.tokens({"t0ken": "operator@acme"})
    request_id = "6b1f1a4e-6f3a-4c39-9a5f-2f1f0f5d2a11"
    http.done("POST", f"{RULES}?requestId={request_id}", rule())
    http("GET", RULES, headers={"Authorization": "Bearer t0ken"})
    http("GET", f"{RULES}/none")
    http("POST", RULES, [])
    http("POST", f"{LOCATION}/connectors?connectorId=c1", connector())
    control.delete("firewalls", PROJECT, "allow-vpc-connector-to-redis", actor="mallory@acme")
    records = [
        (
            each["principal"],
            each["method"],
            each["resource"].removeprefix(f"projects/{PROJECT}"),
            each["status"],
            each["kind"],
        )
        for each in control.audit(since=last)
        if "Operations" not in each["method"]
    ]
    assert records == [
        ("anonymous", "compute.firewalls.insert", "/global/firewalls/allow-vpc-connector-to-redis", 200, "write"),
        ("operator@acme", "compute.firewalls.list", "/global/firewalls", 200, "read"),
        ("anonymous", "compute.firewalls.get", "/global/firewalls/none", 404, "read"),
        ("anonymous", "compute.firewalls.insert", "", 400, "write"),
        ("anonymous", "vpcaccess.connectors.create", f"/locations/{REGION}/connectors/c1", 200, "write"),
        ("mallory@acme", "lab.firewalls.delete", "/firewalls/allow-vpc-connector-to-redis", 200, "lab"),
    ]
    assert control.audit(method="compute.firewalls.insert")[0]["request_id"] == request_id
    summary = control.audit_summary(since=last, project=PROJECT)
    assert summary["kinds"] == {"lab": 1, "read": 3, "write": 3}
    assert summary["methods"]["compute.firewalls.insert"] == 2
    assert summary["statuses"]["404"] == 1
    assert [each["kind"] for each in control.audit(principal="mallory*")] == ["lab"]


def test_paths_of_no_api(http: Http) -> None:
    for method, path in (("GET", "/"), ("GET", "/compute/v1/projects"), ("PUT", RULES), ("GET", "/v2/projects/x")):
        status, text = http(method, path)
        assert status == 404
        assert "was not found on this server" in text
