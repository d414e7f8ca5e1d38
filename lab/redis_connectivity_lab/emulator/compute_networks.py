"""compute.networks: insert, get, list, patch, delete. Shapes: recorded in k8s-config-connector."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Final

from redis_connectivity_lab.emulator.call import COMPUTE, Answer, Call, Method, body_name
from redis_connectivity_lab.emulator.compute_firewalls import merge
from redis_connectivity_lab.emulator.compute_subnetworks import new_subnetwork
from redis_connectivity_lab.emulator.errors import (
    already_exists,
    compute_not_found,
    invalid_field,
    resource_in_use,
    resource_not_ready,
)
from redis_connectivity_lab.emulator.ids import Ids, Json, now
from redis_connectivity_lab.emulator.listing import page_of
from redis_connectivity_lab.emulator.names import check_name, short_name
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.schema import NETWORK, parse
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.topology import NetworkId

__all__ = ["add_network", "in_use_by", "methods", "network_answer", "new_network"]

_OUTPUT_ONLY: Final = (
    "creationTimestamp",
    "firewallPolicy",
    "gatewayIPv4",
    "id",
    "kind",
    "peerings",
    "selfLink",
    "selfLinkWithId",
    "subnetworks",
)
_ORDERS: Final = {"AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"}
_MODES: Final = {"REGIONAL", "GLOBAL"}
#: Auto mode networks have a /20 per region out of 10.128.0.0/9 (VPC docs).
_AUTO_RANGE: Final = IPv4Network("10.128.0.0/9")


def path_of(project: str, name: str) -> str:
    """`projects/P/global/networks/N`."""
    return f"projects/{project}/global/networks/{name}"


def _checked(body: Json) -> Json:
    """A parsed network with its defaults; raises Compute's 400s."""
    network = {key: value for key, value in body.items() if key not in _OUTPUT_ONLY and value != ""}
    network.pop("params", None)
    check_name(network.get("name"))
    if "IPv4Range" in network or "autoCreateSubnetworks" not in network:
        # "If not set, a legacy network is created": and creating those is no longer possible.
        raise invalid_field("resource.autoCreateSubnetworks", "", "Legacy networks can no longer be created.")
    order = network.setdefault("networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL")
    if order not in _ORDERS:
        raise invalid_field("resource.networkFirewallPolicyEnforcementOrder", order, "Unknown enforcement order.")
    routing = {"bgpBestPathSelectionMode": "LEGACY", "routingMode": "REGIONAL"} | network.get("routingConfig", {})
    if routing["routingMode"] not in _MODES:
        raise invalid_field("resource.routingConfig.routingMode", routing["routingMode"], "Unknown routing mode.")
    network["routingConfig"] = routing
    mtu = network.get("mtu")
    if mtu is not None and not 1300 <= mtu <= 8896:
        raise invalid_field("resource.mtu", mtu, "Must be between 1300 and 8896, inclusive")
    if network.get("enableUlaInternalIpv6") is False:
        del network["enableUlaInternalIpv6"]
    profile = network.get("networkProfile", "")
    if profile.startswith("projects/"):
        network["networkProfile"] = COMPUTE + profile
    return network


def new_network(project: Project, body: Json, ids: Ids) -> Json:
    """A parsed network, checked and complete."""
    network = _checked(body)
    link = COMPUTE + path_of(project.id, network["name"])
    number = ids.numeric()
    return network | {
        "creationTimestamp": now(),
        "id": number,
        "kind": "compute#network",
        "selfLink": link,
        "selfLinkWithId": COMPUTE + path_of(project.id, number),
    }


def add_network(project: Project, network: Json, ids: Ids) -> None:
    """Put a network into the project, with a subnetwork per region when its mode is auto."""
    project.networks[network["name"]] = network
    if network["autoCreateSubnetworks"]:
        for region, block in zip(REGIONS, _AUTO_RANGE.subnets(new_prefix=20), strict=False):
            body = {"name": network["name"], "network": network["selfLink"], "ipCidrRange": str(block)}
            project.subnetworks[region, network["name"]] = new_subnetwork(project, region, body, ids)


