"""What the data plane must make real: networks, hosts on them, and the firewall rules in force, as frozen values.

The emulator derives a `Topology` from its state whenever that changes; the data plane makes namespaces, cables and
packet filters match it. Neither knows the other's insides.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

__all__ = [
    "App",
    "Direction",
    "Forward",
    "Host",
    "HostKind",
    "Judge",
    "Judged",
    "L4Match",
    "NetworkId",
    "Policy",
    "PolicyAction",
    "PolicyKind",
    "PolicyRule",
    "Rule",
    "ServerCertificate",
    "ServiceId",
    "Topology",
]


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
    account are OR-combined. An INGRESS rule with destinations applies to hosts with such an address, an EGRESS rule
    with sources likewise. No target tags and no target service accounts: every host that is in the VPC.
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


class PolicyAction(enum.StrEnum):
    """What a firewall policy's rule does with a match."""

    ALLOW = "allow"
    DENY = "deny"
    GOTO_NEXT = "goto_next"
    APPLY_SECURITY_PROFILE_GROUP = "apply_security_profile_group"


class PolicyKind(enum.StrEnum):
    """What a firewall policy is attached to."""

    HIERARCHY = "HIERARCHY"
    SYSTEM = "SYSTEM"
    NETWORK = "NETWORK"
    NETWORK_REGIONAL = "NETWORK_REGIONAL"


@dataclass(frozen=True, slots=True, order=True)
class PolicyRule:
    """A rule of a firewall policy; no ranges mean 0.0.0.0/0, no target service accounts every host that is in the VPC.

    `beyond` names match kinds that the lab cannot honour (FQDNs, places, threat lists, secure tags …): such a rule
    matches nothing.
    """

    priority: int
    direction: Direction
    action: PolicyAction
    matches: tuple[L4Match, ...]
    source_ranges: tuple[str, ...] = ()
    destination_ranges: tuple[str, ...] = ()
    target_service_accounts: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Policy:
    """A firewall policy in force on a network. `place` is its place among those of its kind.

    With a `region` it applies to the hosts of that region alone.
    """

    network: NetworkId
    kind: PolicyKind
    place: int
    name: str
    rules: tuple[PolicyRule, ...] = ()
    region: str | None = None


class HostKind(enum.StrEnum):
    """What stands behind an address.

    CONNECTOR and VM are in the VPC: rules apply to what they send and to what they are sent. MANAGED is Google's side
    of a peering (Memorystore) or a Private Service Connect endpoint (Redis Cluster, Valkey): no rule of the user's can
    apply to it, only the sender's egress rules do.
    DIRECT is a Cloud Run revision on a subnet (Direct VPC egress): in the VPC, too, but its tags count in egress rules
    only. What a source tag in an ingress rule does there Google calls undefined; here it matches nothing.
    """

    CONNECTOR = "connector"
    VM = "vm"
    DIRECT = "direct"
    MANAGED = "managed"


@dataclass(frozen=True, slots=True, order=True)
class Forward:
    """Connections to `port` are carried to another address and port of the same network: an endpoint in front of it."""

    port: int
    address: IPv4Address
    to_port: int


@dataclass(frozen=True, slots=True, order=True)
class ServerCertificate:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, order=True)
class App:
    """The chat application on a host: the port it listens on, and the Redis behind it."""

    port: int
    redis_host: str
    redis_port: int


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """Something with an address on a network.

    `id` is unique in a topology (the resource's path). `range` is the connector's /28 (one /32 for the others);
    `address` is the one the namespace really has. `redis_port` is where a redis-server listens there, or None; with a
    certificate in `redis_tls` it speaks TLS alone. Where IAM decides who may connect, `redis_tokens` are the access
    tokens of those who may, each good as the default user's password. `redis_config` are more lines for its
    configuration.
    `cluster_ports` are those of the nodes of one cluster, which share the slots evenly; `forward` leads elsewhere.
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
    cluster_ports: tuple[int, ...] = ()
    forward: Forward | None = None
    redis_tls: ServerCertificate | None = None
    redis_tokens: tuple[str, ...] | None = None
    redis_config: tuple[str, ...] = ()
    app: App | None = None
    #: Region, for regional policies.
    region: str = ""


@dataclass(frozen=True, slots=True, order=True)
class ServiceId:
    """A Cloud Run service, and the host its traffic leaves through: a connector's id, or its own with Direct VPC.

    `revision` tells revisions of one service apart, of which two run while one takes the other's place. `args` are the
    container's, behind the command `prober`.
    """

    project: str
    region: str
    name: str
    connector: str | None = None
    revision: str = ""
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything the data plane needs, whole: it is applied as a state, never as a difference."""

    networks: frozenset[NetworkId] = frozenset()
    hosts: frozenset[Host] = frozenset()
    rules: frozenset[Rule] = frozenset()
    services: frozenset[ServiceId] = frozenset()
    policies: frozenset[Policy] = frozenset()
    #: Networks whose network policies come before their VPC rules (BEFORE_CLASSIC_FIREWALL).
    policies_first: frozenset[NetworkId] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the compiled rules say of a new connection over tcp, and by which rule (empty where none was asked)."""

    outcome: Literal["allowed", "denied", "no such sender", "no such receiver"]
    direction: Direction | None = None
    rule: str = ""
    #: Of the network, and so of its VPC rules.
    project: str = ""


#: Judges a connection from the host with an id to an address and port.
Judge = Callable[[str, IPv4Address, int], Judged]
