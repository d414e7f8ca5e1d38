"""vpcaccess connectors: create, get, list, patch, delete.

A connector is seen at once as CREATING. What the API finds out late, such as a range that is taken, arrives in the
operation and leaves the connector in ERROR, to be deleted by hand (magic-modules#8766). Shapes: recorded in
k8s-config-connector, under v1beta1 too.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from redis_connectivity_lab.emulator.aet_rules import rules_for
from redis_connectivity_lab.emulator.call import Answer, Call, Method, World
from redis_connectivity_lab.emulator.connector_health import UNHEALTHY, gets_healthy
from redis_connectivity_lab.emulator.connector_validation import check_id, normalise, patched
from redis_connectivity_lab.emulator.errors import ApiError, OperationFailure, failed_precondition
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.lro import EMPTY
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.oneplatform import field_mask, page, resource_answer
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.schema import CONNECTOR, parse
from redis_connectivity_lab.emulator.store import Connector, HiddenRule, Project
from redis_connectivity_lab.topology import NetworkId

__all__ = ["activate", "methods", "place", "remove", "remove_rules"]

_TYPE = "type.googleapis.com/google.cloud.vpcaccess.v1.Connector"
_NOT_FOUND = "The connector is not found."
_CONFLICT = (
    "Operation failed: Invalid IP CIDR range was provided. It conflicts with an existing subnetwork. "
    "Please delete the connector manually."
)
_FAILED = "Failed to create a VPC Access connector. Please delete the connector manually."


def place(world: World, project: Project, region: str, connector: Connector) -> None:
    """Find the connector's network and range, and see that it fits; raises what arrives in the operation."""
    subnet = connector.body.get("subnet")
    if subnet:
        host = world.store.find(subnet.get("projectId") or project.id)
        found = host.subnetworks.get((region, subnet["name"])) if host else None
        if host is None or found is None or found["purpose"] != "PRIVATE":
            raise OperationFailure(13, _FAILED)
        block = IPv4Network(found["ipCidrRange"])
        if block.prefixlen != 28:
            raise OperationFailure(13, _FAILED)
        connector.network = NetworkId(host.id, short_name(found["network"]))
        connector.range = block
        if _used_by_connector(world, connector, block):
            raise OperationFailure(3, _CONFLICT)
        return
    network = NetworkId(project.id, connector.body["network"])
    block = IPv4Network(connector.body["ipCidrRange"])
    if network.name not in project.networks:
        raise OperationFailure(13, _FAILED)
    connector.network, connector.range = network, block
    if _used_by_subnetwork(project, network, block) or _used_by_connector(world, connector, block):
        raise OperationFailure(3, _CONFLICT)
    for other in world.store:
        for instance in other.redis.values():
            reserved = instance.body.get("reservedIpRange", "")
            if instance.network == network and "/" in reserved and block.overlaps(IPv4Network(reserved)):
                # A route of the peering leads there.
                raise OperationFailure(3, _CONFLICT)


def _used_by_subnetwork(project: Project, network: NetworkId, block: IPv4Network) -> bool:
    for subnetwork in project.subnetworks.values():
        if short_name(subnetwork["network"]) != network.name:
            continue
        taken = [subnetwork["ipCidrRange"], *(each["ipCidrRange"] for each in subnetwork.get("secondaryIpRanges", ()))]
        if any(block.overlaps(IPv4Network(each)) for each in taken):
            return True
    return False


def _used_by_connector(world: World, connector: Connector, block: IPv4Network) -> bool:
    """Whether another connector, one that was there first, has (or will have) part of the range."""
    for project in world.store:
        for other in project.connectors.values():
            if other is connector or other.body["state"] == "ERROR" or other.sequence > connector.sequence:
                continue
            other_network = other.network or NetworkId(project.id, other.body.get("network", ""))
            text = other.body.get("ipCidrRange", "")
            other_block = other.range or (IPv4Network(text) if text else None)
            if other_network == connector.network and other_block and other_block.overlaps(block):
                return True
    return False


def _check_health(world: World, project: Project, region: str, connector: Connector) -> None:
    """In a service project the rules that let the connector's machines get healthy are the users' to make."""
    network, block = connector.network, connector.range
    if network is None or block is None or network.project == project.id:
        return
    host = world.store.find(network.project)
    if host is None or not gets_healthy(host, network, region, short_name(connector.body["name"]), block):
        raise OperationFailure(13, UNHEALTHY)


def activate(world: World, project: Project, region: str, connector: Connector) -> None:
    """Make a placed connector READY, with Google's own rules where it is Google who makes them.

    A connector in a service project, on a subnetwork of the host, gets none: there they are the user's to make.
    """
    if connector.network is None or connector.range is None:
        raise ValueError(f"{connector.body['name']} has not been placed")
    connector.body["state"] = "READY"
    if connector.network.project == project.id:
        name = short_name(connector.body["name"])
        for rule in rules_for(region, name, connector.network, connector.range, world.ids):
            project.hidden_rules[rule["name"]] = HiddenRule(rule, connector.network, connector.body["name"])
    world.store.touch(project)


