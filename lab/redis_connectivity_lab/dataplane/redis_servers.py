"""The redis-servers of the hosts: one real process each, told by a configuration file where it listens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.processes import Child, wait_for_socket
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, Paths
from redis_connectivity_lab.topology import Host, HostKind

__all__ = ["RedisServers", "has_redis"]

_START_SECONDS: Final = 10.0
#: How long a slowed server gets to work between two pauses.
_AWAKE_SECONDS: Final = 0.005


def has_redis(host: Host) -> bool:
    """Whether a Redis belongs on a host."""
    return host.redis_port is not None and host.kind is not HostKind.CONNECTOR


@dataclass(slots=True)
class RedisServers:
    """By host id. A server that was stopped on purpose stays so, whatever is applied, until it is started."""

    binary: Path
    paths: Paths
    fabric: Fabric
    stopped: set[str] = field(default_factory=set)
    _servers: dict[str, Child] = field(default_factory=dict)
    _slowed: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def state(self, host: Host) -> str | None:
        """`running`, `paused`, `stopped` (on purpose), `exited` (by itself), or None where none belongs."""
        server = self._servers.get(host.id)
        if not has_redis(host):
            return None
        if server is None or not server.running:
            return "stopped" if host.id in self.stopped else "exited"
        return "paused" if server.paused else "running"

    async def ensure(self, host: Host) -> None:
        """Start a host's server, unless it runs or was stopped on purpose; returns when it takes connections.

        Raises:
            DataPlaneError: It does not start.
        """
        server = self._servers.get(host.id)
        if host.id in self.stopped or (server is not None and server.running):
            return
        folder = self.paths.host_folder(host.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = self.paths.redis_socket(host.id)
        socket.unlink(missing_ok=True)  # a killed server leaves it
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join((*self._configuration(host, socket), "")))
        command = self.fabric.on_host(host, [str(self.binary), str(configuration)])
        self._servers[host.id] = server = await Child.start(command, folder / "redis.log")
        await wait_for_socket(socket, server, seconds=_START_SECONDS)

    async def kill(self, host: Host) -> None:
        """Kill a host's server, if it has one."""
        await self._let_go(host)
        if server := self._servers.pop(host.id, None):
            await server.kill()
        self.paths.redis_socket(host.id).unlink(missing_ok=True)

    async def forget(self, host: Host) -> None:
        """Kill the server of a host that goes away; when it comes back it starts again."""
        await self.kill(host)
        self.stopped.discard(host.id)

    async def pause(self, host: Host, *, paused: bool) -> None:
        """Hold a server where it stands (it still has its port: connections open, and get no answer), or go on."""
        server = self._running(host)
        await self._let_go(host)
        server.pause(paused)

    async def slow(self, host: Host, seconds: float) -> None:
        """Make each answer take up to this many seconds, by holding the server again and again; 0 ends it."""
        server = self._running(host)
        await self._let_go(host)
        if seconds > 0:
            self._slowed[host.id] = asyncio.create_task(_slow_down(server, seconds))

    async def _let_go(self, host: Host) -> None:
        if task := self._slowed.pop(host.id, None):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _running(self, host: Host) -> Child:
        server = self._servers.get(host.id)
        if server is None or not server.running:
            raise DataPlaneError(f"no Redis runs on {host.id}")
        return server

    def _configuration(self, host: Host, socket: Path) -> list[str]:
        lines = [
            *self.fabric.redis_listens(host),
            f"unixsocket {socket}",
            "unixsocketperm 700",
            f"dir {socket.parent}",
            "daemonize no",
            "protected-mode no",
            'save ""',
            "appendonly no",
        ]
        if host.redis_password is not None:
            lines.append(f'requirepass "{_quoted(host.redis_password)}"')
        return lines


def _quoted(text: str) -> str:
    """Text as the inside of a double-quoted string of Redis' configuration."""
    plain = all(" " <= character <= "~" and character not in '"\\' for character in text)
    return text if plain else "".join(f"\\x{byte:02x}" for byte in text.encode())


async def _slow_down(server: Child, seconds: float) -> None:
    try:
        while server.running:
            server.pause(True)
            await asyncio.sleep(seconds)
            server.pause(False)
            await asyncio.sleep(_AWAKE_SECONDS)
    finally:
        if server.running:
            server.pause(False)
