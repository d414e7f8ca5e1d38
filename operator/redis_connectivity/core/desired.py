"""What should be: a spec with every default filled in and every name resolved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity.api.limits import (
    CONNECTOR_MAX_INSTANCES,
    CONNECTOR_MIN_INSTANCES,
    CONNECTOR_NAME_DOCUMENTED_WEIGHT,
    REDIS_TAG,
    connector_name_weight,
    connector_tag,
)
from redis_connectivity.api.spec import (
    AdoptionPolicy,
    ConnectorManagement,
    ConnectorReplacement,
    DeletionPolicy,
    DisruptionPolicy,
    DriftPolicy,
    FirewallSpec,
    ProbeFrom,
    RedisConnectivitySpec,
)
from redis_connectivity.api.spec_redis import RedisTarget
from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.identity import ResourceId

__all__ = [
    "ClusterWant",
    "ConnectorWant",
    "Desired",
    "DirectVpcWant",
    "EndpointWant",
    "MemorystoreWant",
    "TargetWant",
    "ValkeyWant",
    "VmWant",
    "connector_name_for",
    "resolve",
]

#: Environments whose connector the operator manages unless told otherwise.
_MANAGED_ENVIRONMENTS = frozenset({"staging", "production"})


@dataclass(frozen=True, slots=True)
class ConnectorWant:
    """The connector as declared. None for a count means: whatever is there is fine.

    `project` is the connector's own, which in a Shared VPC may be a service project; its subnet is the network's.
    """

    name: str
    project: str
    management: ConnectorManagement
    ip_cidr_range: IPv4Network | None
    subnet: str | None
    machine_type: str
    min_instances: int | None
    max_instances: int | None
    #: The name as the spec gives it; `name` is that of the connector in use, which may have taken its place. Empty: the
    #: same.
    declared: str = ""
    replacement: ConnectorReplacement = ConnectorReplacement.NEVER
    #: Name of a replaced connector that may be deleted.
    retire: str = ""

    @property
    def base(self) -> str:
        """The declared name, on which successors' names are built."""
        return self.declared or self.name

    @property
    def create_counts(self) -> tuple[int, int]:
        """Counts to create it with: both are always sent, as Google's own defaults disagree with each other."""
        low, high = self.min_instances, self.max_instances
        if low is None:
            low = CONNECTOR_MIN_INSTANCES[0]
        if high is None:
            high = max(CONNECTOR_MAX_INSTANCES[0], low + 1)
        return low, high

    @property
    def digest(self) -> str:
        """Changes when something changes that a failed creation may have failed for."""
        text = f"{self.name}|{self.ip_cidr_range}|{self.subnet}|{self.machine_type}|{self.create_counts}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class DirectVpcWant:
    """Direct VPC egress in place of a connector: a subnet of the network, and the revision's network tags."""

    subnet: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class VmWant:
    """A self-managed Redis on virtual machines, known by their tags or by their service accounts."""

    host: IPv4Address
    port: int
    tags: frozenset[str] = frozenset()
    service_accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MemorystoreWant:
    """A Memorystore for Redis instance."""

    instance: str


@dataclass(frozen=True, slots=True)
class ClusterWant:
    """A Memorystore for Redis Cluster."""

    name: str


@dataclass(frozen=True, slots=True)
class ValkeyWant:
    """A Memorystore for Valkey instance."""

    instance: str


@dataclass(frozen=True, slots=True)
class EndpointWant:
    """Any host and port that is reached through the network; the host is an IPv4 address or a DNS name."""

    host: str
    port: int


TargetWant = MemorystoreWant | ClusterWant | ValkeyWant | VmWant | EndpointWant


