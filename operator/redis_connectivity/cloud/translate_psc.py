"""Redis Clusters and Valkey instances as frozen values.

Sources: redis_cluster.v1 Cluster, memorystore.v1 Instance. Where a connection is listed depends on who made it: by a
service connection policy (`pscConnections` of a cluster, `pscAutoConnection` of Valkey, and the discovery endpoints),
or registered by the user (`clusterEndpoints`, `endpoints`). All are read; an address that is listed twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from google.cloud import memorystore_v1, redis_cluster_v1

from redis_connectivity.cloud.translate import network_ref
from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.pscvalues import (
    Authorization,
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
    ValkeyInstance,
)

__all__ = ["cluster_from_google", "trusted", "valkey_from_google"]

_DISCOVERY: Final = ConnectionRole.DISCOVERY


def cluster_from_google(cluster: redis_cluster_v1.Cluster, project: str, region: str) -> RedisCluster:
    """A redis_cluster.v1 Cluster as a value. A state this version does not know becomes UNKNOWN."""
    pb: Any = redis_cluster_v1.Cluster.pb(cluster)
    tls = redis_cluster_v1.TransitEncryptionMode.TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION
    return RedisCluster(
        project=project,
        region=region,
        name=_last(pb.name),
        state=_state(redis_cluster_v1.Cluster.State, pb.state),
        connections=_merged(_of_cluster(pb, project)),
        authorization=_authorization(redis_cluster_v1.AuthorizationMode, pb.authorization_mode),
        transit_encryption=pb.transit_encryption_mode == tls,
        own_ca=_own_ca(redis_cluster_v1.ServerCaMode, pb.server_ca_mode),
    )


def valkey_from_google(instance: memorystore_v1.Instance, project: str, region: str) -> ValkeyInstance:
    """A memorystore.v1 Instance as a value. A state this version does not know becomes UNKNOWN."""
    pb: Any = memorystore_v1.Instance.pb(instance)
    mode = memorystore_v1.Instance.Mode
    return ValkeyInstance(
        project=project,
        region=region,
        name=_last(pb.name),
        state=_state(memorystore_v1.Instance.State, pb.state),
        # STANDALONE is CLUSTER_DISABLED's older name.
        cluster_mode=pb.mode not in (mode.CLUSTER_DISABLED, mode.STANDALONE),
        connections=_merged(_of_valkey(pb, project)),
        authorization=_authorization(memorystore_v1.Instance.AuthorizationMode, pb.authorization_mode),
        transit_encryption=(
            pb.transit_encryption_mode == memorystore_v1.Instance.TransitEncryptionMode.SERVER_AUTHENTICATION
        ),
        own_ca=_own_ca(memorystore_v1.Instance.ServerCaMode, pb.server_ca_mode),
        engine_version=pb.engine_version,
    )


def trusted(authority: redis_cluster_v1.CertificateAuthority | memorystore_v1.CertificateAuthority) -> tuple[str, ...]:
    """The certificates (PEM) of all chains, each once: while CAs are changed, the old and the new are both good."""
    chains = authority.managed_server_ca.ca_certs
    return tuple(dict.fromkeys(one.strip() + "\n" for chain in chains for one in chain.certificates))


def _of_cluster(pb: Any, project: str) -> Iterator[PscConnection]:  # noqa: ANN401 - protobuf's messages have no types
    roles, states = redis_cluster_v1.ConnectionType, redis_cluster_v1.PscConnectionStatus
    for endpoint in pb.cluster_endpoints:
        for detail in endpoint.connections:
            yield from _detail(detail, "address", roles, states, project)
    for connection in pb.psc_connections:
        yield _connection(connection, connection.address, 0, roles, states, project)
    for found in pb.discovery_endpoints:
        network = _network(found.psc_config.network, project)
        yield PscConnection(found.address, found.port, _DISCOVERY, ConnectionStatus.UNSPECIFIED, network)


def _of_valkey(pb: Any, project: str) -> Iterator[PscConnection]:  # noqa: ANN401 - see above
    roles, states = memorystore_v1.ConnectionType, memorystore_v1.PscConnectionStatus
    for endpoint in pb.endpoints:
        for detail in endpoint.connections:
            yield from _detail(detail, "ip_address", roles, states, project)
    for one in pb.psc_auto_connections:
        yield _connection(one, one.ip_address, one.port, roles, states, project)
    for found in pb.discovery_endpoints:
        network = _network(found.network, project)
        yield PscConnection(found.address, found.port, _DISCOVERY, ConnectionStatus.UNSPECIFIED, network)


def _detail(detail: Any, address: str, roles: Any, states: Any, project: str) -> Iterator[PscConnection]:  # noqa: ANN401 - see above
    which = detail.WhichOneof("connection")
    if which is not None:
        one = getattr(detail, which)
        yield _connection(one, getattr(one, address), getattr(one, "port", 0), roles, states, project)


def _connection(one: Any, address: str, port: int, roles: Any, states: Any, project: str) -> PscConnection:  # noqa: ANN401 - see above
    return PscConnection(
        address,
        port,
        _role(roles, one.connection_type),
        _status(states, one.psc_connection_status),
        _network(one.network, project),
    )


def _merged(found: Iterable[PscConnection]) -> tuple[PscConnection, ...]:
    """One connection an address and network, with what each mention of it tells."""
    by_place: dict[tuple[str, NetworkRef | None], PscConnection] = {}
    for one in found:
        if not one.address:
            continue  # still being made
        place = (one.address, one.network)
        seen = by_place.get(place)
        by_place[place] = one if seen is None else _both(seen, one)
    return tuple(sorted(by_place.values(), key=lambda one: (one.address, str(one.network))))


def _both(one: PscConnection, other: PscConnection) -> PscConnection:
    return PscConnection(
        one.address,
        one.port or other.port,
        other.role if one.role is ConnectionRole.NODES else one.role,
        other.status if one.status is ConnectionStatus.UNSPECIFIED else one.status,
        one.network,
    )


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _network(text: str, project: str) -> NetworkRef | None:
    return network_ref(text, project) if "/networks/" in text else None


def _word(words: Any, number: int) -> str:  # noqa: ANN401 - proto-plus' enums have no common type
    try:
        return str(words(number).name)
    except ValueError:
        return ""


def _state(words: Any, number: int) -> PscState:  # noqa: ANN401 - see above
    word = _word(words, number)
    return PscState(word) if word in PscState.__members__ else PscState.UNKNOWN


def _role(words: Any, number: int) -> ConnectionRole:  # noqa: ANN401 - see above
    word = _word(words, number).removeprefix("CONNECTION_TYPE_")
    return ConnectionRole(word) if word in ConnectionRole.__members__ else ConnectionRole.NODES


def _status(words: Any, number: int) -> ConnectionStatus:  # noqa: ANN401 - see above
    word = _word(words, number).removeprefix("PSC_CONNECTION_STATUS_")
    return ConnectionStatus(word) if word in ConnectionStatus.__members__ else ConnectionStatus.UNSPECIFIED


def _own_ca(words: Any, number: int) -> bool:  # noqa: ANN401 - see above
    """Whether it is no other mode than the default; a mode that this version does not know is another."""
    word = _word(words, number).removeprefix("SERVER_CA_MODE_")
    return word in ("UNSPECIFIED", "GOOGLE_MANAGED_PER_INSTANCE_CA")


def _authorization(words: Any, number: int) -> Authorization:  # noqa: ANN401 - see above
    """AUTH_MODE_IAM_AUTH, IAM_AUTH and the like; no word means that nothing is asked of clients."""
    word = _word(words, number).removeprefix("AUTH_MODE_").removeprefix("AUTH_")
    return Authorization(word) if word in Authorization.__members__ else Authorization.DISABLED
