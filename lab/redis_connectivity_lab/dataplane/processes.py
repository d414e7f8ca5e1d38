"""The agent's child processes: redis-servers, probers, and short-lived tools."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from redis_connectivity_lab.dataplane.protocol import DataPlaneError

__all__ = ["Child", "kill_all", "run_tool", "wait_for_socket"]

_POLL_SECONDS: Final = 0.005
#: An ordinary user's PATH often leaves out where nft and ip are.
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_live: set[int] = set()


class Child:
    """A process that runs until it is killed; what it prints goes to its log file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log
        self.paused = False
        _live.add(process.pid)

    @classmethod
    async def start(cls, argv: Sequence[str], log: Path) -> Self:
        """Start a process. Its standard input is a pipe that nobody writes to and that ends with the agent.

        Raises:
            DataPlaneError: The program cannot be started.
        """
        try:
            with log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *argv, stdin=subprocess.PIPE, stdout=output, stderr=output, env={**os.environ, "PATH": _PATH}
                )
        except OSError as error:
            raise DataPlaneError(f"cannot start {argv[0]}: {error}") from error
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Its process id, as the agent sees it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet (a paused one runs)."""
        return self._process.returncode is None

    def pause(self, paused: bool) -> None:
        """Stop it where it stands (SIGSTOP), or let it go on."""
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        self.paused = paused

    async def kill(self) -> None:
        """Kill it and wait until it is gone; fine when it already is."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        _live.discard(self._process.pid)

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return " | ".join(lines[-3:]) or "it printed nothing"


def kill_all() -> None:
    """Kill every child still known, without waiting: for the moment before the agent itself ends."""
    for pid in tuple(_live):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def run_tool(*argv: str, text: str = "", check: bool = True) -> str:
    """Run a tool to its end and return what it printed.

    Raises:
        DataPlaneError: It is missing, or failed (where `check` is asked for); with what it said.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": _PATH},
        )
    except OSError as error:
        raise DataPlaneError(f"cannot run {argv[0]}: {error}") from error
    output, errors = await process.communicate(text.encode())
    if check and process.returncode:
        said = " ".join(errors.decode(errors="replace").split()) or f"exit code {process.returncode}"
        raise DataPlaneError(f"{' '.join(argv)}: {said[:2000]}")
    return output.decode()


async def wait_for_socket(path: Path, child: Child, *, seconds: float) -> None:
    """Wait until something takes connections on a unix socket.

    Raises:
        DataPlaneError: The child ended, or did not get there in time; with its last words.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        if not child.running:
            raise DataPlaneError(f"a process ended before it listened on {path.name}: {child.last_words()}")
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if loop.time() > deadline:
                raise DataPlaneError(
                    f"nothing listens on {path.name} after {seconds:g} s: {child.last_words()}"
                ) from None
            await asyncio.sleep(_POLL_SECONDS)
        else:
            writer.close()
            return
