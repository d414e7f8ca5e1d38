"""From HTTP request to method and back: who calls, whether they may, what comes back, and a line in the audit log.

The order is Google's as far as it shows: credentials (401), project, API enabled, quota, permission, then the method.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from html import escape
from typing import Final

from aiohttp import web

from redis_connectivity_lab.emulator import (
    compute_firewalls,
    compute_instances,
    compute_networks,
    compute_subnetworks,
    connectivity_tests,
    effective,
    iam,
    iam_credentials,
    logging_entries,
    lro,
    memorystore,
    operations,
    redis,
    redis_cluster,
    run_services,
    vpcaccess,
)
from redis_connectivity_lab.emulator.call import Answer, Call, Method, World
from redis_connectivity_lab.emulator.errors import ApiError, compute_not_found, invalid_json, service_disabled
from redis_connectivity_lab.emulator.faults import FaultKind
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.routing import Router
from redis_connectivity_lab.emulator.store import Project

__all__ = ["ApiServer", "all_methods", "json_response"]

#: Query parameters that every Google API takes ("system parameters").
_SYSTEM: Final = frozenset(
    {
        "$.xgafv",
        "$alt",
        "$fields",
        "$prettyPrint",
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
        "userIp",
    }
)
_COMPUTE_LIST: Final = frozenset({"filter", "maxResults", "orderBy", "pageToken"})
_AGGREGATED: Final = _COMPUTE_LIST | {"includeAllScopes", "returnPartialSuccess", "serviceProjectNumber"}
#: Lists of these versions have no `returnPartialSuccess` (Compute API v1 description).
_PLAIN_LISTS: Final = {"compute.firewalls.list", "compute.networks.list"}
_OTHERS: Final[dict[str, frozenset[str]]] = {
    "vpcaccess.connectors.create": frozenset({"connectorId"}),
    "vpcaccess.connectors.patch": frozenset({"updateMask"}),
    "redis.instances.create": frozenset({"instanceId"}),
    "redis.instances.patch": frozenset({"updateMask"}),
    "redis.clusters.create": frozenset({"clusterId", "requestId"}),
    "redis.clusters.delete": frozenset({"requestId"}),
    "memorystore.instances.create": frozenset({"instanceId", "requestId"}),
    "memorystore.instances.delete": frozenset({"requestId"}),
    "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls": frozenset({"network"}),
    "networkmanagement.connectivitytests.create": frozenset({"testId"}),
    "run.services.create": frozenset({"serviceId"}),
    "run.services.delete": frozenset({"etag"}),
    "run.services.list": frozenset({"pageSize", "pageToken"}),
    "run.services.patch": frozenset({"updateMask"}),
    "compute.subnetworks.patch": frozenset({"requestId", "drainTimeoutSeconds"}),
}
_HOSTS: Final = {"compute", "vpcaccess", "redis", "memorystore", "run", "networkmanagement"}
#: Whose paths are another service's too; on one port they begin with the service's name.
_PREFIXED: Final = {"memorystore", "networkmanagement"}
_MAX_CACHED: Final = 512


def all_methods() -> list[Method]:
    """Every API method that is emulated."""
    modules = (
        compute_firewalls,
        compute_instances,
        compute_networks,
        compute_subnetworks,
        connectivity_tests,
        effective,
        iam_credentials,
        logging_entries,
        lro,
        memorystore,
        operations,
        redis,
        redis_cluster,
        run_services,
        vpcaccess,
    )
    return [method for module in modules for method in module.methods()]


def _parameters(method: Method) -> frozenset[str]:
    """The query parameters of a method, system parameters aside."""
    if method.id in _OTHERS:
        return _OTHERS[method.id]
    if method.id.endswith("aggregatedList"):
        return _AGGREGATED
    if method.id.endswith(".list"):
        if method.service != "compute":
            return frozenset({"pageSize", "pageToken", "filter", "orderBy", "returnPartialSuccess"})
        return _COMPUTE_LIST if method.id in _PLAIN_LISTS else _COMPUTE_LIST | {"returnPartialSuccess"}
    return frozenset({"requestId"}) if method.service == "compute" and method.writes else frozenset()


def json_response(body: Json | bytes, status: int = 200) -> web.Response:
    """An answer with the headers Google sends."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web.Response(
        body=payload, status=status, headers={"Content-Type": "application/json; charset=UTF-8", "Server": "ESF"}
    )


def not_found_page(path: str) -> web.Response:
    """The page that Google's front end gives for a path that no API has."""
    text = (
        "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n"
        f"<p><b>404.</b> That’s an error.<p>The requested URL <code>{escape(path)}</code> was not found on this server."
    )
    return web.Response(text=text, status=404, content_type="text/html")


@dataclass(slots=True)
class _Route:
    method: Method
    parameters: frozenset[str]


class ConnectionCut(Exception):
    """Raised to end a call without an answer."""


