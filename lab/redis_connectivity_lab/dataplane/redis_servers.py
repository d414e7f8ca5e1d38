"""The redis-servers of the hosts: one real process each, told by a configuration file where it listens."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis_connectivity_lab.dataplane.cluster import BUS_OFFSET, Node, nodes_conf, nodes_of
from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.processes import Child, wait_for_socket
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, Paths
from redis_connectivity_lab.topology import Host, HostKind

__all__ = ["RedisServers", "has_redis"]

_START_SECONDS: Final = 10.0
#: How long a slowed server gets to work between two pauses.
_AWAKE_SECONDS: Final = 0.005
_NODES_FILE: Final = "nodes.conf"


def has_redis(host: Host) -> bool:
    """Whether a Redis belongs on a host."""
    return host.kind is not HostKind.CONNECTOR and bool(nodes_of(host))


@dataclass(slots=True)
class RedisServers:
    """By host id. Servers that were stopped on purpose stay so, whatever is applied, until they are started."""

    binary: Path
    paths: Paths
    fabric: Fabric
    stopped: set[str] = field(default_factory=set)
    _servers: dict[str, Child] = field(default_factory=dict)
    _slowed: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def state(self, host: Host) -> str | None:
        """`running`, `paused`, `stopped` (on purpose), `exited` (by itself), or None where none belongs.

        Of a cluster's nodes the one that stands worst counts.
        """
        if not has_redis(host):
            return None
        servers = [self._servers.get(node.id) for node in self._nodes(host)]
        if any(server is None or not server.running for server in servers):
            return "stopped" if host.id in self.stopped else "exited"
        return "paused" if any(server is not None and server.paused for server in servers) else "running"

    async def ensure(self, host: Host) -> None:
        """Start a host's servers, unless they run or were stopped on purpose; returns when they take connections.

        Raises:
            DataPlaneError: One does not start.
        """
        if host.id in self.stopped:
            return
        nodes = self._nodes(host)
        await asyncio.gather(*(self._start(host, nodes, node) for node in nodes))

    async def _start(self, host: Host, nodes: tuple[Node, ...], node: Node) -> None:
        server = self._servers.get(node.id)
        if server is not None and server.running:
            return
        folder = self.paths.host_folder(node.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = self.paths.redis_socket(node.id)
        socket.unlink(missing_ok=True)  # a killed server leaves it
        if node.clustered:
            (folder / _NODES_FILE).write_text(nodes_conf(host, nodes, node))
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join((*self._configuration(host, node, socket, folder), "")))
        command = self.fabric.on_host(host, [str(self.binary), str(configuration)])
        self._servers[node.id] = server = await Child.start(command, folder / "redis.log")
        await wait_for_socket(socket, server, seconds=_START_SECONDS)

    def _nodes(self, host: Host) -> tuple[Node, ...]:
        return nodes_of(host, most=self.fabric.cluster_nodes)

    async def kill(self, host: Host) -> None:
        """Kill a host's servers, if it has any."""
        await self._let_go(host)
        for node in self._nodes(host):
            if server := self._servers.pop(node.id, None):
                await server.kill()
            self.paths.redis_socket(node.id).unlink(missing_ok=True)

    async def forget(self, host: Host) -> None:
        """Kill the servers of a host that goes away; when it comes back they start again."""
        await self.kill(host)
        self.stopped.discard(host.id)

    async def pause(self, host: Host, *, paused: bool) -> None:
        """Hold servers where they stand (they still have their port: connections open, and get no answer), or go on."""
        servers = self._running(host)
        await self._let_go(host)
        for server in servers:
            server.pause(paused)

    async def slow(self, host: Host, seconds: float) -> None:
        """Make each answer take up to this many seconds, by holding the servers again and again; 0 ends it."""
        servers = self._running(host)
        await self._let_go(host)
        if seconds > 0:
            self._slowed[host.id] = asyncio.create_task(_slow_down(servers, seconds))

    async def _let_go(self, host: Host) -> None:
        if task := self._slowed.pop(host.id, None):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _running(self, host: Host) -> list[Child]:
        servers = [self._servers.get(node.id) for node in self._nodes(host)]
        running = [server for server in servers if server is not None and server.running]
        if not running or len(running) < len(servers):
            raise DataPlaneError(f"no Redis runs on {host.id}")
        return running

    def _configuration(self, host: Host, node: Node, socket: Path, folder: Path) -> list[str]:
        lines = [
            *self._listens(host, node, folder),
            f"unixsocket {socket}",
            "unixsocketperm 700",
            f"dir {socket.parent}",
            "daemonize no",
            "protected-mode no",
            "enable-debug-command local",  # by the unix socket alone: scenes reload a data set
            'save ""',
            "appendonly no",
        ]
        if node.clustered:
            lines += [
                "cluster-enabled yes",
                f"cluster-config-file {_NODES_FILE}",
                # Where clients are sent, whatever the server itself listens on.
                f"cluster-announce-ip {host.address}",
                f"cluster-announce-port {node.port}",
                # A node that is stopped takes only its own slots with it.
                "cluster-require-full-coverage no",
                # There are no replicas to take over; a node that is held is not to be forgotten soon.
                "cluster-node-timeout 60000",
            ]
        if host.redis_password is not None:
            lines.append(f'requirepass "{_quoted(host.redis_password)}"')
        if host.redis_tokens is not None:
            good = "".join(f" #{hashlib.sha256(one.encode()).hexdigest()}" for one in host.redis_tokens)
            lines.append(f"user default on resetpass{good} ~* &* +@all")
        return [*lines, *host.redis_config]

    def _listens(self, host: Host, node: Node, folder: Path) -> list[str]:
        """Where it listens; in TLS alone, where the host has a certificate."""
        lines = list(self.fabric.redis_listens(host, node))
        if host.redis_tls is None or f"port {node.port}" not in lines:
            return lines  # with the relay, TLS ends there
        for name, content in (("cert.pem", host.redis_tls.certificate), ("key.pem", host.redis_tls.key)):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(content)
        secure = [f"tls-cert-file {folder / 'cert.pem'}", f"tls-key-file {folder / 'key.pem'}", "tls-auth-clients no"]
        plain = [line for line in lines if not line.startswith("port ")]
        # The bus between the nodes stays plain: its port is otherwise derived from the plain one, which is off.
        bus = [f"cluster-port {node.port + BUS_OFFSET}"] if node.clustered else []
        return [*plain, "port 0", f"tls-port {node.port}", *secure, *bus]


def _quoted(text: str) -> str:
    """Text as the inside of a double-quoted string of Redis' configuration."""
    plain = all(" " <= character <= "~" and character not in '"\\' for character in text)
    return text if plain else "".join(f"\\x{byte:02x}" for byte in text.encode())


async def _slow_down(servers: Sequence[Child], seconds: float) -> None:
    def hold(held: bool) -> None:
        for server in servers:
            if server.running:
                server.pause(held)

    try:
        while any(server.running for server in servers):
            hold(True)
            await asyncio.sleep(seconds)
            hold(False)
            await asyncio.sleep(_AWAKE_SECONDS)
    finally:
        hold(False)
