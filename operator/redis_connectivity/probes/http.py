"""One HTTP request to a service, over a connection that the probe opens itself: no redirects, no more than 64 KiB read.

The address is resolved and judged as a Redis target is, and dialled; so an HTTP client that resolves, connects and
follows by itself would not do. The protocol is the `h11` package's.
"""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from redis_connectivity.api.checks import HttpMethod
from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.model import HttpCheck, TlsOptions
from redis_connectivity.probes.reach import CheckFailed, Deadline, Reach, Stream
from redis_connectivity.probes.secure import context_for, secure

__all__ = ["http"]

_MAX_BODY: Final = 64 * 1024
_CHUNK: Final = 16 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_AGENT: Final = "redis-connectivity-probe"


async def http(check: HttpCheck, reach: Reach, deadline: Deadline) -> None:
    """Raise CheckFailed unless the service answers as expected."""
    parts = urlsplit(check.url)
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    address = await reach.address(host, deadline)
    refusal = reach.refusal(address)
    if refusal is not None and not _public(parts, address):
        raise CheckFailed(FailureCode.TARGET_NOT_ALLOWED, refusal)
    stream = await reach.connect(address, port, deadline)
    try:
        if parts.scheme == "https":
            await secure(
                stream, context_for(TlsOptions()), server_name=host, target=f"{host}:{port}", deadline=deadline
            )
        status, body = await _exchange(check, parts, stream, deadline)
    finally:
        stream[1].transport.abort()
    if status != check.expect_status:
        message = f"{check.url} answered HTTP {status}, expected was {check.expect_status}"
        raise CheckFailed(FailureCode.UNEXPECTED_STATUS, message)
    if check.expect_body is not None and check.expect_body not in body.decode(errors="replace"):
        # Not what it said instead: that may be anything, a token too.
        message = f"{check.url} answered HTTP {status} without the expected text in its {len(body)} bytes"
        raise CheckFailed(FailureCode.UNEXPECTED_BODY, message)


def _public(parts: SplitResult, address: IPv4Address) -> bool:
    """A public service that proves by its certificate who it is, as *.run.app does: reading it takes no guard."""
    return parts.scheme == "https" and address.is_global


async def _exchange(check: HttpCheck, parts: SplitResult, stream: Stream, deadline: Deadline) -> tuple[int, bytes]:
    reader, writer = stream
    connection = h11.Connection(our_role=h11.CLIENT)
    body = check.body.encode() if check.body is not None else b""
    headers = [("Host", parts.netloc), ("User-Agent", _AGENT), ("Accept", "*/*"), ("Connection", "close")]
    if check.method is HttpMethod.POST:
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        async with asyncio.timeout_at(deadline.when):
            for event in (
                h11.Request(method=check.method.value, target=target, headers=headers),
                *((h11.Data(data=body),) if body else ()),
                h11.EndOfMessage(),
            ):
                writer.write(connection.send(event) or b"")
            return await _answer(connection, reader)
    except TimeoutError as error:
        message = f"{check.url} took the connection and did not answer in full within {deadline}"
        raise CheckFailed(FailureCode.READ_TIMEOUT, message) from error
    except h11.RemoteProtocolError as error:
        raise CheckFailed(FailureCode.NOT_HTTP, f"{check.url} does not answer in HTTP: {error}") from error
    except (OSError, ssl.SSLError) as error:
        message = f"{check.url} closed the connection before it had answered: {error.strerror or error}"
        raise CheckFailed(FailureCode.CONNECTION_RESET, message) from error


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data[: _MAX_BODY - len(body)]
            if len(body) >= _MAX_BODY:
                return status, bytes(body)
        elif not isinstance(event, h11.InformationalResponse):  # the end of the answer
            return status, bytes(body)
