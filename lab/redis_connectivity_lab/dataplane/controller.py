"""The data plane as its owner sees it: started, told what the network looks like, asked, stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from redis_connectivity.probes.model import DEFAULT_TIMEOUT_SECONDS, ProbeAnswer
from redis_connectivity_lab.dataplane.launch import Agent, Kind, ways
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, HostFirewall
from redis_connectivity_lab.dataplane.redis_binary import find_redis_server
from redis_connectivity_lab.topology import ServiceId, Topology

__all__ = ["DataPlane", "Kind", "open_dataplane"]


class DataPlane:
    """One data plane, in processes of its own that end with this one, however it ends."""

    def __init__(self, kind: Kind | Literal["auto"] = "auto", state_dir: Path | None = None) -> None:
        """Prepare, start nothing.

        Args:
            kind: `namespaces`, `relay`, or `auto`: namespaces where they work, else the relay.
            state_dir: Folder for sockets and logs, kept at the end; by default a temporary one that is removed.
        """
        self._wanted_kind = kind
        self._given_state_dir = state_dir
        self._agent: Agent | None = None
        self._topology = Topology()
        self._wanted = 0
        self._applied = 0
        self._applying: asyncio.Task[tuple[int, DataPlaneError | None]] | None = None

    async def start(self) -> None:
        """Start the agent; where several kinds may serve, the first that really works.

        Raises:
            DataPlaneError: None works; the message says why for each.
            RedisBinaryNotFoundError: There is no redis-server on this machine.
        """
        if self._agent is not None:
            raise DataPlaneError("the data plane runs already")
        redis_server = find_redis_server()
        reasons: list[str] = []
        for way in ways(self._wanted_kind):
            try:
                self._agent = await Agent.start(way, self._given_state_dir, redis_server, reasons)
            except DataPlaneError as error:
                reasons.append(f"{way.description}: {error}")
            else:
                return
        raise DataPlaneError(f"no data plane can run here; {'; '.join(reasons) or 'namespaces need Linux'}")

    async def stop(self) -> None:
        """End it and everything in it; fine when it does not run."""
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.stop()  # whoever waits in `apply` is told that the data plane is gone

    async def __aenter__(self) -> Self:
        if self._agent is None:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def kind(self) -> Kind:
        """Which kind runs."""
        return self._running.way.kind

    @property
    def state_dir(self) -> Path:
        """Where its sockets and logs are; `DataPlaneClient.open` takes it in another process."""
        return self._running.paths.root

    def describe(self) -> str:
        """One sentence for people: which kind runs, and why."""
        reasons = self._running.reasons
        because = f", because this machine refuses the better way ({'; '.join(reasons)})" if reasons else ""
        return f"Data plane: {self._running.way.description}{because}."

    async def apply(self, topology: Topology) -> None:
        """Put a topology in force; returns when it is, or a later one that was given meanwhile.

        Topologies are applied one at a time, and of those that wait only the latest. Services may still be getting
        ready afterwards (see `service_socket`).

        Raises:
            DataPlaneError: It could not be put in force; applying again tries again.
        """
        _ = self._running
        self._topology = topology
        self._wanted += 1
        mine = self._wanted
        while self._applied < mine:
            if self._applying is None:
                self._applying = asyncio.create_task(self._apply_latest())
            tried, error = await asyncio.shield(self._applying)
            if error is not None and tried >= mine:  # an earlier one's failure is not this one's
                raise DataPlaneError(str(error)) from error

    async def _apply_latest(self) -> tuple[int, DataPlaneError | None]:
        number, topology = self._wanted, self._topology
        try:
            await self._running.client.apply(topology)
        except DataPlaneError as error:
            return number, error
        else:
            self._applied = number
            return number, None
        finally:
            self._applying = None

    async def ping_from(
        self,
        host_id: str,
        target_host: str,
        port: int,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # noqa: ASYNC109 - the check's own, part of its answer
    ) -> ProbeAnswer:
        """PING a Redis from a host's place on its network, at most `timeout` seconds."""
        return await self._running.client.ping_from(host_id, target_host, port, timeout)

    async def command_from(
        self, host_id: str, address: str, port: int, *words: str, seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> Any:  # noqa: ANN401 - a reply
        """One command to a Redis from a host; the reply, or `{"error": text}` for an error of Redis' own.

        Raises:
            DataPlaneError: There was no answer.
        """
        return await self._running.client.command_from(host_id, address, port, list(words), seconds)

    async def stop_redis(self, host_id: str) -> None:
        """Kill a host's Redis, and keep it away until `start_redis`."""
        await self._running.client.stop_redis(host_id)

    async def start_redis(self, host_id: str) -> None:
        """Start a host's Redis again, or let a paused one go on."""
        await self._running.client.start_redis(host_id)

    async def pause_redis(self, host_id: str) -> None:
        """Hold a host's Redis: connections still open, and get no answer."""
        await self._running.client.pause_redis(host_id)

    async def host_firewall(self, host_id: str, state: HostFirewall) -> None:
        """Set a host's own firewall, which is not Google's."""
        await self._running.client.host_firewall(host_id, state)

    async def slow_redis(self, host_id: str, seconds: float) -> None:
        """Make a host's Redis answer late, by up to this many seconds; 0 ends it."""
        await self._running.client.slow_redis(host_id, seconds)

    async def status(self) -> dict[str, Any]:
        """Hosts with the state of their Redis and application, services and whether they are ready, problems."""
        return await self._running.client.status()

    async def counters(self) -> list[dict[str, Any]]:
        """By `project`, `network` and `rule`: packets (or the relay's connections) it decided, as `count`."""
        return await self._running.client.counters()

    def service_socket(self, service: ServiceId) -> Path | None:
        """Where a service answers HTTP; None while it is not ready or its connector is not there."""
        return self._running.client.service_socket(service)

    @property
    def _running(self) -> Agent:
        if self._agent is None:
            raise DataPlaneError("the data plane does not run")
        return self._agent


async def open_dataplane(kind: Kind | Literal["auto"] = "auto", state_dir: Path | None = None) -> DataPlane:
    """A data plane that runs; `async with` on it stops it at the end. Raises as `DataPlane.start`."""
    dataplane = DataPlane(kind, state_dir)
    await dataplane.start()
    return dataplane
