"""Memorystore for Redis: instances create, get, list, patch, delete, getAuthString.

Shapes: recorded in k8s-config-connector (which shows numbers for enums with `enum-encoding=int`, words without). With
in-transit encryption the port is 6378 (spring-cloud-gcp#2735), otherwise 6379.
"""

from __future__ import annotations

import uuid
from ipaddress import IPv4Network

from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.emulator.call import Answer, Call, Method, World
from redis_connectivity_lab.emulator.errors import ApiError, failed_precondition, invalid_argument
from redis_connectivity_lab.emulator.ids import Json, now
from redis_connectivity_lab.emulator.lro import EMPTY
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.oneplatform import field_mask, page, resource_answer
from redis_connectivity_lab.emulator.redis_validation import check_id, normalise, reserved_block
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.schema import REDIS_INSTANCE, parse
from redis_connectivity_lab.emulator.store import Project, Redis
from redis_connectivity_lab.topology import NetworkId

__all__ = ["build", "finish", "methods"]

_TYPE = "type.googleapis.com/google.cloud.redis.v1.Instance"
#: Name of the peering for instances with direct peering, before a number of Google's.
PEERING_PREFIX = "redis-peer-"
#: Where hosts come from when nobody reserves a range: part of 10.0.0.0/8 that the lab's networks leave alone.
_POOL = IPv4Network("10.224.0.0/12")
_MUTABLE = {
    "displayName",
    "labels",
    "memorySizeGb",
    "redisConfigs",
    "replicaCount",
    "maintenancePolicy",
    "readReplicasMode",
}
_MUTABLE |= {"persistenceConfig", "maintenanceVersion"}


def build(world: World, project: Project, region: str, instance_id: str, body: Json) -> Redis:
    """A new instance, in state CREATING, with its defaults; raises the API's 400s."""
    instance, network = normalise(body, project.id, region)
    holder = world.store.find(network.project)
    if holder is None or network.name not in holder.networks:
        raise invalid_argument(f"Network {instance['authorizedNetwork']} was not found.")
    block = reserved_block(instance)
    if block is not None and _taken(world, network, block):
        raise invalid_argument(f"Reserved IP range {block} overlaps with a range in use on the network.")
    instance |= {
        "createTime": now(),
        "name": f"projects/{project.id}/locations/{region}/instances/{instance_id}",
        "persistenceIamIdentity": f"serviceAccount:service-{project.number}@cloud-redis.iam.gserviceaccount.com",
        "state": "CREATING",
    }
    return Redis(instance, network, str(uuid.uuid4()) if instance.get("authEnabled") else "")


def finish(world: World, redis: Redis) -> None:
    """Make a new instance READY: give it host, port and nodes."""
    instance = redis.body
    block = reserved_block(instance) or _free_block(world, redis.network)
    if instance["connectMode"] == "DIRECT_PEERING" or "reservedIpRange" not in instance:
        instance["reservedIpRange"] = str(block)
    instance |= {
        "currentLocationId": instance["locationId"],
        # The first addresses of the range are Google's.
        "host": str(block.network_address + 3),
        "nodes": [{"id": "node-0", "zone": instance["locationId"]}],
        "port": 6378 if instance["transitEncryptionMode"] == "SERVER_AUTHENTICATION" else 6379,
        "state": "READY",
    }
    if instance["connectMode"] == "DIRECT_PEERING":
        _peer(world, redis.network)
    if instance["transitEncryptionMode"] == "SERVER_AUTHENTICATION" and redis.certificate is None:
        _encrypt(redis)


def _encrypt(redis: Redis) -> None:
    """Give an instance a CA of its own and a certificate that it has signed.

    The certificate is for no address: whether Google's are is not documented, so nobody may rely on it.
    """
    authority = Authority(f"Google Cloud Memorystore Redis Server CA {redis.body['name'].rsplit('/', 1)[-1]}")
    begin, end = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in authority.life)
    redis.body["serverCaCerts"] = [
        {
            "cert": authority.pem,
            "createTime": begin,
            "expireTime": end,
            "serialNumber": authority.serial,
            "sha1Fingerprint": authority.fingerprint,
        }
    ]
    redis.certificate = authority.issue(subject="memorystore")


def _peer(world: World, network: NetworkId) -> None:
    """The peering that Google makes with the first instance of a network: one leads to all of them."""
    holder = world.store.find(network.project)
    if holder is None or network.name not in holder.networks:
        return
    peerings = holder.networks[network.name].setdefault("peerings", [])
    if any(one["name"].startswith(PEERING_PREFIX) for one in peerings):
        return
    tenant = f"https://www.googleapis.com/compute/v1/projects/{holder.number}-tp/global/networks/redis-{network.name}"
    peerings.append(
        {
            "autoCreateRoutes": True,
            "exchangeSubnetRoutes": True,
            "name": f"{PEERING_PREFIX}{holder.number}",
            "network": tenant,
            "state": "ACTIVE",
            "stateDetails": "[2026-01-01T00:00:00.000-00:00]: Connected.",
        }
    )


def _free_block(world: World, network: NetworkId) -> IPv4Network:
    return next(block for block in _POOL.subnets(new_prefix=29) if not _taken(world, network, block))