def remove(world: World, project: Project, region: str, name: str) -> None:
    """Take a connector away, with the rules that Google made for it."""
    connector = project.connectors.pop((region, name))
    remove_rules(project, connector.body["name"])
    world.store.touch(project)


def remove_rules(project: Project, connector: str) -> None:
    """Take away the rules that Google made for a connector."""
    project.hidden_rules = {key: rule for key, rule in project.hidden_rules.items() if rule.connector != connector}


def _region(call: Call) -> str:
    region = call.params["location"]
    if region not in REGIONS:
        raise ApiError(403, f"Location {region} is not found or access is unauthorized.")
    return region


def _find(call: Call) -> Connector:
    connector = call.project.connectors.get((_region(call), call.params["connector"]))
    if connector is None:
        raise ApiError(404, _NOT_FOUND)
    return connector


def _metadata(call: Call, verb: str, name: str) -> Json:
    version = "v1beta1" if call.method.path.startswith("/v1beta1/") else "v1"
    return {"method": f"google.cloud.vpcaccess.{version}.VpcAccessService.{verb}Connector", "target": name}


def _typed(connector: Connector) -> Json:
    return {"@type": _TYPE} | connector.body


async def _create(call: Call) -> Answer:
    region, world, project = _region(call), call.world, call.project
    body = normalise(parse(call.body(), CONNECTOR))
    connector_id = check_id(call.query.get("connectorId", ""))
    if (region, connector_id) in project.connectors:
        raise ApiError(409, "Requested entity already exists")
    name = f"projects/{project.id}/locations/{region}/connectors/{connector_id}"
    connector = Connector(body | {"name": name, "state": "CREATING"}, world.ids.sequence())
    project.connectors[region, connector_id] = connector
    world.store.touch(project)

    def apply() -> Json:
        place(world, project, region, connector)
        _check_health(world, project, region, connector)
        activate(world, project, region, connector)
        return _typed(connector)

    return world.long_running.start(
        call,
        region=region,
        metadata=_metadata(call, "Create", name),
        duration=world.timings.connector_create,
        apply=apply,
        failed=lambda: _set_state(call, connector, "ERROR"),
    )


def _set_state(call: Call, connector: Connector, state: str) -> None:
    connector.body["state"] = state
    call.world.store.touch(call.project)


async def _patch(call: Call) -> Answer:
    connector = _find(call)
    patch = parse(call.body(), CONNECTOR)
    new = patched(connector.body, patch, field_mask(call))
    if connector.body["state"] != "READY":
        raise failed_precondition(f"The connector is in state {connector.body['state']}; it must be READY.")
    _set_state(call, connector, "UPDATING")

    def apply() -> Json:
        connector.body = new | {"state": "READY"}
        call.world.store.touch(call.project)
        return _typed(connector)

    return call.world.long_running.start(
        call,
        region=_region(call),
        metadata=_metadata(call, "Update", connector.body["name"]),
        duration=call.world.timings.connector_update,
        apply=apply,
        # A failed update leaves the connector as it was, and running.
        failed=lambda: _set_state(call, connector, "READY"),
    )


async def _delete(call: Call) -> Answer:
    connector = _find(call)
    region, name = _region(call), call.params["connector"]
    if connector.body["state"] in {"CREATING", "UPDATING", "DELETING"}:
        raise failed_precondition(f"The connector is in state {connector.body['state']}; try again later.")
    _set_state(call, connector, "DELETING")

    def apply() -> Json:
        if call.project.connectors.get((region, name)) is connector:
            remove(call.world, call.project, region, name)
        return EMPTY

    return call.world.long_running.start(
        call,
        region=region,
        metadata=_metadata(call, "Delete", connector.body["name"]),
        duration=call.world.timings.connector_delete,
        apply=apply,
        failed=lambda: _set_state(call, connector, "ERROR"),
    )


async def _get(call: Call) -> Answer:
    return resource_answer(call, _find(call).body)


async def _list(call: Call) -> Answer:
    region = call.params["location"]
    if region != "-":
        _region(call)
    found = [
        resource_answer(call, connector.body)
        for (where, _), connector in sorted(call.project.connectors.items(), key=lambda each: each[0])
        if region in {"-", where}
    ]
    return page(call, "connectors", found)


def _created(call: Call) -> str:
    return call.query.get("connectorId", "")


def methods() -> list[Method]:
    """The methods of the resource, in both versions that are in use."""
    name = "vpcaccess.connectors"
    found = []
    for version in ("v1", "v1beta1"):
        base = f"/{version}/projects/{{project}}/locations/{{location}}/connectors"
        one = f"{base}/{{connector}}"
        found += [
            Method(f"{name}.create", "POST", base, _create, f"{name}.create", writes=True, created_name=_created),
            Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
            Method(f"{name}.list", "GET", base, _list, f"{name}.list"),
            Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
            Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
        ]
    return found
