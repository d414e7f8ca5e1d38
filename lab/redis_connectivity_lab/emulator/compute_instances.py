"""compute.instances, for reading: the lab puts VMs into a project through its control endpoints."""

from __future__ import annotations

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method
from redis_connectivity_lab.emulator.errors import compute_not_found
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.listing import aggregated, page_of

__all__ = ["methods"]


async def _get(call: Call) -> Answer:
    zone, name = call.params["zone"], call.params["instance"]
    vm = call.project.vms.get((zone, name))
    if vm is None:
        raise compute_not_found(f"projects/{call.project.id}/zones/{zone}/instances/{name}")
    return vm.body


async def _list(call: Call) -> Answer:
    zone = call.params["zone"]
    items = [vm.body for (where, _), vm in call.project.vms.items() if where == zone]
    return page_of(call, "compute#instanceList", f"projects/{call.project.id}/zones/{zone}/instances", items)


async def _aggregated(call: Call) -> Answer:
    scopes: dict[str, list[Json]] = {}
    for (zone, _), vm in sorted(call.project.vms.items(), key=lambda each: each[0]):
        scopes.setdefault(f"zones/{zone}", []).append(vm.body)
    path = f"projects/{call.project.id}/aggregated/instances"
    return aggregated(call, "compute#instanceAggregatedList", path, "instances", scopes)


def zone_link(project: str, zone: str) -> str:
    """A zone's full URL."""
    return f"{COMPUTE}projects/{project}/zones/{zone}"


def methods() -> list[Method]:
    """The methods of the resource."""
    base = "/compute/v1/projects/{project}/zones/{zone}/instances"
    everywhere = "/compute/v1/projects/{project}/aggregated/instances"
    name = "compute.instances"
    return [
        Method(f"{name}.get", "GET", f"{base}/{{instance}}", _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list", cached=True),
        Method(f"{name}.aggregatedList", "GET", everywhere, _aggregated, f"{name}.list", cached=True),
    ]
