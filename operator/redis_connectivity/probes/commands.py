"""Redis commands over a stream that is already open, in the protocol implementation of the `redis` package."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.reach import CheckFailed, Deadline, Stream

__all__ = ["Conversation", "Moved"]

#: What a command may raise. The last two come from parsing what no Redis would send: lines without end, a length
#: that is no number, arrays nested without end.
_ERRORS: Final = (exceptions.RedisError, OSError, ValueError, RecursionError)
_PONG: Final = (b"PONG", "PONG")

#: Errors by how their text begins; the package takes the first word off where it has a class of its own for it.
_BY_TEXT: Final[Mapping[str, FailureCode]] = {
    "max number of clients": FailureCode.TOO_MANY_CLIENTS,
    "DENIED Redis is running in protected mode": FailureCode.PROTECTED_MODE,
    "NOAUTH": FailureCode.AUTHENTICATION_REQUIRED,
    "NOPERM": FailureCode.NO_PERMISSION,
    "MASTERDOWN": FailureCode.MASTER_DOWN,
}
#: Errors by the package's class, the more exact one first.
_BY_CLASS: Final[Mapping[type[Exception], FailureCode]] = {
    exceptions.NoPermissionError: FailureCode.NO_PERMISSION,
    exceptions.BusyLoadingError: FailureCode.LOADING,
    exceptions.MasterDownError: FailureCode.MASTER_DOWN,
    exceptions.ClusterDownError: FailureCode.CLUSTER_DOWN,
    exceptions.MovedError: FailureCode.MOVED,
    exceptions.OutOfMemoryError: FailureCode.OUT_OF_MEMORY,
    exceptions.ReadOnlyError: FailureCode.READ_ONLY,
}


class Moved(Exception):
    """Another node of the cluster has the key."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port}")
        self.host = host
        self.port = port


class _StreamConnection(AbstractConnection):
    """The package's connection over a given stream: it neither dials nor shakes hands.

    The usual handshake (HELLO, CLIENT SETINFO) needs rights and versions that PING does not.
    """

    def __init__(self, stream: Stream, target: str) -> None:
        super().__init__(protocol=2, socket_timeout=None)
        self._target = target
        self._reader, self._writer = stream
        self._parser.on_connect(self)  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        raise OSError("a connection over a given stream cannot be dialled again")

    def _host_error(self) -> str:
        return self._target

    def repr_pieces(self) -> list[tuple[str, str]]:
        return [("target", self._target)]


class Conversation:
    """Commands and their answers on one stream. Every method raises CheckFailed, and `keyed` Moved as well."""

    def __init__(self, stream: Stream, target: str) -> None:
        self._connection = _StreamConnection(stream, target)
        self._stream = stream
        self._target = target

    async def ping(self, deadline: Deadline) -> None:
        """PONG comes back."""
        answer = await self._ask(deadline, "PING")
        if answer not in _PONG:
            raise CheckFailed(
                FailureCode.PROTOCOL_ERROR, f"{self._target} answered PING with {answer!r:.200}, not with PONG"
            )

    async def auth(self, username: str | None, password: str, deadline: Deadline) -> None:
        """The password is taken."""
        await self._ask(deadline, "AUTH", *((username, password) if username else (password,)))

    async def keyed(self, deadline: Deadline, *command: str) -> object:
        """The answer to a command about a key."""
        return await self._ask(deadline, *command)

    async def slots(self, deadline: Deadline) -> list[tuple[str, int]]:
        """The primaries of the cluster this node belongs to, as host and port; an empty host means this one."""
        answer = await self._ask(deadline, "CLUSTER", "SLOTS")
        nodes: dict[tuple[str, int], None] = {}
        try:
            for _first, _last, primary, *_replicas in answer:  # type: ignore[attr-defined]
                host, port = primary[0] or b"", int(primary[1])
                nodes[(host.decode() if isinstance(host, bytes) else str(host)), port] = None
        except (TypeError, ValueError, IndexError) as error:
            message = f"{self._target} answered CLUSTER SLOTS with something unexpected"
            raise CheckFailed(FailureCode.PROTOCOL_ERROR, message) from error
        return list(nodes)

    async def _ask(self, deadline: Deadline, *command: str) -> object:
        name = command[0]
        try:
            async with asyncio.timeout_at(deadline.when):
                # Written here and not with send_command: its drain would fail first, and hide what a server that
                # closes at once (maxclients, protected mode) has said before.
                self._stream[1].writelines(self._connection.pack_command(*command))
                return await self._connection.read_response()
        except TimeoutError as error:
            message = f"{self._target} took the connection and left {name} without an answer"
            raise CheckFailed(FailureCode.READ_TIMEOUT, message) from error
        except exceptions.MovedError as error:
            if name in ("PING", "AUTH"):
                raise self._failed(error, name) from error
            raise Moved(error.host or "", error.port) from error
        except _ERRORS as error:
            raise self._failed(error, name) from error

    def _failed(self, error: Exception, name: str) -> CheckFailed:
        code, message = _failure(error, self._target, name)
        return CheckFailed(code, message)


def _failure(error: Exception, target: str, name: str) -> tuple[FailureCode, str]:
    text = str(error)
    answered = f"{target} answered: {text}"
    for beginning, code in _BY_TEXT.items():
        if text.startswith(beginning):
            return code, answered
    for kind, code in _BY_CLASS.items():
        if isinstance(error, kind):
            return code, answered
    if isinstance(
        error, exceptions.AuthenticationError
    ):  # NOAUTH and WRONGPASS are one class; the text tells them apart
        required = "required" in text.lower()
        return (FailureCode.AUTHENTICATION_REQUIRED if required else FailureCode.WRONG_PASSWORD), answered
    if isinstance(error, exceptions.InvalidResponse | ValueError | RecursionError):
        return FailureCode.NOT_REDIS, f"{target} does not speak Redis' protocol: {text}"
    if isinstance(error, exceptions.ResponseError):
        return FailureCode.SERVER_ERROR, f"{target} answered {name} with an error: {text}"
    if isinstance(error, exceptions.ConnectionError | OSError):
        return FailureCode.CONNECTION_RESET, f"{target} closed the connection before it answered {name}: {text}"
    return FailureCode.PROTOCOL_ERROR, f"{target} answered {name} with something unexpected: {text}"
