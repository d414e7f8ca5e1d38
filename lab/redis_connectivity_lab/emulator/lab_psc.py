"""Redis Clusters and Valkey instances that the lab puts into a project, changes and removes at once."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.compute_firewalls import merge
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.psc import Service
from redis_connectivity_lab.emulator.schema import parse
from redis_connectivity_lab.emulator.store import Project

__all__ = ["psc_hands"]

Key = tuple[str, ...]
Change = Callable[[World, Project, Key, Json], Json]
Removal = Callable[[World, Project, Key], None]
Listing = Callable[[Project], list[Json]]


def psc_hands(service: Service) -> tuple[Change, Change, Removal, Listing]:
    """Put, patch, delete and list of one API. In a put, `network` may be a bare name, and `addresses` are two."""

    def put(world: World, project: Project, key: Key, body: Json) -> Json:
        region, name = key
        network = body.pop("network", None)
        given = tuple(IPv4Address(address) for address in body.pop("addresses", ()))
        if len(given) not in (0, 2):
            raise ApiError(400, "addresses are two: the one that clients know, and the nodes' (or the readers')")
        if network is not None:
            link = network if "/" in network else f"projects/{project.id}/global/networks/{network}"
            field = "pscConfigs" if service.collection == "clusters" else "pscAutoConnections"
            body[field] = [{"network": link}]
        parsed = parse({"shardCount": 1} | body, service.schema)
        held = service.held(project)
        made = service.build(world, project, region, service.check_id(name), parsed)
        held.pop((region, name), None)
        service.finish(world, project, region, made, (given[0], given[1]) if given else None)
        if "state" in parsed:
            made.body["state"] = parsed["state"]
        held[region, name] = made
        return made.body

    def patch(_world: World, project: Project, key: Key, body: Json) -> Json:
        made = service.held(project).get((key[0], key[1]))
        if made is None:
            raise _missing(key)
        made.body = merge(made.body, parse(body, service.schema, keep_null=True))
        return made.body

    def delete(_world: World, project: Project, key: Key) -> None:
        if service.held(project).pop((key[0], key[1]), None) is None:
            raise _missing(key)

    return put, patch, delete, lambda project: [made.body for made in service.held(project).values()]


def _missing(key: Key) -> ApiError:
    return ApiError(404, f"there is no {'/'.join(key)}")
