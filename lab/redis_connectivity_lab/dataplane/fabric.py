"""What a kind of data plane must offer: places for hosts, and something that lets their connections through or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from redis_connectivity.probes.check import Dial
from redis_connectivity_lab.dataplane.cluster import Node
from redis_connectivity_lab.dataplane.compile import CompiledNetwork
from redis_connectivity_lab.dataplane.protocol import HostFirewall
from redis_connectivity_lab.topology import Host, NetworkId

__all__ = ["Fabric"]


class Fabric(Protocol):
    """Every method that fails raises DataPlaneError."""

    async def open(self) -> None:
        """Get ready; fails where this kind cannot work on this machine."""

    async def add(self, hosts: Sequence[Host]) -> None:
        """Give these hosts a place; nothing reaches them before `set_rules` names them."""

    async def remove(self, hosts: Sequence[Host]) -> None:
        """Take their places away. No process of theirs is left by then."""

    async def set_rules(self, networks: Mapping[NetworkId, CompiledNetwork]) -> None:
        """Put these rules in force, for all networks there are."""

    async def host_firewall(self, host: Host, state: HostFirewall) -> None:
        """What a host's own firewall does from now on, for as long as the host has its place."""

    async def counters(self) -> list[tuple[NetworkId, str, int]]:
        """By network and firewall rule the packets or connections it decided since the network's last change."""

    def on_host(self, host: Host, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` in a host's place."""

    #: The most nodes of a cluster that a host can have here; None for as many as it is told.
    cluster_nodes: int | None

    def redis_listens(self, host: Host, node: Node) -> Sequence[str]:
        """Configuration lines that say where a server of a host's listens for the network."""

    def app_arguments(self, host: Host) -> list[str]:
        """Arguments that tell a host's application where to listen for the network, and how to connect."""

    def prober_command(self, host: Host, socket: Path, via: str, args: Sequence[str] = ()) -> list[str]:
        """The command of a prober whose connections leave from a host."""

    def dial_from(self, host: Host) -> Dial:
        """A dial for the agent itself whose connections leave from a host."""
