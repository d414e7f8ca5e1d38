"""What should be: a spec with every default filled in and every name resolved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity.api.limits import (
    CONNECTOR_MAX_INSTANCES,
    CONNECTOR_MIN_INSTANCES,
    CONNECTOR_NAME_DOCUMENTED_WEIGHT,
    connector_name_weight,
    connector_tag,
)
from redis_connectivity.api.spec import (
    ConnectorManagement,
    DeletionPolicy,
    DriftPolicy,
    FirewallSpec,
    RedisConnectivitySpec,
)
from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.identity import ResourceId

__all__ = ["ConnectorWant", "Desired", "MemorystoreWant", "VmWant", "connector_name_for", "resolve"]

#: Environments whose connector the operator manages unless told otherwise.
_MANAGED_ENVIRONMENTS = frozenset({"staging", "production"})


@dataclass(frozen=True, slots=True)
class ConnectorWant:
    """The connector as declared. None for a count means: whatever is there is fine."""

    name: str
    management: ConnectorManagement
    ip_cidr_range: IPv4Network | None
    subnet: str | None
    machine_type: str
    min_instances: int | None
    max_instances: int | None

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
class VmWant:
    """A self-managed Redis on virtual machines."""

    host: IPv4Address
    port: int
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class MemorystoreWant:
    """A Memorystore for Redis instance."""

    instance: str


@dataclass(frozen=True, slots=True)
class Desired:
    """One path as it should be."""

    owner: ResourceId
    project: str
    region: str
    network: NetworkRef
    connector: ConnectorWant
    target: VmWant | MemorystoreWant
    firewall: FirewallSpec
    drift_policy: DriftPolicy
    deletion_policy: DeletionPolicy

    @property
    def connector_path(self) -> str:
        """projects/P/locations/R/connectors/C."""
        return f"projects/{self.project}/locations/{self.region}/connectors/{self.connector.name}"

    @property
    def connector_tag(self) -> str:
        """The network tag that only this connector's machines carry."""
        return connector_tag(self.region, self.connector.name)


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


def resolve(owner: ResourceId, spec: RedisConnectivitySpec) -> Desired:
    """The spec with defaults filled in and names resolved."""
    given = spec.connector
    management = given.management
    if management is None:
        managed = spec.environment in _MANAGED_ENVIRONMENTS
        management = ConnectorManagement.MANAGED if managed else ConnectorManagement.NONE
    target: VmWant | MemorystoreWant
    if spec.redis.vm is not None:
        vm = spec.redis.vm
        target = VmWant(IPv4Address(vm.host), vm.port, frozenset(vm.target_tags))
    elif spec.redis.memorystore is not None:
        target = MemorystoreWant(spec.redis.memorystore.instance)
    else:
        raise ValueError("spec.redis names no target")
    return Desired(
        owner=owner,
        project=spec.project_id,
        region=spec.region,
        network=NetworkRef(spec.project_id, spec.network.name if spec.network else f"{spec.environment}-vpc"),
        connector=ConnectorWant(
            name=given.name or connector_name_for(spec.environment),
            management=management,
            ip_cidr_range=IPv4Network(given.ip_cidr_range) if given.ip_cidr_range else None,
            subnet=given.subnet.name if given.subnet else None,
            machine_type=given.machine_type,
            min_instances=given.min_instances,
            max_instances=given.max_instances,
        ),
        target=target,
        firewall=spec.firewall,
        drift_policy=spec.drift_policy,
        deletion_policy=spec.deletion_policy,
    )
