"""The prober: a small HTTP service that checks a Redis target, and services next to it, from where it runs.

`POST /v1/probe` takes a ProbeRequest and answers 200 with a ProbeAnswer, whatever the verdict. Anything else is
about the request itself: 400 (body is no ProbeRequest), 413 (too big), 429 (too many checks at once).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from redis_connectivity.probes.check import Dial, Guard, check, open_tcp, prober_info
from redis_connectivity.probes.model import ProbeRequest

__all__ = ["PRIVATE_RANGES", "allowed_targets", "create_app", "default_via", "main", "serve"]

#: Where a Redis in a VPC can be: RFC 1918 and RFC 6598.
PRIVATE_RANGES: Final = tuple(
    IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
#: Never a target, whatever is allowed: the metadata server lives here, and it hands out credentials.
_LINK_LOCAL: Final = IPv4Network("169.254.0.0/16")
DEFAULT_PORT: Final = 8080
DEFAULT_CONCURRENCY: Final = 64
#: CA certificates and ten checks with a body each fit.
_MAX_BODY_BYTES: Final = 192 * 1024
_SHUTDOWN_SECONDS: Final = 8.0  # Cloud Run kills 10 s after SIGTERM

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def allowed_targets(ranges: Sequence[IPv4Network] = PRIVATE_RANGES) -> Guard:
    """A guard that lets through addresses in these ranges alone, and link-local ones never."""

    def guard(address: IPv4Address) -> str | None:
        if address in _LINK_LOCAL:
            return f"{address} is link-local, where the metadata server lives: never a target"
        if any(address in allowed for allowed in ranges):
            return None
        return f"{address} is in none of the allowed ranges: {', '.join(map(str, ranges)) or 'none'}"

    return guard


def default_via() -> str:
    """Where this process runs, in a word: the Cloud Run service by its own variable, else the machine's name."""
    service = os.environ.get("K_SERVICE")
    return f"cloudRun/{service}" if service else f"host/{platform.node()}"


@dataclass(slots=True)
class _Prober:
    """The HTTP handlers, and how many checks are under way."""

    guard: Guard
    via: str
    dial: Dial
    max_concurrent: int
    under_way: int = 0

    async def probe(self, request: web.Request) -> web.Response:
        try:
            wanted = ProbeRequest.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error)
        if self.under_way >= self.max_concurrent:
            message = f"{self.max_concurrent} checks are under way already; ask again later"
            return _refusal(429, "TooManyChecks", message, headers={"Retry-After": "1"})
        self.under_way += 1
        try:
            answer = await check(wanted, self.dial, guard=self.guard, via=self.via)
        finally:
            self.under_way -= 1
        return web.Response(text=answer.model_dump_json(), content_type="application/json")

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "checksUnderWay": self.under_way})

    async def about(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "service": "redis-connectivity prober",
                "does": "POST /v1/probe makes a chain of checks on a Redis target, with a deadline",
                "request": {"host": "10.0.0.3", "port": 6379, "timeoutSeconds": 5},
                "checks": ["tcp", "redisPing", "redisReadWrite", "http"],
                "prober": prober_info(self.via).model_dump(),
            }
        )


def create_app(
    *,
    allow: Sequence[IPv4Network] = PRIVATE_RANGES,
    max_concurrent: int = DEFAULT_CONCURRENCY,
    via: str | None = None,
    dial: Dial = open_tcp,
) -> web.Application:
    """The prober as an aiohttp application; parameters as in `serve`."""
    prober = _Prober(allowed_targets(allow), via or default_via(), dial, max_concurrent)
    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_refusals_as_json])
    app.router.add_post("/v1/probe", prober.probe)
    app.router.add_get("/healthz", prober.health)
    app.router.add_get("/", prober.about)
    return app


async def serve(
    *,
    host: str = "0.0.0.0",  # noqa: S104 - Cloud Run's contract: listen on every address
    port: int = DEFAULT_PORT,
    unix_socket: Path | None = None,
    allow: Sequence[IPv4Network] = PRIVATE_RANGES,
    max_concurrent: int = DEFAULT_CONCURRENCY,
    via: str | None = None,
    dial: Dial = open_tcp,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the checks under way (at most 8 s) and return.

    Args:
        host: Address to listen on.
        port: TCP port to listen on; 0 takes a free one.
        unix_socket: Listen there instead of on `host` and `port`.
        allow: Ranges that targets may be in; an address outside gets the answer TargetNotAllowed.
        max_concurrent: Checks at once; more are turned down with HTTP 429.
        via: What answers give as `prober.via`; by default what `default_via` finds.
        dial: How connections to targets are opened.

    Raises:
        OSError: The address cannot be listened on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = create_app(allow=allow, max_concurrent=max_concurrent, via=via, dial=dial)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.UnixSite(runner, str(unix_socket)) if unix_socket else web.TCPSite(runner, host, port)
        await site.start()
        _say(f"prober listens on {unix_socket or runner.addresses[0]}")
        await stop.wait()
        _say("prober stops: no new checks, those under way are finished")
    finally:
        await runner.cleanup()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@web.middleware
async def _refusals_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        if refusal.status < 400:
            raise
        headers = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else None
        return _refusal(refusal.status, "InvalidRequest", refusal.reason, headers=headers)


def _invalid(error: ValidationError) -> web.Response:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    message = first["msg"].removeprefix("Value error, ")
    return _refusal(400, "InvalidRequest", f"{field}: {message}" if field else message, field)


def _refusal(
    status: int, code: str, message: str, field: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    body = {"error": {"code": code, "field": field, "message": message}}
    return web.json_response(body, status=status, headers=headers)


def _say(message: str) -> None:
    sys.stderr.write(json.dumps({"severity": "INFO", "message": message}) + "\n")
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the prober from the command line; 0 after a clean stop, 1 when it cannot listen, 2 on bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m redis_connectivity.probes.prober", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104 - as in serve
    parser.add_argument("--port", type=int, default=os.environ.get("PORT", DEFAULT_PORT), help="default: $PORT")
    parser.add_argument("--unix-socket", type=Path, help="listen on this socket instead")
    parser.add_argument(
        "--allow",
        type=IPv4Network,
        action="append",
        metavar="CIDR",
        help="range that targets may be in, instead of the private ones; may be given several times",
    )
    parser.add_argument("--max-concurrent", type=int, default=DEFAULT_CONCURRENCY, help="checks at once")
    parser.add_argument("--via", help="name of the place this runs in, as answers tell it")
    options = parser.parse_args(argv)
    try:
        asyncio.run(
            serve(
                host=options.host,
                port=options.port,
                unix_socket=options.unix_socket,
                allow=options.allow or PRIVATE_RANGES,
                max_concurrent=options.max_concurrent,
                via=options.via,
            )
        )
    except OSError as error:
        sys.stderr.write(f"error: the prober cannot listen: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
