"""What the lab can put into a project, kind by kind: how each is made, changed and removed at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity_lab.emulator import vpcaccess
from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.compute_firewalls import complete, merge, prepare
from redis_connectivity_lab.emulator.compute_networks import (
    add_network,
    in_use_by,
    network_answer,
    new_network,
    remove_network,
)
from redis_connectivity_lab.emulator.compute_subnetworks import new_subnetwork
from redis_connectivity_lab.emulator.connector_validation import check_id
from redis_connectivity_lab.emulator.connector_validation import normalise as normalise_connector
from redis_connectivity_lab.emulator.errors import ApiError, OperationFailure
from redis_connectivity_lab.emulator.iam_credentials import new_token
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.lab_machines import machine
from redis_connectivity_lab.emulator.lab_policies import policy_json, put_policy
from redis_connectivity_lab.emulator.lab_psc import psc_hands
from redis_connectivity_lab.emulator.memorystore import VALKEYS
from redis_connectivity_lab.emulator.names import check_name
from redis_connectivity_lab.emulator.redis import build, finish
from redis_connectivity_lab.emulator.redis_cluster import CLUSTERS
from redis_connectivity_lab.emulator.redis_validation import check_id as check_redis_id
from redis_connectivity_lab.emulator.run_ways import on_subnet
from redis_connectivity_lab.emulator.schema import CONNECTOR, FIREWALL, NETWORK, REDIS_INSTANCE, SUBNETWORK, parse
from redis_connectivity_lab.emulator.store import Connector, Project, Service

__all__ = ["KINDS", "Key", "Kind"]

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be done with resources of one kind."""

    put: Callable[[World, Project, Key, Json], Json]
    patch: Callable[[World, Project, Key, Json], Json] | None
    delete: Callable[[World, Project, Key], None]
    items: Callable[[Project], list[Json]]
    #: How many parts a key has.
    parts: int


def _missing(key: Key) -> ApiError:
    return ApiError(404, f"there is no {'/'.join(key)}")


def _put_network(world: World, project: Project, key: Key, body: Json) -> Json:
    parsed = parse({"autoCreateSubnetworks": False} | body | {"name": key[0]}, NETWORK)
    peerings = parsed.get("peerings")
    network = new_network(project, parsed, world.ids)
    if peerings:
        network["peerings"] = peerings
    add_network(project, network, world.ids)
    return network_answer(project, network)


def _patch_network(_world: World, project: Project, key: Key, body: Json) -> Json:
    if key[0] not in project.networks:
        raise _missing(key)
    project.networks[key[0]] = merge(project.networks[key[0]], parse(body, NETWORK, keep_null=True))
    return network_answer(project, project.networks[key[0]])


def _delete_network(world: World, project: Project, key: Key) -> None:
    if key[0] not in project.networks:
        raise _missing(key)
    if user := in_use_by(project, key[0], list(world.store)):
        raise ApiError(400, f"the network is used by {user}; delete that first")
    remove_network(project, key[0])


def _put_subnetwork(world: World, project: Project, key: Key, body: Json) -> Json:
    region, name = key
    parsed = parse(body | {"name": name}, SUBNETWORK)
    if "/" not in parsed.get("network", "/"):
        parsed["network"] = f"global/networks/{parsed['network']}"
    old = project.subnetworks.pop((region, name), None)
    try:
        subnetwork = new_subnetwork(project, region, parsed, world.ids)
    except ApiError:
        if old is not None:
            project.subnetworks[region, name] = old
        raise
    project.subnetworks[region, name] = subnetwork
    return subnetwork


def _delete_subnetwork(_world: World, project: Project, key: Key) -> None:
    if project.subnetworks.pop((key[0], key[1]), None) is None:
        raise _missing(key)


def _firewall_body(key: Key, body: Json, *, keep_null: bool = False) -> Json:
    body = body | {"name": key[0]}
    if "/" not in body.get("network", "/"):
        body["network"] = f"global/networks/{body['network']}"
    return parse(body, FIREWALL, keep_null=keep_null)


def _put_firewall(world: World, project: Project, key: Key, body: Json) -> Json:
    rule = complete(project, prepare(project, _firewall_body(key, body)), world.ids)
    project.firewalls[key[0]] = rule
    return rule


