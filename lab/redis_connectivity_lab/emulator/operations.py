"""Compute operations: global and regional, PENDING → RUNNING → DONE, with get, list, wait and delete.

Fields and their order of appearance: exchanges recorded in k8s-config-connector. An effect becomes visible when its
operation is DONE. `requestId` makes a write idempotent: the same id gives back the same operation (Compute API).
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method
from redis_connectivity_lab.emulator.errors import ApiError, OperationFailure, compute_not_found, invalid_field
from redis_connectivity_lab.emulator.faults import befall_operation
from redis_connectivity_lab.emulator.ids import Ids, Json, now
from redis_connectivity_lab.emulator.listing import page_of
from redis_connectivity_lab.emulator.tasks import Tasks
from redis_connectivity_lab.emulator.timings import Timings

__all__ = ["ComputeOperation", "ComputeOperations", "methods"]


@dataclass(slots=True, eq=False)
class ComputeOperation:
    """One operation. `region` is "" for a global one."""

    name: str
    id: str
    project: str
    region: str
    kind: str
    target: str
    target_id: str
    user: str
    request_id: str
    insert_time: str = field(default_factory=now)
    start_time: str = ""
    end_time: str = ""
    status: str = "PENDING"
    failure: OperationFailure | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def path(self) -> str:
        """`projects/P/global/operations/O`, or with `regions/R`."""
        scope = f"regions/{self.region}" if self.region else "global"
        return f"projects/{self.project}/{scope}/operations/{self.name}"

    def to_json(self) -> Json:
        """The resource."""
        body: Json = {
            "id": self.id,
            "insertTime": self.insert_time,
            "kind": "compute#operation",
            "name": self.name,
            "operationType": self.kind,
            "progress": 100 if self.status == "DONE" else 0,
            "selfLink": COMPUTE + self.path,
            "status": self.status,
            "targetId": self.target_id,
            "targetLink": COMPUTE + self.target,
            "user": self.user,
        }
        if self.region:
            body["region"] = f"{COMPUTE}projects/{self.project}/regions/{self.region}"
        if self.request_id:
            body["clientOperationId"] = self.request_id
        if self.start_time:
            body["startTime"] = self.start_time
        if self.end_time:
            body["endTime"] = self.end_time
        if self.failure is not None:
            body["error"] = {"errors": [{"code": str(self.failure.code), "message": self.failure.message}]}
            body["httpErrorStatusCode"] = self.failure.http_status
            body["httpErrorMessage"] = self.failure.http_reason
        return body


class ComputeOperations:
    """All Compute operations, running ones included."""

    def __init__(self, ids: Ids, timings: Timings, tasks: Tasks) -> None:
        self._ids = ids
        self._timings = timings
        self._tasks = tasks
        self._by_path: dict[str, ComputeOperation] = {}
        self._by_request: dict[tuple[str, str], ComputeOperation] = {}

    def start(
        self,
        call: Call,
        *,
        kind: str,
        target: str,
        target_id: str,
        duration: float,
        apply: Callable[[], None],
        region: str = "",
    ) -> Json:
        """Begin an operation that does `apply` after `duration` seconds; answers what the caller is told now."""
        operation = ComputeOperation(
            name=self._ids.compute_operation(),
            id=self._ids.numeric(),
            project=call.project.id,
            region=region,
            kind=kind,
            target=target,
            target_id=target_id,
            user=call.principal if "@" in call.principal else f"{call.principal}@lab.example.com",
            request_id=call.query.get("requestId", ""),
        )
        self._by_path[operation.path] = operation
        if operation.request_id:
            self._by_request[call.project.id, operation.request_id] = operation
        if not self._timings.operation_pending:
            self._run(operation)
        call.project.busy.add(target)
        self._tasks.start(self._perform(operation, call, duration, apply))
        return operation.to_json()

    async def _perform(
        self, operation: ComputeOperation, call: Call, duration: float, apply: Callable[[], None]
    ) -> None:
        if operation.status == "PENDING":
            await asyncio.sleep(self._timings.operation_pending)
            self._run(operation)
        await asyncio.sleep(duration)
        try:
            await befall_operation(call.faults, "INTERNAL_ERROR")
            apply()
        except OperationFailure as failure:
            operation.failure = failure
        except ApiError as error:
            operation.failure = OperationFailure(_code(error.reason), error.message, error.code)
        finally:
            call.project.busy.discard(operation.target)
            operation.status = "DONE"
            operation.end_time = now()
            operation.done.set()

    @staticmethod
    def _run(operation: ComputeOperation) -> None:
        operation.status = "RUNNING"
        operation.start_time = now()

    def replay(self, project: str, request_id: str) -> ComputeOperation | None:
        """The operation that this request id has started before; raises 400 for what is no UUID."""
        if not request_id:
            return None
        try:
            valid = uuid.UUID(request_id).int != 0
        except ValueError:
            valid = False
        if not valid:
            raise invalid_field("requestId", request_id, "Must be a valid UUID, not the zero UUID.")
        return self._by_request.get((project, request_id))

    def get(self, path: str) -> ComputeOperation:
        """An operation by its path; raises Compute's 404."""
        operation = self._by_path.get(path)
        if operation is None:
            raise compute_not_found(path)
        return operation

    def of(self, project: str, region: str) -> list[ComputeOperation]:
        """The operations of a project, global (region "") or of one region, newest first."""
        return [each for each in reversed(self._by_path.values()) if each.project == project and each.region == region]

    def forget(self, project: str, path: str | None = None) -> None:
        """Drop one operation, or all of a project."""
        self._by_path = {
            key: each for key, each in self._by_path.items() if key != path and (path or each.project != project)
        }
        if path is None:
            self._by_request = {key: each for key, each in self._by_request.items() if key[0] != project}

    async def wait(self, operation: ComputeOperation) -> None:
        """Return when the operation is done, or after as long as the API waits."""
        try:
            async with asyncio.timeout(self._timings.wait_max):
                await operation.done.wait()
        except TimeoutError:
            # The API answers with the operation as it stands; the caller asks again.
            return


