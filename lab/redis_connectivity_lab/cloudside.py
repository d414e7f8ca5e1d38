"""The emulator and the data plane as one: what the emulated cloud holds is what packets meet."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from redis_connectivity.probes.model import ProbeAnswer
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.dataplane.controller import DataPlane
from redis_connectivity_lab.dataplane.launch import Kind
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, HostFirewall
from redis_connectivity_lab.dataplane.verdict import judge
from redis_connectivity_lab.emulator.control_client import ControlClient
from redis_connectivity_lab.emulator.emulator import Emulator
from redis_connectivity_lab.emulator.thread import EmulatorThread
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.shipped import operator_granted
from redis_connectivity_lab.topology import Topology

__all__ = ["CloudSide"]

_log = logging.getLogger(__name__)

#: Seconds for one request to the data plane from another thread.
_TIMEOUT = 60.0


class CloudSide:
    """Runs both in a thread of its own; every method may be called from any thread. A context manager."""

    def __init__(self, timings: Timings | None = None, *, kind: Kind | Literal["auto"] = "auto", port: int = 0) -> None:
        self._emulator = EmulatorThread(timings, port=port, granted=operator_granted())
        self._plane = DataPlane(kind)
        self._tasks: set[asyncio.Task[None]] = set()
        self._applied = Topology()

    def __enter__(self) -> Self:
        self._emulator.__enter__()
        try:
            self._emulator.run(self._plane.start(), timeout=_TIMEOUT)
            self._emulator.call(self._connect)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._emulator.run(self._plane.stop(), timeout=_TIMEOUT)
        finally:
            self._emulator.__exit__(kind, error, trace)

    def _connect(self, emulator: Emulator) -> None:
        emulator.set_service_router(self._plane.service_socket)
        emulator.set_judge(lambda sender, to, port: judge(emulator.topology(), sender, to, port))
        emulator.subscribe(lambda: self._changed(emulator))
        self._changed(emulator)

    def _changed(self, emulator: Emulator) -> None:
        task = asyncio.ensure_future(self._follow(emulator.topology()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, topology: Topology) -> None:
        if topology == self._applied:
            return
        self._applied = topology
        try:
            await self._plane.apply(topology)
        except DataPlaneError as error:
            self._applied = Topology()
            _log.warning("the data plane could not follow: %s", error)

    @property
    def url(self) -> str:
        """Where the emulator listens."""
        return self._emulator.url

    @property
    def control(self) -> ControlClient:
        """The emulator's control client."""
        return self._emulator.control

    @property
    def emulator(self) -> EmulatorThread:
        """The emulator."""
        return self._emulator

    @property
    def kind(self) -> Kind:
        """Which data plane runs."""
        return self._plane.kind

    @property
    def state_dir(self) -> Path:
        """The data plane's folder: logs of its services and Redis servers."""
        return self._plane.state_dir

    def describe(self) -> str:
        """One sentence: which data plane runs, and why."""
        return self._plane.describe()

    def settle(self) -> None:
        """Return when the data plane has followed everything up to now, and what was started answers."""

        async def follow() -> None:
            while self._tasks:
                await asyncio.wait(set(self._tasks))

        self._emulator.run(follow(), timeout=_TIMEOUT)
        wait_until(self._all_started, deadline=_TIMEOUT, describe="the machines' applications to answer")

    def _all_started(self) -> bool:
        return all(host["app"] != "starting" for host in self.status()["hosts"])

    def ping_from(self, host_id: str, target: str, port: int, seconds: float = 5.0) -> ProbeAnswer:
        """PING a Redis from a host's place on its network."""
        return self._emulator.run(self._plane.ping_from(host_id, target, port, seconds), timeout=_TIMEOUT)

    def command_from(self, host_id: str, address: str, port: int, *words: str, seconds: float = 5.0) -> Any:  # noqa: ANN401 - a reply
        """One command to a Redis from a host's place; raises DataPlaneError when there is no answer."""
        return self._emulator.run(
            self._plane.command_from(host_id, address, port, *words, seconds=seconds), timeout=_TIMEOUT
        )

    def stop_redis(self, host_id: str) -> None:
        """Kill a host's Redis."""
        self._emulator.run(self._plane.stop_redis(host_id), timeout=_TIMEOUT)

    def start_redis(self, host_id: str) -> None:
        """Start a host's Redis again."""
        self._emulator.run(self._plane.start_redis(host_id), timeout=_TIMEOUT)

    def pause_redis(self, host_id: str) -> None:
        """Hold a host's Redis: connections open and get no answer."""
        self._emulator.run(self._plane.pause_redis(host_id), timeout=_TIMEOUT)

    def slow_redis(self, host_id: str, seconds: float) -> None:
        """Make a host's Redis answer late, by up to this many seconds; 0 ends it."""
        self._emulator.run(self._plane.slow_redis(host_id, seconds), timeout=_TIMEOUT)

    def host_firewall(self, host_id: str, state: HostFirewall) -> None:
        """Set a machine's own firewall."""
        self._emulator.run(self._plane.host_firewall(host_id, state), timeout=_TIMEOUT)

    def counters(self) -> list[dict[str, Any]]:
        """Connections that each firewall rule has decided about, as the packet filter counts them."""
        return self._emulator.run(self._plane.counters(), timeout=_TIMEOUT)

    def status(self) -> dict[str, Any]:
        """Hosts, services and problems of the data plane."""
        return self._emulator.run(self._plane.status(), timeout=_TIMEOUT)
