"""compute.subnetworks: insert, get, list, aggregatedList, patch, setPrivateIpGoogleAccess, delete.

Shapes: recorded in k8s-config-connector. `patch` needs the current fingerprint (Compute API), else 412.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method, body_name
from redis_connectivity_lab.emulator.errors import (
    ApiError,
    already_exists,
    compute_not_found,
    invalid_field,
    required_field,
    resource_in_use,
    resource_not_ready,
)
from redis_connectivity_lab.emulator.ids import Ids, Json, fingerprint, now
from redis_connectivity_lab.emulator.listing import aggregated, page_of
from redis_connectivity_lab.emulator.names import check_name, network_of, range_of, short_name
from redis_connectivity_lab.emulator.schema import PRIVATE_ACCESS, SUBNETWORK, parse
from redis_connectivity_lab.emulator.store import Project

__all__ = ["methods", "new_subnetwork"]

_PURPOSES: Final = {
    "PRIVATE",
    "REGIONAL_MANAGED_PROXY",
    "GLOBAL_MANAGED_PROXY",
    "PRIVATE_SERVICE_CONNECT",
    "PRIVATE_NAT",
    "PEER_MIGRATION",
}
_DECLARED: Final = (
    "description",
    "ipCidrRange",
    "logConfig",
    "name",
    "privateIpGoogleAccess",
    "purpose",
    "role",
    "secondaryIpRanges",
    "stackType",
)


def path_of(project: str, region: str, name: str) -> str:
    """`projects/P/regions/R/subnetworks/S`."""
    return f"projects/{project}/regions/{region}/subnetworks/{name}"


def new_subnetwork(project: Project, region: str, body: Json, ids: Ids) -> Json:
    """A parsed subnetwork, checked and complete; raises Compute's 400s."""
    declared = {key: body[key] for key in _DECLARED if body.get(key) not in (None, "", [])}
    name = check_name(declared.get("name"))
    for field in ("network", "ipCidrRange"):
        if not body.get(field):
            raise required_field(f"resource.{field}")
    block = range_of(body["ipCidrRange"], "resource.ipCidrRange")
    if not 4 <= block.prefixlen <= 29:
        raise invalid_field("resource.ipCidrRange", block, "The prefix length must be between 4 and 29.")
    network = network_of(body["network"], project.id)
    network_path = f"projects/{project.id}/global/networks/{network.name}"
    if network.project not in {project.id, project.number} or network.name not in project.networks:
        raise compute_not_found(f"projects/{network.project}/global/networks/{network.name}")
    if declared.get("purpose", "PRIVATE") not in _PURPOSES:
        raise invalid_field("resource.purpose", declared["purpose"], "Unknown purpose.")
    for other in project.subnetworks.values():
        if short_name(other["network"]) == network.name and block.overlaps(range_of(other["ipCidrRange"], "")):
            raise invalid_field(
                "resource.ipCidrRange",
                block,
                f"Invalid IPCidrRange: {block} conflicts with existing subnetwork '{other['name']}' in region "
                f"'{short_name(other['region'])}'.",
            )
    defaults: Json = {
        "logConfig": {"enable": False},
        "privateIpGoogleAccess": False,
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "purpose": "PRIVATE",
        "stackType": "IPV4_ONLY",
    }
    subnetwork = defaults | declared
    subnetwork |= {
        "creationTimestamp": now(),
        "gatewayAddress": str(block.network_address + 1),
        "id": ids.numeric(),
        "kind": "compute#subnetwork",
        "network": COMPUTE + network_path,
        "region": f"{COMPUTE}projects/{project.id}/regions/{region}",
        "selfLink": COMPUTE + path_of(project.id, region, name),
        "state": "READY",
    }
    return _stamped(subnetwork)


def _stamped(subnetwork: Json) -> Json:
    content = {key: value for key, value in subnetwork.items() if key != "fingerprint"}
    return content | {"fingerprint": fingerprint(content)}


def _find(call: Call) -> Json:
    region, name = call.params["region"], call.params["subnetwork"]
    subnetwork = call.project.subnetworks.get((region, name))
    if subnetwork is None:
        raise compute_not_found(path_of(call.project.id, region, name))
    return subnetwork


async def _get(call: Call) -> Answer:
    return _find(call)


async def _list(call: Call) -> Answer:
    region = call.params["region"]
    items = [subnetwork for (where, _), subnetwork in call.project.subnetworks.items() if where == region]
    return page_of(call, "compute#subnetworkList", f"projects/{call.project.id}/regions/{region}/subnetworks", items)


