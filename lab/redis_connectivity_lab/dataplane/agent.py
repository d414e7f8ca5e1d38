"""The process that everything of a data plane runs under; when it ends, or whoever started it, all of it ends.

Its standard input is a pipe from the process that started it: the end of that pipe is the order to stop, and it
comes whatever way the other process ends. The first line on standard output is `ready`, or `failed: …` and why.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from redis_connectivity.probes.model import ProbeRequest
from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.processes import kill_all
from redis_connectivity_lab.dataplane.protocol import (
    MAX_LINE_BYTES,
    DataPlaneError,
    HostFirewall,
    Paths,
    decode,
    encode,
    load_topology,
)
from redis_connectivity_lab.dataplane.world import World

__all__ = ["main"]

_Operation = Callable[..., Awaitable[Any]]


def _operations(world: World) -> Mapping[str, _Operation]:
    async def apply(topology: Any) -> None:  # noqa: ANN401 - JSON
        await world.apply(load_topology(topology))

    async def ping_from(host: str, request: Any) -> Any:  # noqa: ANN401 - JSON
        answer = await world.ping_from(host, ProbeRequest.model_validate(request))
        return answer.model_dump(mode="json")

    async def command_from(host: str, address: str, port: int, words: list[str], seconds: float) -> Any:  # noqa: ANN401 - JSON
        return await world.command_from(host, (address, port), words, seconds)

    async def host_firewall(host_id: str, state: str) -> None:
        await world.host_firewall(host_id, HostFirewall(state))

    return {
        "apply": apply,
        "ping_from": ping_from,
        "command_from": command_from,
        "status": world.status,
        "counters": world.counters,
        "stop_redis": world.stop_redis,
        "start_redis": world.start_redis,
        "pause_redis": world.pause_redis,
        "slow_redis": world.slow_redis,
        "host_firewall": host_firewall,
    }


class _Sessions:
    """Serves connections to the agent's socket; requests of one connection are worked on side by side."""

    def __init__(self, operations: Mapping[str, _Operation]) -> None:
        self._operations = operations

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                while line := await reader.readline():
                    group.create_task(self._answer(line, writer))
        except* ConnectionError:
            sys.stderr.write("agent: a client went away before its answer\n")
        finally:
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        identifier = None
        try:
            request = decode(line)
            identifier = request.get("id")
            operation = self._operations[request["op"]]
            message = {"id": identifier, "result": await operation(**request.get("args", {}))}
        except (DataPlaneError, ValueError, TypeError, KeyError, OSError) as error:
            said = str(error) if isinstance(error, DataPlaneError) else f"{type(error).__name__}: {error}"
            sys.stderr.write(f"agent: {said}\n")
            message = {"id": identifier, "error": said}
        writer.write(encode(message))
        await writer.drain()


def _end_with_parent(paths: Paths, *, remove: bool) -> None:
    """Wait for the end of standard input, in a thread: nothing the event loop does can delay it."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    kill_all()
    if remove:
        shutil.rmtree(paths.root, ignore_errors=True)  # at the end there is nobody to tell, and a log may be busy
    os._exit(0)  # the pid namespace, where there is one, kills whatever is left


def _fabric(kind: str, paths: Paths) -> Fabric:
    if kind == "relay":
        from redis_connectivity_lab.dataplane.relay import Relay  # noqa: PLC0415 - netns needs Linux

        return Relay(paths)
    from redis_connectivity_lab.dataplane.namespaces import Namespaces  # noqa: PLC0415 - as above

    return Namespaces()


async def _run(kind: str, paths: Paths, redis_server: Path) -> None:
    fabric = _fabric(kind, paths)
    world = World.of(fabric, paths, redis_server)
    try:
        await fabric.open()
        sessions = _Sessions(_operations(world))
        server = await asyncio.start_unix_server(sessions.serve, paths.agent_socket, limit=MAX_LINE_BYTES)
    except (DataPlaneError, OSError) as error:
        _tell(f"failed: {error}")
        return
    _tell("ready")
    async with server:
        await server.serve_forever()


def _tell(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # then the thread above sees the same end
        sys.stdout.write(" ".join(line.split()) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("namespaces", "relay"), required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--redis-server", type=Path, required=True)
    parser.add_argument("--remove-state", action="store_true", help="remove the state folder at the end")
    options = parser.parse_args()
    paths = Paths(options.state)
    threading.Thread(
        target=_end_with_parent, args=(paths,), kwargs={"remove": options.remove_state}, daemon=True
    ).start()
    asyncio.run(_run(options.kind, paths, options.redis_server))


if __name__ == "__main__":
    main()
