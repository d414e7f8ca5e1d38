"""The http check against real servers, of HTTP and not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from redis_connectivity.probes.check import check
from redis_connectivity.probes.model import FailureCode, HttpCheck, ProbeAnswer, ProbeRequest
from redis_connectivity.probes.prober import allowed_targets
from redis_connectivity.probes.reach import open_tcp
from redis_connectivity_lab.certificates import Authority

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def replying(status: int = 200, text: str = "all is well", **more: object) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, **more)  # type: ignore[arg-type] - as a test names them

    return handler


async def asked(url: str, seconds: float = 5, guard: object = None, **fields: object) -> ProbeAnswer:
    one = HttpCheck(name="chat", url=url, **fields)  # type: ignore[arg-type] - as above
    # The Redis target is not asked: the chain is this one check.
    return await check(
        ProbeRequest(host="127.0.0.1", port=1, timeout_seconds=seconds, checks=(one,)),
        guard=guard,  # type: ignore[arg-type] - as above
    )


def code(answer: ProbeAnswer) -> FailureCode | None:
    assert [step.name for step in answer.steps] == ["chat"]
    assert answer.failure is None or answer.failure.step == "chat"
    return answer.failure.code if answer.failure else None


@pytest.mark.parametrize(
    ("handler", "fields", "verdict"),
    [
        (replying(), {}, None),
        (replying(204, ""), {"expect_status": 204}, None),
        (replying(500), {}, FailureCode.UNEXPECTED_STATUS),
        (replying(200), {"expect_status": 503}, FailureCode.UNEXPECTED_STATUS),
        (replying(302, headers={"Location": "http://127.0.0.1:1/"}), {}, FailureCode.UNEXPECTED_STATUS),
        (replying(302, headers={"Location": "http://127.0.0.1:1/"}), {"expect_status": 302}, None),
        (replying(), {"expect_body": "is well"}, None),
        (replying(), {"expect_body": "is ill"}, FailureCode.UNEXPECTED_BODY),
        (replying(text="x" * 65_536 + "late"), {"expect_body": "late"}, FailureCode.UNEXPECTED_BODY),
        (replying(text="x" * 65_532 + "soon" + "y" * 9_000_000), {"expect_body": "soon"}, None),
        (replying(), {"method": "HEAD"}, None),
    ],
)
async def test_what_a_service_may_answer(
    handler: Handler, fields: dict[str, object], verdict: FailureCode | None
) -> None:
    async with service(handler) as url:
        assert code(await asked(f"{url}/healthz", **fields)) is verdict


async def test_what_is_sent() -> None:
    seen: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(method=request.method, path=request.raw_path, host=request.host, body=await request.text())
        seen.update(kind=request.content_type, agent=request.headers["User-Agent"])
        return web.Response(text="ok")

    async with service(handler) as url:
        assert code(await asked(f"{url}/chat?room=7", method="POST", body='{"say": "hi"}')) is None
    assert seen == {
        "method": "POST",
        "path": "/chat?room=7",
        "host": url.removeprefix("http://"),
        "body": '{"say": "hi"}',
        "kind": "application/json",
        "agent": "redis-connectivity-probe",
    }


async def test_a_service_that_never_ends_its_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.01)
        return response

    async with service(handler) as url:
        answer = await asked(url, 0.5)
    assert code(answer) is FailureCode.READ_TIMEOUT
    assert answer.latency_seconds < 2


@pytest.mark.parametrize(
    ("talk", "verdict"),
    [
        (b"-ERR unknown command\r\n", FailureCode.NOT_HTTP),
        (b"SSH-2.0-OpenSSH_9.2\r\n", FailureCode.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Endless: y\r\n" * 10_000, FailureCode.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", FailureCode.NOT_HTTP),
        (b"", FailureCode.NOT_HTTP),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", None),
    ],
)
async def test_what_speaks_otherwise(talk: bytes, verdict: FailureCode | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        with contextlib.suppress(ConnectionError):
            writer.write(talk)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert code(await asked(f"http://127.0.0.1:{port}/")) is verdict


async def test_nothing_listens() -> None:
    assert code(await asked("http://127.0.0.1:1/")) is FailureCode.CONNECTION_REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
        "http://metadata.google.internal/",
        "https://metadata.google.internal/",
        "http://127.0.0.1:8080/",
        "https://127.0.0.1:8443/",
        "http://8.8.8.8/",
        "http://2852039166/",
        "http://rebound.example.com/",
    ],
)
async def test_where_a_prober_never_goes(url: str) -> None:
    """Names count by the address they have, whoever gave it to them; in public only https, which proves who answers."""
    dialled: list[str] = []

    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialled.append(address)
        return await open_tcp(address, port)

    async def resolve(name: str) -> IPv4Address:
        return IPv4Address("169.254.169.254" if name != "rebound.example.com" else "127.0.0.1")

    one = HttpCheck(name="chat", url=url)
    request = ProbeRequest(host="10.0.0.1", port=1, timeout_seconds=2, checks=(one,))
    answer = await check(request, dial, resolve=resolve, guard=allowed_targets())
    assert code(answer) is FailureCode.TARGET_NOT_ALLOWED
    assert dialled == []


async def test_a_public_service_is_reached_by_https_alone() -> None:
    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert (address, port) == ("8.8.8.8", 443)
        raise ConnectionRefusedError

    one = HttpCheck(name="chat", url="https://8.8.8.8/")
    request = ProbeRequest(host="10.0.0.1", port=1, timeout_seconds=2, checks=(one,))
    assert code(await check(request, dial, guard=allowed_targets())) is FailureCode.CONNECTION_REFUSED


async def test_a_private_https_service_must_prove_itself(tmp_path: Path) -> None:
    pair = Authority("nobody trusts me").issue(addresses=["127.0.0.1"])
    (tmp_path / "pair.pem").write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    app = web.Application()
    app.router.add_get("/", replying())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        port = runner.addresses[0][1]
        answer = await asked(f"https://127.0.0.1:{port}/", guard=allowed_targets((IPv4Network("127.0.0.0/8"),)))
    finally:
        await runner.cleanup()
    assert code(answer) is FailureCode.CERTIFICATE_UNTRUSTED
