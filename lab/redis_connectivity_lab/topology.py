"""What the data plane must make real: networks, hosts on them, and the firewall rules in force, as frozen values.

The emulator derives a `Topology` from its state whenever that changes; the data plane makes namespaces, cables and
packet filters match it. Neither knows the other's insides.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

__all__ = ["Direction", "Host", "HostKind", "L4Match", "NetworkId", "Rule", "ServiceId", "Topology"]


@dataclass(frozen=True, slots=True, order=True)
class NetworkId:
    """A VPC network: the project that holds it, and its name."""

    project: str
    name: str


class Direction(enum.StrEnum):
    """Direction of traffic, seen from the host the rule applies to."""

    INGRESS = "INGRESS"
    EGRESS = "EGRESS"


@dataclass(frozen=True, slots=True, order=True)
class L4Match:
    """An IP protocol (lower case, `all` for any) and inclusive port pairs; no pairs means every port."""

    protocol: str
    ports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """A VPC firewall rule in force on a network (a disabled one is kept, and behaves as if absent).

    INGRESS without any source means 0.0.0.0/0, EGRESS without destination too. Sources by range, tag and service
    account are OR-combined. No target tags and no target service accounts: every host that is in the VPC.
    """

    network: NetworkId
    name: str
    direction: Direction
    priority: int
    allow: bool
    matches: tuple[L4Match, ...]
    source_ranges: tuple[str, ...] = ()
    destination_ranges: tuple[str, ...] = ()
    source_tags: tuple[str, ...] = ()
    target_tags: tuple[str, ...] = ()
    source_service_accounts: tuple[str, ...] = ()
    target_service_accounts: tuple[str, ...] = ()
    disabled: bool = False


class HostKind(enum.StrEnum):
    """What stands behind an address.

    CONNECTOR and VM are in the VPC: rules apply to what they send and to what they are sent. MANAGED is Google's
    side of a peering (Memorystore): no rule of the user's can apply to it, only the sender's egress rules do.
    """

    CONNECTOR = "connector"
    VM = "vm"
    MANAGED = "managed"


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """Something with an address on a network.

    `id` is unique in a topology (the resource's path). `range` is the connector's /28 (one /32 for the others);
    `address` is the one the namespace really has. `redis_port` is where a redis-server listens there, or None.
    """

    id: str
    kind: HostKind
    network: NetworkId
    address: IPv4Address
    range: IPv4Network
    tags: tuple[str, ...] = ()
    service_account: str | None = None
    redis_port: int | None = None
    redis_password: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ServiceId:
    """A Cloud Run service, and the connector (a host's id) its traffic leaves through."""

    project: str
    region: str
    name: str
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything the data plane needs, whole: it is applied as a state, never as a difference."""

    networks: frozenset[NetworkId] = frozenset()
    hosts: frozenset[Host] = frozenset()
    rules: frozenset[Rule] = frozenset()
    services: frozenset[ServiceId] = frozenset()
