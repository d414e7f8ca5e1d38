"""Cloud Run services: a prober each, whose connections leave from its connector's place."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Final

from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.processes import Child, wait_for_socket
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, Paths
from redis_connectivity_lab.topology import Host, ServiceId

__all__ = ["Services"]

_START_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Running:
    child: Child
    starting: asyncio.Task[None]


@dataclass(slots=True)
class Services:
    """A service's socket appears when the service is ready, and is gone before the service is."""

    paths: Paths
    fabric: Fabric
    _running: dict[ServiceId, _Running] = field(default_factory=dict)

    @property
    def running(self) -> frozenset[ServiceId]:
        """Those that were started and have not ended."""
        return frozenset(service for service, at in self._running.items() if at.child.running)

    def ready(self, service: ServiceId) -> bool:
        """Whether it answers."""
        return self.paths.service_socket(service).exists()

    async def start(self, service: ServiceId, connector: Host) -> None:
        """Start a service; it gets ready in its own time, as on Cloud Run."""
        await self.stop(service)
        socket = self.paths.service_socket(service)
        socket.parent.mkdir(exist_ok=True)
        hidden = socket.with_suffix(".new")
        hidden.unlink(missing_ok=True)
        command = self.fabric.prober_command(connector, hidden, f"cloudRun/{service.name}", service.args)
        child = await Child.start(command, socket.with_suffix(".log"))

        async def get_ready() -> None:
            try:
                await wait_for_socket(hidden, child, seconds=_START_SECONDS)
            except DataPlaneError as error:
                sys.stderr.write(f"service {service.name} does not start: {error}\n")
            else:
                hidden.rename(socket)

        self._running[service] = _Running(child, asyncio.create_task(get_ready()))

    async def stop(self, service: ServiceId) -> None:
        """Kill a service, if it runs."""
        self.paths.service_socket(service).unlink(missing_ok=True)
        at = self._running.pop(service, None)
        if at is None:
            return
        at.starting.cancel()
        await asyncio.gather(at.starting, return_exceptions=True)
        await at.child.kill()
        self.paths.service_socket(service).unlink(missing_ok=True)
