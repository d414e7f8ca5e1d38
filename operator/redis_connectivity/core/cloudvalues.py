"""What Google Cloud holds, as frozen values: the common words of inventory, plan, reachability and status.

Every value is comparable and hashable; lists whose order means nothing to Google are frozensets or sorted tuples, so
that equality is drift-equality. Fields that Google fills in and nobody declares (ids, fingerprints, links) are kept
only where something needs them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Network

__all__ = [
    "Action",
    "Connector",
    "ConnectorState",
    "Direction",
    "FirewallPolicy",
    "FirewallPolicyRule",
    "FirewallRule",
    "Layer4",
    "Machine",
    "Network",
    "NetworkRef",
    "Peering",
    "PolicyAction",
    "PolicyKind",
    "RedisInstance",
    "RedisInstanceState",
    "Subnetwork",
]


class Direction(enum.StrEnum):
    """Direction of traffic, seen from the machine the rule applies to."""

    INGRESS = "INGRESS"
    EGRESS = "EGRESS"


class Action(enum.StrEnum):
    """What a VPC firewall rule does with a match."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, order=True)
class NetworkRef:
    """A VPC network's name and the project that holds it (the host project for a Shared VPC)."""

    project: str
    name: str

    @property
    def path(self) -> str:
        """The partial URL Google accepts wherever a network is named."""
        return f"projects/{self.project}/global/networks/{self.name}"

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Layer4:
    """A protocol and its ports. `ports` are inclusive (first, last) pairs; empty means all ports."""

    protocol: str
    ports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """A VPC firewall rule (compute.firewalls), normalised: protocols lower case, ranges parsed where IPv4.

    `source_ranges` and `destination_ranges` hold CIDR strings as Google gives them (IPv6 may occur), normalised to
    have a prefix length. `logging` is None when off, else the metadata word (INCLUDE_ALL_METADATA, …).
    """

    network: NetworkRef
    name: str
    direction: Direction
    action: Action
    priority: int
    layer4: frozenset[Layer4]
    source_ranges: frozenset[str] = frozenset()
    destination_ranges: frozenset[str] = frozenset()
    source_tags: frozenset[str] = frozenset()
    target_tags: frozenset[str] = frozenset()
    source_service_accounts: frozenset[str] = frozenset()
    target_service_accounts: frozenset[str] = frozenset()
    disabled: bool = False
    logging: str | None = None
    description: str = ""
    #: Google's numeric id; differs after a delete and re-create. Never part of drift.
    id: str = field(default="", compare=False)


class PolicyKind(enum.StrEnum):
    """Where a firewall policy is attached, which decides its place in the evaluation order."""

    HIERARCHY = "HIERARCHY"
    NETWORK = "NETWORK"
    NETWORK_REGIONAL = "NETWORK_REGIONAL"
    SYSTEM = "SYSTEM"


class PolicyAction(enum.StrEnum):
    """What a firewall policy's rule does with a match."""

    ALLOW = "allow"
    DENY = "deny"
    GOTO_NEXT = "goto_next"
    APPLY_SECURITY_PROFILE_GROUP = "apply_security_profile_group"


@dataclass(frozen=True, slots=True)
class FirewallPolicyRule:
    """One rule of a firewall policy. `opaque` names match kinds that cannot be judged offline (FQDN, geo, …)."""

    priority: int
    action: PolicyAction
    direction: Direction
    layer4: frozenset[Layer4]
    source_ranges: frozenset[str] = frozenset()
    destination_ranges: frozenset[str] = frozenset()
    target_networks: frozenset[NetworkRef] = frozenset()
    target_service_accounts: frozenset[str] = frozenset()
    target_secure_tags: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    disabled: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class FirewallPolicy:
    """A firewall policy in force on a network, as networks.getEffectiveFirewalls gives it, in order of evaluation."""

    kind: PolicyKind
    name: str
    short_name: str
    rules: tuple[FirewallPolicyRule, ...]
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Peering:
    """A peering of a VPC network (networks.peerings[])."""

    name: str
    network: str
    state: str


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC network (compute.networks). `enforcement_order` is AFTER_CLASSIC_FIREWALL or BEFORE_CLASSIC_FIREWALL."""

    ref: NetworkRef
    enforcement_order: str = "AFTER_CLASSIC_FIREWALL"
    peerings: tuple[Peering, ...] = ()


@dataclass(frozen=True, slots=True)
class Subnetwork:
    """A subnetwork (compute.subnetworks). `purpose` must be PRIVATE for a connector."""

    project: str
    region: str
    name: str
    network: NetworkRef
    ip_cidr_range: IPv4Network
    purpose: str = "PRIVATE"


@dataclass(frozen=True, slots=True)
class Machine:
    """A Compute Engine VM (compute.instances) by its first interface, with what firewall rules know it by."""

    zone: str
    name: str
    network: NetworkRef
    address: str
    tags: frozenset[str] = frozenset()
    service_accounts: frozenset[str] = frozenset()
    status: str = ""

    @property
    def region(self) -> str:
        """The zone's."""
        return self.zone.rpartition("-")[0]


class ConnectorState(enum.StrEnum):
    """vpcaccess.v1.Connector.State."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    READY = "READY"
    CREATING = "CREATING"
    DELETING = "DELETING"
    ERROR = "ERROR"
    UPDATING = "UPDATING"


@dataclass(frozen=True, slots=True)
class Connector:
    """A Serverless VPC Access connector.

    Placed either by `ip_cidr_range` in `network` (a bare name, in the connector's own project) or by `subnet` (bare
    name) in `subnet_project`. With a subnet Google may leave `network` and `ip_cidr_range` empty.
    """

    project: str
    region: str
    name: str
    state: ConnectorState
    network: str = ""
    ip_cidr_range: IPv4Network | None = None
    subnet: str = ""
    subnet_project: str = ""
    machine_type: str = ""
    min_instances: int = 0
    max_instances: int = 0
    connected_projects: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        """projects/P/locations/R/connectors/C."""
        return f"projects/{self.project}/locations/{self.region}/connectors/{self.name}"


class RedisInstanceState(enum.StrEnum):
    """redis.v1.Instance.State; UNKNOWN stands for any word this version does not know (the API may grow)."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    CREATING = "CREATING"
    READY = "READY"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    REPAIRING = "REPAIRING"
    MAINTENANCE = "MAINTENANCE"
    IMPORTING = "IMPORTING"
    FAILING_OVER = "FAILING_OVER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class RedisInstance:
    """A Memorystore for Redis instance (redis.v1.Instance).

    `authorized_network` is None when Google's text could not be read as a network's path. `connect_mode` is
    DIRECT_PEERING or PRIVATE_SERVICE_ACCESS. `transit_encryption` is True for SERVER_AUTHENTICATION; then
    `server_ca_certificates` are the CAs (PEM) that sign for this instance alone, the newest with those still valid.
    """

    project: str
    region: str
    name: str
    state: RedisInstanceState
    host: str = ""
    port: int = 0
    read_endpoint: str = ""
    read_endpoint_port: int = 0
    authorized_network: NetworkRef | None = None
    connect_mode: str = "DIRECT_PEERING"
    auth_enabled: bool = False
    transit_encryption: bool = False
    server_ca_certificates: tuple[str, ...] = ()
    redis_version: str = ""
