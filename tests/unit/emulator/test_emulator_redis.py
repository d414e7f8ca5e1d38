"""Memorystore for Redis: what is refused, filled in and allocated."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from emulator_support import LOCATION, PROJECT, REGION, Http

from redis_connectivity_lab.emulator import ControlClient

INSTANCES = f"{LOCATION}/instances"
CREATE = f"{INSTANCES}?instanceId=chat-cache"
INSTANCE = f"{INSTANCES}/chat-cache"
NETWORK = f"projects/{PROJECT}/global/networks/staging-vpc"


def body(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"tier": "BASIC", "memorySizeGb": 1, "authorizedNetwork": NETWORK} | changes
    return {key: value for key, value in good.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"memorySizeGb": None}, "memory_size_gb"),
        ({"memorySizeGb": 0}, "memory_size_gb"),
        ({"memorySizeGb": 301}, "memory_size_gb"),
        ({"tier": None}, "tier must be specified"),
        ({"tier": "GOLD"}, "Invalid value at 'tier'"),
        ({"redisVersion": "7"}, "Unknown Redis version"),
        ({"locationId": "europe-west1-b"}, "not in region"),
        ({"authorizedNetwork": "staging-vpc"}, "Invalid authorized network"),
        ({"authorizedNetwork": f"projects/{PROJECT}/global/networks/none"}, "was not found"),
        ({"reservedIpRange": "10.1.0.0/30"}, "At least a /29"),
        ({"reservedIpRange": "10.1.0.0/29", "readReplicasMode": "READ_REPLICAS_ENABLED"}, "At least a /28"),
        ({"reservedIpRange": "somewhere"}, "Invalid reserved IP range"),
        ({"colour": "red"}, 'Unknown name "colour"'),
    ],
)
def test_refused(http: Http, changes: dict[str, Any], text: str) -> None:
    status, answer = http("POST", CREATE, body(**changes))
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert text in answer["error"]["message"]


@pytest.mark.parametrize("name", ["", "1a", "A", "a-", "a" * 41])
def test_bad_ids(http: Http, name: str) -> None:
    assert http("POST", f"{INSTANCES}?instanceId={name}", body())[0] == 400


def test_lifetime(http: Http, control: ControlClient) -> None:
    stall = control.fault("redis.instances.create", "stall_operation")
    status, operation = http("POST", CREATE, body())
    assert (status, operation["done"]) == (200, False)
    got = http("GET", INSTANCE)[1]
    assert got["state"] == "CREATING"
    assert "host" not in got
    assert http("POST", CREATE, body())[1]["error"]["status"] == "ALREADY_EXISTS"
    assert http("DELETE", INSTANCE)[1]["error"]["status"] == "FAILED_PRECONDITION"
    assert control.topology()["hosts"] == []
    control.remove_fault(stall)
    http.long_done("POST", f"{INSTANCES}?instanceId=second", body())
    assert http("GET", INSTANCE)[1]["state"] == "READY"
    assert len(http("GET", f"/v1/projects/{PROJECT}/locations/-/instances")[1]["instances"]) == 2
    http.long_done("DELETE", INSTANCE)
    status, answer = http("GET", INSTANCE)
    assert status == 404
    assert answer["error"]["message"] == f"Resource '{INSTANCE.removeprefix('/v1/')}' was not found"


def test_failed_create_leaves_nothing(http: Http, control: ControlClient) -> None:
    control.fault("redis.instances.create", "fail_operation", code=8, message="no capacity")
    assert http.long_done("POST", CREATE, body())["error"] == {"code": 8, "message": "no capacity"}
    assert http("GET", INSTANCE)[0] == 404


def test_addresses(http: Http) -> None:
    reserved = http.long_done("POST", CREATE, body(reservedIpRange="10.50.0.0/29"))["response"]
    assert IPv4Address(reserved["host"]) in IPv4Network("10.50.0.0/29")
    hosts = {reserved["host"]}
    for name in ("one", "two", "three"):
        made = http.long_done("POST", f"{INSTANCES}?instanceId={name}", body())["response"]
        assert IPv4Address(made["host"]) in IPv4Network(made["reservedIpRange"])
        hosts.add(made["host"])
    assert len(hosts) == 4
    status, answer = http("POST", f"{INSTANCES}?instanceId=four", body(reservedIpRange="10.50.0.0/28"))
    assert status == 400
    assert "overlaps" in answer["error"]["message"]


def test_private_service_access_keeps_the_name_of_its_range(http: Http) -> None:
    given = body(connectMode="PRIVATE_SERVICE_ACCESS", reservedIpRange="google-managed-services")
    made = http.long_done("POST", CREATE, given)["response"]
    assert made["reservedIpRange"] == "google-managed-services"
    assert made["host"]


def test_tls_and_auth(http: Http) -> None:
    made = http.long_done("POST", CREATE, body(transitEncryptionMode="SERVER_AUTHENTICATION", authEnabled=True))[
        "response"
    ]
    assert (made["port"], made["authEnabled"]) == (6378, True)
    assert http("GET", f"{INSTANCE}/authString")[1]["authString"]
    http.long_done("POST", f"{INSTANCES}?instanceId=plain", body())
    assert http("GET", f"{INSTANCES}/plain/authString")[1] == {}


def test_update(http: Http) -> None:
    http.long_done("POST", CREATE, body())
    made = http.long_done("PATCH", f"{INSTANCE}?updateMask=memory_size_gb", {"memorySizeGb": 5})["response"]
    assert made["memorySizeGb"] == 5
    assert http("PATCH", INSTANCE, {"memorySizeGb": 6})[0] == 400
    assert http("PATCH", f"{INSTANCE}?updateMask=tier", {"tier": 3})[0] == 400
    assert http("PATCH", f"{INSTANCE}?updateMask=memorySizeGb", {"memorySizeGb": 999})[0] == 400


def test_put_by_the_lab(http: Http, control: ControlClient) -> None:
    control.put("redis", PROJECT, REGION, "chat-cache", network="staging-vpc", authString="secret", host="10.9.9.9")
    got = http("GET", INSTANCE)[1]
    assert (got["host"], got["authEnabled"], got["state"]) == ("10.9.9.9", True, "READY")
    assert http("GET", f"{INSTANCE}/authString")[1] == {"authString": "secret"}
    control.patch("redis", PROJECT, REGION, "chat-cache", state="MAINTENANCE")
    assert http("GET", f"{INSTANCE}?$alt=json;enum-encoding%3Dint")[1]["state"] == 6