def remove_network(project: Project, name: str) -> None:
    """Take a network out of the project, with the subnetworks that came with its auto mode."""
    network = project.networks.pop(name)
    for key, subnetwork in list(project.subnetworks.items()):
        if subnetwork["network"] == network["selfLink"]:
            del project.subnetworks[key]


def network_answer(project: Project, network: Json) -> Json:
    """The network as it is answered: with the links of its subnetworks, where it has any."""
    links = sorted(each["selfLink"] for each in project.subnetworks.values() if each["network"] == network["selfLink"])
    return network | {"subnetworks": links} if links else network


def in_use_by(project: Project, name: str, projects: list[Project]) -> str | None:
    """The path of something that keeps the network from being deleted, or None."""
    link = COMPUTE + path_of(project.id, name)
    for rule in project.firewalls.values():
        if rule["network"] == link:
            return f"projects/{project.id}/global/firewalls/{rule['name']}"
    for hidden in project.hidden_rules.values():
        if hidden.body["network"] == link:
            return f"projects/{project.id}/global/firewalls/{hidden.body['name']}"
    for subnetwork in project.subnetworks.values():
        if subnetwork["network"] == link and short_name(subnetwork["selfLink"]) != name:
            return str(subnetwork["selfLink"]).removeprefix(COMPUTE)
    wanted = NetworkId(project.id, name)
    for vm in project.vms.values():
        if vm.network == wanted:
            return str(vm.body["selfLink"]).removeprefix(COMPUTE)
    for other in projects:
        for instance in other.redis.values():
            if instance.network == wanted:
                return str(instance.body["name"])
    return None


def _find(call: Call) -> Json:
    network = call.project.networks.get(call.params["network"])
    if network is None:
        raise compute_not_found(path_of(call.project.id, call.params["network"]))
    return network


async def _get(call: Call) -> Answer:
    return network_answer(call.project, _find(call))


async def _list(call: Call) -> Answer:
    items = [network_answer(call.project, network) for network in call.project.networks.values()]
    return page_of(call, "compute#networkList", f"projects/{call.project.id}/global/networks", items)


async def _insert(call: Call) -> Answer:
    project = call.project
    network = new_network(project, parse(call.body(), NETWORK), call.world.ids)
    path = path_of(project.id, network["name"])
    if network["name"] in project.networks or path in project.busy:
        raise already_exists(path)

    def apply() -> None:
        add_network(project, network, call.world.ids)
        call.world.store.touch(project)

    return _start(call, "insert", network, apply)


def _start(call: Call, kind: str, network: Json, apply: Callable[[], None]) -> Json:
    return call.world.operations.start(
        call,
        kind=kind,
        target=path_of(call.project.id, network["name"]),
        target_id=network["id"],
        duration=call.world.timings.network,
        apply=apply,
    )


async def _patch(call: Call) -> Answer:
    old = _find(call)
    path = path_of(call.project.id, old["name"])
    if path in call.project.busy:
        raise resource_not_ready(path)
    patch = parse(call.body(), NETWORK, keep_null=True)
    if patch.get("name", old["name"]) != old["name"]:
        raise invalid_field("resource.name", patch["name"], "Cannot be changed after creation.")
    network = _checked(merge(old, patch)) | {field: old[field] for field in _OUTPUT_ONLY if field in old}
    if network.get("enableUlaInternalIpv6"):
        network.setdefault("internalIpv6Range", "fd20:eb5:88a:0:0:0:0:0/48")

    def apply() -> None:
        call.project.networks[network["name"]] = network
        call.world.store.touch(call.project)

    return _start(call, "updateNetwork", network, apply)


async def _delete(call: Call) -> Answer:
    project = call.project
    network = _find(call)
    path = path_of(project.id, network["name"])
    if path in project.busy:
        raise resource_not_ready(path)
    if user := in_use_by(project, network["name"], list(call.world.store)):
        raise resource_in_use(path, user)

    def apply() -> None:
        remove_network(project, network["name"])
        call.world.store.touch(project)

    return _start(call, "delete", network, apply)


def methods() -> list[Method]:
    """The methods of the resource."""
    base = "/compute/v1/projects/{project}/global/networks"
    one = f"{base}/{{network}}"
    name = "compute.networks"
    return [
        Method(f"{name}.insert", "POST", base, _insert, f"{name}.create", writes=True, created_name=body_name),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list", cached=True),
        Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
    ]
