"""A small chat application with Redis behind it: what a Redis is there for in the end.

`GET /auth/healthz` logs a user in: a session is written to Redis and read back. `POST /chat/workflow` does what a
user does: log in, say something (the body's `message`), and read the conversation. Both answer 503 with what went
wrong when Redis does not play along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from redis_connectivity.probes.model import ProbeRequest
from redis_connectivity.probes.reach import CheckFailed, Deadline, Dial, Reach, open_tcp
from redis_connectivity.probes.redislink import RedisLink

__all__ = ["create_app", "main"]

_REDIS_SECONDS: Final = 1.0
_SESSION_SECONDS: Final = "60"


@dataclass(frozen=True, slots=True)
class _Chat:
    host: str
    port: int
    dial: Dial

    @asynccontextmanager
    async def _redis(self) -> AsyncIterator[tuple[RedisLink, Deadline]]:
        deadline = Deadline.after(_REDIS_SECONDS)
        reach = Reach(self.dial)
        link = RedisLink(reach, self.host, await reach.address(self.host, deadline), self.port)
        try:
            yield link, deadline
        finally:
            link.close()

    async def _login(self, link: RedisLink, deadline: Deadline) -> str:
        talk = await link.ready(deadline)
        token = secrets.token_hex(8)
        await talk.keyed(deadline, "SET", f"session:{token}", "alice", "EX", _SESSION_SECONDS)
        if await talk.keyed(deadline, "GET", f"session:{token}") not in (b"alice", "alice"):
            raise web.HTTPServiceUnavailable(text="the session is gone")
        return token

    async def login(self, _: web.Request) -> web.Response:
        try:
            async with self._redis() as (link, deadline):
                await self._login(link, deadline)
        except CheckFailed as failed:
            return web.json_response({"error": failed.message}, status=503)
        return web.json_response({"loggedIn": True})

    async def workflow(self, request: web.Request) -> web.Response:
        try:
            message = str(json.loads(await request.read())["message"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "the body must be an object with a message"}, status=400)
        try:
            async with self._redis() as (link, deadline):
                room = f"chat:{await self._login(link, deadline)}"
                talk = await link.ready(deadline)
                await talk.keyed(deadline, "RPUSH", room, message)
                await talk.keyed(deadline, "EXPIRE", room, _SESSION_SECONDS)
                said = await talk.keyed(deadline, "LRANGE", room, "0", "-1")
        except CheckFailed as failed:
            return web.json_response({"error": failed.message}, status=503)
        lines = [one.decode() if isinstance(one, bytes) else str(one) for one in said]  # type: ignore[attr-defined]  # LRANGE answers a list
        return web.json_response({"conversation": lines})


def create_app(host: str, port: int, dial: Dial = open_tcp) -> web.Application:
    """The application, with a Redis at `host`:`port` behind it."""
    ProbeRequest(host=host, port=port)  # the same rules for what a host and a port are
    chat = _Chat(host, port, dial)
    app = web.Application()
    app.router.add_get("/auth/healthz", chat.login)
    app.router.add_post("/chat/workflow", chat.workflow)
    return app


async def _serve(app: web.Application, sites: list[tuple[str, int]], socket: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        for host, port in sites:
            await web.TCPSite(runner, host, port).start()
        await web.UnixSite(runner, str(socket)).start()  # last: who sees it finds everything
        await stop.wait()
    finally:
        await runner.cleanup()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # a pipe nobody writes to: it ends when the agent does
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Serve until told to stop, or until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", type=_host_port, required=True)
    parser.add_argument("--unix-socket", type=Path, required=True)
    parser.add_argument("--listen", type=_host_port)
    parser.add_argument("--relay", type=Path)
    parser.add_argument("--source")
    options = parser.parse_args()
    dial: Dial = open_tcp
    if options.relay is not None:
        from redis_connectivity_lab.dataplane.relay import relay_dial  # noqa: PLC0415 - only where there is one

        dial = relay_dial(options.relay, options.source)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = create_app(options.redis[0], options.redis[1], dial)
    asyncio.run(_serve(app, [options.listen] if options.listen else [], options.unix_socket))


if __name__ == "__main__":
    main()
