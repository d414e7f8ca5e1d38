"""What each kind of Redis target is: how it is reached, what must be let through to it, and what it asks of a client.

| kind | reached by | ingress rule of ours | what egress must reach |
| --- | --- | --- | --- |
| Memorystore | peering | never applies | host:port, and the read endpoint |
| Cluster, Valkey | Private Service Connect | never applies | every address in the network, endpoint and node ports |
| VM | the network | at its tags or service accounts | host:port |
| Endpoint | the network | only when asked for, by address | host:port, if host is an address |

Sources: Google's pages on Memorystore networking and on firewall rules for Private Service Connect endpoints.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Literal

from redis_connectivity.api.limits import NODE_PORTS, REDIS_PORT
from redis_connectivity.core.cloudvalues import NetworkRef, RedisInstance, RedisInstanceState
from redis_connectivity.core.desired import ClusterWant, EndpointWant, MemorystoreWant, TargetWant, ValkeyWant, VmWant
from redis_connectivity.core.pscvalues import (
    Authorization,
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
    ValkeyInstance,
)

__all__ = [
    "Destination",
    "Endpoint",
    "Ingress",
    "Profile",
    "Reach",
    "SeenRedis",
    "Target",
    "look_at",
    "profile_of",
    "same_network",
]

SeenRedis = RedisInstance | RedisCluster | ValkeyInstance


class Reach(enum.StrEnum):
    """How packets get from the network to the target."""

    NETWORK = "Network"
    PEERING = "Peering"
    PSC = "PrivateServiceConnect"


class Ingress(enum.Enum):
    """Whether an ingress rule of ours can apply at the target."""

    #: Managed: the server is in Google's own network, where none of the user's rules applies.
    NEVER = "never"
    #: The machines are known by their tags or service accounts.
    AT_MACHINES = "at machines"
    #: What answers there is not known; a rule can only be about the address that packets carry.
    BY_ADDRESS = "by address"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is the same for every target of a kind.

    Attributes:
        kind: The word in status.
        noun: What to call it in a sentence.
        field: Where the spec names it.
        reach: How packets get there.
        ingress: Whether an ingress rule of ours can apply.
        serving: States in which it answers as ever; the first is the one to wait for. Empty for what has no state.
    """

    kind: Literal["Memorystore", "Cluster", "Valkey", "VM", "Endpoint"]
    noun: str
    field: str
    reach: Reach
    ingress: Ingress
    serving: tuple[str, ...] = ()

    @property
    def managed(self) -> bool:
        """Whether it is read from Google, and not just declared."""
        return bool(self.serving)


_PSC_SERVING = (PscState.ACTIVE.value, PscState.UPDATING.value)
_MEMORYSTORE = Profile(
    "Memorystore",
    "Memorystore instance",
    "spec.redis.memorystore.instance",
    Reach.PEERING,
    Ingress.NEVER,
    (RedisInstanceState.READY.value, RedisInstanceState.UPDATING.value),
)
_CLUSTER = Profile("Cluster", "Redis Cluster", "spec.redis.cluster.name", Reach.PSC, Ingress.NEVER, _PSC_SERVING)
_VALKEY = Profile("Valkey", "Valkey instance", "spec.redis.valkey.instance", Reach.PSC, Ingress.NEVER, _PSC_SERVING)
_VM = Profile("VM", "Redis", "spec.redis.vm.host", Reach.NETWORK, Ingress.AT_MACHINES)
_ENDPOINT = Profile("Endpoint", "Redis", "spec.redis.endpoint.host", Reach.NETWORK, Ingress.BY_ADDRESS)


def profile_of(want: TargetWant) -> Profile:
    """The kind of a declared target."""
    match want:
        case MemorystoreWant():
            return _MEMORYSTORE
        case ClusterWant():
            return _CLUSTER
        case ValkeyWant():
            return _VALKEY
        case VmWant():
            return _VM
        case EndpointWant():
            return _ENDPOINT


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """An address, and a range of ports there (both ends included), that traffic must reach."""

    address: IPv4Address
    first: int
    last: int

    @property
    def ports(self) -> tuple[int, int]:
        """First and last port, as rules hold them."""
        return self.first, self.last

    def __str__(self) -> str:
        return f"{self.address}:{self.first if self.first == self.last else f'{self.first}-{self.last}'}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place where the target is reached in the connector's network. `host` may be a name."""

    host: str
    ports: tuple[tuple[int, int], ...]
    role: str
    status: ConnectionStatus = ConnectionStatus.UNSPECIFIED

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """What a firewall rule for it is about: nothing, where the host is no IPv4 address."""
        try:
            address = IPv4Address(self.host)
        except AddressValueError:
            return ()
        return tuple(Destination(address, first, last) for first, last in self.ports)


