"""What the cloud package's tests share: a clock to turn by hand, and a small HTTP server for exact wire behaviour."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

START = datetime(2026, 11, 25, 4, 8, 15, tzinfo=UTC)


async def settle() -> None:
    """Let everything that can run without time passing run."""
    for _ in range(50):
        await asyncio.sleep(0)


class FakeClock:
    """Time that passes only when told to; sleepers wake in order."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._tie = itertools.count()

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time - 1000.0)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._tie), future))
        await future

    async def advance(self, seconds: float) -> None:
        target = self.time + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self.time = max(self.time, due)
            future.set_result(None)
            await settle()
        self.time = target
        await settle()


@dataclass
class Request:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Wire:
    """A server whose answers a test decides; it remembers what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)

    def of(self, method: str, fragment: str = "") -> list[Request]:
        return [request for request in self.requests if request.method == method and fragment in request.path]


Answer = tuple[int, Any]
Respond = Callable[[Request], "Answer | Awaitable[Answer]"]


@asynccontextmanager
async def wire(respond: Respond) -> AsyncIterator[Wire]:
    """Serve `respond` on a port of loopback for the length of the block."""
    seen = Wire("")

    async def handle(raw: web.Request) -> web.Response:
        text = await raw.text()
        request = Request(raw.method, raw.path, dict(raw.query), json.loads(text) if text else None)
        seen.requests.append(request)
        result = respond(request)
        status, body = await result if isinstance(result, Awaitable) else result
        if isinstance(body, str):
            return web.Response(status=status, text=body)
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    seen.url = f"http://127.0.0.1:{server.port}"
    try:
        yield seen
    finally:
        await server.close()
