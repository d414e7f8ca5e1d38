"""Long-running operations of the one-platform APIs: `projects/P/locations/R/operations/ID`.

Recorded in k8s-config-connector: vpcaccess leaves `done` out until it is true, redis says `done: false`; the metadata
differ too. Behind one port both services share the path, so all live in one place and a name finds the right one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from redis_connectivity_lab.emulator.call import Answer, Call, Handler, Method
from redis_connectivity_lab.emulator.errors import ApiError, OperationFailure
from redis_connectivity_lab.emulator.faults import befall_operation
from redis_connectivity_lab.emulator.ids import Ids, Json, now
from redis_connectivity_lab.emulator.oneplatform import encode_enums, page
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.tasks import Tasks

_SERVICES = ("vpcaccess", "redis")
#: Services whose operations are under a prefix of their own on the emulator's one port.
_PREFIXED = ("memorystore", "networkmanagement")
#: Services that say `done: false`; the others leave it out.
_TELL_DONE = frozenset({"redis", "memorystore", "networkmanagement"})
#: Services whose operations have the resource itself as metadata, and no times of their own.
_PLAIN_METADATA = frozenset({"run"})

__all__ = ["EMPTY", "LongRunning", "LongRunningOperations", "methods"]

#: What a delete's operation gives back.
EMPTY: Json = {"@type": "type.googleapis.com/google.protobuf.Empty"}


@dataclass(slots=True, eq=False)
class LongRunning:
    """One operation."""

    name: str
    #: Whose it is, such as `redis.clusters`.
    collection: str
    metadata: Json
    response: Json | None = None
    error: Json | None = None
    done: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def service(self) -> str:
        """vpcaccess, redis, memorystore or run."""
        return self.collection.split(".", 1)[0]

    def to_json(self, *, enums_as_numbers: bool = False) -> Json:
        """The resource."""
        encoded = enums_as_numbers and self.service in _PLAIN_METADATA
        metadata = encode_enums(self.metadata, self.collection) if encoded else self.metadata
        body: Json = {"name": self.name, "metadata": metadata}
        if self.done or self.service in _TELL_DONE:
            body["done"] = self.done
        if self.error is not None:
            body["error"] = self.error
        elif self.response is not None:
            body["response"] = encode_enums(self.response, self.collection) if enums_as_numbers else self.response
        return body


class LongRunningOperations:
    """All of them, running ones included."""

    def __init__(self, ids: Ids, tasks: Tasks) -> None:
        self._ids = ids
        self._tasks = tasks
        self._by_name: dict[str, LongRunning] = {}

    def start(
        self,
        call: Call,
        *,
        region: str,
        metadata: Json,
        duration: float,
        apply: Callable[[], Json],
        failed: Callable[[], None],
        until: Callable[[], Awaitable[None]] | None = None,
    ) -> Json:
        """Begin an operation that does `apply` after `duration` seconds; answers what the caller is told now.

        `until` is awaited in between. `failed` runs when either raises OperationFailure, or a fault makes the operation
        fail.
        """
        service = call.method.service
        name = f"projects/{call.project.id}/locations/{region}/operations/{self._ids.long_running(service)}"
        kind = f"type.googleapis.com/google.cloud.{service}.v1.OperationMetadata"
        times: Json = {} if service in _PLAIN_METADATA else {"createTime": now()}
        operation = LongRunning(name, call.method.collection, {"@type": kind} | times | metadata)
        self._by_name[name] = operation
        self._tasks.start(self._perform(operation, call, duration, apply, failed, until))
        return operation.to_json(enums_as_numbers=call.enums_as_numbers)

    @staticmethod
    async def _perform(
        operation: LongRunning,
        call: Call,
        duration: float,
        apply: Callable[[], Json],
        failed: Callable[[], None],
        until: Callable[[], Awaitable[None]] | None,
    ) -> None:
        await asyncio.sleep(duration)
        try:
            await befall_operation(call.faults, 13)
            if until is not None:
                await until()
            operation.response = apply()
        except OperationFailure as failure:
            operation.error = {"code": failure.code, "message": failure.message}
            failed()
        finally:
            operation.done = True
            if operation.service not in _PLAIN_METADATA:
                operation.metadata = operation.metadata | {"endTime": now()}
            operation.ended.set()

    def get(self, name: str) -> LongRunning:
        """An operation by its name; raises 404."""
        operation = self._by_name.get(name)
        if operation is None:
            raise ApiError(404, f"Operation '{name}' not found")
        return operation

    def of(self, project: str, region: str, service: str) -> list[LongRunning]:
        """The operations of a project in a region ("-" for all), newest first."""
        start = f"projects/{project}/locations/" + ("" if region == "-" else f"{region}/")
        return [
            each
            for name, each in reversed(self._by_name.items())
            if name.startswith(start) and service in {"", each.service}
        ]

    def forget(self, project: str) -> None:
        """Drop all operations of a project."""
        start = f"projects/{project}/"
        self._by_name = {name: each for name, each in self._by_name.items() if not name.startswith(start)}


def _operation_of(call: Call) -> LongRunning:
    params = call.params
    identifier = params["operation"].removesuffix(":wait") if call.method.id.endswith(".wait") else params["operation"]
    name = f"projects/{call.project.id}/locations/{params['location']}/operations/{identifier}"
    return call.world.long_running.get(name)


async def _get(call: Call) -> Answer:
    operation = _operation_of(call)
    if _family(operation.service) != _family(call.method.service):
        raise ApiError(404, f"Operation '{operation.name}' not found")
    return operation.to_json(enums_as_numbers=call.enums_as_numbers)


def _family(service: str) -> str:
    """Services whose operations are found under the same paths."""
    return "" if service in _SERVICES else service


async def _wait(call: Call) -> Answer:
    """Cloud Run's `{name}:wait`: until the end, at most as long as the emulator lets anybody wait."""
    operation = _operation_of(call)
    with suppress(TimeoutError):
        await asyncio.wait_for(operation.ended.wait(), call.world.timings.wait_max)
    return operation.to_json(enums_as_numbers=call.enums_as_numbers)


