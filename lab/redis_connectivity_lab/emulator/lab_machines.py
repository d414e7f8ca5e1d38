"""VMs that the lab puts into a project: Compute instances as the API shows them, and the Redis on them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from redis_connectivity_lab.emulator.call import COMPUTE, World
from redis_connectivity_lab.emulator.compute_instances import zone_link
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json, fingerprint, now
from redis_connectivity_lab.emulator.names import check_name, network_of
from redis_connectivity_lab.emulator.store import Project, Vm
from redis_connectivity_lab.topology import App, ServerCertificate

__all__ = ["machine"]

_SETTINGS: Final = {
    "address",
    "app",
    "network",
    "redisConfig",
    "redisPassword",
    "redisPort",
    "redisTls",
    "serviceAccount",
    "status",
    "subnetwork",
    "tags",
}
_STATES: Final = {
    "PROVISIONING",
    "STAGING",
    "RUNNING",
    "STOPPING",
    "SUSPENDING",
    "SUSPENDED",
    "REPAIRING",
    "TERMINATED",
}


def machine(world: World, project: Project, zone: str, name: str, settings: Json) -> Vm:
    """A VM from the lab's settings; raises 400 for what makes no sense.

    Settings: network, address, tags, serviceAccount, subnetwork, status, redisPort, redisPassword, redisTls
    (certificate and key, PEM), redisConfig (lines for redis.conf), app (port, redisHost, redisPort: the chat
    application and the Redis behind it).
    """
    if unknown := set(settings) - _SETTINGS:
        raise ApiError(400, f"unknown fields {sorted(unknown)}; an instance takes {', '.join(sorted(_SETTINGS))}")
    link = settings.get("network", "default")
    network = network_of(link if "/" in link else f"global/networks/{link}", project.id, "network")
    holder = world.store.find(network.project)
    if holder is None or network.name not in holder.networks:
        raise ApiError(400, f"there is no network {network.project}/{network.name}")
    try:
        address = str(IPv4Address(settings.get("address", "")))
    except ValueError as error:
        raise ApiError(400, f"address must be an IPv4 address: {error}") from error
    status = settings.get("status", "RUNNING")
    if status not in _STATES:
        raise ApiError(400, f"status is one of {', '.join(sorted(_STATES))}, not {status!r}")
    tags = [check_name(tag, "tags") for tag in settings.get("tags", ())]
    old = project.vms.get((zone, name))
    interface: Json = {
        "kind": "compute#networkInterface",
        "name": "nic0",
        "network": f"{COMPUTE}projects/{network.project}/global/networks/{network.name}",
        "networkIP": address,
        "stackType": "IPV4_ONLY",
    }
    if subnetwork := settings.get("subnetwork"):
        region = zone.rpartition("-")[0]
        interface["subnetwork"] = f"{COMPUTE}projects/{network.project}/regions/{region}/subnetworks/{subnetwork}"
    body: Json = {
        "creationTimestamp": old.body["creationTimestamp"] if old else now(),
        "id": old.body["id"] if old else world.ids.numeric(),
        "kind": "compute#instance",
        "machineType": f"{zone_link(project.id, zone)}/machineTypes/e2-small",
        "name": name,
        "networkInterfaces": [interface],
        "selfLink": f"{zone_link(project.id, zone)}/instances/{name}",
        "status": status,
        "tags": {"fingerprint": fingerprint({"tags": tags})} | ({"items": tags} if tags else {}),
        "zone": zone_link(project.id, zone),
    }
    if account := settings.get("serviceAccount"):
        scope = "https://www.googleapis.com/auth/cloud-platform"
        body["serviceAccounts"] = [{"email": account, "scopes": [scope]}]
    return Vm(
        body,
        network,
        settings.get("redisPort"),
        settings.get("redisPassword"),
        redis_tls=_certificate(settings.get("redisTls")),
        redis_config=tuple(settings.get("redisConfig") or ()),
        app=_app(settings.get("app")),
    )


def _certificate(given: Json | None) -> ServerCertificate | None:
    if not given:
        return None
    if set(given) != {"certificate", "key"}:
        raise ApiError(400, "redisTls takes certificate and key")
    return ServerCertificate(given["certificate"], given["key"])


def _app(given: Json | None) -> App | None:
    if not given:
        return None
    if set(given) != {"port", "redisHost", "redisPort"}:
        raise ApiError(400, "app takes port, redisHost and redisPort")
    return App(given["port"], given["redisHost"], given["redisPort"])