class ApiServer:
    """Answers requests to the emulated APIs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._router: Router[_Route] = Router()
        for method in all_methods():
            self._router.add(method.http, method.path, _Route(method, _parameters(method) | _SYSTEM))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        if (host := request.host.split(".", 1)[0]) in _PREFIXED and not path.startswith(f"/{host}/"):
            path = f"/{host}{path}"
        found = self._router.find(request.method, path)
        if found is None:
            return not_found_page(request.path)
        route, params = found
        call = self._call(request, route.method, params, await request.read())
        status = 0
        try:
            answer = await self._perform(request, route, call)
            status = 200
            response = json_response(answer)
        except ApiError as error:
            status = error.code
            response = json_response(error.body(compute=route.method.service == "compute"), status)
        except ConnectionCut:
            if request.transport is not None:
                request.transport.abort()
            response = web.Response(status=503)
        finally:
            self._note(call, status)
        return response

    def _call(self, request: web.Request, method: Method, params: dict[str, str], body: bytes) -> Call:
        project_id = params.pop("project", "")
        host = request.host.split(".", 1)[0]
        call = Call(
            world=self._world,
            method=method,
            # One that is not there stands in for itself until `_perform` refuses it.
            project=self._world.store.find(project_id) or Project(project_id, "0"),
            params=params,
            query=request.query,
            raw_body=body,
            principal=iam.ANONYMOUS,
            host_service=host if host in _HOSTS else "",
        )
        if method.variant is not None:
            call.method = method.variant(call)
        return call

    def _note(self, call: Call, status: int) -> None:
        try:
            resource = call.resource()
        except ApiError:
            # The body that should name the resource cannot be read; the call is noted under its collection.
            resource = f"projects/{call.project.id}"
        self._world.audit.add(
            principal=call.principal,
            method=call.method.id,
            project=call.project.id,
            resource=resource,
            status=status,
            kind="write" if call.method.writes else "read",
            request_id=call.query.get("requestId", ""),
            permissions=tuple(call.asked),
        )

    async def _perform(self, request: web.Request, route: _Route, call: Call) -> Answer:
        method, world = call.method, self._world
        call.principal = world.tokens.identify(request.headers.get("Authorization"))
        if method.project is not None:
            project = method.project(call)
            call.project = world.store.find(project) or Project(project, "0")
        call.faults = world.faults.strike(method.id, call.project.id, call.resource())
        await self._hurt_before(call)
        self._admit(route, call)
        answer = self._replay(call)
        if answer is None:
            answer = await self._answer(request, call)
        if any(fault.kind is FaultKind.DROP_ANSWER for fault in call.faults):
            raise ConnectionCut
        return answer

    @staticmethod
    async def _hurt_before(call: Call) -> None:
        for fault in call.faults:
            if fault.kind is FaultKind.DELAY:
                await asyncio.sleep(fault.delay)
            elif fault.kind is FaultKind.RESET:
                raise ConnectionCut
            elif fault.kind is FaultKind.STATUS:
                raise ApiError(fault.status, fault.message, reason=fault.reason)

    def _admit(self, route: _Route, call: Call) -> None:
        """Everything that is checked before any method runs."""
        method, project = call.method, call.project
        if project.id not in self._world.store:
            raise _no_project(method.service, project.id)
        if method.service in project.disabled_apis:
            raise service_disabled(method.service, project.number)
        self._world.quotas.spend(project, method.service, method.quota_group)
        for name in call.query:
            if name not in route.parameters:
                raise invalid_json(
                    f'Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message."
                )
        if method.permission is not None:
            call.require(method.permission, call.resource())

    def _replay(self, call: Call) -> Answer | None:
        """The operation that an earlier call with the same request id has started."""
        if call.method.service != "compute" or not call.method.writes:
            return None
        operation = self._world.operations.replay(call.project.id, call.query.get("requestId", ""))
        return None if operation is None else operation.to_json()

    @staticmethod
    async def _answer(request: web.Request, call: Call) -> Answer:
        if not call.method.cached:
            return await call.method.handler(call)
        answers = call.project.answers
        key = (call.method.id, request.path, request.query_string)
        cached = answers.get(key)
        if cached is None:
            answer = await call.method.handler(call)
            cached = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            if len(answers) >= _MAX_CACHED:
                answers.clear()
            answers[key] = cached
        return cached


def _no_project(service: str, project: str) -> ApiError:
    """Compute says that the project is not there; the one-platform APIs do not tell it from one that is not yours."""
    if service == "compute":
        return compute_not_found(f"projects/{project}")
    detail: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "CONSUMER_INVALID",
        "domain": "googleapis.com",
        "metadata": {"consumer": f"projects/{project}", "service": f"{service}.googleapis.com"},
    }
    return ApiError(403, f"Permission denied on resource project {project}.", details=[detail])
