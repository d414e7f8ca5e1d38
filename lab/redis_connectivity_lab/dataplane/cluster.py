"""Redis in cluster mode: what makes a redis-server a node that knows its siblings and its slots from the start.

A cluster is told to its nodes by their own `nodes.conf`, written before they start: no meeting, no assigning of slots
afterwards. Nodes of one host have one address and a port each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from redis_connectivity_lab.topology import Host

__all__ = ["BUS_OFFSET", "SLOTS", "Node", "nodes_conf", "nodes_of", "slot_ranges"]

SLOTS: Final = 16384
#: The bus's port is the node's plus this, unless told otherwise (Redis' documentation of cluster-port).
BUS_OFFSET: Final = 10000


@dataclass(frozen=True, slots=True)
class Node:
    """One server of a host. `id` names it in the data plane; `slots` is empty where there is no cluster."""

    id: str
    port: int
    slots: range = range(0)

    @property
    def clustered(self) -> bool:
        """Whether it runs in cluster mode."""
        return bool(self.slots)

    @property
    def cluster_id(self) -> str:
        """The 40 hexadecimal digits by which a cluster knows a node."""
        return hashlib.sha1(self.id.encode(), usedforsecurity=False).hexdigest()


def slot_ranges(count: int) -> Iterator[range]:
    """All slots in `count` shares, as even as they can be."""
    for number in range(count):
        yield range(SLOTS * number // count, SLOTS * (number + 1) // count)


def nodes_of(host: Host, *, most: int | None = None) -> tuple[Node, ...]:
    """The servers that belong on a host; at most `most` nodes of a cluster, which then share all slots."""
    ports = host.cluster_ports[:most]
    if ports:
        shares = slot_ranges(len(ports))
        return tuple(Node(f"{host.id}:{port}", port, share) for port, share in zip(ports, shares, strict=True))
    return (Node(host.id, host.redis_port),) if host.redis_port is not None else ()


def nodes_conf(host: Host, nodes: tuple[Node, ...], me: Node) -> str:
    """The cluster as the node `me` keeps it in its file."""
    lines = []
    for epoch, node in enumerate(nodes, start=1):
        flags = "myself,master" if node == me else "master"
        place = f"{host.address}:{node.port}@{node.port + BUS_OFFSET}"
        lines.append(
            f"{node.cluster_id} {place} {flags} - 0 0 {epoch} connected {node.slots.start}-{node.slots.stop - 1}"
        )
    return "\n".join((*lines, f"vars currentEpoch {len(nodes)} lastVoteEpoch 0", ""))