@dataclass(frozen=True, slots=True)
class Desired:
    """One path as it should be."""

    owner: ResourceId
    #: Where Redis is, and the connector too unless it says otherwise.
    project: str
    region: str
    #: Its project holds the firewall rules and subnetworks too: in a Shared VPC the host project.
    network: NetworkRef
    #: How Cloud Run enters the network.
    entry: ConnectorWant | DirectVpcWant
    target: TargetWant
    firewall: FirewallSpec
    drift_policy: DriftPolicy
    deletion_policy: DeletionPolicy
    adoption_policy: AdoptionPolicy = AdoptionPolicy.NEVER
    disruption_policy: DisruptionPolicy = DisruptionPolicy.DENY
    environment: str = ""
    #: Whether the operator deploys the prober.
    deploys_prober: bool = False

    @property
    def connector(self) -> ConnectorWant:
        """The connector as declared.

        Raises:
            LookupError: There is none, as traffic enters by Direct VPC egress (see `direct`).
        """
        match self.entry:
            case ConnectorWant():
                return self.entry
            case DirectVpcWant():
                raise LookupError(f"{self.owner.key} has no connector")

    @property
    def direct(self) -> DirectVpcWant | None:
        """Direct VPC egress, where that is declared in place of a connector."""
        return self.entry if isinstance(self.entry, DirectVpcWant) else None

    @property
    def entry_name(self) -> str:
        """How people call the way in: the connector's name, or Direct VPC egress."""
        return "Direct VPC egress" if self.direct is not None else self.connector.name

    @property
    def entry_name_with_kind(self) -> str:
        """The same within a sentence."""
        return self.entry_name if self.direct is not None else f"connector {self.entry_name}"

    @property
    def connector_path(self) -> str:
        """projects/P/locations/R/connectors/C."""
        return f"projects/{self.connector.project}/locations/{self.region}/connectors/{self.connector.name}"

    @property
    def is_shared_vpc(self) -> bool:
        """Whether the connector is in a service project, on a network of another one."""
        return self.direct is None and self.connector.project != self.network.project

    @property
    def connector_tag(self) -> str:
        """The network tag that only this connector's machines carry."""
        return connector_tag(self.region, self.connector.name)


@lru_cache(maxsize=1024)
def connector_name_for(environment: str) -> str:
    """The connector's name where none is given.

    `${environment}-connector`, unless that is longer than Google's page allows (a hyphen counts twice there); then
    `${environment}-conn`, and where even that is too long, a cut name with a digest.
    """
    for name in (f"{environment}-connector", f"{environment}-conn"):
        if connector_name_weight(name) <= CONNECTOR_NAME_DOCUMENTED_WEIGHT:
            return name
    digest = hashlib.sha256(environment.encode()).hexdigest()[:6]
    stem = environment
    while connector_name_weight(f"{stem}-{digest}") > CONNECTOR_NAME_DOCUMENTED_WEIGHT:
        stem = stem[:-1]
    return f"{stem.rstrip('-')}-{digest}"


def _target(given: RedisTarget) -> TargetWant:
    if given.vm is not None:
        vm = given.vm
        accounts = frozenset(vm.target_service_accounts or ())
        tags = frozenset() if accounts else frozenset(vm.target_tags or (REDIS_TAG,))
        return VmWant(IPv4Address(vm.host), vm.port, tags, accounts)
    if given.memorystore is not None:
        return MemorystoreWant(given.memorystore.instance)
    if given.cluster is not None:
        return ClusterWant(given.cluster.name)
    if given.valkey is not None:
        return ValkeyWant(given.valkey.instance)
    if given.endpoint is not None:
        return EndpointWant(given.endpoint.host, given.endpoint.port)
    raise ValueError("spec.redis names no target")


def _entry(spec: RedisConnectivitySpec) -> ConnectorWant | DirectVpcWant:
    if spec.direct_vpc_egress is not None:
        return DirectVpcWant(spec.direct_vpc_egress.subnet, frozenset(spec.direct_vpc_egress.tags))
    given = spec.connector
    if given is None:
        raise ValueError("spec names neither connector nor directVpcEgress")
    management = given.management
    if management is None:
        managed = spec.environment in _MANAGED_ENVIRONMENTS
        management = ConnectorManagement.MANAGED if managed else ConnectorManagement.NONE
    name = given.name or connector_name_for(spec.environment)
    return ConnectorWant(
        name=name,
        project=given.project_id or spec.project_id,
        management=management,
        ip_cidr_range=IPv4Network(given.ip_cidr_range) if given.ip_cidr_range else None,
        subnet=given.subnet.name if given.subnet else None,
        machine_type=given.machine_type,
        min_instances=given.min_instances,
        max_instances=given.max_instances,
        declared=name,
        replacement=given.replacement,
        retire=given.retire or "",
    )


def resolve(owner: ResourceId, spec: RedisConnectivitySpec) -> Desired:
    """The spec with defaults filled in and names resolved."""
    return Desired(
        owner=owner,
        project=spec.project_id,
        region=spec.region,
        network=NetworkRef(
            (spec.network.host_project_id if spec.network else None) or spec.project_id,
            spec.network.name if spec.network else f"{spec.environment}-vpc",
        ),
        entry=_entry(spec),
        target=_target(spec.redis),
        firewall=spec.firewall,
        drift_policy=spec.drift_policy,
        deletion_policy=spec.deletion_policy,
        adoption_policy=spec.adoption_policy,
        disruption_policy=spec.disruption_policy,
        environment=spec.environment,
        deploys_prober=spec.probe.from_ is ProbeFrom.CLOUD_RUN,
    )
