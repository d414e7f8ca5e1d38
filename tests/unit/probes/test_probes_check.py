"""The check against real servers, real Redis and not, and against every way a connection can fail."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from redis_connectivity.probes.check import check
from redis_connectivity.probes.model import MEANINGS, FailureCode, ProbeAnswer, ProbeRequest
from support.waiting import eventually

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def request(port: int, seconds: float = 5, host: str = "127.0.0.1") -> ProbeRequest:
    return ProbeRequest(host=host, port=port, timeout_seconds=seconds)


def failure(answer: ProbeAnswer) -> tuple[str, FailureCode]:
    assert answer.failure
    assert not answer.ok
    return answer.failure.step, answer.failure.code


@contextlib.asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(reply: bytes, *, wait_for_ping: bool = True) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_for_ping:
            await reader.read(100)
        writer.write(reply)
        writer.close()

    return talk


async def test_pong(start_redis) -> None:
    before = datetime.now(UTC)
    answer = await check(request(start_redis().port), via="here")
    assert answer.ok
    assert answer.failure is None
    assert [(step.name, step.ok) for step in answer.steps] == [("tcp", True), ("redisPing", True)]
    assert 0 < sum(step.seconds for step in answer.steps) <= answer.latency_seconds < 5
    assert before <= answer.observed_at <= datetime.now(UTC)
    assert answer.prober.via == "here"
    assert ProbeAnswer.model_validate_json(answer.model_dump_json()).steps == answer.steps


async def test_a_password_is_needed(start_redis) -> None:
    answer = await check(request(start_redis("--requirepass", "secret").port))
    assert failure(answer) == ("redisPing", FailureCode.AUTHENTICATION_REQUIRED)
    assert [(step.name, step.ok) for step in answer.steps] == [("tcp", True), ("redisPing", False)]


async def test_too_many_clients_is_told_every_time(start_redis) -> None:
    """The server says so and closes at once: what it said must never be lost to the reset that follows."""
    port = start_redis("--maxclients", "1").port

    async def held() -> asyncio.StreamWriter | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PING\r\n")
        if await reader.readline() == b"+PONG\r\n":
            return writer
        writer.close()  # the server still counts the connection that saw it start
        return None

    holder = await eventually(held, deadline=10, describe="the only place is ours")
    codes = {failure(await check(request(port))) for _ in range(50)}
    assert codes == {("redisPing", FailureCode.TOO_MANY_CLIENTS)}
    holder.close()


async def test_paused_redis_is_a_read_timeout(start_redis) -> None:
    server = start_redis()
    server.process.send_signal(signal.SIGSTOP)
    answer = await check(request(server.port, 0.2))
    assert failure(answer) == ("redisPing", FailureCode.READ_TIMEOUT)
    assert 0.2 <= answer.latency_seconds < 2


async def test_black_hole_is_a_connect_timeout() -> None:
    """A full backlog drops handshakes in silence, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            assert filler.connect_ex(("127.0.0.1", port)) in {0, errno.EINPROGRESS}
        answer = await check(request(port, 0.3))
        assert failure(answer) == ("tcp", FailureCode.CONNECT_TIMEOUT)
        assert [step.name for step in answer.steps] == ["tcp"]


async def test_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can
        assert failure(await check(request(taken.getsockname()[1]))) == ("tcp", FailureCode.CONNECTION_REFUSED)


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), FailureCode.NOT_REDIS),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n", wait_for_ping=False), FailureCode.NOT_REDIS),
        (saying(b"\x15\x03\x01\x00\x02\x02\x46\r\n"), FailureCode.TLS_REQUIRED),
        (saying(b"$many\r\n"), FailureCode.NOT_REDIS),
        (saying(b"*1\r\n" * 5000), FailureCode.NOT_REDIS),
        (saying(b"+" + b"x" * 200_000), FailureCode.NOT_REDIS),
        (saying(b""), FailureCode.CONNECTION_RESET),
        (saying(b"+PON"), FailureCode.CONNECTION_RESET),
        (saying(b"+OK\r\n"), FailureCode.PROTOCOL_ERROR),
        (saying(b":1\r\n"), FailureCode.PROTOCOL_ERROR),
        (saying(b"*2\r\n+a\r\n+b\r\n"), FailureCode.PROTOCOL_ERROR),
        (saying(b"-LOADING Redis is loading the dataset in memory\r\n"), FailureCode.LOADING),
        (saying(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"), FailureCode.WRONG_PASSWORD),
        (saying(b"-NOAUTH Authentication required.\r\n"), FailureCode.AUTHENTICATION_REQUIRED),
        (saying(b"-BUSY Redis is busy running a script.\r\n"), FailureCode.SERVER_ERROR),
        (saying(b"-NOPERM this user has no permissions to run the 'ping' command\r\n"), FailureCode.NO_PERMISSION),
        (saying(b"-ERR max number of clients reached\r\n", wait_for_ping=False), FailureCode.TOO_MANY_CLIENTS),
        (
            saying(b"-DENIED Redis is running in protected mode because ...\r\n", wait_for_ping=False),
            FailureCode.PROTECTED_MODE,
        ),
    ],
)
async def test_what_a_server_may_say(talk: Talk, code: FailureCode) -> None:
    async with serving(talk) as port:
        answer = await check(request(port))
    assert failure(answer) == ("redisPing", code)
    assert answer.failure
    assert len(answer.failure.message) <= 1000


