"""The lab's own endpoints beside the emulated APIs, under `/lab/v1/`. Bodies and answers are JSON.

GET    /lab/v1/health
GET    /lab/v1/projects
PUT    /lab/v1/projects/P              {number?, defaultNetwork?, aetVisible?, disabledApis?, missingImages?}
POST   /lab/v1/projects/P/reset
DELETE /lab/v1/projects/P
GET    /lab/v1/projects/P/KIND
PUT|PATCH|DELETE /lab/v1/projects/P/KIND/[REGION/]NAME[?actor=…]
       KIND: networks, subnetworks, firewalls, instances, connectors, redis, clusters, valkeys, services,
       policies, accounts
PUT|DELETE /lab/v1/projects/P/iam      {bindings: {principal: [permission, …]}}
PUT|DELETE /lab/v1/projects/P/quotas   {group: calls per minute}
       groups: compute.reads, compute.writes, vpcaccess, redis, redis.clusters, memorystore, run.reads, run.writes,
       iamcredentials
GET|PUT    /lab/v1/tokens              {token: principal}; null takes a token away
GET|PATCH  /lab/v1/timings             {name: seconds}
GET|POST|DELETE /lab/v1/faults, DELETE /lab/v1/faults/ID
GET|DELETE /lab/v1/audit[?method=&project=&principal=&kind=&since=], GET /lab/v1/audit/summary
GET    /lab/v1/topology
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from aiohttp import web

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.faults import Fault
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.lab import KINDS, SOMEBODY, Lab
from redis_connectivity_lab.emulator.routing import Router
from redis_connectivity_lab.emulator.server import json_response
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.topology import Topology

__all__ = ["CONTROL", "Control"]

CONTROL: Final = "/lab/v1/"
_GROUPS: Final = (
    "compute.reads",
    "compute.writes",
    "vpcaccess",
    "redis",
    "redis.clusters",
    "memorystore",
    "run.reads",
    "run.writes",
    "iamcredentials",
)
_SERVICES: Final = ("compute", "vpcaccess", "redis", "memorystore", "run", "iamcredentials")


class _Request:
    """A control request, read."""

    def __init__(self, params: dict[str, str], query: dict[str, str], body: Json) -> None:
        self.params = params
        self.query = query
        self.body = body

    @property
    def project(self) -> str:
        return self.params["project"]

    @property
    def actor(self) -> str:
        return self.query.get("actor", SOMEBODY)

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(self.params[name] for name in ("place", "name") if name in self.params)


class Control:
    """Answers control requests."""

    def __init__(self, world: World, lab: Lab, topology: Callable[[], Topology]) -> None:
        self._world = world
        self._lab = lab
        self._topology = topology
        self._router: Router[Callable[[_Request], Json]] = Router()
        self._add_routes()

    def _add_routes(self) -> None:
        project = "projects/{project}"
        table: list[tuple[str, str, Callable[[_Request], Json]]] = [
            ("GET", "health", lambda _: {"status": "ok"}),
            ("GET", "projects", lambda _: {"projects": [self._project_json(each) for each in self._world.store]}),
            ("PUT", project, self._put_project),
            ("DELETE", project, self._delete_project),
            ("POST", f"{project}/reset", lambda each: self._project_json(self._lab.reset(each.project))),
            ("PUT", f"{project}/iam", self._put_iam),
            ("DELETE", f"{project}/iam", self._delete_iam),
            ("PUT", f"{project}/quotas", self._put_quotas),
            ("DELETE", f"{project}/quotas", self._put_quotas),
            ("GET", "tokens", lambda _: {"principals": list(self._world.tokens.principals())}),
            ("PUT", "tokens", self._put_tokens),
            ("GET", "timings", lambda _: dict(self._world.timings.to_json())),
            ("PATCH", "timings", self._patch_timings),
            ("GET", "faults", lambda _: {"faults": [each.to_json() for each in self._world.faults.list()]}),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("DELETE", "faults/{fault}", self._remove_fault),
            ("GET", "audit", self._audit),
            ("DELETE", "audit", self._clear_audit),
            ("GET", "audit/summary", self._audit_summary),
            ("GET", "topology", lambda _: _topology_json(self._topology())),
        ]
        for kind, handler in KINDS.items():
            one = f"{project}/{kind}/" + ("{place}/{name}" if handler.parts == 2 else "{name}")
            table += [
                ("GET", f"{project}/{kind}", self._lister(kind)),
                ("PUT", one, self._putter(kind)),
                ("PATCH", one, self._patcher(kind)),
                ("DELETE", one, self._deleter(kind)),
            ]
        for http, path, target in table:
            self._router.add(http, CONTROL + path, target)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; what makes no sense is refused with 400 and a sentence."""
        found = self._router.find(request.method, request.path)
        if found is None:
            return json_response({"error": {"code": 404, "message": f"no control endpoint: {request.path}"}}, 404)
        target, params = found
        try:
            raw = await request.read()
            return json_response(target(_Request(params, dict(request.query), _body(raw))))
        except ApiError as error:
            return json_response(error.body(compute=False), error.code)
        except (ValueError, TypeError) as error:
            return json_response(ApiError(400, str(error)).body(compute=False), 400)

    def _lister(self, kind: str) -> Callable[[_Request], Json]:
        return lambda each: {kind: self._lab.list(kind, each.project)}

    def _putter(self, kind: str) -> Callable[[_Request], Json]:
        return lambda each: self._lab.put(kind, each.project, each.key, each.body, actor=each.actor)

    def _patcher(self, kind: str) -> Callable[[_Request], Json]:
        return lambda each: self._lab.patch(kind, each.project, each.key, each.body, actor=each.actor)

    def _deleter(self, kind: str) -> Callable[[_Request], Json]:
        def delete(each: _Request) -> Json:
            self._lab.delete(kind, each.project, each.key, actor=each.actor)
            return {}

        return delete

    def _put_project(self, each: _Request) -> Json:
        known = {"number", "defaultNetwork", "aetVisible", "disabledApis", "missingImages"}
        if unknown := set(each.body) - known:
            raise ApiError(400, f"unknown fields {sorted(unknown)}; a project takes {', '.join(sorted(known))}")
        disabled = each.body.get("disabledApis")
        if disabled is not None and (bad := set(disabled) - set(_SERVICES)):
            raise ApiError(400, f"unknown APIs {sorted(bad)}; there are {', '.join(_SERVICES)}")
        project = self._lab.project(
            each.project,
            number=each.body.get("number"),
            default_network=bool(each.body.get("defaultNetwork", False)),
            aet_visible=each.body.get("aetVisible"),
            disabled_apis=disabled,
            missing_images=each.body.get("missingImages"),
        )
        return self._project_json(project)

    def _delete_project(self, each: _Request) -> Json:
        self._world.store.get(each.project)
        self._lab.remove_project(each.project)
        return {}

    def _put_iam(self, each: _Request) -> Json:
        bindings = each.body.get("bindings")
        if not isinstance(bindings, dict) or not all(isinstance(value, list) for value in bindings.values()):
            raise ApiError(400, "bindings is an object of principal → list of permissions")
        project = self._world.store.get(each.project)
        project.iam = {principal: frozenset(permissions) for principal, permissions in bindings.items()}
        self._world.store.touch(project)  # some Redis lets in whom IAM allows
        return self._project_json(project)

    def _delete_iam(self, each: _Request) -> Json:
        project = self._world.store.get(each.project)
        project.iam = self._world.store.granted
        self._world.store.touch(project)
        return self._project_json(project)

    def _put_quotas(self, each: _Request) -> Json:
        for group, limit in each.body.items():
            if group not in _GROUPS or not isinstance(limit, int) or limit < 0:
                raise ApiError(400, f"quotas are numbers per minute for {', '.join(_GROUPS)}")
        project = self._world.store.get(each.project)
        project.quotas = dict(each.body)
        return self._project_json(project)

    def _put_tokens(self, each: _Request) -> Json:
        for token, principal in each.body.items():
            if principal is None:
                self._world.tokens.remove(token)
            else:
                self._world.tokens.set(token, str(principal))
        return {"principals": list(self._world.tokens.principals())}

    def _patch_timings(self, each: _Request) -> Json:
        self._world.timings.update(each.body)
        return dict(self._world.timings.to_json())

    def _add_fault(self, each: _Request) -> Json:
        return self._world.faults.add(Fault.from_json(each.body)).to_json()

    def _clear_faults(self, _each: _Request) -> Json:
        self._world.faults.clear()
        return {}

    def _remove_fault(self, each: _Request) -> Json:
        if not self._world.faults.remove(each.params["fault"]):
            raise ApiError(404, f"there is no fault {each.params['fault']!r}")
        return {}

    def _audit(self, each: _Request) -> Json:
        query = each.query
        records = self._world.audit.records(
            method=query.get("method", "*"),
            project=query.get("project", "*"),
            principal=query.get("principal", "*"),
            kind=query.get("kind", "*"),
            since=int(query.get("since", "0")),
        )
        return {"records": [record.to_json() for record in records], "last": self._world.audit.last}

    def _audit_summary(self, each: _Request) -> Json:
        return self._world.audit.summary(
            since=int(each.query.get("since", "0")), project=each.query.get("project", "*")
        )

    def _clear_audit(self, _each: _Request) -> Json:
        self._world.audit.clear()
        return {}

    def _project_json(self, project: Project) -> Json:
        # What new projects have is nobody's decision about this one.
        decided = project.iam is not None and project.iam is not self._world.store.granted
        return {
            "id": project.id,
            "number": project.number,
            "aetVisible": project.aet_visible,
            "disabledApis": sorted(project.disabled_apis),
            "missingImages": sorted(project.missing_images),
            "iam": {who: sorted(what) for who, what in (project.iam or {}).items()} if decided else None,
            "quotas": project.quotas,
        }


def _body(raw: bytes) -> Json:
    body = json.loads(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    return body


def _topology_json(topology: Topology) -> Json:
    dumped = {
        "networks": [asdict(each) for each in sorted(topology.networks)],
        "hosts": [asdict(each) for each in sorted(topology.hosts, key=lambda host: host.id)],
        "rules": [asdict(each) for each in sorted(topology.rules, key=lambda rule: (rule.network, rule.name))],
        "services": [
            asdict(each) for each in sorted(topology.services, key=lambda each: (each.project, each.region, each.name))
        ],
    }
    # Addresses and ranges become text.
    result: Json = json.loads(json.dumps(dumped, default=str))
    return result
