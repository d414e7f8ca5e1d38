"""Starting an agent: the ways there are, best first, and the process that comes of one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeVar

from redis_connectivity_lab.dataplane.client import DataPlaneClient
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, Paths

__all__ = ["Agent", "Kind", "Way", "ways"]

Kind = Literal["namespaces", "relay"]
_Stream = TypeVar("_Stream")

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_UNSHARE: Final = ("unshare", "--fork", "--pid", "--kill-child", "--mount", "--net", "--mount-proc")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to start an agent: the command in front of it, and how to say that it worked."""

    kind: Kind
    prefix: tuple[str, ...]
    description: str


def ways(kind: Kind | Literal["auto"]) -> Iterator[Way]:
    """The ways to try for a kind, best first."""
    filtered = "network namespaces joined by veth pairs, with nftables as the packet filter"
    if kind != "relay" and sys.platform == "linux":
        if os.geteuid() == 0:
            yield Way("namespaces", _UNSHARE, f"{filtered} (made as root)")
        user = (*_UNSHARE, "--user", "--map-root-user")
        yield Way("namespaces", user, f"{filtered} (made in a user namespace, without privileges)")
    if kind != "namespaces":
        rules = "it asks the same compiled rules for each connection, no packet is filtered"
        yield Way("relay", (), f"a relay on this machine: {rules}")


@dataclass(slots=True)
class Agent:
    """A running agent's process, and the connection to it."""

    way: Way
    paths: Paths
    process: asyncio.subprocess.Process
    client: DataPlaneClient
    reasons: tuple[str, ...]

    @classmethod
    async def start(cls, way: Way, state_dir: Path | None, redis_server: Path, reasons: list[str]) -> Self:
        """Start an agent in this way; raises DataPlaneError with the reason when it does not work here."""
        root = state_dir or Path(tempfile.mkdtemp(prefix="rclab-"))
        paths = Paths(root)
        try:
            paths.check()
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for socket in (paths.agent_socket, paths.relay_socket):
                socket.unlink(missing_ok=True)  # an agent that was killed leaves them
            process = await _start_process(way, paths, redis_server, remove=state_dir is None)
            client = await _connect(process, paths)
        except BaseException:
            if state_dir is None:
                shutil.rmtree(root, ignore_errors=True)
            raise
        return cls(way, paths, process, client, tuple(reasons))

    async def stop(self) -> None:
        """End the agent and everything in it."""
        await self.client.close()
        await _end(self.process)


async def _start_process(way: Way, paths: Paths, redis_server: Path, *, remove: bool) -> asyncio.subprocess.Process:
    agent = [sys.executable, "-m", "redis_connectivity_lab.dataplane.agent", "--kind", way.kind]
    options = ["--state", str(paths.root), "--redis-server", str(redis_server)]
    try:
        with paths.agent_log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *way.prefix,
                *agent,
                *options,
                *(["--remove-state"] if remove else []),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for this process to handle
            )
    except OSError as error:
        raise DataPlaneError(f"cannot start {(*way.prefix, sys.executable)[0]}: {error}") from error


async def _connect(process: asyncio.subprocess.Process, paths: Paths) -> DataPlaneClient:
    try:
        async with asyncio.timeout(_START_SECONDS):
            line = (await _pipe(process.stdout).readline()).decode().strip()
            if line == "ready":
                return await DataPlaneClient.open(paths.root)
    except TimeoutError:
        line = f"the agent was not ready after {_START_SECONDS:g} s"
    except BaseException:
        await _end(process)
        raise
    await _end(process)
    said = line.removeprefix("failed: ") or " ".join(paths.agent_log.read_text(errors="replace").split())
    raise DataPlaneError(said[-500:] or f"the agent ended with exit code {process.returncode}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the pipe that keeps the agent alive, and wait for its end; kill it where that does not help."""
    _pipe(process.stdin).close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _pipe(stream: _Stream | None) -> _Stream:
    """A stream that the process was started with."""
    if stream is None:
        raise TypeError("the process was started without this pipe")
    return stream
