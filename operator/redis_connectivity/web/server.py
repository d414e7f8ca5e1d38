"""Serves the page, its data and its live news. Read-only: there is no request that changes anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from redis_connectivity.kube.errors import KubeError
from redis_connectivity.web.auth import Access
from redis_connectivity.web.feed import Feed, Subscription

__all__ = ["PageServer", "is_loopback"]

_log = structlog.get_logger(__name__)

#: Readers of live news at the same time; each costs a task and a socket.
_READERS_MAX: Final = 64
#: Seconds of quiet after which a comment is sent, so that proxies keep the connection.
_HEARTBEAT: Final = 15.0
#: Seconds for which news are gathered before they are sent: a burst becomes one message.
_GATHER: Final = 0.2

_STATIC: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this pod (and who may forward a port into it) can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class PageServer:
    """The web page of the operator.

    On loopback it asks nobody who they are: only `kubectl port-forward` reaches it, and that is guarded by RBAC. Then
    the Host header must be a loopback name, so that no web site can reach it through a browser by a name of its own.
    On any other address, each request needs a bearer token that `access` allows.

    Args:
        host: Address to listen on.
        port: Port; 0 picks a free one.
        feed: What is shown.
        access: What the cluster says about a token.
    """

    def __init__(self, host: str, port: int, feed: Feed, access: Callable[[str], Awaitable[Access]]) -> None:
        self._host, self._port = host, port
        self._feed = feed
        self._access = access
        self._open = is_loopback(host)
        self._runner: web.AppRunner | None = None
        self._assets = {
            path: ((files(__package__) / "static" / name).read_bytes(), kind) for path, (name, kind) in _STATIC.items()
        }

    @property
    def port(self) -> int:
        """The port in use; differs from the wanted one when that was 0."""
        for address in self._runner.addresses if self._runner is not None else ():
            return int(address[1])
        return self._port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application(middlewares=[self._guard])
        for path in self._assets:
            app.router.add_get(path, self._asset)
        app.router.add_get("/api/paths", self._paths)
        app.router.add_get("/api/events", self._events)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening, and end the live connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    # --- who may look

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = self._wrong_host(request) if self._open else await self._no_right(request)
        answer = refused if refused is not None else await handler(request)
        if not answer.prepared:
            answer.headers.update(_HEADERS)
        return answer

    @staticmethod
    def _wrong_host(request: web.Request) -> web.Response | None:
        name = request.url.host or ""
        if is_loopback(name):
            return None
        return _refusal(
            HTTPStatus.FORBIDDEN,
            f"this page is for kubectl port-forward, on localhost; it was asked for as {name!r}",
        )

    async def _no_right(self, request: web.Request) -> web.Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            answer = _refusal(HTTPStatus.UNAUTHORIZED, "send a Kubernetes bearer token: Authorization: Bearer …")
            answer.headers["WWW-Authenticate"] = 'Bearer realm="kubernetes"'
            return answer
        try:
            access = await self._access(token.strip())
        except KubeError as error:
            _log.warning("page.unchecked", error=str(error))
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the cluster cannot be asked who you are; try again")
        if access is Access.UNKNOWN_CALLER:
            return _refusal(HTTPStatus.UNAUTHORIZED, "the cluster does not know this token")
        if access is Access.FORBIDDEN:
            return _refusal(
                HTTPStatus.FORBIDDEN, "the page is for those who may list redisconnectivities in all namespaces"
            )
        return None

    # --- what is shown

    async def _asset(self, request: web.Request) -> web.Response:
        content, kind = self._assets[request.path]
        return web.Response(body=content, content_type=kind, charset="utf-8")

    async def _paths(self, _request: web.Request) -> web.Response:
        return web.json_response(self._feed.everything())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `all` first and whenever one appears or goes, `path` for each that changed."""
        if self._feed.readers >= _READERS_MAX:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{_READERS_MAX} readers look already; try again later")
        stream = web.StreamResponse(
            headers={**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        with self._feed.subscribe() as news:
            await stream.prepare(request)
            # A reader that went away ends this by an error at the next write.
            with contextlib.suppress(ConnectionResetError):
                await _send(stream, "all", self._feed.everything())
                while True:
                    await self._next(stream, news)
        return stream

    async def _next(self, stream: web.StreamResponse, news: Subscription) -> None:
        try:
            async with asyncio.timeout(_HEARTBEAT):
                changed = await news.take()
        except TimeoutError:
            await stream.write(b": still here\n\n")
            return
        await asyncio.sleep(_GATHER)
        for key in sorted(changed):
            path = self._feed.one(key)
            await _send(stream, "path" if path is not None else "gone", path if path is not None else {"key": key})


async def _send(stream: web.StreamResponse, event: str, data: dict[str, Any]) -> None:
    await stream.write(f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode())


def _refusal(status: HTTPStatus, message: str) -> web.Response:
    return web.Response(status=status, text=f"{message}\n")