@dataclass(frozen=True, slots=True)
class Target:
    """One target as far as it is known.

    Attributes:
        profile: Its kind.
        name: What the spec calls it.
        state: Google's word; empty for what has no state.
        endpoints: Where it is reached in the connector's network, the one to probe first.
        networks: The networks it can be reached from; empty when that is not known or any will do.
        direct_peering: Of Memorystore: whether it uses a peering of its own instead of private service access.
        tls: Whether connections must be TLS; None when that is not Google's to tell.
        authorization: What a client has to show; None when that is not Google's to tell.
    """

    profile: Profile
    name: str
    state: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    networks: tuple[NetworkRef, ...] = ()
    direct_peering: bool = False
    tls: bool | None = None
    authorization: Authorization | None = None

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"{self.profile.noun} {self.name}"

    @property
    def serving(self) -> bool:
        """Whether it answers as ever, as far as its state tells."""
        return not self.profile.serving or self.state in self.profile.serving

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Every (address, ports) that traffic must reach, main one first, each once."""
        return tuple(dict.fromkeys(one for endpoint in self.endpoints for one in endpoint.destinations))

    @property
    def main(self) -> tuple[str, int] | None:
        """Host and port to probe."""
        for endpoint in self.endpoints:
            if endpoint.host and endpoint.ports:
                return endpoint.host, endpoint.ports[0][0]
        return None


def same_network(seen: NetworkRef, wanted: NetworkRef) -> bool:
    """Whether both mean one network. Google may write a project's number, which says nothing against any id."""
    return seen.name == wanted.name and (seen.project == wanted.project or seen.project.isdigit())


def look_at(want: TargetWant, seen: SeenRedis | None, network: NetworkRef) -> Target | None:
    """The target as it is reached from `network`; None for a managed one that is not there."""
    profile = profile_of(want)
    match want, seen:
        case (VmWant(host=host, port=port), _):
            return Target(profile, f"{host}:{port}", endpoints=(_single(str(host), port),))
        case (EndpointWant(host=name, port=port), _):
            return Target(profile, f"{name}:{port}", endpoints=(_single(name, port),))
        case (MemorystoreWant(), RedisInstance()):
            return _instance(profile, seen)
        case (ClusterWant(), RedisCluster() as found) | (ValkeyWant(), ValkeyInstance() as found):
            return _psc(profile, found, network)
    return None


def _single(host: str, port: int, role: str = "") -> Endpoint:
    return Endpoint(host, ((port, port),), role)


def _instance(profile: Profile, seen: RedisInstance) -> Target:
    found = ((seen.host, seen.port, "PRIMARY"), (seen.read_endpoint, seen.read_endpoint_port, "READER"))
    return Target(
        profile,
        seen.name,
        state=seen.state.value,
        endpoints=tuple(_single(host, port, role) for host, port, role in found if host and port),
        networks=(seen.authorized_network,) if seen.authorized_network else (),
        direct_peering=seen.connect_mode == "DIRECT_PEERING",
        tls=seen.transit_encryption,
        authorization=Authorization.AUTH_STRING if seen.auth_enabled else Authorization.DISABLED,
    )


#: The order in which a client looks for a way in.
_ROLES = (ConnectionRole.DISCOVERY, ConnectionRole.PRIMARY, ConnectionRole.READER, ConnectionRole.NODES)


def _psc(profile: Profile, seen: RedisCluster | ValkeyInstance, network: NetworkRef) -> Target:
    here = [one for one in seen.connections if one.network is None or same_network(one.network, network)]
    shown = next((one.port for one in seen.connections if one.port), REDIS_PORT)
    elsewhere = {one.network for one in seen.connections if one.network is not None}
    return Target(
        profile,
        seen.name,
        state=seen.state.value,
        endpoints=tuple(
            Endpoint(one.address, _psc_ports(one, shown), one.role.value, one.status)
            for one in sorted(here, key=lambda one: (_ROLES.index(one.role), one.address))
        ),
        networks=tuple(sorted(elsewhere)),
        tls=seen.transit_encryption,
        authorization=seen.authorization,
    )


def _psc_ports(connection: PscConnection, shown: int) -> tuple[tuple[int, int], ...]:
    """Every endpoint is to be open for the port that Google shows and for the nodes' ports, whichever role it has."""
    port = connection.port or shown
    return ((port, port), NODE_PORTS)
