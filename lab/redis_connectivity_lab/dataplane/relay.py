"""For machines that let nobody make network namespaces: connections go through a relay that asks the compiled rules.

It judges each connection when it is opened, as the packet filter does: what is denied, or has no host, gets no
answer; what has a host and no listener is refused; what is open stays open when rules change. What it is not: a
packet filter. Only connections that are made through it are judged, and only TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from redis_connectivity.probes.check import Dial
from redis_connectivity_lab.dataplane.compile import CompiledNetwork
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, Paths, decode, encode
from redis_connectivity_lab.dataplane.verdict import Outcome, Verdict, verdict
from redis_connectivity_lab.topology import Host, NetworkId

__all__ = ["Relay", "relay_dial"]

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK: Final = 64 * 1024


def relay_dial(relay: Path, source: str) -> Dial:
    """A dial through the relay, for connections of the host with the id `source`."""

    async def dial(address: str, port: int) -> _Stream:
        reader, writer = await asyncio.open_unix_connection(relay)
        try:
            writer.write(encode({"source": source, "address": address, "port": port}))
            _obey(await reader.readline())  # silence is an answer too: the caller has a deadline
        except BaseException:
            writer.close()
            raise
        return reader, writer

    return dial


def _obey(answer: bytes) -> None:
    """Return when the relay's answer is that the connection stands; raises OSError otherwise."""
    if not answer:
        raise OSError(errno.ENETDOWN, "the relay is gone")
    if decode(answer)["outcome"] != "connected":
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


class Relay:
    """All hosts are one process; their Redis servers listen on unix sockets that only the relay connects to."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._hosts: dict[str, Host] = {}
        self._networks: Mapping[NetworkId, CompiledNetwork] = {}
        self._decided: Counter[tuple[NetworkId, str]] = Counter()
        self._open: dict[asyncio.Task[object] | None, frozenset[str]] = {}
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_unix_server(self._serve, self._paths.relay_socket)

    async def add(self, hosts: Sequence[Host]) -> None:
        """Know these hosts."""
        self._hosts |= {host.id: host for host in hosts}

    async def remove(self, hosts: Sequence[Host]) -> None:
        """Forget these hosts and cut their connections."""
        gone = {host.id for host in hosts}
        for host_id in gone:
            self._hosts.pop(host_id, None)
        cut = [task for task, ends in self._open.items() if task and not ends.isdisjoint(gone)]
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)

    async def set_rules(self, networks: Mapping[NetworkId, CompiledNetwork]) -> None:
        """Judge by these rules from now on."""
        self._networks = networks
        self._decided.clear()

    async def counters(self) -> list[tuple[NetworkId, str, int]]:
        """Connections by the rule that decided them."""
        return [(network, rule, count) for (network, rule), count in sorted(self._decided.items())]

    def on_host(self, host: Host, argv: Sequence[str]) -> list[str]:
        """As it is: there is no other place."""
        del host
        return list(argv)

    def redis_listens(self, host: Host) -> Sequence[str]:
        """On no TCP port: the unix socket it has anyway is all the relay needs."""
        del host
        return ("port 0",)

    def prober_command(self, host: Host, socket: Path, via: str) -> list[str]:
        """The product's prober with the relay as its dial."""
        module = "redis_connectivity_lab.dataplane.relay_prober"
        places = ["--relay", str(self._paths.relay_socket), "--source", host.id]
        return [sys.executable, "-m", module, *places, "--unix-socket", str(socket), "--via", via]

    def dial_from(self, host: Host) -> Dial:
        """Through the relay, as the probers do."""
        if host.id not in self._hosts:
            raise DataPlaneError(f"{host.id} is not in the data plane")
        return relay_dial(self._paths.relay_socket, host.id)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            await self._judge(task, reader, writer)
        except (ConnectionError, ValueError, KeyError) as error:
            sys.stderr.write(f"relay: a connection ended: {error!r}\n")
        except asyncio.CancelledError:
            pass  # `remove` cut it: nobody awaits the task but `remove`, and asyncio would log it as an error
        finally:
            self._open.pop(task, None)
            writer.close()

    async def _judge(
        self, task: asyncio.Task[object] | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        wanted = decode(await reader.readline())
        source, address, port = str(wanted["source"]), IPv4Address(wanted["address"]), int(wanted["port"])
        found = verdict(self._networks, source, address, port)
        self._count(source, found)
        self._open[task] = frozenset(end for end in (source, found.receiver) if end)
        if not found.allowed:
            await reader.read()  # never an answer; ends when the other side gives up
            return
        stream = await self._connect(found, port)
        if stream is None:
            writer.write(encode({"outcome": "refused"}))
            return
        writer.write(encode({"outcome": "connected"}))
        await _join((reader, writer), stream)

    async def _connect(self, found: Verdict, port: int) -> _Stream | None:
        receiver = self._hosts.get(found.receiver or "")
        if receiver is None or receiver.redis_port != port:
            return None
        try:
            return await asyncio.open_unix_connection(self._paths.redis_socket(receiver.id))
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def _count(self, source: str, found: Verdict) -> None:
        sender = self._hosts.get(source)
        if sender and found.rule and found.outcome is not Outcome.NO_SUCH_HOST:
            self._decided[sender.network, found.rule] += 1


async def _join(one: _Stream, other: _Stream) -> None:
    """Carry bytes both ways until both sides have ended, or one breaks."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_carry(one[0], other[1]))
            group.create_task(_carry(other[0], one[1]))
    except* ConnectionError:
        pass  # a side broke off, as connections do; the other is told by the close below
    finally:
        one[1].close()
        other[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):  # the other side may be gone altogether
        writer.write_eof()