def _taken(world: World, network: NetworkId, block: IPv4Network) -> bool:
    holder = world.store.find(network.project)
    for subnetwork in holder.subnetworks.values() if holder else ():
        if short_name(subnetwork["network"]) == network.name and block.overlaps(IPv4Network(subnetwork["ipCidrRange"])):
            return True
    for project in world.store:
        for connector in project.connectors.values():
            if connector.network == network and connector.range and connector.range.overlaps(block):
                return True
        for redis in project.redis.values():
            host = redis.body.get("host")
            if redis.network == network and host and IPv4Network(host).subnet_of(block):
                return True
            reserved = redis.body.get("reservedIpRange", "")
            if redis.network == network and host and "/" in reserved and block.overlaps(IPv4Network(reserved)):
                return True
    return False


def _region(call: Call) -> str:
    region = call.params["location"]
    if region not in REGIONS:
        raise ApiError(403, f"Location {region} is not found or access is unauthorized.")
    return region


def _find(call: Call) -> Redis:
    key = (_region(call), call.params["instance"])
    redis = call.project.redis.get(key)
    if redis is None:
        raise ApiError(
            404, f"Resource 'projects/{call.project.id}/locations/{key[0]}/instances/{key[1]}' was not found"
        )
    return redis


def _metadata(verb: str, name: str) -> Json:
    return {"apiVersion": "v1", "target": name, "verb": verb}


def _set_state(call: Call, redis: Redis, state: str) -> None:
    redis.body["state"] = state
    call.world.store.touch(call.project)


async def _create(call: Call) -> Answer:
    world, project, region = call.world, call.project, _region(call)
    instance_id = check_id(call.query.get("instanceId", ""))
    key = (region, instance_id)
    body = parse(call.body(), REDIS_INSTANCE)
    if key in project.redis:
        name = project.redis[key].body["name"]
        raise ApiError(409, f"Resource '{name}' already exists")
    redis = build(world, project, region, instance_id, body)
    project.redis[key] = redis
    world.store.touch(project)

    def apply() -> Json:
        finish(world, redis)
        world.store.touch(project)
        return {"@type": _TYPE} | redis.body

    def failed() -> None:
        project.redis.pop(key, None)
        world.store.touch(project)

    return world.long_running.start(
        call,
        region=region,
        metadata=_metadata("create", redis.body["name"]),
        duration=world.timings.redis_create,
        apply=apply,
        failed=failed,
    )


async def _patch(call: Call) -> Answer:
    redis = _find(call)
    patch = parse(call.body(), REDIS_INSTANCE)
    paths = field_mask(call)
    if not paths:
        raise invalid_argument("update_mask must be specified.")
    if fixed := [path for path in paths if path not in _MUTABLE]:
        raise invalid_argument(f"Field {fixed[0]} cannot be updated.")
    if redis.body["state"] != "READY":
        raise failed_precondition(f"The instance is in state {redis.body['state']}; it must be READY.")
    if not 1 <= patch.get("memorySizeGb", 1) <= 300:
        raise invalid_argument("memory_size_gb must be between 1 and 300.")
    _set_state(call, redis, "UPDATING")

    def apply() -> Json:
        for path in paths:
            if path in patch:
                redis.body[path] = patch[path]
            else:
                redis.body.pop(path, None)
        _set_state(call, redis, "READY")
        return {"@type": _TYPE} | redis.body

    return call.world.long_running.start(
        call,
        region=_region(call),
        metadata=_metadata("update", redis.body["name"]),
        duration=call.world.timings.redis_update,
        apply=apply,
        failed=lambda: _set_state(call, redis, "READY"),
    )


async def _delete(call: Call) -> Answer:
    redis = _find(call)
    key = (_region(call), call.params["instance"])
    if redis.body["state"] in {"CREATING", "UPDATING", "DELETING"}:
        raise failed_precondition(f"The instance is in state {redis.body['state']}; try again later.")
    _set_state(call, redis, "DELETING")

    def apply() -> Json:
        call.project.redis.pop(key, None)
        call.world.store.touch(call.project)
        return EMPTY

    return call.world.long_running.start(
        call,
        region=key[0],
        metadata=_metadata("delete", redis.body["name"]),
        duration=call.world.timings.redis_delete,
        apply=apply,
        failed=lambda: _set_state(call, redis, "READY"),
    )


async def _get(call: Call) -> Answer:
    return resource_answer(call, _find(call).body)


async def _auth_string(call: Call) -> Answer:
    redis = _find(call)
    return {"authString": redis.auth_string} if redis.auth_string else {}


async def _list(call: Call) -> Answer:
    region = call.params["location"]
    if region != "-":
        _region(call)
    found = [
        resource_answer(call, redis.body)
        for (where, _), redis in sorted(call.project.redis.items(), key=lambda each: each[0])
        if region in {"-", where}
    ]
    return page(call, "instances", found)


def _created(call: Call) -> str:
    return call.query.get("instanceId", "")


def methods() -> list[Method]:
    """The methods of the resource."""
    base = "/v1/projects/{project}/locations/{location}/instances"
    one = f"{base}/{{instance}}"
    name = "redis.instances"
    return [
        Method(f"{name}.create", "POST", base, _create, f"{name}.create", writes=True, created_name=_created),
        Method(f"{name}.get", "GET", one, _get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, _list, f"{name}.list"),
        Method(f"{name}.patch", "PATCH", one, _patch, f"{name}.update", writes=True),
        Method(f"{name}.delete", "DELETE", one, _delete, f"{name}.delete", writes=True),
        Method(f"{name}.getAuthString", "GET", f"{one}/authString", _auth_string, f"{name}.getAuthString"),
    ]
