"""The real thing: each host a network namespace, joined by a veth pair to its network's router and packet filter."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis_connectivity.probes.check import Dial
from redis_connectivity_lab.dataplane.cluster import Node
from redis_connectivity_lab.dataplane.compile import CompiledNetwork
from redis_connectivity_lab.dataplane.netns import NetNs
from redis_connectivity_lab.dataplane.nft import TABLE, render
from redis_connectivity_lab.dataplane.processes import run_tool
from redis_connectivity_lab.dataplane.protocol import DataPlaneError, HostFirewall
from redis_connectivity_lab.topology import Host, NetworkId

__all__ = ["Namespaces"]

#: Every host's gateway, whatever its network: the router has it at its end of every cable.
_GATEWAY: Final = "169.254.1.1"
#: The table of a host's own firewall, and what it does in each state.
_HOST_TABLE: Final = "host"
_HOST_RULES: Final[Mapping[HostFirewall, str]] = {
    HostFirewall.OPEN: "accept",
    HostFirewall.UNREACHABLE: "meta l4proto tcp reject with icmp type host-prohibited",
    HostFirewall.RESET: "tcp flags & psh == psh reject with tcp reset",
}


@dataclass(slots=True)
class _Router:
    namespace: NetNs
    ruleset: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    namespace: NetNs
    router: _Router
    cable: str


@dataclass(slots=True)
class Namespaces:
    """Hosts with an address/32 and a route to their network's router alone; networks share nothing.

    The agent that uses this must itself be in namespaces of its own (user, if not root; mount; pid; network).
    """

    _routers: dict[NetworkId, _Router] = field(default_factory=dict)
    _places: dict[str, _Place] = field(default_factory=dict)
    _cables: itertools.count[int] = field(default_factory=itertools.count)

    async def open(self) -> None:
        """Make and drop a router: proves that namespaces, forwarding and nftables work here."""
        trial = NetworkId("self-test", "self-test")
        try:
            router = await self._router(trial)
            other = NetNs()
            await _ip(router.namespace, [f"link add trial type veth peer name eth0 netns {other.path}"])
            other.close()
        except OSError as error:
            raise DataPlaneError(str(error)) from error
        self._routers.pop(trial).namespace.close()

    async def add(self, hosts: Sequence[Host]) -> None:
        """Give hosts a namespace, a cable, an address and a route."""
        routers = {network: await self._router(network) for network in {host.network for host in hosts}}
        places = {host: _Place(NetNs(), routers[host.network], f"v{next(self._cables)}") for host in hosts}
        self._places |= {host.id: place for host, place in places.items()}
        for router in routers.values():
            await _ip(
                router.namespace,
                [line for host, at in places.items() if at.router is router for line in _router_end(host, at)],
            )
        await asyncio.gather(*(_ip(place.namespace, _host_end(host)) for host, place in places.items()))
        await asyncio.gather(*(_forward(place.namespace, host) for host, place in places.items() if host.forward))

    async def remove(self, hosts: Sequence[Host]) -> None:
        """Take hosts' routes away and let go of their namespaces, which the kernel then drops with their cables.

        It does that a moment later, many at once; to delete the cables here would take 30 ms for each.
        """
        places = {host: place for host in hosts if (place := self._places.pop(host.id, None))}
        try:
            for router in {id(place.router): place.router for place in places.values()}.values():
                lines = [
                    f"route delete {host.address}/32 dev {place.cable}"
                    for host, place in places.items()
                    if place.router is router
                ]
                await _ip(router.namespace, lines, force=True)  # one that was never wholly made may lack it
        finally:
            for place in places.values():
                place.namespace.close()

    async def set_rules(self, networks: Mapping[NetworkId, CompiledNetwork]) -> None:
        """Load the rulesets that differ from those in force, each in one transaction; drop routers of no use."""
        for network, compiled in networks.items():
            router = await self._router(network)
            await _load(router, render(compiled))
        for network in self._routers.keys() - networks.keys():
            self._routers.pop(network).namespace.close()

    async def host_firewall(self, host: Host, state: HostFirewall) -> None:
        """A packet filter in the host's own namespace."""
        chain = f'chain input {{ type filter hook input priority filter; iifname "eth0" {_HOST_RULES[state]}; }}'
        ruleset = f"add table ip {_HOST_TABLE}\ndelete table ip {_HOST_TABLE}\ntable ip {_HOST_TABLE} {{\n{chain}\n}}\n"
        await run_tool(*_in(self._place(host).namespace), "nft", "-f", "-", text=ruleset)

    async def counters(self) -> list[tuple[NetworkId, str, int]]:
        """Packets by rule, from the packet filter's own counters."""
        counted: Counter[tuple[NetworkId, str]] = Counter()
        for network, router in self._routers.items():
            listed = await run_tool(*_in(router.namespace), "nft", "-j", "list", "table", "ip", TABLE)
            for rule in (entry["rule"] for entry in json.loads(listed)["nftables"] if "rule" in entry):
                packets = sum(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
                if name := rule.get("comment"):
                    counted[network, name] += packets
        return [(network, name, packets) for (network, name), packets in sorted(counted.items())]

    def on_host(self, host: Host, argv: Sequence[str]) -> list[str]:
        """Run in the host's namespace."""
        return [*_in(self._place(host).namespace), *argv]

    cluster_nodes: int | None = None

    def redis_listens(self, host: Host, node: Node) -> Sequence[str]:
        """On the host's own address."""
        return (f"bind {host.address}", f"port {node.port}")

    def app_arguments(self, host: Host) -> list[str]:
        """On the host's own address; connections leave from where it runs."""
        return ["--listen", f"{host.address}:{host.app.port}"] if host.app else []

    def prober_command(self, host: Host, socket: Path, via: str, args: Sequence[str] = ()) -> list[str]:
        """The product's prober as it is, in the host's namespace."""
        module = "redis_connectivity.probes.prober"
        return self.on_host(host, [sys.executable, "-m", module, *args, "--unix-socket", str(socket), "--via", via])

    def dial_from(self, host: Host) -> Dial:
        """Connects with a socket that was made in the host's namespace, and so belongs to it."""
        namespace = self._place(host).namespace

        async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            with namespace.inside():
                connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await asyncio.get_running_loop().sock_connect(connection, (address, port))
                return await asyncio.open_connection(sock=connection)
            except BaseException:
                connection.close()
                raise

        return dial

    def _place(self, host: Host) -> _Place:
        try:
            return self._places[host.id]
        except KeyError:
            raise DataPlaneError(f"{host.id} is not in the data plane") from None

    async def _router(self, network: NetworkId) -> _Router:
        if network not in self._routers:
            router = _Router(NetNs())
            try:
                router.namespace.sysctl("net/ipv4/ip_forward", "1")
                # A host that sends with another's address is not believed, as in Google's network.
                router.namespace.sysctl("net/ipv4/conf/all/rp_filter", "1")
                # What has no host is dropped in silence, as there; a router would answer "unreachable".
                await _ip(router.namespace, ["link set lo up", "route add blackhole default"])
                await _load(router, render(CompiledNetwork(network)))
            except BaseException:
                router.namespace.close()
                raise
            self._routers[network] = router
        return self._routers[network]


def _router_end(host: Host, place: _Place) -> list[str]:
    return [
        f"link add {place.cable} type veth peer name eth0 netns {place.namespace.path}",
        f"address add {_GATEWAY}/32 dev {place.cable}",
        f"link set {place.cable} up",
        f"route add {host.address}/32 dev {place.cable}",
    ]


def _host_end(host: Host) -> list[str]:
    return [
        "link set lo up",
        f"address add {host.address}/32 dev eth0",
        "link set eth0 up",
        f"route add {_GATEWAY}/32 dev eth0",
        f"route add default via {_GATEWAY} dev eth0",
    ]


async def _forward(namespace: NetNs, host: Host) -> None:
    """Carry connections on, in the endpoint's own name, so that answers come back the same way."""
    forward = host.forward
    if forward is None:
        return
    for name in ("net/ipv4/ip_forward", "net/ipv4/conf/all/send_redirects", "net/ipv4/conf/eth0/send_redirects"):
        namespace.sysctl(name, "1" if name.endswith("ip_forward") else "0")
    there = f"ip daddr {forward.address} tcp dport {forward.to_port}"
    ruleset = (
        "table ip endpoint {\n"
        "\tchain in { type nat hook prerouting priority dstnat;"
        f" ip daddr {host.address} tcp dport {forward.port} dnat to {forward.address}:{forward.to_port}; }}\n"
        f"\tchain out {{ type nat hook postrouting priority srcnat; {there} masquerade; }}\n"
        "}\n"
    )
    await run_tool(*_in(namespace), "nft", "-f", "-", text=ruleset)


def _in(namespace: NetNs) -> tuple[str, ...]:
    return ("nsenter", f"--net={namespace.path}", "--")


async def _ip(namespace: NetNs, commands: Sequence[str], *, force: bool = False) -> None:
    """Run commands of `ip` in a namespace; `force` goes on after one that fails, and does not tell."""
    batch = ("ip", "-force", "-batch", "-") if force else ("ip", "-batch", "-")
    await run_tool(*_in(namespace), *batch, text="\n".join(commands) + "\n", check=not force)


async def _load(router: _Router, ruleset: str) -> None:
    if ruleset == router.ruleset:
        return
    try:
        await run_tool(*_in(router.namespace), "nft", "-f", "-", text=ruleset)
    except DataPlaneError as error:
        if "Message too long" in str(error):
            raise DataPlaneError(
                f"the ruleset of {ruleset.count(' comment ')} rules is too big for one transaction: without "
                "privileges the kernel takes about 300 rules a network, as root many thousand"
            ) from error
        raise
    router.ruleset = ruleset
