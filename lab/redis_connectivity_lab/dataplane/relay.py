"""For machines that let nobody make network namespaces: connections go through a relay that asks the compiled rules.

It judges each connection when it is opened, as the packet filter does: what is denied, or has no host, gets no
answer; what has a host and no listener is refused; what is open stays open when rules change. What it is not: a
packet filter. Only connections that are made through it are judged, and only TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from redis_connectivity.probes.check import Dial
from redis_connectivity_lab.dataplane.cluster import Node, nodes_of
from redis_connectivity_lab.dataplane.compile import CompiledNetwork
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, HostFirewall, Paths, decode, encode
from redis_connectivity_lab.dataplane.verdict import Outcome, Verdict, verdict
from redis_connectivity_lab.topology import Forward, Host, NetworkId, ServerCertificate

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
    outcome = decode(answer)["outcome"]
    if outcome == HostFirewall.UNREACHABLE:
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    if outcome != "connected":
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


class Relay:
    """All hosts are one process; their Redis servers listen on unix sockets that only the relay connects to."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._hosts: dict[str, Host] = {}
        self._firewalls: dict[str, HostFirewall] = {}
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
            self._firewalls.pop(host_id, None)
        cut = [task for task, ends in self._open.items() if task and not ends.isdisjoint(gone)]
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)

    async def set_rules(self, networks: Mapping[NetworkId, CompiledNetwork]) -> None:
        """Judge by these rules from now on."""
        self._networks = networks
        self._decided.clear()

    async def host_firewall(self, host: Host, state: HostFirewall) -> None:
        """Asked when a connection is opened."""
        self._firewalls[host.id] = state

    async def counters(self) -> list[tuple[NetworkId, str, int]]:
        """Connections by the rule that decided them."""
        return [(network, rule, count) for (network, rule), count in sorted(self._decided.items())]

    def on_host(self, host: Host, argv: Sequence[str]) -> list[str]:
        """As it is: there is no other place."""
        del host
        return list(argv)

    #: Nodes meet over TCP, and all hosts share one address here: a cluster is one node that has all slots.
    cluster_nodes: int | None = 1

    def redis_listens(self, host: Host, node: Node) -> Sequence[str]:
        """On no TCP port: the unix socket it has anyway is all the relay needs."""
        del host
        return ("port 0", "bind 127.0.0.1", f"cluster-port {_free_port()}") if node.clustered else ("port 0",)

    def app_arguments(self, host: Host) -> list[str]:
        """Connections go through the relay; the unix socket it has anyway is all the relay needs."""
        return ["--relay", str(self._paths.relay_socket), "--source", host.id]

    def prober_command(self, host: Host, socket: Path, via: str, args: Sequence[str] = ()) -> list[str]:
        """The product's prober with the relay as its dial."""
        module = "redis_connectivity_lab.dataplane.relay_prober"
        places = ["--relay", str(self._paths.relay_socket), "--source", host.id]
        return [sys.executable, "-m", module, *args, *places, "--unix-socket", str(socket), "--via", via]

    def dial_from(self, host: Host) -> Dial:
        """Through the relay, as the probers do."""
        if host.id not in self._hosts:
            raise DataPlaneError(f"{host.id} is not in the data plane")
        return relay_dial(self._paths.relay_socket, host.id)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            await self._judge(task, reader, writer)
        except (OSError, ValueError, KeyError) as error:
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
        own = self._firewalls.get(found.receiver or "", HostFirewall.OPEN)
        if own is HostFirewall.UNREACHABLE:
            writer.write(encode({"outcome": own}))
            return
        stream = await self._connect(found, port)
        if stream is None:
            writer.write(encode({"outcome": "refused"}))
            return
        writer.write(encode({"outcome": "connected"}))
        if own is HostFirewall.RESET:
            await reader.read(1)
            stream[1].close()
            return
        certificate = self._certificate(found, port)
        if certificate is not None:
            await writer.start_tls(certificate)
        await _join((reader, writer), stream)

    async def _connect(self, found: Verdict, port: int) -> _Stream | None:
        receiver = self._hosts.get(found.receiver or "")
        if receiver is not None and receiver.forward is not None and receiver.forward.port == port:
            return await self._connect_behind(receiver, receiver.forward)
        return None if receiver is None else await self._dial(receiver, port)

    async def _connect_behind(self, front: Host, forward: Forward) -> _Stream | None:
        behind = self._behind(front, forward)
        return None if behind is None else await self._dial(behind, forward.to_port)

    def _behind(self, front: Host, forward: Forward) -> Host | None:
        place = (front.network, forward.address)
        return next((host for host in self._hosts.values() if (host.network, host.address) == place), None)

    async def _dial(self, receiver: Host, port: int) -> _Stream | None:
        if receiver.app is not None and receiver.app.port == port:
            return await _open(self._paths.app_socket(receiver.id))
        server = next((node.id for node in nodes_of(receiver, most=self.cluster_nodes) if node.port == port), None)
        if server is None:
            return None
        return await _open(self._paths.redis_socket(server))

    def _certificate(self, found: Verdict, port: int) -> ssl.SSLContext | None:
        """What to speak TLS with, for a Redis that would: on its unix socket a server speaks plain."""
        receiver = self._hosts.get(found.receiver or "")
        forward = receiver.forward if receiver is not None else None
        if receiver is not None and forward is not None and forward.port == port:
            receiver, port = self._behind(receiver, forward), forward.to_port
        if receiver is None or receiver.redis_tls is None or port not in {one.port for one in nodes_of(receiver)}:
            return None
        return _context(receiver.redis_tls)

    def _count(self, source: str, found: Verdict) -> None:
        sender = self._hosts.get(source)
        if sender and found.rule and found.outcome is not Outcome.NO_SUCH_HOST:
            self._decided[sender.network, found.rule] += 1


def _free_port() -> int:
    """A port for a cluster node's bus, which must have one though nobody ever calls."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _open(path: Path) -> _Stream | None:
    try:
        return await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


@functools.lru_cache(maxsize=64)
def _context(pair: ServerCertificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the module takes files alone
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


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