async def _list(call: Call) -> Answer:
    service = call.host_service if call.method.service in _SERVICES else call.method.service
    found = call.world.long_running.of(call.project.id, call.params["location"], service)
    return page(call, "operations", [each.to_json(enums_as_numbers=call.enums_as_numbers) for each in found])


def _location(call: Call, region: str) -> Json:
    return {
        "name": f"projects/{call.project.id}/locations/{region}",
        "locationId": region,
        "labels": {"cloud.googleapis.com/region": region},
    }


async def _locations(call: Call) -> Answer:
    return page(call, "locations", [_location(call, region) for region in REGIONS])


async def _location_get(call: Call) -> Answer:
    region = call.params["location"]
    if region not in REGIONS:
        raise ApiError(404, f"Location {region} is not found or access is unauthorized.")
    return _location(call, region)


def _service_of(call: Call) -> str:
    """Whose method it is that several services have under one path: the operation's owner, else the host's."""
    if "operation" in call.params:
        try:
            service = _operation_of(call).service
        except ApiError:
            # Refused in a moment by the method itself, as the service that the host names.
            service = call.host_service
    else:
        service = call.host_service
    # An operation that belongs under another path is not found here.
    return service if service in _SERVICES else "vpcaccess"


def _shared(name: str, path: str, handler: Handler) -> Method:
    """A method of both services; which one is meant is settled per call."""
    variants = {}
    for service in _SERVICES:
        permission = f"{service}.{name}"
        variants[service] = Method(permission, "GET", path, handler, permission)
    return replace(variants["vpcaccess"], variant=lambda call: variants[_service_of(call)])


def methods() -> list[Method]:
    """Operations and locations, which vpcaccess and redis have in common."""
    found = []
    for version in ("v1", "v1beta1"):
        base = f"/{version}/projects/{{project}}/locations"
        operations = f"{base}/{{location}}/operations"
        found += [
            _shared("operations.get", f"{operations}/{{operation}}", _get),
            _shared("operations.list", operations, _list),
            _shared("locations.list", base, _locations),
            _shared("locations.get", f"{base}/{{location}}", _location_get),
        ]
    for service in _PREFIXED:
        operations = f"/{service}/v1/projects/{{project}}/locations/{{location}}/operations"
        for name, path, handler in (("get", f"{operations}/{{operation}}", _get), ("list", operations, _list)):
            method = f"{service}.operations.{name}"
            found.append(Method(method, "GET", path, handler, method))
    operation = "/v2/projects/{project}/locations/{location}/operations/{operation}"
    found += [
        Method("run.operations.get", "GET", operation, _get, "run.operations.get"),
        Method("run.operations.wait", "POST", operation, _wait, "run.operations.get"),
    ]
    return found
