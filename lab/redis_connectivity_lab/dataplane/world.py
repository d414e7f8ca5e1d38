"""What the agent keeps true: hosts, rules, redis-servers and services as the last applied topology says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis_connectivity.probes.check import check
from redis_connectivity.probes.model import ProbeAnswer, ProbeRequest
from redis_connectivity_lab.dataplane.apps import Apps
from redis_connectivity_lab.dataplane.command import send_command
from redis_connectivity_lab.dataplane.compile import compile_topology
from redis_connectivity_lab.dataplane.fabric import Fabric
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, HostFirewall, Paths
from redis_connectivity_lab.dataplane.redis_servers import RedisServers, has_redis
from redis_connectivity_lab.dataplane.services import Services
from redis_connectivity_lab.topology import Host, ServiceId, Topology

__all__ = ["World"]


@dataclass(slots=True)
class World:
    """Applies topologies, one at a time; nothing that did not change is touched."""

    fabric: Fabric
    redis: RedisServers
    services: Services
    apps: Apps
    _hosts: dict[str, Host] = field(default_factory=dict)
    _problems: tuple[str, ...] = ()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, fabric: Fabric, paths: Paths, binary: Path) -> World:
        """A world with nothing in it."""
        return cls(fabric, RedisServers(binary, paths, fabric), Services(paths, fabric), Apps(paths, fabric))

    async def apply(self, topology: Topology) -> None:
        """Make it so. Services may still be getting ready when this returns; all else is in force.

        Raises:
            ValueError: The topology has a rule that cannot be; nothing was touched.
            DataPlaneError: Something could not be made; the next apply tries again.
        """
        networks = compile_topology(topology)
        wanted = {h.host.id: h.host for network in networks.values() for h in network.hosts}
        services = {s: wanted[s.connector] for s in topology.services if s.connector and s.connector in wanted}
        async with self._lock:
            await self._clear_away(wanted, services)
            new = [host for host_id, host in wanted.items() if host_id not in self._hosts]
            try:
                await self.fabric.add(new)
            except DataPlaneError:
                await self.fabric.remove(new)
                raise
            self._hosts = wanted
            await self.fabric.set_rules(networks)
            self._problems = tuple(problem for network in networks.values() for problem in network.problems)
            for service in sorted(services.keys() - self.services.running):
                await self.services.start(service, services[service])
            await asyncio.gather(*(self.redis.ensure(host) for host in wanted.values() if has_redis(host)))
            await asyncio.gather(*(self.apps.ensure(host) for host in wanted.values()))

    async def _clear_away(self, wanted: Mapping[str, Host], services: Mapping[ServiceId, Host]) -> None:
        """Take away what is no longer wanted, or wanted elsewhere: processes first, then places."""
        gone = [host for host in self._hosts.values() if not _same_place(host, wanted.get(host.id))]
        lost = {host.id for host in gone}
        for service in self.services.running:
            if service not in services or service.connector in lost:
                await self.services.stop(service)
        for host in self._hosts.values():
            after = wanted.get(host.id)
            if host.id in lost or after is None:
                await self.redis.forget(host)
            elif _servers(host) != _servers(after):
                await self.redis.kill(host)
            if host.id in lost or after is None or host.app != after.app:
                await self.apps.kill(host)
        await self.fabric.remove(gone)
        self._hosts = {host_id: host for host_id, host in self._hosts.items() if host_id not in lost}

    async def stop_redis(self, host_id: str) -> None:
        """Kill a host's Redis; it stays away until `start_redis`."""
        async with self._lock:
            host = self._host(host_id)
            self.redis.stopped.add(host_id)
            await self.redis.kill(host)

    async def start_redis(self, host_id: str) -> None:
        """Start a host's Redis again, or let a paused one go on."""
        async with self._lock:
            host = self._host(host_id)
            if not has_redis(host):
                raise DataPlaneError(f"no Redis belongs on {host_id}")
            self.redis.stopped.discard(host_id)
            await self.redis.ensure(host)
            await self.redis.pause(host, paused=False)

    async def pause_redis(self, host_id: str) -> None:
        """Hold a host's Redis where it stands."""
        await self.redis.pause(self._host(host_id), paused=True)

    async def slow_redis(self, host_id: str, seconds: float) -> None:
        """Make a host's Redis answer late, by up to this many seconds."""
        await self.redis.slow(self._host(host_id), seconds)

    async def host_firewall(self, host_id: str, state: HostFirewall) -> None:
        """Set a host's own firewall."""
        await self.fabric.host_firewall(self._host(host_id), state)

    async def ping_from(self, host_id: str, request: ProbeRequest) -> ProbeAnswer:
        """The product's own check, with connections that leave from a host."""
        return await check(request, self.fabric.dial_from(self._host(host_id)), via=f"lab/{host_id}")

    async def command_from(self, host_id: str, target: tuple[str, int], words: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 - a reply
        """One command to a Redis from a host; raises DataPlaneError when there was no answer."""
        dial = self.fabric.dial_from(self._host(host_id))
        try:
            return await send_command(dial, *target, words, seconds=seconds)
        except TimeoutError:
            raise DataPlaneError(f"{target[0]}:{target[1]} did not answer {host_id} within {seconds:g} s") from None
        except OSError as error:
            raise DataPlaneError(f"{target[0]}:{target[1]} did not answer {host_id}: {error}") from error

    async def status(self) -> dict[str, Any]:
        """What there is, as plain JSON values."""
        return {
            "hosts": [
                {
                    "id": host.id,
                    "address": str(host.address),
                    "redis": self.redis.state(host),
                    "app": self.apps.state(host),
                }
                for host in sorted(self._hosts.values(), key=lambda host: host.id)
            ],
            "services": [
                {"name": service.name, "connector": service.connector, "ready": self.services.ready(service)}
                for service in sorted(self.services.running)
            ],
            "problems": list(self._problems),
        }

    async def counters(self) -> list[dict[str, Any]]:
        """How often each firewall rule decided, as plain JSON values."""
        return [
            {"project": network.project, "network": network.name, "rule": rule, "count": count}
            for network, rule, count in await self.fabric.counters()
        ]

    def _host(self, host_id: str) -> Host:
        try:
            return self._hosts[host_id]
        except KeyError:
            raise DataPlaneError(f"{host_id} is not in the data plane") from None


def _same_place(before: Host, after: Host | None) -> bool:
    return after is not None and _place(before) == _place(after)


def _place(host: Host) -> tuple[object, ...]:
    return host.network, host.address, host.forward


def _servers(host: Host) -> tuple[object, ...]:
    access = host.redis_password, host.redis_tokens, host.redis_tls
    return host.redis_port, *access, host.redis_config, host.cluster_ports