def _patch_firewall(_world: World, project: Project, key: Key, body: Json) -> Json:
    old = project.firewalls.get(key[0])
    if old is None:
        raise _missing(key)
    kept = {field: old[field] for field in ("creationTimestamp", "id", "kind", "selfLink")}
    project.firewalls[key[0]] = prepare(project, merge(old, _firewall_body(key, body, keep_null=True))) | kept
    return project.firewalls[key[0]]


def _delete_firewall(_world: World, project: Project, key: Key) -> None:
    if project.firewalls.pop(key[0], None) is None and project.hidden_rules.pop(key[0], None) is None:
        raise _missing(key)


def _put_machine(world: World, project: Project, key: Key, body: Json) -> Json:
    vm = machine(world, project, key[0], check_name(key[1]), body)
    project.vms[key[0], key[1]] = vm
    return vm.body


def _patch_machine(world: World, project: Project, key: Key, body: Json) -> Json:
    vm = project.vms.get((key[0], key[1]))
    if vm is None:
        raise _missing(key)
    settings: Json = {
        "network": f"projects/{vm.network.project}/global/networks/{vm.network.name}",
        "address": vm.body["networkInterfaces"][0]["networkIP"],
        "tags": vm.body["tags"].get("items", []),
        "serviceAccount": next((each["email"] for each in vm.body.get("serviceAccounts", [])), None),
        "status": vm.body["status"],
        "redisPort": vm.redis_port,
        "redisPassword": vm.redis_password,
        "redisTls": {"certificate": vm.redis_tls.certificate, "key": vm.redis_tls.key} if vm.redis_tls else None,
        "redisConfig": list(vm.redis_config),
        "app": {"port": vm.app.port, "redisHost": vm.app.redis_host, "redisPort": vm.app.redis_port}
        if vm.app
        else None,
    }
    return _put_machine(world, project, key, settings | body)


def _delete_machine(_world: World, project: Project, key: Key) -> None:
    if project.vms.pop((key[0], key[1]), None) is None:
        raise _missing(key)


def _put_connector(world: World, project: Project, key: Key, body: Json) -> Json:
    region, name = key
    parsed = parse(body, CONNECTOR)
    state = parsed.pop("state", "READY")
    connector = Connector(normalise_connector(parsed), world.ids.sequence())
    connector.body |= {"name": f"projects/{project.id}/locations/{region}/connectors/{check_id(name)}", "state": state}
    old = project.connectors.pop((region, name), None)
    try:
        if state in {"READY", "UPDATING"}:
            vpcaccess.place(world, project, region, connector)
    except OperationFailure as failure:
        if old is not None:
            project.connectors[region, name] = old
        raise ApiError(400, failure.message) from failure
    vpcaccess.remove_rules(project, connector.body["name"])
    project.connectors[region, name] = connector
    if connector.network is not None:
        vpcaccess.activate(world, project, region, connector)
        connector.body["state"] = state
    return connector.body


def _patch_connector(_world: World, project: Project, key: Key, body: Json) -> Json:
    connector = project.connectors.get((key[0], key[1]))
    if connector is None:
        raise _missing(key)
    connector.body = merge(connector.body, parse(body, CONNECTOR, keep_null=True))
    return connector.body


def _delete_connector(world: World, project: Project, key: Key) -> None:
    if (key[0], key[1]) not in project.connectors:
        raise _missing(key)
    vpcaccess.remove(world, project, key[0], key[1])


def _put_redis(world: World, project: Project, key: Key, body: Json) -> Json:
    region, name = key
    auth_string = body.pop("authString", None)
    network = body.pop("network", None)
    if network is not None:
        body["authorizedNetwork"] = f"projects/{project.id}/global/networks/{network}"
    parsed = parse({"tier": "BASIC", "memorySizeGb": 1} | body, REDIS_INSTANCE)
    if "host" in parsed:
        IPv4Address(parsed["host"])
    old = project.redis.pop((region, name), None)
    try:
        redis = build(world, project, region, check_redis_id(name), parsed)
        finish(world, redis)
    except ApiError:
        if old is not None:
            project.redis[region, name] = old
        raise
    redis.body |= {field: parsed[field] for field in ("host", "port", "state") if field in parsed}
    if auth_string is not None:
        redis.auth_string = auth_string
        redis.body["authEnabled"] = True
    project.redis[region, name] = redis
    return redis.body


