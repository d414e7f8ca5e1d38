"""Cloud Run services: create, get, list, patch, delete. Shapes: run v2 API description.

A service is seen at once, as `reconciling`. Each change makes a revision, which serves when its container listens; the
one before it goes on until then. What goes wrong meanwhile arrives in the operation, and stays in `terminalCondition`.
The texts are those that people quote from Cloud Run.
"""

from __future__ import annotations

import uuid

from redis_connectivity_lab.emulator.call import Answer, Call, Method
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json, now
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.oneplatform import field_mask, page, resource_answer
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.run_rollout import RollOut, tell, typed
from redis_connectivity_lab.emulator.run_validation import check_id, normalise, patched, without_output
from redis_connectivity_lab.emulator.schema import parse
from redis_connectivity_lab.emulator.schema_run import RUN_SERVICE
from redis_connectivity_lab.emulator.store import Service

__all__ = ["methods"]


def _region(call: Call) -> str:
    region = call.params["location"]
    if region not in REGIONS:
        raise ApiError(403, f"Location {region} is not found or access is unauthorized.")
    return region


def _missing(call: Call) -> ApiError:
    name, region = call.params["service"], call.params["location"]
    text = f"Resource '{name}' of kind 'SERVICE' in region '{region}' in project '{call.project.id}' does not exist."
    return ApiError(404, text)


def _find(call: Call) -> tuple[Service, Json]:
    service = call.project.services.get((_region(call), call.params["service"]))
    if service is None or service.body is None:
        raise _missing(call)
    return service, service.body


def _roll_out(call: Call, service: Service, body: Json) -> Json:
    """Begin to serve the newest template."""
    rollout = RollOut.begin(call, service, body)
    return call.world.long_running.start(
        call,
        region=service.region,
        metadata=typed(rollout.current),
        duration=call.world.timings.run_deploy,
        until=rollout.until_it_listens,
        apply=rollout.serve,
        failed=rollout.failed,
    )


async def _create(call: Call) -> Answer:
    region, project = _region(call), call.project
    body = parse(call.body(), RUN_SERVICE)
    service_id = check_id(call.query.get("serviceId", ""))
    if body.get("name"):
        raise ApiError(
            400, "Violation in CreateServiceRequest.service.name: service name should be empty on create requests."
        )
    settings = normalise(without_output(body), region, project.number, "CreateServiceRequest")
    if (region, service_id) in project.services:
        raise ApiError(409, f"Resource '{service_id}' already exists.")
    service = Service(service_id, region)
    body = settings | {
        "name": f"projects/{project.id}/locations/{region}/services/{service_id}",
        "uid": str(uuid.uuid4()),
        "generation": "1",
        "createTime": now(),
        "updateTime": now(),
        "creator": call.principal,
        "lastModifier": call.principal,
    }
    project.services[region, service_id] = service
    return _roll_out(call, service, body)


async def _patch(call: Call) -> Answer:
    service, body = _find(call)
    if "deleteTime" in body:
        raise _missing(call)
    given = parse(call.body(), RUN_SERVICE)
    if given.get("etag") not in {None, "", body["etag"]}:
        raise ApiError(409, f"Conflict for resource '{service.name}': the etag is not current.", status="ABORTED")
    settings = normalise(
        patched(body, given, field_mask(call)), service.region, call.project.number, "UpdateServiceRequest"
    )
    kept = {name: value for name, value in body.items() if name not in without_output(body)}
    changed = {"generation": str(int(body["generation"]) + 1), "updateTime": now(), "lastModifier": call.principal}
    return _roll_out(call, service, kept | settings | changed)


async def _delete(call: Call) -> Answer:
    service, body = _find(call)
    if call.query.get("etag", body["etag"]) != body["etag"]:
        raise ApiError(409, f"Conflict for resource '{service.name}': the etag is not current.", status="ABORTED")
    if "deleteTime" in body:
        raise ApiError(409, f"Resource '{service.name}' is being deleted.", status="ABORTED")
    tell(call, service, body | {"reconciling": True, "deleteTime": now()})
    service.revisions = ()

    def apply() -> Json:
        if call.project.services.get((service.region, service.name)) is service:
            del call.project.services[service.region, service.name]
            call.world.store.touch(call.project)
        return typed(service.body or body)

    def failed() -> None:
        current = {name: value for name, value in (service.body or body).items() if name != "deleteTime"}
        tell(call, service, current | {"reconciling": False})

    return call.world.long_running.start(
        call,
        region=service.region,
        metadata=typed(service.body or body),
        duration=call.world.timings.run_delete,
        apply=apply,
        failed=failed,
    )


async def _get(call: Call) -> Answer:
    return resource_answer(call, _find(call)[1])


async def _list(call: Call) -> Answer:
    region = _region(call)
    found = [
        resource_answer(call, service.body)
        for (where, _), service in sorted(call.project.services.items())
        if where == region and service.body is not None and "deleteTime" not in service.body
    ]
    return page(call, "services", found)


def _created(call: Call) -> str:
    return short_name(call.query.get("serviceId", ""))


def methods() -> list[Method]:
    """The methods of the resource."""
    name = "run.services"
    base = "/v2/projects/{project}/locations/{location}/services"
    one = f"{base}/{{service}}"
    return [
        Method(f"{name}.create", "POST", base, _create, f"{name}.create", writes=True, created_name=_created),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list"),
        Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
    ]
