"""The front end of emulated Cloud Run services: `/_run/PROJECT/REGION/SERVICE/PATH` goes to the service's process.

The process listens on a unix socket inside its connector's network, which the data plane looks after; this end only
passes requests on, as Google's front end does. A service that was deployed through the API wants an ID token for its
own URL, of somebody with run.routes.invoke; one that the lab put in is open to everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.iam import ANONYMOUS, require
from redis_connectivity_lab.emulator.idtokens import IdTokens
from redis_connectivity_lab.emulator.store import Project, Service
from redis_connectivity_lab.emulator.topology_view import service_ids
from redis_connectivity_lab.topology import ServiceId

__all__ = ["PREFIX", "CloudRunFront", "ServiceRouter"]

_log = logging.getLogger(__name__)

PREFIX: Final = "/_run/"
ServiceRouter = Callable[[ServiceId], Path | None]

#: Headers that belong to one connection and are not passed on (RFC 9110, section 7.6.1).
_HOP_BY_HOP: Final = {
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def _page(status: int, title: str, text: str) -> web.Response:
    html = (
        "<html><head>\n"
        f'<meta http-equiv="content-type" content="text/html;charset=utf-8">\n<title>{status} {title}</title>\n'
        f"</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n"
        "</body></html>\n"
    )
    return web.Response(text=html, status=status, content_type="text/html")


class CloudRunFront:
    """Passes requests on to services."""

    def __init__(self, world: World, tokens: IdTokens) -> None:
        self._world = world
        self._tokens = tokens
        self.router: ServiceRouter = lambda _service: None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to a service, and note it in the audit log as `data`."""
        parts = request.raw_path.removeprefix(PREFIX).split("/", 3)
        if len(parts) < 3 or not parts[2].partition("?")[0]:
            return _page(404, "Page not found", "The requested URL was not found on this server.")
        project, region, name = parts[0], parts[1], parts[2].partition("?")[0]
        query = "" if len(parts) > 3 or "?" not in parts[2] else "?" + parts[2].partition("?")[2]
        rest = parts[3] if len(parts) > 3 else query
        response = await self._pass_on(request, project, region, name, "/" + rest)
        self._world.audit.add(
            principal=ANONYMOUS,
            method="run.services.request",
            project=project,
            resource=f"projects/{project}/locations/{region}/services/{name}",
            status=response.status,
            kind="data",
            permissions=("run.routes.invoke",) if "Authorization" in request.headers else (),
        )
        return response

    async def _pass_on(
        self, request: web.Request, project: str, region: str, name: str, path: str
    ) -> web.StreamResponse:
        holder = self._world.store.find(project)
        service = holder.services.get((region, name)) if holder else None
        if holder is None or service is None:
            return _page(404, "Page not found", "The requested URL was not found on this server.")
        refusal = self._refusal(request, holder, service)
        if refusal is not None:
            return refusal
        # The newest revision serves once it answers.
        sockets = (self.router(one) for one in reversed(service_ids(holder.id, service)))
        socket = next((one for one in sockets if one is not None), None)
        if socket is None:
            return _unavailable()
        headers = CIMultiDict((key, value) for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP)
        body = request.content if request.body_exists else None
        connector = aiohttp.UnixConnector(path=str(socket))
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            try:
                answer = await session.request(
                    request.method, f"http://service{path}", headers=headers, data=body, allow_redirects=False
                )
            except aiohttp.ClientError:
                # Nothing listens there (any more): to the caller that is an instance that could not be started.
                return _unavailable()
            async with answer:
                return await _stream(request, answer)

    def _refusal(self, request: web.Request, project: Project, service: Service) -> web.Response | None:
        """Why the caller is turned away (Cloud Run's page on troubleshooting 401 and 403); None where it is not."""
        if service.body is None or service.body.get("invokerIamDisabled"):
            return None
        denied = "Your client does not have permission to get URL <code>/</code> from this server."
        authorization = request.headers.get("Authorization")
        if not authorization:
            return _page(403, "Forbidden", denied)
        principal = self._tokens.principal(authorization, service.body.get("uri", ""))
        if principal is None:
            page = _page(
                401, "Unauthorized", "Your client does not have permission to the requested URL <code>/</code>."
            )
            page.headers["WWW-Authenticate"] = (
                'Bearer error="invalid_token" error_description="The access token could not be verified"'
            )
            return page
        try:
            require(project, principal, "run", "run.routes.invoke", service.body["name"])
        except ApiError:
            return _page(403, "Forbidden", denied)
        return None


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for key, value in answer.headers.items():
        if key.lower() not in _HOP_BY_HOP:
            response.headers.add(key, value)
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except aiohttp.ClientConnectionResetError:
        # Who asked has gone, as an operator does that is stopped while a probe is under way: nobody misses the answer.
        _log.debug("the caller is gone")
    return response


def _unavailable() -> web.Response:
    return _page(
        503, "Server Error", "The service you requested is not available yet.<p>Please try again in 30 seconds."
    )
