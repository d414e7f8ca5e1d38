"""The prober over HTTP and the client that asks it, with a real Redis behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from redis_connectivity.probes.check import Dial
from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import FailureCode, ProbeAnswer, ProbeRequest
from redis_connectivity.probes.prober import allowed_targets, create_app, main
from support.waiting import eventually

LOOPBACK = (IPv4Network("127.0.0.0/8"),)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def prober(dial: Dial | None = None, **options: Any) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    if dial is not None:
        options["dial"] = dial
    async with TestClient(TestServer(create_app(**{"allow": LOOPBACK, **options}))) as client:
        yield client


def base_url(client: TestClient[web.Request, web.Application]) -> str:
    return str(client.make_url(""))


async def test_a_probe_over_http(start_redis) -> None:
    async with prober(via="cloudRun/x") as client, aiohttp.ClientSession() as session:
        answer = await ask(base_url(client), ProbeRequest(host="127.0.0.1", port=start_redis().port), session=session)
    assert answer.ok
    assert answer.prober.via == "cloudRun/x"


async def test_it_says_what_it_is() -> None:
    async with prober() as client:
        assert (await (await client.get("/healthz")).json()) == {"status": "ok", "checksUnderWay": 0}
        about = await (await client.get("/")).json()
        assert about["service"] == "redis-connectivity prober"
        assert ProbeRequest.model_validate(about["request"])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"not json", 400, None),
        (b"[]", 400, None),
        (b"\xff\xfe", 400, None),
        (b"{}", 400, "host"),
        (b'{"host": "10.0.0.3"}', 400, "port"),
        (b'{"host": "10.0.0.3", "port": 0}', 400, "port"),
        (b'{"host": "10.0.0.3", "port": "6379"}', 400, "port"),
        (b'{"host": "10.0.0.300", "port": 6379}', 400, "host"),
        (b'{"host": "10.0.0.3", "port": 6379, "timeoutSeconds": 1e9}', 400, "timeoutSeconds"),
        (b'{"host": "10.0.0.3", "port": 6379, "timeoutSeconds": NaN}', 400, "timeoutSeconds"),
        (b'{"host": "10.0.0.3", "port": 6379, "command": "FLUSHALL"}', 400, "command"),
        (b'{"host": "' + b"x" * 200_000 + b'"}', 413, None),
    ],
)
async def test_bad_bodies(body: bytes, status: int, field: str | None) -> None:
    async with prober() as client:
        response = await client.post("/v1/probe", data=body)
        said = await response.json()
    assert response.status == status
    assert said["error"]["code"] == "InvalidRequest"
    assert said["error"]["field"] == field
    assert said["error"]["message"]


async def test_other_paths_and_methods_are_json_too() -> None:
    async with prober() as client:
        missing = await client.get("/v2/probe")
        wrong = await client.get("/v1/probe")
        assert (missing.status, (await missing.json())["error"]["message"]) == (404, "Not Found")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")
        assert (await wrong.json())["error"]["code"] == "InvalidRequest"


@pytest.mark.parametrize(
    ("address", "allow", "allowed"),
    [
        ("10.0.0.3", None, True),
        ("172.31.0.1", None, True),
        ("192.168.7.1", None, True),
        ("100.64.0.1", None, True),
        ("127.0.0.1", None, False),
        ("8.8.8.8", None, False),
        ("172.32.0.1", None, False),
        ("169.254.169.254", None, False),
        ("169.254.169.254", ("0.0.0.0/0",), False),
        ("8.8.8.8", ("0.0.0.0/0",), True),
        ("10.0.0.3", ("10.1.0.0/16",), False),
    ],
)
def test_allowed_targets(address: str, allow: tuple[str, ...] | None, allowed: bool) -> None:
    guard = allowed_targets(tuple(map(IPv4Network, allow))) if allow else allowed_targets()
    refusal = guard(IPv4Address(address))
    assert (refusal is None) == allowed
    assert refusal is None or address in refusal


async def test_a_target_outside_is_an_answer() -> None:
    async with prober(allow=(IPv4Network("10.0.0.0/8"),)) as client, aiohttp.ClientSession() as session:
        answer = await ask(base_url(client), ProbeRequest(host="localhost", port=1), session=session)
    assert answer.failure
    assert answer.failure.code is FailureCode.TARGET_NOT_ALLOWED
    assert answer.prober.via != "unknown", "the prober said so itself"


async def test_bounded_concurrency() -> None:
    let_go = asyncio.Event()
    dialled = 0

    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal dialled
        dialled += 1
        both.set() if dialled == 2 else None
        await let_go.wait()
        raise ConnectionRefusedError

    both = asyncio.Event()
    body = {"host": "127.0.0.1", "port": 6379}
    async with prober(dial, max_concurrent=2) as client, aiohttp.ClientSession() as session:
        held = [asyncio.create_task(client.post("/v1/probe", json=body)) for _ in range(2)]
        await asyncio.wait_for(both.wait(), 5)
        assert (await (await client.get("/healthz")).json())["checksUnderWay"] == 2
        refused = await client.post("/v1/probe", json=body)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        told = await ask(base_url(client), ProbeRequest(host="127.0.0.1", port=6379), session=session)
        assert told.failure
        assert told.failure.code is FailureCode.PROBER_UNAVAILABLE
        let_go.set()
        assert [(await task).status for task in held] == [200, 200]
        assert (await client.post("/v1/probe", json=body)).status == 200


@contextlib.asynccontextmanager
async def impostor(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


def replying(status: int, text: str = "", **more: Any) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, **more)

    return handler


async def _hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _break_off(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (replying(500, "boom"), FailureCode.PROBER_UNAVAILABLE),
        (replying(503), FailureCode.PROBER_UNAVAILABLE),
        (replying(429), FailureCode.PROBER_UNAVAILABLE),
        (replying(401), FailureCode.PROBER_REFUSED),
        (replying(403, "Forbidden"), FailureCode.PROBER_REFUSED),
        (replying(404), FailureCode.PROBER_REFUSED),
        (replying(302, headers={"Location": "/login"}), FailureCode.PROBER_REFUSED),
        (replying(204), FailureCode.PROBER_REFUSED),
        (replying(200, "<html>welcome</html>"), FailureCode.PROBER_INVALID_ANSWER),
        (replying(200, "{}"), FailureCode.PROBER_INVALID_ANSWER),
        (replying(200, json.dumps({"ok": True})), FailureCode.PROBER_INVALID_ANSWER),
        (replying(200, "x" * 100_000), FailureCode.PROBER_INVALID_ANSWER),
        (_hang, FailureCode.PROBER_TIMEOUT),
        (_break_off, FailureCode.PROBER_UNAVAILABLE),
    ],
)
async def test_what_may_answer_in_a_probers_place(handler: Handler, code: FailureCode) -> None:
    async with impostor(handler) as url, aiohttp.ClientSession() as session:
        answer = await ask(url, ProbeRequest(host="10.0.0.3", port=6379), session=session, timeout=1)
    assert answer.failure
    assert (answer.failure.step, answer.failure.code) == ("prober", code)
    assert url.rstrip("/") in answer.failure.message
    assert answer.steps == ()


@pytest.mark.parametrize("url", ["http://prober.invalid", "http://127.0.0.1:9", "nonsense", "http://", "ftp://host"])
async def test_where_no_prober_can_be(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await ask(url, ProbeRequest(host="10.0.0.3", port=6379), session=session, timeout=5)
    assert answer.failure
    assert answer.failure.code in {FailureCode.PROBER_UNAVAILABLE, FailureCode.PROBER_TIMEOUT}


@contextlib.asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "redis_connectivity.probes.prober",
        *arguments,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def _said(running: asyncio.subprocess.Process) -> str:
    assert running.stderr
    return str(json.loads(await asyncio.wait_for(running.stderr.readline(), 30))["message"])


async def test_sigterm_finishes_what_is_under_way(start_redis, tmp_path: Path) -> None:
    redis, path = start_redis(), tmp_path / "prober.sock"
    redis.process.send_signal(signal.SIGSTOP)
    async with process("--unix-socket", str(path), "--allow", "127.0.0.0/8", K_SERVICE="chat-prober") as running:
        assert str(path) in await _said(running)
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            request = ProbeRequest(host="127.0.0.1", port=redis.port, timeout_seconds=20)
            held = asyncio.create_task(ask("http://prober", request, session=session))

            async def under_way() -> int:
                return int((await (await session.get("http://prober/healthz")).json())["checksUnderWay"])

            await eventually(under_way, deadline=10, describe="the check is under way")
            running.send_signal(signal.SIGTERM)
            assert "stops" in await _said(running)
            redis.process.send_signal(signal.SIGCONT)
            answer = await held
        assert answer.ok
        assert answer.prober.via == "cloudRun/chat-prober"
        assert await asyncio.wait_for(running.wait(), 10) == 0


async def test_port_comes_from_the_environment(start_redis) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with process("--host", "127.0.0.1", "--allow", "127.0.0.0/8", PORT=str(port)) as running:
        assert str(port) in await _said(running)
        async with aiohttp.ClientSession() as session:
            request = ProbeRequest(host="127.0.0.1", port=start_redis().port)
            assert (await ask(f"http://127.0.0.1:{port}/", request, session=session)).ok


def test_a_port_in_use_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--host", "127.0.0.1", "--port", str(taken.getsockname()[1])]) == 1
    assert "the prober cannot listen" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--allow", "10.0.0.0/33"], ["--port", "http"]])
def test_bad_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_answers_stay_readable_for_a_newer_client() -> None:
    """The wire form, as it is; a change here is a change of the prober's API."""
    answer = ProbeAnswer.model_validate(
        {
            "ok": False,
            "steps": [{"name": "tcp", "ok": False, "seconds": 1.0}],
            "latencySeconds": 1.0,
            "failure": {"step": "tcp", "code": "ConnectTimeout", "message": "silence"},
            "observedAt": "2026-11-25T04:00:00Z",
            "prober": {"version": "0.1.0", "via": "here"},
        }
    )
    assert list(answer.model_dump(mode="json")) == ["ok", "steps", "latencySeconds", "failure", "observedAt", "prober"]
