"""What Redis Cluster and Valkey have in common: instances that are reached through Private Service Connect endpoints.

The endpoints are made in the consumer's network with the instance, as a service connection policy of the network has
it; the lab takes such a policy for granted. Two addresses a network: one that clients know, one of the nodes (Google's
page on Redis Cluster networking); without cluster mode the second is the readers'.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.emulator.call import Answer, Call, Method, World
from redis_connectivity_lab.emulator.errors import ApiError, failed_precondition, invalid_argument
from redis_connectivity_lab.emulator.ids import Json, now
from redis_connectivity_lab.emulator.lro import EMPTY
from redis_connectivity_lab.emulator.message_parsing import Schema, parse
from redis_connectivity_lab.emulator.names import parse_network, short_name
from redis_connectivity_lab.emulator.oneplatform import page, resource_answer
from redis_connectivity_lab.emulator.regions import REGIONS
from redis_connectivity_lab.emulator.store import Project, Psc
from redis_connectivity_lab.topology import NetworkId

__all__ = ["NODE_PORT", "REDIS_PORT", "Service", "psc_methods"]

#: The first port of the nodes' range, 11000-13047.
NODE_PORT: Final = 11000
REDIS_PORT: Final = 6379
#: Where addresses come from in a network without a subnet in the region; the lab's networks leave it alone.
_POOL: Final = IPv4Network("10.240.0.0/16")
#: Addresses of a subnet that come before these are the machines'.
_FIRST: Final = 100
_MOST_REPLICAS: Final = 5


@dataclass(frozen=True, slots=True)
class Service:
    """One of the two APIs.

    Attributes:
        collection: `clusters` or `instances`, as in the path.
        method: What its methods are called after, such as `redis.clusters`.
        prefix: What its paths begin with, to tell services on one port apart.
        id_parameter: Where a create has the new one's id.
        type: The resource's type in an operation's response.
        schema: Its fields.
        held: Where a project keeps them.
        check_id: Refuses a bad id.
        normalise: A parsed body with defaults, and its network; raises the API's 400s.
        connect: Writes the endpoints into a body, given the network and two addresses.
        state: Its states; READY goes by another name here.
    """

    collection: str
    method: str
    prefix: str
    id_parameter: str
    type: str
    schema: Schema
    held: Callable[[Project], dict[tuple[str, str], Psc]]
    check_id: Callable[[str], str]
    normalise: Callable[[Json, str], tuple[Json, NetworkId]]
    connect: Callable[[Json, Project, str, NetworkId, tuple[IPv4Address, IPv4Address]], None]

    @property
    def param(self) -> str:
        """The path's name for one of them."""
        return self.collection.removesuffix("s")

    def build(self, world: World, project: Project, region: str, name: str, body: Json) -> Psc:
        """A new one, in state CREATING, with its defaults; raises the API's 400s."""
        resource, network = self.normalise(body, project.id)
        holder = world.store.find(network.project)
        if holder is None or network.name not in holder.networks:
            raise invalid_argument(f"Network projects/{network.project}/global/networks/{network.name} was not found.")
        resource |= {
            "createTime": now(),
            "name": f"projects/{project.id}/locations/{region}/{self.collection}/{name}",
            "state": "CREATING",
            "uid": str(uuid.uuid4()),
        }
        return Psc(resource, network)

    def finish(
        self, world: World, project: Project, region: str, made: Psc, addresses: tuple[IPv4Address, IPv4Address] | None
    ) -> None:
        """Make a new one ACTIVE, with endpoints."""
        made.addresses = addresses or _free_addresses(world, region, made.network)
        self.connect(made.body, project, region, made.network, made.addresses)
        if made.body["transitEncryptionMode"].endswith("SERVER_AUTHENTICATION") and made.certificate is None:
            # For no address and no name: whether Google's are is not documented, so nobody may rely on it.
            signer = Authority(f"Google Cloud Memorystore CA {short_name(made.body['name'])}")
            made.authority, made.certificate = signer.pem, signer.issue(subject="memorystore")
        made.body["state"] = "ACTIVE"


def forwarding(project: Project, region: str, network: NetworkId, address: IPv4Address) -> Json:
    """The fields that tell of the forwarding rule behind an endpoint, the same in both APIs."""
    tenant = f"{project.number}-tp"
    number = int(address)
    return {
        "forwardingRule": f"https://www.googleapis.com/compute/v1/projects/{project.id}/regions/{region}"
        f"/forwardingRules/sca-auto-fr-{number}",
        "network": f"projects/{network.project}/global/networks/{network.name}",
        "projectId": project.id,
        "pscConnectionId": str(2**62 + number),
        "serviceAttachment": f"projects/{tenant}/regions/{region}/serviceAttachments/gcp-memorystore-auto-{number}",
    }


def network_of_consumer(link: str, project: str) -> NetworkId:
    """The network that a create names; raises the API's 400."""
    network = parse_network(link, project)
    if network is None:
        raise invalid_argument(
            f"Invalid network: '{link}'. It must be projects/{{project}}/global/networks/{{network}}."
        )
    return network


def settable(body: Json, output_only: Container[str]) -> Json:
    """What a caller may set of a body, without what is empty."""
    return {key: value for key, value in body.items() if key not in output_only and value not in ("", {}, [])}


def check_counts(body: Json) -> None:
    """Refuse counts of shards and replicas that cannot be."""
    if "shardCount" not in body:
        raise invalid_argument("shard_count must be specified.")
    if not 1 <= body["shardCount"] <= 250:
        raise invalid_argument("shard_count must be between 1 and 250.")
    if not 0 <= body.get("replicaCount", 0) <= _MOST_REPLICAS:
        raise invalid_argument(f"replica_count must be between 0 and {_MOST_REPLICAS}.")


