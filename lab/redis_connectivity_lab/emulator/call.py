"""One API call, and the world that methods work on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis_connectivity_lab.emulator import iam
from redis_connectivity_lab.emulator.audit import Audit
from redis_connectivity_lab.emulator.errors import ApiError, invalid_json
from redis_connectivity_lab.emulator.faults import Fault, Faults
from redis_connectivity_lab.emulator.ids import Ids, Json
from redis_connectivity_lab.emulator.store import Project, Store
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.topology import Judge, ServiceId

if TYPE_CHECKING:
    from redis_connectivity_lab.emulator.lro import LongRunningOperations
    from redis_connectivity_lab.emulator.operations import ComputeOperations

__all__ = ["COMPUTE", "Answer", "Call", "Handler", "Method", "World"]

#: What Compute's resources call themselves by, whatever host was asked (recorded in k8s-config-connector).
COMPUTE = "https://www.googleapis.com/compute/v1/"

Answer = Json | bytes


@dataclass(slots=True)
class World:
    """Everything the methods share."""

    store: Store
    ids: Ids
    timings: Timings
    faults: Faults
    audit: Audit
    tokens: iam.Tokens
    quotas: iam.Quotas
    operations: ComputeOperations
    long_running: LongRunningOperations
    #: Where the emulator listens, and whether a service's process answers; both are known once it runs.
    url: str = ""
    answers: Callable[[ServiceId], bool] = lambda _: True
    #: Who knows what becomes of a connection; nobody where there is no data plane.
    judge: Judge | None = None


@dataclass(slots=True)
class Call:
    """A call under way. `project` is the one in the path, `params` the other parts of the path."""

    world: World
    method: Method
    project: Project
    params: Mapping[str, str]
    query: Mapping[str, str]
    raw_body: bytes
    principal: str
    api_version: str = "v1"
    #: The service named by the Host header (`redis.…`), where methods of several services share a path; else "".
    host_service: str = ""
    faults: tuple[Fault, ...] = ()
    #: Permissions that the caller was asked for, for the audit log.
    asked: list[str] = field(default_factory=list)
    _body: Json | None = field(default=None, repr=False)

    @property
    def enums_as_numbers(self) -> bool:
        """Whether the caller asked for numbers in place of enum words, as Google's Python clients do."""
        return "enum-encoding=int" in self.query.get("$alt", "")

    def body(self) -> Json:
        """The request's JSON object; raises the API's 400 when it is none."""
        if self._body is None:
            try:
                parsed = json.loads(self.raw_body) if self.raw_body.strip() else {}
            except ValueError as error:
                raise invalid_json(f"Parsing failed: {error}") from error
            if not isinstance(parsed, dict):
                raise invalid_json("Root element must be a message.")
            self._body = parsed
        return self._body

    def require(self, permission: str, resource: str, project: Project | None = None) -> None:
        """Refuse the call unless the caller has a permission."""
        self.asked.append(permission)
        iam.require(project or self.project, self.principal, self.method.service, permission, resource)

    def resource(self) -> str:
        """The resource the call is about, for permissions, faults and the audit log."""
        return self.method.resource(self)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from the query within bounds; raises the API's 400 otherwise."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.lstrip("-").isdigit() or not low <= int(text) <= high:
            raise ApiError(
                400, f"Invalid value for field '{name}': '{text}'. Must be between {low} and {high}, inclusive"
            )
        return int(text)


Handler = Callable[[Call], Awaitable[Answer]]


def _resource_from_path(call: Call) -> str:
    """`projects/P/…` with the path's own names; for a create, with the name the caller gives."""
    path = call.method.path.split("/projects/", 1)[1].removeprefix("{project}")
    for name, value in call.params.items():
        path = path.replace("{" + name + "}", value)
    created = call.method.created_name(call) if call.method.created_name else ""
    return f"projects/{call.project.id}{path}{'/' + created if created else ''}"


@dataclass(frozen=True, slots=True)
class Method:
    """An API method: where it lives, what it needs, who does it."""

    #: As in Cloud Audit Logs, e.g. `compute.firewalls.list`.
    id: str
    http: str
    #: With `{name}` for a variable part; with `{project}`, unless `project` says where else the project stands.
    path: str
    handler: Handler
    permission: str | None = None
    writes: bool = False
    #: For creates: where the new resource's name comes from.
    created_name: Callable[[Call], str] | None = None
    resource: Callable[[Call], str] = _resource_from_path
    #: For a path that several services share: the method that this call means.
    variant: Callable[[Call], Method] | None = None
    #: The id of the project that a call is about, where the path does not have it.
    project: Callable[[Call], str] | None = None
    #: Answers of several kinds are cached until the project changes.
    cached: bool = False

    @property
    def service(self) -> str:
        """compute, vpcaccess, redis, memorystore or run."""
        return self.id.split(".", 1)[0]

    @property
    def collection(self) -> str:
        """What the method is about, such as `redis.clusters`."""
        return self.id.rsplit(".", 1)[0]

    @property
    def quota_group(self) -> str:
        """The budget that calls count against."""
        if self.service in {"compute", "run"}:
            return f"{self.service}.{'writes' if self.writes else 'reads'}"
        # Redis Clusters have a quota of their own, though the service is Memorystore for Redis's.
        return self.collection if self.collection == "redis.clusters" else self.service


def body_name(call: Call) -> str:
    """The name in a Compute insert's body."""
    name = call.body().get("name")
    return name if isinstance(name, str) else ""