async def test_pong_as_a_bulk_string_is_a_pong() -> None:
    async with serving(saying(b"$4\r\nPONG\r\n")) as port:
        assert (await check(request(port))).ok


async def test_a_reset_after_the_handshake() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        linger_zero = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
        writer.transport.abort()

    async with serving(reset) as port:
        assert failure(await check(request(port))) == ("redisPing", FailureCode.CONNECTION_RESET)


async def test_an_answer_in_drops_is_still_within_the_deadline() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"$")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with serving(drip) as port:
        answer = await check(request(port, 0.3))
    assert failure(answer) == ("redisPing", FailureCode.READ_TIMEOUT)
    assert answer.latency_seconds < 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENETUNREACH, "x"), FailureCode.NETWORK_UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "x"), FailureCode.NETWORK_UNREACHABLE),
        (OSError(errno.ETIMEDOUT, "x"), FailureCode.CONNECT_TIMEOUT),
        (OSError(errno.ECONNREFUSED, "x"), FailureCode.CONNECTION_REFUSED),
        (OSError(errno.ECONNRESET, "x"), FailureCode.CONNECTION_RESET),
        (OSError(errno.EMFILE, "x"), FailureCode.PROBER_FAULT),
        (OSError(errno.EACCES, "x"), FailureCode.PROBER_FAULT),
        (OSError("no number at all"), FailureCode.PROBER_FAULT),
    ],
)
async def test_what_a_dial_may_raise(error: OSError, code: FailureCode) -> None:
    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise error

    answer = await check(request(6379), dial)
    assert failure(answer) == ("tcp", code)
    assert answer.failure
    assert "127.0.0.1:6379" in answer.failure.message


async def test_a_name_is_resolved_once_and_that_address_is_judged_and_dialled() -> None:
    seen: list[str] = []

    async def resolve(name: str) -> IPv4Address:
        seen.append(name)
        return IPv4Address("10.0.0.3") if len(seen) == 1 else IPv4Address("169.254.169.254")

    def guard(address: IPv4Address) -> str | None:
        seen.append(f"guard {address}")
        return None

    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        seen.append(f"dial {address}:{port}")
        raise ConnectionRefusedError

    await check(request(6379, host="Redis.Internal."), dial, resolve=resolve, guard=guard)
    assert seen == ["redis.internal", "guard 10.0.0.3", "dial 10.0.0.3:6379"]


async def test_a_guarded_address_is_never_dialled() -> None:
    async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise AssertionError("dialled")

    answer = await check(request(6379), dial, guard=lambda address: f"{address} is not for us")
    assert failure(answer) == ("prober", FailureCode.TARGET_NOT_ALLOWED)
    assert answer.steps == ()


async def test_names_that_do_not_resolve() -> None:
    async def unknown(_: str) -> IPv4Address:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def silent(_: str) -> IPv4Address:
        await asyncio.Event().wait()
        raise AssertionError

    answer = await check(request(6379, host="nowhere"), resolve=unknown)
    assert failure(answer) == ("tcp", FailureCode.RESOLVE_FAILED)
    answer = await check(request(6379, 0.1, host="nowhere"), resolve=silent)
    assert failure(answer) == ("tcp", FailureCode.RESOLVE_FAILED)
    assert answer.latency_seconds < 2


async def test_the_system_resolver_knows_localhost(start_redis) -> None:
    assert (await check(request(start_redis().port, host="localhost"))).ok


async def test_a_cancelled_check_closes_its_connection() -> None:
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(100):
                arrived.set()
        ended.set()
        writer.close()

    arrived = asyncio.Event()
    async with serving(talk) as port:
        task = asyncio.create_task(check(request(port)))
        await asyncio.wait_for(arrived.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.wait(), 5)


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FailureCode)
    assert all(re.fullmatch(r"[A-Z].*\.", meaning) for meaning in MEANINGS.values())
