"""PING over a stream that is already open, in the protocol implementation of the `redis` package."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, InvalidResponse, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from redis_connectivity.probes.model import FailureCode

__all__ = ["PING_ERRORS", "failure_of", "ping"]

#: What a PING may raise. The last two come from parsing what no Redis would send: lines without end, a length
#: that is no number, arrays nested without end.
PING_ERRORS: Final = (RedisError, OSError, ValueError, RecursionError)


_PONG: Final = (b"PONG", "PONG")
#: Errors that the package has no class of its own for, by how their text begins.
_BY_TEXT: Final[Mapping[str, FailureCode]] = {
    "max number of clients": FailureCode.TOO_MANY_CLIENTS,
    "DENIED Redis is running in protected mode": FailureCode.PROTECTED_MODE,
    "NOAUTH": FailureCode.AUTHENTICATION_REQUIRED,
}


class _StreamConnection(AbstractConnection):
    """The package's connection over a given stream: it neither dials nor shakes hands.

    The usual handshake (HELLO, CLIENT SETINFO) needs rights and versions that PING does not.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        super().__init__(protocol=2, socket_timeout=None)
        self._target = target
        self._reader, self._writer = reader, writer
        self._parser.on_connect(self)  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        raise OSError("a connection over a given stream cannot be dialled again")

    def _host_error(self) -> str:
        return self._target

    def repr_pieces(self) -> list[tuple[str, str]]:
        return [("target", self._target)]


async def ping(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str
) -> tuple[FailureCode, str] | None:
    """None when PONG came back, else the failure and its message; raises PING_ERRORS (see `failure_of`)."""
    connection = _StreamConnection(reader, writer, target)
    try:
        # Written here and not with send_command: its drain would fail first, and hide what a server that
        # closes at once (maxclients, protected mode) has said before.
        writer.writelines(connection.pack_command("PING"))
        answer = await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)
    if answer in _PONG:
        return None
    return FailureCode.PROTOCOL_ERROR, f"{target} answered PING with {answer!r:.200}, not with PONG"


def failure_of(error: Exception, target: str) -> tuple[FailureCode, str]:
    """The failure code and message for what a PING raised (one of PING_ERRORS)."""
    text = str(error)
    for beginning, code in _BY_TEXT.items():
        if text.startswith(beginning):
            return code, f"{target} answered: {text}"
    if isinstance(error, AuthenticationError):  # NOAUTH and WRONGPASS are one class; the text tells them apart
        required = "required" in text.lower()
        code = FailureCode.AUTHENTICATION_REQUIRED if required else FailureCode.WRONG_PASSWORD
        return code, f"{target} answered: {text}"
    if isinstance(error, BusyLoadingError):
        return FailureCode.LOADING, f"{target} answered: {text}"
    if isinstance(error, InvalidResponse | ValueError | RecursionError):
        return FailureCode.NOT_REDIS, f"{target} does not speak Redis' protocol: {text}"
    if isinstance(error, ResponseError):
        return FailureCode.SERVER_ERROR, f"{target} answered PING with an error: {text}"
    if isinstance(error, RedisConnectionError | OSError):
        return FailureCode.CONNECTION_RESET, f"{target} closed the connection before it answered PING: {text}"
    return FailureCode.PROTOCOL_ERROR, f"{target} answered PING with something unexpected: {text}"
