"""compute.firewalls: what is refused, what is filled in, and how changes behave."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from emulator_support import COMPUTE, PROJECT, Http, connector, rule

from redis_connectivity_lab.emulator import ControlClient

RULES = f"{COMPUTE}/global/firewalls"
RULE = f"{RULES}/allow-vpc-connector-to-redis"
TCP = [{"IPProtocol": "tcp"}]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no name", {"name": None}, "Required field 'resource.name' not specified"),
    ("empty name", {"name": ""}, "Required field 'resource.name' not specified"),
    ("capital name", {"name": "Allow"}, "Must be a match of regex"),
    ("name from a digit", {"name": "1allow"}, "Must be a match of regex"),
    ("name with underscore", {"name": "allow_redis"}, "Must be a match of regex"),
    ("name with hyphen at the end", {"name": "allow-"}, "Must be a match of regex"),
    ("name too long", {"name": "a" * 64}, "Must be a match of regex"),
    ("unknown field", {"protocol": "tcp"}, 'Unknown name "protocol": Cannot find field.'),
    (
        "unknown field inside",
        {"allowed": [{"IPProtocol": "tcp", "port": "1"}]},
        "Unknown name \"port\" at 'allowed[0]'",
    ),
    ("list expected", {"sourceRanges": "10.0.0.0/8"}, "Invalid value at 'sourceRanges'"),
    ("number expected", {"priority": "high"}, "Invalid value at 'priority'"),
    ("whole number expected", {"priority": 1.5}, "Invalid value at 'priority'"),
    ("boolean expected", {"disabled": "false"}, "Invalid value at 'disabled'"),
    ("text expected", {"description": 7}, "Invalid value at 'description'"),
    ("object expected", {"logConfig": True}, "Invalid value at 'logConfig'"),
    ("priority below", {"priority": -1}, "Must be between 0 and 65535"),
    ("priority above", {"priority": 65536}, "Must be between 0 and 65535"),
    ("both actions", {"denied": TCP}, "Should not specify both allowed and denied in the same time."),
    ("no action", {"allowed": None}, "Required field 'resource.allowed' not specified"),
    ("empty action", {"allowed": []}, "Required field 'resource.allowed' not specified"),
    ("no protocol", {"allowed": [{"ports": ["1"]}]}, "resource.allowed[0].IPProtocol"),
    ("unknown protocol", {"allowed": [{"IPProtocol": "quic"}]}, "Unknown IP protocol"),
    ("protocol number above", {"allowed": [{"IPProtocol": "256"}]}, "Unknown IP protocol"),
    ("ports of icmp", {"allowed": [{"IPProtocol": "icmp", "ports": ["1"]}]}, "Ports may only be specified"),
    ("ports of all", {"allowed": [{"IPProtocol": "all", "ports": ["1"]}]}, "Ports may only be specified"),
    ("port above", {"allowed": [{"IPProtocol": "tcp", "ports": ["65536"]}]}, "resource.allowed[0].ports[0]"),
    ("port name", {"allowed": [{"IPProtocol": "tcp", "ports": ["redis"]}]}, "resource.allowed[0].ports[0]"),
    ("ports backwards", {"allowed": [{"IPProtocol": "tcp", "ports": ["9-1"]}]}, "resource.allowed[0].ports[0]"),
    ("port as number", {"allowed": [{"IPProtocol": "tcp", "ports": [6379]}]}, "Invalid value at 'allowed[0].ports[0]'"),
    ("too many ports", {"allowed": [{"IPProtocol": "tcp", "ports": [str(i) for i in range(257)]}]}, "At most 256"),
    ("unknown direction", {"direction": "BOTH"}, "Must be one of INGRESS, EGRESS."),
    ("egress by source tag", {"direction": "EGRESS", "sourceTags": ["a"]}, "Not allowed for an EGRESS"),
    (
        "egress by source account",
        {"direction": "EGRESS", "targetTags": None, "sourceServiceAccounts": ["a@b.iam.gserviceaccount.com"]},
        "Not allowed for an EGRESS",
    ),
    ("tags and accounts", {"sourceServiceAccounts": ["a@b.iam.gserviceaccount.com"]}, "together with targetTags"),
    (
        "source tags and target accounts",
        {"targetTags": None, "sourceTags": ["a"], "targetServiceAccounts": ["a@b.iam.gserviceaccount.com"]},
        "together with sourceTags",
    ),
    ("bad tag", {"targetTags": ["Redis"]}, "resource.targetTags[0]"),
    ("bad account", {"targetTags": None, "targetServiceAccounts": ["redis"]}, "Must be a valid service account"),
    ("too many target tags", {"targetTags": [f"t{i}" for i in range(71)]}, "At most 70"),
    ("too many source tags", {"sourceTags": [f"t{i}" for i in range(31)]}, "At most 30"),
    (
        "too many accounts",
        {"targetTags": None, "targetServiceAccounts": [f"a{i}@b.iam.gserviceaccount.com" for i in range(11)]},
        "At most 10",
    ),
    ("too many ranges", {"sourceRanges": [f"10.{i // 256}.{i % 256}.0/24" for i in range(257)]}, "At most 256"),
    ("bad range", {"sourceRanges": ["10.2.0.0/33"]}, "Must be a valid CIDR address range."),
    ("range with host bits", {"sourceRanges": ["10.2.0.1/28"]}, "Must be a valid CIDR address range."),
    ("range by name", {"sourceRanges": ["staging"]}, "Must be a valid CIDR address range."),
    ("both IP versions", {"sourceRanges": ["10.2.0.0/28", "fd00::/8"]}, "IPv4 and IPv6"),
    ("log metadata without log", {"logConfig": {"metadata": "INCLUDE_ALL_METADATA"}}, "if logging is enabled"),
    ("unknown log metadata", {"logConfig": {"enable": True, "metadata": "SOME"}}, "resource.logConfig.metadata"),
    ("description too long", {"description": "x" * 2049}, "at most 2048"),
    ("malformed network", {"network": "staging-vpc"}, "The URL is malformed."),
    (
        "network of another project",
        {"network": "projects/other/global/networks/staging-vpc"},
        "Cross-project references",
    ),
]


@pytest.mark.parametrize(("changes", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(http: Http, changes: dict[str, Any], text: str) -> None:
    status, answer = http("POST", RULES, rule(**changes))
    assert status == 400
    assert text in answer["error"]["message"]
    assert answer["error"]["errors"][0]["message"] == answer["error"]["message"]
    assert http("GET", RULES)[1].get("items") is None


def test_no_json_at_all(http: Http) -> None:
    response = http.session.post(http.url + RULES, data="{nonsense", timeout=10)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("Invalid JSON payload received.")
    assert http("POST", RULES, [1])[1]["error"]["message"].endswith("Root element must be a message.")


def test_unknown_query_parameter(http: Http) -> None:
    status, answer = http("GET", f"{RULES}?returnPartialSuccess=true")
    assert status == 400
    assert "Cannot bind query parameter" in answer["error"]["message"]


def test_missing_network(http: Http) -> None:
    status, answer = http("POST", RULES, rule(network="global/networks/production-vpc"))
    assert status == 404
    assert (
        answer["error"]["message"] == f"The resource 'projects/{PROJECT}/global/networks/production-vpc' was not found"
    )
    status, answer = http("POST", RULES, rule(network=None))
    assert "global/networks/default' was not found" in answer["error"]["message"]


def test_filled_in(http: Http) -> None:
    body = {"name": "plain", "network": "global/networks/staging-vpc", "allowed": [{"IPProtocol": "TCP"}]}
    http.done("POST", RULES, body)
    got = http("GET", f"{RULES}/plain")[1]
    link = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global"
    assert got.pop("creationTimestamp").endswith("Z")
    assert got.pop("id").isdigit()
    assert got == {
        "allowed": [{"IPProtocol": "tcp"}],
        "direction": "INGRESS",
        "disabled": False,
        "kind": "compute#firewall",
        "logConfig": {"enable": False},
        "name": "plain",
        "network": f"{link}/networks/staging-vpc",
        "priority": 1000,
        "selfLink": f"{link}/firewalls/plain",
        "sourceRanges": ["0.0.0.0/0"],
    }


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"direction": "EGRESS", "sourceRanges": None}, "destinationRanges", ["0.0.0.0/0"]),
        ({"sourceRanges": None, "sourceTags": ["vpc-connector"]}, "sourceRanges", None),
        ({"sourceRanges": ["10.1.2.3"]}, "sourceRanges", ["10.1.2.3/32"]),
        ({"sourceRanges": ["fd00::/8"]}, "sourceRanges", ["fd00::/8"]),
        ({"logConfig": {"enable": True}}, "logConfig", {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}),
        ({"priority": 0}, "priority", 0),
        ({"priority": "900"}, "priority", 900),
        ({"params": {"resourceManagerTags": {"a": "b"}}}, "params", None),
        (
            {"allowed": [{"IPProtocol": "6", "ports": ["1-65535"]}]},
            "allowed",
            [{"IPProtocol": "6", "ports": ["1-65535"]}],
        ),
        ({"description": ""}, "description", None),
    ],
)
def test_accepted(http: Http, changes: dict[str, Any], field: str, value: object) -> None:
    http.done("POST", RULES, rule(**changes))
    assert http("GET", RULE)[1].get(field) == value


def test_visible_only_once_done(http: Http, control: ControlClient) -> None:
    stall = control.fault("compute.firewalls.*", "stall_operation")
    status, operation = http("POST", RULES, rule())
    assert (status, operation["status"], operation["progress"]) == (200, "RUNNING", 0)
    assert http("GET", RULE)[0] == 404
    assert http("POST", RULES, rule())[1]["error"]["errors"][0]["reason"] == "alreadyExists"
    control.remove_fault(stall)
    path = operation["selfLink"].removeprefix("https://www.googleapis.com")
    assert http("POST", f"{path}/wait")[1]["status"] == "DONE"
    assert http("GET", RULE)[0] == 200


def test_exists(http: Http) -> None:
    http.done("POST", RULES, rule())
    status, answer = http("POST", RULES, rule())
    assert (status, answer["error"]["errors"][0]["reason"]) == (409, "alreadyExists")


def test_change_while_changing(http: Http, control: ControlClient) -> None:
    http.done("POST", RULES, rule())
    control.fault("compute.firewalls.patch", "stall_operation")
    http("PATCH", RULE, {"disabled": True})
    for method, body in (("PATCH", {"disabled": True}), ("PUT", rule()), ("DELETE", None)):
        status, answer = http(method, RULE, body)
        assert (status, answer["error"]["errors"][0]["reason"]) == (400, "resourceNotReady")
    assert http("GET", RULE)[1]["disabled"] is False


def test_merge_patch(http: Http) -> None:
    http.done("POST", RULES, rule(description="ours"))
    before = http("GET", RULE)[1]
    http.done("PATCH", RULE, {"priority": 900, "targetTags": None, "sourceRanges": ["10.3.0.0/28"]})
    after = http("GET", RULE)[1]
    assert after == {key: value for key, value in before.items() if key != "targetTags"} | {
        "priority": 900,
        "sourceRanges": ["10.3.0.0/28"],
    }
    status, answer = http("PATCH", RULE, {"denied": TCP})
    assert (status, answer["error"]["message"]) == (
        400,
        "Should not specify both allowed and denied in the same time.",
    )
    http.done("PATCH", RULE, {"denied": TCP, "allowed": None})
    assert "allowed" not in http("GET", RULE)[1]


def test_put_replaces_everything(http: Http) -> None:
    http.done("POST", RULES, rule(description="ours", priority=900))
    before = http("GET", RULE)[1]
    http.done("PUT", RULE, rule(targetTags=None, allowed=None, denied=TCP))
    after = http("GET", RULE)[1]
    assert (after["priority"], after["denied"], after["id"]) == (1000, TCP, before["id"])
    assert not {"description", "targetTags", "allowed"} & set(after)


@pytest.mark.parametrize(
    "body",
    [
        rule(name="other"),
        rule(direction="EGRESS", sourceRanges=None),
        rule(network="global/networks/second"),
        rule(priority=70000),
        rule(nonsense=1),
    ],
)
def test_changes_refused(http: Http, control: ControlClient, body: dict[str, Any]) -> None:
    control.put("networks", PROJECT, "second")
    http.done("POST", RULES, rule())
    before = http("GET", RULE)[1]
    assert http("PUT", RULE, body)[0] == 400
    assert http("PATCH", RULE, body)[0] == 400
    assert http("GET", RULE)[1] == before


def test_put_needs_a_name(http: Http) -> None:
    http.done("POST", RULES, rule())
    assert http("PUT", RULE, rule(name=None))[0] == 400


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_absent(http: Http, method: str) -> None:
    status, answer = http(method, RULE, rule() if method != "GET" else None)
    assert status == 404
    assert answer == {
        "error": {
            "code": 404,
            "errors": [
                {
                    "domain": "global",
                    "message": f"The resource '{RULE.removeprefix('/compute/v1/')}' was not found",
                    "reason": "notFound",
                }
            ],
            "message": f"The resource '{RULE.removeprefix('/compute/v1/')}' was not found",
        }
    }


def test_request_id_makes_writes_idempotent(http: Http) -> None:
    request_id = str(uuid.uuid4())
    first = http("POST", f"{RULES}?requestId={request_id}", rule())[1]
    again = http("POST", f"{RULES}?requestId={request_id}", rule())[1]
    assert again["name"] == first["name"]
    other = http("POST", f"{RULES}?requestId={uuid.uuid4()}", rule())
    assert other[0] == 409
    for bad in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        assert http("POST", f"{RULES}?requestId={bad}", rule(name="b"))[0] == 400


def test_googles_own_rules_are_not_for_users(http: Http, control: ControlClient) -> None:
    control.put("connectors", PROJECT, "us-central1", "my-conn", **connector())
    names = [each["name"] for each in http("GET", RULES)[1]["items"]]
    prefix = "aet-uscentral1-my--conn"
    assert names == [f"{prefix}-{suffix}" for suffix in ("earfw", "egrfw", "hcfw", "rsgfw", "sbntfw", "tagfw")]
    own = f"{RULES}/{prefix}-sbntfw"
    assert http("GET", own)[1]["sourceRanges"] == ["10.2.0.0/28"]
    for method, body in (("PATCH", {"disabled": True}), ("PUT", rule(name=f"{prefix}-sbntfw")), ("DELETE", None)):
        assert http(method, own, body)[0] == 403
    control.project(PROJECT, aetVisible=False)
    assert http("GET", RULES)[1].get("items") is None
    assert http("GET", own)[0] == 404
    assert http("DELETE", own)[0] == 404
    assert http("POST", RULES, rule(name=f"{prefix}-sbntfw"))[0] == 409
    status, answer = http("DELETE", f"{COMPUTE}/global/networks/staging-vpc")
    assert status == 400
    assert "is already being used by" in answer["error"]["message"]
    assert prefix in answer["error"]["message"]


def test_test_iam_permissions(http: Http, control: ControlClient) -> None:
    http.done("POST", RULES, rule())
    control.allow(PROJECT, {"anonymous": ["compute.firewalls.get"]})
    asked = {"permissions": ["compute.firewalls.get", "compute.firewalls.delete"]}
    assert http("POST", f"{RULE}/testIamPermissions", asked)[1] == {"permissions": ["compute.firewalls.get"]}
