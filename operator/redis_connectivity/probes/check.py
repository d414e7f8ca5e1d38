"""The check itself: a TCP connection, then PING, with one deadline and an exact failure."""

from __future__ import annotations

import asyncio
import errno
import functools
import importlib.metadata
import os
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from redis_connectivity.probes.model import (
    FailureCode,
    ProbeAnswer,
    ProbeFailure,
    ProbeRequest,
    ProberInfo,
    ProbeStep,
)
from redis_connectivity.probes.ping import PING_ERRORS, failure_of, ping

__all__ = ["Dial", "Guard", "Resolve", "check", "open_tcp", "prober_info", "resolve_ipv4"]

#: Opens a byte stream to an IPv4 address and port; raises OSError (its errno decides the failure code).
#: The caller owns the deadline: a dial waits for as long as it is let.
Dial = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
#: Turns a DNS name into an IPv4 address; raises OSError.
Resolve = Callable[[str], Awaitable[IPv4Address]]
#: Says why an address may not be connected to, or None where it may.
Guard = Callable[[IPv4Address], str | None]

_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_RESET: Final = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
_STREAM_LIMIT: Final = 64 * 1024


async def open_tcp(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The usual dial: a TCP connection from this process' own network."""
    return await asyncio.open_connection(address, port, family=socket.AF_INET, limit=_STREAM_LIMIT)


async def resolve_ipv4(name: str) -> IPv4Address:
    """The first IPv4 address that this process' resolver has for a name; raises OSError when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no IPv4 address")
    return IPv4Address(found[0][4][0])


async def check(
    request: ProbeRequest,
    dial: Dial = open_tcp,
    *,
    resolve: Resolve = resolve_ipv4,
    guard: Guard | None = None,
    via: str = "process",
) -> ProbeAnswer:
    """Connect, PING and say what happened; never raises for what a network or a server can do.

    The name is resolved once, `guard` judges that very address, and that very address is dialled: a name that
    answers differently the second time gains nothing. `via` is told back as `prober.via`.
    """
    return await _Check(request, dial, resolve, guard, via).run()


class _Failed(Exception):
    """Ends the check with its verdict."""

    def __init__(self, failure: ProbeFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _Check:
    """One check on its way: the deadline, and the steps done so far."""

    def __init__(self, request: ProbeRequest, dial: Dial, resolve: Resolve, guard: Guard | None, via: str) -> None:
        self.request = request
        self.dial = dial
        self.resolve = resolve
        self.guard = guard
        self.via = via
        self.steps: list[ProbeStep] = []
        self.observed_at = datetime.now(UTC)
        self.started = time.perf_counter()
        self.deadline = asyncio.get_running_loop().time() + request.timeout_seconds

    async def run(self) -> ProbeAnswer:
        failure: ProbeFailure | None = None
        try:
            address = await self._address()
            reader, writer = await self._tcp(address)
            try:
                await self._redis_ping(reader, writer)
            finally:
                # An abort, not a close: the verdict is out, and a hanging peer must not hold the socket.
                writer.transport.abort()
        except _Failed as failed:
            failure = failed.failure
        return ProbeAnswer(
            ok=failure is None,
            steps=tuple(self.steps),
            latency_seconds=time.perf_counter() - self.started,
            failure=failure,
            observed_at=self.observed_at,
            prober=prober_info(self.via),
        )

    async def _address(self) -> IPv4Address:
        host = self.request.host
        try:
            address = IPv4Address(host)
        except AddressValueError:
            address = await self._resolved(host)
        refusal = self.guard(address) if self.guard else None
        if refusal is not None:
            raise _Failed(ProbeFailure(step="prober", code=FailureCode.TARGET_NOT_ALLOWED, message=refusal))
        return address

    async def _resolved(self, name: str) -> IPv4Address:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.resolve(name)
        except TimeoutError:
            raise self._failed_tcp(
                FailureCode.RESOLVE_FAILED, f"DNS gave no answer for {name} within {self._timeout}"
            ) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise self._failed_tcp(FailureCode.RESOLVE_FAILED, f"cannot resolve {name}: {reason}") from error

    async def _tcp(self, address: IPv4Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = f"{address}:{self.request.port}"
        started = time.perf_counter()
        try:
            async with asyncio.timeout_at(self.deadline):
                stream = await self.dial(str(address), self.request.port)
        except OSError as error:  # TimeoutError is one too: ours, or the kernel's own (ETIMEDOUT)
            code, message = self._dial_failure(error, target)
            raise self._failed_tcp(code, message, time.perf_counter() - started) from error
        self.steps.append(ProbeStep(name="tcp", ok=True, seconds=time.perf_counter() - started))
        return stream

    async def _redis_ping(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = f"{self.request.host}:{self.request.port}"
        started = time.perf_counter()
        failed: tuple[FailureCode, str] | None = None
        try:
            async with asyncio.timeout_at(self.deadline):
                failed = await ping(reader, writer, target)
        except TimeoutError:
            failed = FailureCode.READ_TIMEOUT, f"{target} took the connection and left PING without an answer"
        except PING_ERRORS as error:
            failed = failure_of(error, target)
        seconds = time.perf_counter() - started
        self.steps.append(ProbeStep(name="redisPing", ok=failed is None, seconds=seconds))
        if failed is not None:
            code, message = failed
            raise _Failed(ProbeFailure(step="redisPing", code=code, message=message[:1000]))

    def _dial_failure(self, error: OSError, target: str) -> tuple[FailureCode, str]:
        if isinstance(error, TimeoutError):
            return FailureCode.CONNECT_TIMEOUT, f"no answer from {target} within {self._timeout}"
        reason = os.strerror(error.errno) if error.errno else str(error)
        if isinstance(error, ConnectionRefusedError):
            return FailureCode.CONNECTION_REFUSED, f"{target} refused the connection: nothing listens there"
        if error.errno in _UNREACHABLE:
            return FailureCode.NETWORK_UNREACHABLE, f"no way to {target}: {reason}"
        if error.errno in _RESET or isinstance(error, ConnectionError):
            return FailureCode.CONNECTION_RESET, f"{target} broke the connection off: {reason}"
        return FailureCode.PROBER_FAULT, f"cannot open a connection to {target}: {reason}"

    def _failed_tcp(self, code: FailureCode, message: str, seconds: float = 0.0) -> _Failed:
        self.steps.append(ProbeStep(name="tcp", ok=False, seconds=seconds))
        return _Failed(ProbeFailure(step="tcp", code=code, message=message[:1000]))

    @property
    def _timeout(self) -> str:
        return f"{self.request.timeout_seconds:g} s"


@functools.cache
def prober_info(via: str) -> ProberInfo:
    """Who this process is as a prober."""
    try:
        version = importlib.metadata.version("redis-connectivity")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that was never installed
        version = "unknown"
    return ProberInfo(version=version, via=via)
