"""The applications of the hosts: a process each, in its host's place."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal

from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.processes import Child
from redis_connectivity_lab.dataplane.protocol import Paths
from redis_connectivity_lab.topology import Host

__all__ = ["AppState", "Apps"]

#: "running": it answers. Its socket is what it makes last.
AppState = Literal["none", "stopped", "starting", "running"]


@dataclass(slots=True)
class Apps:
    """By host id."""

    paths: Paths
    fabric: Fabric
    _running: dict[str, Child] = field(default_factory=dict)

    async def ensure(self, host: Host) -> None:
        """Start a host's application, unless it runs; it gets ready in its own time, as on a machine that boots.

        Raises:
            DataPlaneError: It does not start.
        """
        app = host.app
        running = self._running.get(host.id)
        if app is None or (running is not None and running.running):
            return
        folder = self.paths.host_folder(host.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = self.paths.app_socket(host.id)
        socket.unlink(missing_ok=True)
        module = "redis_connectivity_lab.dataplane.chat_service"
        redis = ["--redis", f"{app.redis_host}:{app.redis_port}"]
        arguments = ["--unix-socket", str(socket), *redis, *self.fabric.app_arguments(host)]
        command = self.fabric.on_host(host, [sys.executable, "-m", module, *arguments])
        self._running[host.id] = await Child.start(command, folder / "app.log")

    def state(self, host: Host) -> AppState:
        """How a host's application stands."""
        if host.app is None:
            return "none"
        running = self._running.get(host.id)
        if running is None or not running.running:
            return "stopped"
        return "running" if self.paths.app_socket(host.id).exists() else "starting"

    async def kill(self, host: Host) -> None:
        """Kill a host's application, if it has one."""
        if child := self._running.pop(host.id, None):
            await child.kill()
        self.paths.app_socket(host.id).unlink(missing_ok=True)