def fill_in(body: Json, defaults: Mapping[str, str]) -> None:
    """Write Google's defaults into a body: no replicas, and a word for each choice that was left open."""
    for field, default in defaults.items():
        if body.get(field, "UNSPECIFIED").endswith("UNSPECIFIED"):
            body[field] = default
    body.setdefault("replicaCount", 0)


def _free_addresses(world: World, region: str, network: NetworkId) -> tuple[IPv4Address, IPv4Address]:
    holder = world.store.find(network.project)
    subnets = sorted(
        IPv4Network(one["ipCidrRange"])
        for (where, _), one in (holder.subnetworks.items() if holder else ())
        if where == region and short_name(one["network"]) == network.name and one.get("purpose", "PRIVATE") == "PRIVATE"
    )
    block = next((one for one in subnets if one.num_addresses > 2 * _FIRST), _POOL)
    taken = {address for project in world.store for made in _all(project) for address in made.addresses}
    taken |= {
        IPv4Address(vm.body["networkInterfaces"][0]["networkIP"])
        for project in world.store
        for vm in project.vms.values()
        if vm.network == network
    }
    numbers = range(int(block.network_address) + _FIRST, int(block.broadcast_address))
    free = (address for number in numbers if (address := IPv4Address(number)) not in taken)
    return next(free), next(free)


def _all(project: Project) -> list[Psc]:
    return [*project.clusters.values(), *project.valkeys.values()]


def psc_methods(service: Service) -> list[Method]:
    """Create, get, list and delete of one API."""
    base = f"{service.prefix}/v1/projects/{{project}}/locations/{{location}}/{service.collection}"
    one = f"{base}/{{{service.param}}}"
    name = service.method
    handlers = _Handlers(service)
    return [
        Method(
            f"{name}.create",
            "POST",
            base,
            handlers.create,
            f"{name}.create",
            writes=True,
            created_name=lambda call: call.query.get(service.id_parameter, ""),
        ),
        Method(f"{name}.get", "GET", one, handlers.get, f"{name}.get"),
        Method(f"{name}.list", "GET", base, handlers.list, f"{name}.list"),
        Method(f"{name}.delete", "DELETE", one, handlers.delete, f"{name}.delete", writes=True),
        # Google asks for the right to get the instance (its pages on access control of both).
        Method(
            f"{name}.getCertificateAuthority", "GET", f"{one}/certificateAuthority", handlers.authority, f"{name}.get"
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Handlers:
    service: Service

    def _region(self, call: Call) -> str:
        region = call.params["location"]
        if region not in REGIONS:
            raise ApiError(403, f"Location {region} is not found or access is unauthorized.")
        return region

    def _find(self, call: Call) -> Psc:
        key = (self._region(call), call.params[self.service.param])
        found = self.service.held(call.project).get(key)
        if found is None:
            path = f"projects/{call.project.id}/locations/{key[0]}/{self.service.collection}/{key[1]}"
            raise ApiError(404, f"Resource '{path}' was not found")
        return found

    async def create(self, call: Call) -> Answer:
        service, world, project, region = self.service, call.world, call.project, self._region(call)
        name = service.check_id(call.query.get(service.id_parameter, ""))
        held, key = service.held(project), (region, name)
        body = parse(call.body(), service.schema)
        if key in held:
            raise ApiError(409, f"Resource '{held[key].body['name']}' already exists")
        made = service.build(world, project, region, name, body)
        held[key] = made
        world.store.touch(project)

        def apply() -> Json:
            service.finish(world, project, region, made, None)
            world.store.touch(project)
            return {"@type": service.type} | made.body

        def failed() -> None:
            held.pop(key, None)
            world.store.touch(project)

        return world.long_running.start(
            call,
            region=region,
            metadata=_metadata("create", made),
            duration=world.timings.redis_create,
            apply=apply,
            failed=failed,
        )

    async def get(self, call: Call) -> Answer:
        return resource_answer(call, self._find(call).body)

    async def authority(self, call: Call) -> Answer:
        made = self._find(call)
        chains = [{"certificates": [made.authority]}] if made.authority else []
        return {"managedServerCa": {"caCerts": chains}, "name": f"{made.body['name']}/certificateAuthority"}

    async def list(self, call: Call) -> Answer:
        region = call.params["location"]
        if region != "-":
            self._region(call)
        found = [
            resource_answer(call, made.body)
            for (where, _), made in sorted(self.service.held(call.project).items(), key=lambda each: each[0])
            if region in {"-", where}
        ]
        return page(call, self.service.collection, found)

    async def delete(self, call: Call) -> Answer:
        made = self._find(call)
        project, key = call.project, (self._region(call), call.params[self.service.param])
        if made.body.get("deletionProtectionEnabled"):
            raise failed_precondition(
                "The instance has deletion protection enabled; disable it to delete the instance."
            )
        if made.body["state"] != "ACTIVE":
            raise failed_precondition(f"The instance is in state {made.body['state']}; try again later.")

        def set_state(state: str) -> None:
            made.body["state"] = state
            call.world.store.touch(project)

        def apply() -> Json:
            self.service.held(project).pop(key, None)
            call.world.store.touch(project)
            return EMPTY

        set_state("DELETING")
        return call.world.long_running.start(
            call,
            region=key[0],
            metadata=_metadata("delete", made),
            duration=call.world.timings.redis_delete,
            apply=apply,
            failed=lambda: set_state("ACTIVE"),
        )


def _metadata(verb: str, made: Psc) -> Json:
    return {"apiVersion": "v1", "target": made.body["name"], "verb": verb}
