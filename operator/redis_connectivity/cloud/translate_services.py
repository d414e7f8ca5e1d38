"""Connectors, Redis instances and long-running operations as frozen values.

Sources: vpcaccess.v1 Connector, redis.v1 Instance, google.longrunning.Operation. The project and region of a value are
those it was asked for under: Google may write a project's number where the caller wrote its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from google.cloud import redis_v1, vpcaccess_v1

from redis_connectivity.cloud.operations import ServiceOperation
from redis_connectivity.cloud.translate import network_ref
from redis_connectivity.core.cloudvalues import (
    Connector,
    ConnectorState,
    NetworkRef,
    RedisInstance,
    RedisInstanceState,
)

__all__ = ["connector_from_google", "connector_to_google", "instance_from_google", "service_operation"]


def connector_from_google(connector: vpcaccess_v1.Connector, project: str, region: str) -> Connector:
    """A vpcaccess.v1 Connector as a value."""
    pb: Any = vpcaccess_v1.Connector.pb(connector)
    return Connector(
        project=project,
        region=region,
        name=_last(pb.name),
        state=_connector_state(pb.state),
        network=_last(pb.network),
        ip_cidr_range=IPv4Network(pb.ip_cidr_range, strict=False) if pb.ip_cidr_range else None,
        subnet=_last(pb.subnet.name),
        # Google leaves the project out when it is the connector's own.
        subnet_project=(pb.subnet.project_id or project) if pb.subnet.name else "",
        machine_type=pb.machine_type,
        min_instances=pb.min_instances,
        max_instances=pb.max_instances,
        connected_projects=frozenset(pb.connected_projects),
    )


def connector_to_google(connector: Connector) -> vpcaccess_v1.Connector:
    """The body of a create.

    Never with a name ("Connector name must not be set." is a 400; the id goes into the query), and with both bounds,
    because the API's default for the upper one differs from the console's.
    """
    body = vpcaccess_v1.Connector(
        machine_type=connector.machine_type,
        min_instances=connector.min_instances,
        max_instances=connector.max_instances,
    )
    if connector.subnet:
        body.subnet = vpcaccess_v1.Connector.Subnet(
            name=connector.subnet, project_id=connector.subnet_project or connector.project
        )
    else:
        body.network = connector.network
        body.ip_cidr_range = str(connector.ip_cidr_range or "")
    return body


def instance_from_google(instance: redis_v1.Instance, project: str, region: str) -> RedisInstance:
    """A redis.v1 Instance as a value. A state this version does not know becomes UNKNOWN."""
    pb: Any = redis_v1.Instance.pb(instance)
    return RedisInstance(
        project=project,
        region=region,
        name=_last(pb.name),
        state=_instance_state(pb.state),
        host=pb.host,
        port=pb.port,
        read_endpoint=pb.read_endpoint,
        read_endpoint_port=pb.read_endpoint_port,
        authorized_network=_authorized(pb.authorized_network, project),
        connect_mode=_connect_mode(pb.connect_mode),
        auth_enabled=pb.auth_enabled,
        transit_encryption=(
            pb.transit_encryption_mode == redis_v1.Instance.TransitEncryptionMode.SERVER_AUTHENTICATION
        ),
        server_ca_certificates=tuple(one.cert for one in pb.server_ca_certs),
        redis_version=pb.redis_version,
    )


def service_operation(document: Mapping[str, Any]) -> ServiceOperation:
    """A google.longrunning.Operation's JSON as a value.

    From the JSON and not through protobuf: a response or metadata of a type this version does not know would make
    the parser refuse the whole answer.
    """
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    error = document.get("error")
    failure = error if isinstance(error, Mapping) else None
    return ServiceOperation(
        name=str(document.get("name", "")),
        done=bool(document.get("done", False)),
        method=str(metadata.get("method", "")),
        target=str(metadata.get("target", "")),
        created=str(metadata.get("createTime", "")),
        code=None if failure is None else int(failure.get("code", 2)),
        message="" if failure is None else str(failure.get("message", "")),
    )


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _authorized(text: str, project: str) -> NetworkRef | None:
    reference = network_ref(text, project)
    return reference if "/networks/" in text and reference.name else None


def _connector_state(number: int) -> ConnectorState:
    try:
        return ConnectorState(vpcaccess_v1.Connector.State(number).name)
    except ValueError:
        return ConnectorState.STATE_UNSPECIFIED


def _instance_state(number: int) -> RedisInstanceState:
    try:
        return RedisInstanceState(redis_v1.Instance.State(number).name)
    except ValueError:
        return RedisInstanceState.UNKNOWN


def _connect_mode(number: int) -> str:
    try:
        name = redis_v1.Instance.ConnectMode(number).name
    except ValueError:
        return f"CONNECT_MODE_{number}"
    return "DIRECT_PEERING" if name == "CONNECT_MODE_UNSPECIFIED" else str(name)
