"""compute.firewalls: insert, get, list, patch (JSON merge patch), update (full replace), delete.

Compute API, `firewalls`. Every change needs `compute.networks.updatePolicy` on the network besides the method's own
permission. Rules named `aet-*` that Google made for a connector can be seen (or not) and never changed: Google's page
on connecting to a VPC network says "visible but cannot be edited".
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method, body_name
from redis_connectivity_lab.emulator.errors import (
    ApiError,
    already_exists,
    compute_not_found,
    invalid_field,
    resource_not_ready,
)
from redis_connectivity_lab.emulator.firewall_validation import normalise
from redis_connectivity_lab.emulator.ids import Ids, Json, now
from redis_connectivity_lab.emulator.listing import page_of
from redis_connectivity_lab.emulator.names import check_name, network_of
from redis_connectivity_lab.emulator.schema import FIREWALL, parse
from redis_connectivity_lab.emulator.store import Project, Store

__all__ = ["complete", "methods", "prepare"]

_OUTPUT_ONLY = ("creationTimestamp", "id", "kind", "selfLink")


def path_of(project: str, name: str) -> str:
    """`projects/P/global/firewalls/X`."""
    return f"projects/{project}/global/firewalls/{name}"


def prepare(project: Project, body: Json) -> Json:
    """A parsed rule, checked and filled in; its network must be in the project."""
    declared = {key: value for key, value in body.items() if key not in _OUTPUT_ONLY}
    link = declared.get("network") or "global/networks/default"
    rule = normalise(declared)
    network = network_of(link, project.id)
    if network.project not in {project.id, project.number}:
        raise invalid_field(
            "resource.network", link, "Cross-project references for this resource type are not allowed."
        )
    path = f"projects/{project.id}/global/networks/{network.name}"
    if network.name not in project.networks:
        raise compute_not_found(path)
    rule["network"] = COMPUTE + path
    return rule


def complete(project: Project, rule: Json, ids: Ids) -> Json:
    """A new rule with what the server knows."""
    return rule | {
        "creationTimestamp": now(),
        "id": ids.numeric(),
        "kind": "compute#firewall",
        "selfLink": COMPUTE + path_of(project.id, rule["name"]),
    }


def merge(target: Json, patch: Json) -> Json:
    """JSON merge patch (RFC 7396): null removes, objects merge, anything else replaces."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = deepcopy(value)
    return result


def _network_path(rule: Json) -> str:
    return str(rule["network"]).removeprefix(COMPUTE)


async def _insert(call: Call) -> Answer:
    project = call.project
    body = parse(call.body(), FIREWALL)
    name = check_name(body.get("name"))
    rule = prepare(project, body)
    call.require("compute.networks.updatePolicy", _network_path(rule))
    path = path_of(project.id, name)
    if name in project.firewalls or name in project.hidden_rules or path in project.busy:
        raise already_exists(path)
    rule = complete(project, rule, call.world.ids)

    def apply() -> None:
        if _network_path(rule).rsplit("/", 1)[-1] not in project.networks:
            raise compute_not_found(_network_path(rule))
        _put(call.world.store, project, rule)

    return _start(call, "insert", rule, apply)


def _put(store: Store, project: Project, rule: Json) -> None:
    project.firewalls[rule["name"]] = rule
    store.touch(project)


def _start(call: Call, kind: str, rule: Json, apply: Callable[[], None]) -> Json:
    return call.world.operations.start(
        call,
        kind=kind,
        target=path_of(call.project.id, rule["name"]),
        target_id=rule["id"],
        duration=call.world.timings.firewall,
        apply=apply,
    )


def _changeable(call: Call) -> Json:
    """The rule of the path, ready to be changed by a user."""
    name = call.params["firewall"]
    path = path_of(call.project.id, name)
    if name in call.project.hidden_rules:
        if not call.project.aet_visible:
            raise compute_not_found(path)
        raise ApiError(403, f"The firewall rule '{path}' is managed by Serverless VPC Access and cannot be changed.")
    if path in call.project.busy:
        raise resource_not_ready(path)
    rule = call.project.firewalls.get(name)
    if rule is None:
        raise compute_not_found(path)
    call.require("compute.networks.updatePolicy", _network_path(rule))
    return rule


def _changed(call: Call, old: Json, body: Json) -> Json:
    """The rule after a patch or update; what must not change is refused."""
    if body.get("name", old["name"]) != old["name"]:
        raise invalid_field("resource.name", body["name"], f"Must match the name in the URL, '{old['name']}'.")
    rule = prepare(call.project, body)
    for field in ("direction", "network"):
        if rule[field] != old[field]:
            raise invalid_field(f"resource.{field}", rule[field], "Cannot be changed after creation.")
    return rule | {field: old[field] for field in _OUTPUT_ONLY}


async def _patch(call: Call) -> Answer:
    old = _changeable(call)
    patch = parse(call.body(), FIREWALL, keep_null=True)
    rule = _changed(call, old, merge(old, patch))
    return _start(call, "compute.firewalls.patch", rule, lambda: _put(call.world.store, call.project, rule))


async def _update(call: Call) -> Answer:
    old = _changeable(call)
    body = parse(call.body(), FIREWALL)
    check_name(body.get("name"))
    rule = _changed(call, old, body)
    return _start(call, "compute.firewalls.update", rule, lambda: _put(call.world.store, call.project, rule))


async def _delete(call: Call) -> Answer:
    rule = _changeable(call)
    project = call.project

    def apply() -> None:
        project.firewalls.pop(rule["name"], None)
        call.world.store.touch(project)

    return _start(call, "delete", rule, apply)


async def _get(call: Call) -> Answer:
    rule = call.project.find_firewall(call.params["firewall"])
    if rule is None:
        raise compute_not_found(path_of(call.project.id, call.params["firewall"]))
    return rule


async def _list(call: Call) -> Answer:
    path = f"projects/{call.project.id}/global/firewalls"
    return page_of(call, "compute#firewallList", path, call.project.visible_firewalls())


async def _test_iam(call: Call) -> Answer:
    wanted = call.body().get("permissions", [])
    granted = []
    for permission in wanted:
        try:
            call.require(permission, call.resource())
        except ApiError:
            # The method tells what the caller may do; what it may not is left out, not refused.
            continue
        granted.append(permission)
    return {"permissions": granted} if granted else {}


def methods() -> list[Method]:
    """The methods of the resource."""
    base = "/compute/v1/projects/{project}/global/firewalls"
    one = f"{base}/{{firewall}}"
    name = "compute.firewalls"
    return [
        Method(f"{name}.insert", "POST", base, _insert, f"{name}.create", writes=True, created_name=body_name),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list", cached=True),
        Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
        Method(f"{name}.update", "PUT", one, _update, f"{name}.update", writes=True),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
        Method(f"{name}.testIamPermissions", "POST", f"{one}/testIamPermissions", _test_iam),
    ]