async def _aggregated(call: Call) -> Answer:
    scopes: dict[str, list[Json]] = {}
    for (region, _), subnetwork in sorted(call.project.subnetworks.items()):
        scopes.setdefault(f"regions/{region}", []).append(subnetwork)
    path = f"projects/{call.project.id}/aggregated/subnetworks"
    return aggregated(call, "compute#subnetworkAggregatedList", path, "subnetworks", scopes)


def _start(call: Call, kind: str, subnetwork: Json, apply: Callable[[], None]) -> Json:
    region = call.params["region"]

    def then_touch() -> None:
        apply()
        call.world.store.touch(call.project)

    return call.world.operations.start(
        call,
        kind=kind,
        target=path_of(call.project.id, region, subnetwork["name"]),
        target_id=subnetwork["id"],
        duration=call.world.timings.subnetwork,
        apply=then_touch,
        region=region,
    )


async def _insert(call: Call) -> Answer:
    project, region = call.project, call.params["region"]
    body = parse(call.body(), SUBNETWORK)
    key = (region, check_name(body.get("name")))
    path = path_of(project.id, *key)
    if key in project.subnetworks or path in project.busy:
        raise already_exists(path)
    subnetwork = new_subnetwork(project, region, body, call.world.ids)
    call.require("compute.networks.updatePolicy", str(subnetwork["network"]).removeprefix(COMPUTE))

    def apply() -> None:
        project.subnetworks[key] = subnetwork

    return _start(call, "insert", subnetwork, apply)


def _not_busy(call: Call) -> Json:
    subnetwork = _find(call)
    path = path_of(call.project.id, call.params["region"], subnetwork["name"])
    if path in call.project.busy:
        raise resource_not_ready(path)
    return subnetwork


def _replace(call: Call, kind: str, old: Json, changes: Json) -> Json:
    changed = _stamped(old | changes)

    def apply() -> None:
        call.project.subnetworks[call.params["region"], old["name"]] = changed

    return _start(call, kind, old, apply)


async def _patch(call: Call) -> Answer:
    old = _not_busy(call)
    patch = parse(call.body(), SUBNETWORK)
    given = patch.pop("fingerprint", None)
    if given is None:
        raise required_field("resource.fingerprint")
    if given != old["fingerprint"]:
        raise ApiError(412, "Invalid fingerprint.")
    patch = {key: value for key, value in patch.items() if old.get(key) != value}
    if fixed := sorted(
        set(patch) - {"description", "logConfig", "privateIpGoogleAccess", "secondaryIpRanges", "stackType"}
    ):
        raise invalid_field(f"resource.{fixed[0]}", patch[fixed[0]], "Cannot be changed by patch.")
    return _replace(call, "compute.subnetworks.patch", old, patch)


async def _set_private_access(call: Call) -> Answer:
    body = parse(call.body(), PRIVATE_ACCESS)
    old = _not_busy(call)
    value = {"privateIpGoogleAccess": body.get("privateIpGoogleAccess", False)}
    return _replace(call, "setPrivateIpGoogleAccess", old, value)


async def _delete(call: Call) -> Answer:
    project, region = call.project, call.params["region"]
    subnetwork = _not_busy(call)
    for other in call.world.store:
        for connector in other.connectors.values():
            subnet = connector.body.get("subnet", {})
            if subnet.get("name") == subnetwork["name"] and subnet.get("projectId", other.id) == project.id:
                raise resource_in_use(path_of(project.id, region, subnetwork["name"]), connector.body["name"])
    for vm in project.vms.values():
        if vm.body["networkInterfaces"][0].get("subnetwork") == subnetwork["selfLink"]:
            raise resource_in_use(
                path_of(project.id, region, subnetwork["name"]), str(vm.body["selfLink"]).removeprefix(COMPUTE)
            )

    def apply() -> None:
        project.subnetworks.pop((region, subnetwork["name"]), None)

    return _start(call, "delete", subnetwork, apply)


def methods() -> list[Method]:
    """The methods of the resource."""
    base = "/compute/v1/projects/{project}/regions/{region}/subnetworks"
    one = f"{base}/{{subnetwork}}"
    everywhere = "/compute/v1/projects/{project}/aggregated/subnetworks"
    name = "compute.subnetworks"
    access = f"{one}/setPrivateIpGoogleAccess"
    return [
        Method(f"{name}.insert", "POST", base, _insert, f"{name}.create", writes=True, created_name=body_name),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list", cached=True),
        Method(f"{name}.aggregatedList", "GET", everywhere, _aggregated, f"{name}.list", cached=True),
        Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
        Method(
            f"{name}.setPrivateIpGoogleAccess",
            "POST",
            access,
            _set_private_access,
            f"{name}.setPrivateIpGoogleAccess",
            writes=True,
        ),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
    ]
