"""How a revision of a Cloud Run service gets into the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError, OperationFailure
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.store import DirectVpc, Project, Revision
from redis_connectivity_lab.topology import NetworkId

__all__ = ["on_subnet", "revision_of"]

_SUBNETWORK = re.compile(r"(?:projects/(?P<project>[^/]+)/regions/[^/]+/subnetworks/)?(?P<name>[^/]+)")
#: google.rpc.Code.FAILED_PRECONDITION: how a revision's trouble arrives in the operation.
_FAILED = 9


def on_subnet(world: World, host_project: str, region: str, name: str, tags: Iterable[str]) -> DirectVpc:
    """Where a revision stands. Cloud Run's page on Direct VPC egress: a subnet of /26 or larger, in its region."""
    host = world.store.find(host_project)
    subnet = host.subnetworks.get((region, name)) if host else None
    if host is None or subnet is None:
        raise ApiError(400, f"there is no subnetwork {name} in {region}")
    block = IPv4Network(subnet["ipCidrRange"])
    if block.prefixlen > 26:
        raise ApiError(400, "Instance failed to start because of insufficient free IP addresses in the subnetwork")
    return DirectVpc(NetworkId(host.id, short_name(subnet["network"])), name, block, tuple(sorted(tags)))


def revision_of(world: World, project: Project, region: str, name: str, access: Json | None) -> Revision:
    """A revision with its way out; raises what arrives in the operation."""
    if access is None:
        return Revision(name)
    if connector := access.get("connector"):
        _, holder, _, _, _, short = connector.split("/")
        found = world.store.find(holder)
        held = found.connectors.get((region, short)) if found else None
        if held is None or held.body["state"] not in {"READY", "UPDATING"}:
            raise OperationFailure(
                _FAILED,
                f"VPC connector {connector} does not exist, or Cloud Run does not have permission to use it.",
            )
        # By the connector's own name, whether the caller wrote the project's id or its number.
        return Revision(name, connector=held.body["name"])
    interface = access["networkInterfaces"][0]
    subnet = interface.get("subnetwork") or short_name(interface["network"])
    match = _SUBNETWORK.fullmatch(subnet)
    if match is None:
        raise OperationFailure(_FAILED, f"subnetwork {subnet} is malformed.")
    try:
        host = match["project"] or project.id
        return Revision(name, direct=on_subnet(world, host, region, match["name"], interface.get("tags", ())))
    except ApiError as error:
        raise OperationFailure(_FAILED, error.message) from error
