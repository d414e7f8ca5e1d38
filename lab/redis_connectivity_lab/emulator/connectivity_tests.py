"""Connectivity Tests: create, get, delete. Shapes: networkmanagement v1 API description.

What becomes of the traffic is asked of the compiled rules that the data plane's packets meet (`World.judge`), so the
answer is about what is there. On the emulator's one port the paths begin with `/networkmanagement`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity_lab.emulator.call import Answer, Call, Method
from redis_connectivity_lab.emulator.errors import ApiError, invalid_argument
from redis_connectivity_lab.emulator.ids import Json, now
from redis_connectivity_lab.emulator.lro import EMPTY
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.oneplatform import resource_answer
from redis_connectivity_lab.emulator.schema import parse
from redis_connectivity_lab.emulator.schema_tests import CONNECTIVITY_TEST
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.emulator.topology_view import service_ids
from redis_connectivity_lab.topology import Judged, ServiceId

__all__ = ["methods"]

_TYPE: Final = "type.googleapis.com/google.cloud.networkmanagement.v1.ConnectivityTest"
#: The page on Connectivity Tests' limits; the client library's description of `test_id`.
_ID: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?")
_REVISION: Final = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/revisions/(?P<name>[^/]+)")
_MANAGED: Final = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/[a-z]+/(?P<name>[^/]+)")
_OUTPUT_ONLY: Final = frozenset({"name", "createTime", "updateTime", "reachabilityDetails", "displayName"})


def _name(call: Call, test_id: str) -> str:
    return f"projects/{call.project.id}/locations/global/connectivityTests/{test_id}"


def _find(call: Call) -> Json:
    test = call.project.connectivity_tests.get(call.params["test"])
    if test is None:
        raise ApiError(404, f"Resource '{_name(call, call.params['test'])}' was not found")
    return test


async def _create(call: Call) -> Answer:
    test_id = call.query.get("testId", "")
    if not _ID.fullmatch(test_id):
        raise invalid_argument(f"Invalid test_id '{test_id}'.")
    given = {name: value for name, value in parse(call.body(), CONNECTIVITY_TEST).items() if name not in _OUTPUT_ONLY}
    for end in ("source", "destination"):
        if not given.get(end):
            raise invalid_argument(f"{end} must be specified.")
    if test_id in call.project.connectivity_tests:
        raise ApiError(409, f"Resource '{_name(call, test_id)}' already exists")
    test = given | {"name": _name(call, test_id), "displayName": test_id, "createTime": now(), "updateTime": now()}
    call.project.connectivity_tests[test_id] = test

    def analyse() -> Json:
        steps, result = _analysis(call, test)
        details = {"result": result, "verifyTime": now(), "traces": [{"steps": steps}]}
        analysed = test | {"reachabilityDetails": details, "updateTime": now()}
        call.project.connectivity_tests[test_id] = analysed
        return {"@type": _TYPE} | analysed

    return _operation(call, test["name"], "create", call.world.timings.connectivity_test, analyse)


async def _delete(call: Call) -> Answer:
    test = _find(call)

    def remove() -> Json:
        call.project.connectivity_tests.pop(call.params["test"], None)
        return EMPTY

    return _operation(call, test["name"], "delete", 0.0, remove)


def _operation(call: Call, target: str, verb: str, seconds: float, apply: Callable[[], Json]) -> Json:
    metadata = {"target": target, "verb": verb, "cancelRequested": False, "apiVersion": "v1"}
    return call.world.long_running.start(
        call, region="global", metadata=metadata, duration=seconds, apply=apply, failed=lambda: None
    )


async def _get(call: Call) -> Answer:
    return resource_answer(call, _find(call))


def _analysis(call: Call, test: Json) -> tuple[list[Json], str]:
    """The steps of the one trace, and the result."""
    revision = test["source"].get("cloudRunRevision", {}).get("uri", "")
    sender = _sender(call, revision)
    if sender is None:
        return [_abort(f"Cloud Run revision {revision} was not found", revision)], "UNDETERMINED"
    steps = [_step("START_FROM_CLOUD_RUN_REVISION", "Initial state: packet originating from a Cloud Run revision.")]
    if sender.connector is None:
        return [*steps, _drop("VPC_CONNECTOR_NOT_SET", "the revision has no VPC connector", revision)], "UNREACHABLE"
    target, address, down = _receiver(call, test["destination"])
    if address is None:
        return [*steps, _abort(f"{target} was not found", target)], "UNDETERMINED"
    if down:
        return [*steps, _drop(down, f"{target} does not run", target)], "UNREACHABLE"
    if call.world.judge is None:
        return [*steps, _abort("nothing is known of this network's traffic", "")], "UNDETERMINED"
    judged = call.world.judge(sender.connector, address, int(test["destination"].get("port", 0)))
    direct = "/services/" in sender.connector
    if judged.outcome == "no such sender":
        drop = _drop("VPC_CONNECTOR_NOT_RUNNING", "the connector does not run", sender.connector)
        return [*steps, drop], "UNREACHABLE"
    arrival = "DIRECT_VPC_EGRESS_CONNECTION" if direct else "ARRIVE_AT_VPC_CONNECTOR"
    steps.append(_step(arrival, f"Forwarding state: arriving at {sender.connector}."))
    if judged.rule and judged.direction:
        steps.append(_firewall_step(call, judged))
    if judged.outcome == "denied":
        text = f"dropped by the {judged.direction} rule {judged.rule}"
        return [*steps, _drop("FIREWALL_RULE", text, judged.rule)], "UNREACHABLE"
    if judged.outcome == "no such receiver":
        text = f"no machine of the network has the address {address}"
        return [*steps, _drop("UNKNOWN_INTERNAL_ADDRESS", text, str(address))], "UNREACHABLE"
    steps.append(_step("APPLY_ROUTE", "Config checking state: the network's own route."))
    return [*steps, _step("DELIVER", f"Final state: packet delivered to {target}.")], "REACHABLE"


def _sender(call: Call, revision: str) -> ServiceId | None:
    """The revision with the host that it sends from. What the lab puts in has one revision, named after the service."""
    match = _REVISION.fullmatch(revision)
    project = call.world.store.find(match["project"]) if match else None
    if match is None or project is None:
        return None
    running = [
        one
        for (region, _), service in project.services.items()
        if region == match["region"]
        for one in service_ids(project.id, service)
    ]
    return next((one for one in running if match["name"] in (one.revision, one.name)), None)


def _receiver(call: Call, destination: Json) -> tuple[str, IPv4Address | None, str]:
    """What it is called, its address (None: there is no such thing), and the cause of a drop where it does not run."""
    if text := destination.get("ipAddress"):
        return text, IPv4Address(text), ""
    kind = "redisInstance" if "redisInstance" in destination else "redisCluster"
    uri = destination.get(kind, "")
    match = _MANAGED.fullmatch(uri)
    project = call.world.store.find(match["project"]) if match else None
    if match is None or project is None:
        return uri, None, ""
    key = match["region"], match["name"]
    return (uri, *(_instance(project, key) if kind == "redisInstance" else _cluster(project, key)))


def _instance(project: Project, key: tuple[str, str]) -> tuple[IPv4Address | None, str]:
    found = project.redis.get(key)
    if found is None:
        return None, ""
    return IPv4Address(found.body["host"]), "" if found.body["state"] == "READY" else "REDIS_INSTANCE_NOT_RUNNING"


def _cluster(project: Project, key: tuple[str, str]) -> tuple[IPv4Address | None, str]:
    found = project.clusters.get(key)
    if found is None or not found.addresses:
        return None, ""
    return found.addresses[0], "" if found.body["state"] == "ACTIVE" else "REDIS_CLUSTER_NOT_RUNNING"


def _step(state: str, text: str) -> Json:
    return {"state": state, "description": text}


def _drop(cause: str, text: str, uri: str) -> Json:
    drop = {"cause": cause, "resourceUri": uri}
    return _step("DROP", f"Final state: packet dropped: {text}.") | {"causesDrop": True, "drop": drop}


def _abort(text: str, uri: str) -> Json:
    abort = {"cause": "RESOURCE_CONFIG_NOT_FOUND", "resourceUri": uri}
    return _step("ABORT", f"Final state: analysis aborted: {text}.") | {"abort": abort}


def _firewall_step(call: Call, judged: Judged) -> Json:
    owner = call.world.store.find(judged.project)
    body = owner.firewalls.get(judged.rule) if owner else None
    hidden = owner.hidden_rules.get(judged.rule) if owner else None
    if body is None and hidden is not None:
        body = hidden.body
    info: Json = {"displayName": judged.rule, "direction": judged.direction}
    if body is not None:
        kind = "SERVERLESS_VPC_ACCESS_MANAGED_FIREWALL_RULE" if hidden is not None else "VPC_FIREWALL_RULE"
        action = "ALLOW" if "allowed" in body else "DENY"
        info |= {"uri": body["selfLink"], "action": action, "priority": body["priority"], "firewallRuleType": kind}
        info["networkUri"] = short_name(body["network"])
    elif judged.rule.startswith("implied"):
        action = "DENY" if judged.outcome == "denied" else "ALLOW"
        info |= {"action": action, "priority": 65535, "firewallRuleType": "IMPLIED_VPC_FIREWALL_RULE"}
    else:
        info |= {
            "action": "DENY" if judged.outcome == "denied" else "ALLOW",
            "firewallRuleType": "NETWORK_FIREWALL_POLICY_RULE",
        }
    state = f"APPLY_{judged.direction}_FIREWALL_RULE"
    return _step(state, f"Config checking state: verify {judged.direction} firewall rule.") | {"firewall": info}


def methods() -> list[Method]:
    """The methods of the resource."""
    name = "networkmanagement.connectivitytests"
    base = "/networkmanagement/v1/projects/{project}/locations/global/connectivityTests"
    one = f"{base}/{{test}}"
    return [
        Method(
            f"{name}.create",
            "POST",
            base,
            _create,
            f"{name}.create",
            writes=True,
            created_name=lambda call: call.query.get("testId", ""),
        ),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
    ]
