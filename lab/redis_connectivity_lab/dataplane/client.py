"""Talking to a running agent, from the process that started it or from any other that knows its state folder."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any, Self

from redis_connectivity.probes.model import DEFAULT_TIMEOUT_SECONDS, ProbeAnswer, ProbeRequest
from redis_connectivity_lab.dataplane.protocol import (
    MAX_LINE_BYTES,
    DataPlaneError,
    HostFirewall,
    Paths,
    decode,
    dump_topology,
    encode,
)
from redis_connectivity_lab.topology import ServiceId, Topology

__all__ = ["DataPlaneClient"]


class DataPlaneClient:
    """A connection to an agent. Every call raises DataPlaneError when the agent cannot do it, or is gone."""

    def __init__(self, paths: Paths, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.paths = paths
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, state_dir: Path) -> Self:
        """Connect to the agent with this state folder."""
        paths = Paths(state_dir)
        try:
            reader, writer = await asyncio.open_unix_connection(paths.agent_socket, limit=MAX_LINE_BYTES)
        except OSError as error:
            raise DataPlaneError(f"no data plane runs in {state_dir}: {error}") from error
        return cls(paths, reader, writer)

    async def close(self) -> None:
        """Hang up; the agent goes on."""
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._writer.close()
        self._fail_waiting()

    async def apply(self, topology: Topology) -> None:
        """Put a topology in force. Services may still be getting ready when this returns."""
        await self._call("apply", topology=dump_topology(topology))

    async def ping_from(
        self,
        host_id: str,
        target_host: str,
        port: int,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # noqa: ASYNC109 - the check's own, part of its answer
    ) -> ProbeAnswer:
        """PING a Redis from a host's place on its network, at most `timeout` seconds."""
        request = ProbeRequest(host=target_host, port=port, timeout_seconds=timeout)
        answer = await self._call("ping_from", host=host_id, request=request.model_dump(mode="json"))
        return ProbeAnswer.model_validate(answer)

    async def command_from(self, host_id: str, address: str, port: int, words: list[str], seconds: float) -> Any:  # noqa: ANN401 - a reply
        """One command to a Redis from a host; the reply, or `{"error": text}` for an error of Redis' own.

        Raises:
            DataPlaneError: There was no answer.
        """
        return await self._call("command_from", host=host_id, address=address, port=port, words=words, seconds=seconds)

    async def stop_redis(self, host_id: str) -> None:
        """Kill a host's Redis, and keep it away until `start_redis`."""
        await self._call("stop_redis", host_id=host_id)

    async def start_redis(self, host_id: str) -> None:
        """Start a host's Redis again, or let a paused one go on."""
        await self._call("start_redis", host_id=host_id)

    async def pause_redis(self, host_id: str) -> None:
        """Hold a host's Redis: connections still open, and get no answer."""
        await self._call("pause_redis", host_id=host_id)

    async def host_firewall(self, host_id: str, state: HostFirewall) -> None:
        """Set a host's own firewall."""
        await self._call("host_firewall", host_id=host_id, state=state)

    async def slow_redis(self, host_id: str, seconds: float) -> None:
        """Make a host's Redis answer late, by up to this many seconds; 0 ends it."""
        await self._call("slow_redis", host_id=host_id, seconds=seconds)

    async def status(self) -> dict[str, Any]:
        """Hosts with the state of their Redis and application, services and whether they are ready, problems."""
        result: dict[str, Any] = await self._call("status")
        return result

    async def counters(self) -> list[dict[str, Any]]:
        """By `project`, `network` and `rule`: packets (or the relay's connections) it decided, as `count`.

        They begin at 0 with each change of the network's rules or hosts.
        """
        result: list[dict[str, Any]] = await self._call("counters")
        return result

    def service_socket(self, service: ServiceId) -> Path | None:
        """Where a service answers HTTP; None while it is not ready or its connector is not there."""
        path = self.paths.service_socket(service)
        return path if path.exists() else None

    async def _call(self, op: str, **args: Any) -> Any:  # noqa: ANN401 - JSON
        if self._listener.done():
            raise self._gone()
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(encode({"id": number, "op": op, "args": args}))
            await self._writer.drain()
            return await answer
        except ConnectionError as error:
            raise self._gone() from error
        finally:
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        try:
            with contextlib.suppress(ConnectionError):  # the same as an end: those who wait are told below
                while line := await self._reader.readline():
                    self._hand_over(decode(line))
        finally:
            self._fail_waiting()

    def _hand_over(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return  # whoever asked has given up
        if "error" in message:
            answer.set_exception(DataPlaneError(message["error"]))
        else:
            answer.set_result(message["result"])

    def _fail_waiting(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._gone())

    def _gone(self) -> DataPlaneError:
        log = self.paths.agent_log
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return DataPlaneError(f"the data plane is gone: {' | '.join(lines[-3:]) or 'it said nothing'}")
