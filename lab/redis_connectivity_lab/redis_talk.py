"""Speaks to a Redis of the lab by its unix socket, as the administrator at its host would."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["RedisTalk", "RedisTalkError"]

_TIMEOUT: Final = 20.0


class RedisTalkError(Exception):
    """Redis answered with an error, or not at all."""


class RedisTalk:
    """One connection; commands that Redis refuses raise RedisTalkError. A context manager."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RedisTalkError(f"nobody answers at {path}: {error.strerror}") from error
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()

    def send(self, *words: str) -> None:
        """Send a command, and do not wait for its answer."""
        parts = [f"*{len(words)}\r\n".encode()]
        for word in words:
            raw = word.encode()
            parts.append(f"${len(raw)}\r\n".encode() + raw + b"\r\n")
        self._socket.sendall(b"".join(parts))

    def ask(self, *words: str) -> str:
        """Send a command; its answer as text, a list's parts by line."""
        try:
            self.send(*words)
        except OSError as error:
            raise RedisTalkError(f"{words[0]}: {error}") from error
        return self.answer()

    def answer(self) -> str:
        """The next answer, to a command that was sent before."""
        try:
            return self._reply()
        except OSError as error:
            raise RedisTalkError(f"no answer: {error}") from error

    def _reply(self) -> str:
        line = self._stream.readline().rstrip(b"\r\n").decode()
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise RedisTalkError(rest)
        if kind == "$" and rest != "-1":
            return self._stream.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return "\n".join(self._reply() for _ in range(int(rest)))
        if not kind:
            raise RedisTalkError("the connection was closed")
        return rest