def _patch_redis(_world: World, project: Project, key: Key, body: Json) -> Json:
    redis = project.redis.get((key[0], key[1]))
    if redis is None:
        raise _missing(key)
    patch = dict(body)
    if "authString" in patch:
        redis.auth_string = patch.pop("authString") or ""
    redis.body = merge(redis.body, parse(patch, REDIS_INSTANCE, keep_null=True))
    return redis.body


def _delete_redis(_world: World, project: Project, key: Key) -> None:
    if project.redis.pop((key[0], key[1]), None) is None:
        raise _missing(key)


def _put_service(world: World, project: Project, key: Key, body: Json) -> Json:
    if unknown := set(body) - {"connector", "subnet", "hostProject", "tags"}:
        raise ApiError(
            400, f"unknown fields {sorted(unknown)}; a service takes connector, or subnet (with hostProject and tags)"
        )
    if body.get("connector") and body.get("subnet"):
        # The text people quote from Cloud Run (google-cloud-node#4731).
        raise ApiError(400, "one and only one of connector and network_interfaces must be set")
    direct = None
    if body.get("subnet"):
        host = body.get("hostProject") or project.id
        direct = on_subnet(world, host, key[0], body["subnet"], body.get("tags", ()))
    project.services[key[0], key[1]] = Service(check_name(key[1]), key[0], body.get("connector"), direct)
    return _service_json(project.services[key[0], key[1]])


def _service_json(service: Service) -> Json:
    shown: Json = {"name": service.name, "region": service.region, "connector": service.connector}
    if service.direct is not None:
        direct = service.direct
        shown |= {"subnet": direct.subnet, "hostProject": direct.network.project, "tags": list(direct.tags)}
    return shown


def _delete_service(_world: World, project: Project, key: Key) -> None:
    if project.services.pop((key[0], key[1]), None) is None:
        raise _missing(key)


def _put_account(world: World, project: Project, key: Key, body: Json) -> Json:
    """A service account, with a new access token; what it had before is good no more."""
    if body:
        raise ApiError(400, f"unknown fields {sorted(body)}; a service account has none")
    email = key[0]
    if not email.endswith(f"@{project.id}.iam.gserviceaccount.com"):
        raise ApiError(400, f"an account of this project ends in @{project.id}.iam.gserviceaccount.com")
    new_token(world, project, email)
    return {"email": email}


def _delete_account(world: World, project: Project, key: Key) -> None:
    token = project.accounts.pop(key[0], None)
    if token is None:
        raise _missing(key)
    world.tokens.remove(token)


def _delete_policy(_world: World, project: Project, key: Key) -> None:
    if project.policies.pop(key[0], None) is None:
        raise _missing(key)


def _all_firewalls(project: Project) -> list[Json]:
    return [*project.firewalls.values(), *(hidden.body for hidden in project.hidden_rules.values())]


#: Every kind the lab can put into a project.
KINDS: Final[dict[str, Kind]] = {
    "networks": Kind(_put_network, _patch_network, _delete_network, lambda p: list(p.networks.values()), 1),
    "subnetworks": Kind(_put_subnetwork, None, _delete_subnetwork, lambda p: list(p.subnetworks.values()), 2),
    "firewalls": Kind(_put_firewall, _patch_firewall, _delete_firewall, _all_firewalls, 1),
    "instances": Kind(_put_machine, _patch_machine, _delete_machine, lambda p: [v.body for v in p.vms.values()], 2),
    "connectors": Kind(
        _put_connector, _patch_connector, _delete_connector, lambda p: [c.body for c in p.connectors.values()], 2
    ),
    "redis": Kind(_put_redis, _patch_redis, _delete_redis, lambda p: [r.body for r in p.redis.values()], 2),
    "clusters": Kind(*psc_hands(CLUSTERS), 2),
    "valkeys": Kind(*psc_hands(VALKEYS), 2),
    "services": Kind(_put_service, None, _delete_service, lambda p: [_service_json(s) for s in p.services.values()], 2),
    "accounts": Kind(_put_account, None, _delete_account, lambda p: [{"email": one} for one in sorted(p.accounts)], 1),
    "policies": Kind(put_policy, None, _delete_policy, lambda p: [policy_json(x) for x in p.policies.values()], 1),
}