def _code(reason: str) -> str:
    """The word that an operation's error uses where an answer's would use `reason`: RESOURCE_NOT_FOUND for notFound."""
    words = "_".join(re.findall(r"[A-Z]?[a-z]+", reason)).upper()
    return words if words.startswith("RESOURCE_") else f"RESOURCE_{words}"


def _path(call: Call) -> str:
    region = call.params.get("region")
    scope = f"regions/{region}" if region else "global"
    return f"projects/{call.project.id}/{scope}/operations/{call.params['operation']}"


async def _get(call: Call) -> Answer:
    return call.world.operations.get(_path(call)).to_json()


async def _wait(call: Call) -> Answer:
    operation = call.world.operations.get(_path(call))
    await call.world.operations.wait(operation)
    return operation.to_json()


async def _delete(call: Call) -> Answer:
    operation = call.world.operations.get(_path(call))
    call.world.operations.forget(call.project.id, operation.path)
    return {}


async def _list(call: Call) -> Answer:
    region = call.params.get("region", "")
    scope = f"regions/{region}" if region else "global"
    items = [each.to_json() for each in call.world.operations.of(call.project.id, region)]
    return page_of(call, "compute#operationList", f"projects/{call.project.id}/{scope}/operations", items, sort=False)


def methods() -> list[Method]:
    """compute.globalOperations and compute.regionOperations."""
    found = []
    for resource, scope in (("globalOperations", "global"), ("regionOperations", "regions/{region}")):
        base = f"/compute/v1/projects/{{project}}/{scope}/operations"
        one = f"{base}/{{operation}}"
        name = f"compute.{resource}"
        found += [
            Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
            Method(f"{name}.list", "GET", base, _list, f"{name}.list"),
            # Waiting is reading: it needs the permission to get.
            Method(f"{name}.wait", "POST", f"{one}/wait", _wait, f"{name}.get"),
            Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
        ]
    return found
