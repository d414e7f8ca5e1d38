"""The emulated cloud as the data plane needs it: networks, hosts, rules, services."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from zlib import crc32

from redis_connectivity_lab.emulator.aet_rules import connector_tags
from redis_connectivity_lab.emulator.iam import allowed
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.memorystore import CLUSTER_DISABLED
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.policy_view import policies_first_in, policies_of
from redis_connectivity_lab.emulator.psc import NODE_PORT, REDIS_PORT
from redis_connectivity_lab.emulator.store import Project, Revision, Service, Store
from redis_connectivity_lab.topology import (
    Direction,
    Forward,
    Host,
    HostKind,
    L4Match,
    NetworkId,
    Rule,
    ServiceId,
    Topology,
)

__all__ = ["rule_of", "service_ids", "topology_of"]

#: A connector carries traffic while its machines are replaced, so UPDATING counts.
_RUNNING = {"READY", "UPDATING"}
#: The same for Redis Clusters and Valkey, which say it in another word.
_SERVING = {"ACTIVE", "UPDATING"}
#: Shards beyond these are left out: each is a process.
_MOST_SHARDS = 3
#: First address of a range that Google leaves to users: .0 is the network's, .1 the gateway's.
_FIRST_USABLE = 2


def topology_of(store: Store) -> Topology:
    """Everything, as a value.

    Only the projects that have changed are looked at again: with a thousand rules the rest is most of it. Joining sets
    reuses the hashes they keep.
    """
    parts = [_part(project) for project in store]
    return Topology(
        networks=frozenset().union(*(part.networks for part in parts)),
        hosts=frozenset().union(*(part.hosts for part in parts)),
        rules=frozenset().union(*(part.rules for part in parts)),
        services=frozenset().union(*(part.services for part in parts)),
        policies=frozenset().union(*(part.policies for part in parts)),
        policies_first=frozenset().union(*(part.policies_first for part in parts)),
    )


def _part(project: Project) -> Topology:
    if project.part is None:
        project.part = Topology(
            networks=frozenset(NetworkId(project.id, name) for name in project.networks),
            hosts=frozenset((*_hosts(project), *_psc_hosts(project))),
            rules=frozenset(_rules(project)),
            services=frozenset(one for each in project.services.values() for one in service_ids(project.id, each)),
            policies=frozenset(policies_of(project)),
            policies_first=frozenset(policies_first_in(project)),
        )
    return project.part


def service_ids(project: str, service: Service) -> tuple[ServiceId, ...]:
    """A service's running revisions, the newest last, each with the host it sends from.

    That is its connector, which may have been given as a bare name, or itself. What the lab puts in is one revision
    without a name.
    """
    return tuple(
        ServiceId(project, service.region, service.name, _sender(project, service, one), one.name, one.args)
        for one in _running(service)
    )


def _running(service: Service) -> tuple[Revision, ...]:
    if service.body is None:
        return (Revision("", service.connector, service.direct),)
    return service.revisions


def _sender(project: str, service: Service, revision: Revision) -> str | None:
    if revision.direct is not None:
        return _direct_id(project, service, revision.name)
    if revision.connector and "/" not in revision.connector:
        return f"projects/{project}/locations/{service.region}/connectors/{revision.connector}"
    return revision.connector


def _direct_id(project: str, service: Service, revision: str) -> str:
    name = f"projects/{project}/locations/{service.region}/services/{service.name}"
    return f"{name}/revisions/{revision}" if revision else name


def _direct_hosts(project: Project) -> Iterator[Host]:
    """Revisions on subnets, at addresses from the far end: people number their machines from the near one."""
    placed = [(service, one) for service in project.services.values() for one in _running(service)]
    for service, revision in placed:
        direct = revision.direct
        if direct is not None:
            host_id = _direct_id(project.id, service, revision.name)
            offset = crc32(host_id.encode()) % (direct.range.num_addresses // 2)
            address = direct.range.broadcast_address - 2 - offset
            yield Host(
                id=host_id,
                kind=HostKind.DIRECT,
                network=direct.network,
                address=address,
                range=IPv4Network(address),
                tags=direct.tags,
                region=service.region,
            )


def _hosts(project: Project) -> Iterator[Host]:
    yield from _direct_hosts(project)
    for (region, name), connector in project.connectors.items():
        if connector.body["state"] in _RUNNING and connector.network and connector.range:
            yield Host(
                id=connector.body["name"],
                kind=HostKind.CONNECTOR,
                network=connector.network,
                address=connector.range.network_address + _FIRST_USABLE,
                range=connector.range,
                tags=connector_tags(region, name),
                region=region,
            )
    for (zone, name), vm in project.vms.items():
        if vm.body["status"] == "RUNNING":
            address = IPv4Address(vm.body["networkInterfaces"][0]["networkIP"])
            accounts = vm.body.get("serviceAccounts", [])
            yield Host(
                id=f"projects/{project.id}/zones/{zone}/instances/{name}",
                kind=HostKind.VM,
                network=vm.network,
                address=address,
                range=IPv4Network(address),
                tags=tuple(sorted(vm.body["tags"].get("items", ()))),
                service_account=accounts[0]["email"] if accounts else None,
                region=zone.rpartition("-")[0],
                redis_port=vm.redis_port,
                redis_password=vm.redis_password,
                redis_tls=vm.redis_tls,
                redis_config=vm.redis_config,
                app=vm.app,
            )
    for redis in project.redis.values():
        if redis.body["state"] in _RUNNING:
            address = IPv4Address(redis.body["host"])
            yield Host(
                id=redis.body["name"],
                kind=HostKind.MANAGED,
                network=redis.network,
                address=address,
                range=IPv4Network(address),
                redis_port=redis.body["port"],
                redis_password=redis.auth_string or None,
                redis_tls=redis.certificate,
            )


def _psc_hosts(project: Project) -> Iterator[Host]:
    """Two a Redis Cluster or Valkey instance: what clients know leads to what serves.

    In cluster mode the nodes are at the second address, a port for each shard. Without it the primary serves, and the
    readers' address leads to it: the lab keeps no replicas.
    """
    for made in (*project.clusters.values(), *project.valkeys.values()):
        if made.body["state"] not in _SERVING or not made.addresses:
            continue
        first, second = made.addresses
        clustered = made.body.get("mode") != CLUSTER_DISABLED
        serving, leading = (second, first) if clustered else (first, second)
        gone = set(_lost(made.body))
        shards = min(int(made.body.get("shardCount", 1)), _MOST_SHARDS)
        if serving not in gone:
            yield Host(
                id=f"{made.body['name']}/nodes",
                kind=HostKind.MANAGED,
                network=made.network,
                address=serving,
                range=IPv4Network(serving),
                redis_port=None if clustered else REDIS_PORT,
                redis_tokens=_tokens(project, made.body),
                redis_tls=made.certificate,
                cluster_ports=tuple(range(NODE_PORT, NODE_PORT + shards)) if clustered else (),
            )
        if leading not in gone:
            yield Host(
                id=made.body["name"],
                kind=HostKind.MANAGED,
                network=made.network,
                address=leading,
                range=IPv4Network(leading),
                forward=Forward(REDIS_PORT, serving, NODE_PORT if clustered else REDIS_PORT),
            )


def _tokens(project: Project, body: Json) -> tuple[str, ...] | None:
    """The tokens that open an instance whose clients IAM knows, of the accounts of its project; else None."""
    if not body["authorizationMode"].endswith("IAM_AUTH"):
        return None
    connect = "redis.clusters.connect" if "/clusters/" in body["name"] else "memorystore.instances.connect"
    return tuple(sorted(token for account, token in project.accounts.items() if allowed(project, account, connect)))


def _lost(body: Json) -> Iterator[IPv4Address]:
    """Addresses whose forwarding rule somebody deleted."""
    details = [detail for endpoint in body.get("endpoints", ()) for detail in endpoint["connections"]]
    for one in (*body.get("pscConnections", ()), *(detail["pscAutoConnection"] for detail in details)):
        if one["pscConnectionStatus"].endswith("NOT_FOUND"):
            yield IPv4Address(one.get("address") or one["ipAddress"])


def _rules(project: Project) -> Iterator[Rule]:
    bodies = [*project.firewalls.values(), *(hidden.body for hidden in project.hidden_rules.values())]
    for body in bodies:
        yield rule_of(project.id, body)


def rule_of(project: str, body: Json) -> Rule:
    """A firewall resource as a rule. IPv6 ranges stay: they match nothing here, but tags beside them do."""
    allow = "allowed" in body
    return Rule(
        network=NetworkId(project, short_name(body["network"])),
        name=body["name"],
        direction=Direction(body["direction"]),
        priority=body["priority"],
        allow=allow,
        matches=tuple(_match(each) for each in body["allowed" if allow else "denied"]),
        source_ranges=tuple(body.get("sourceRanges", ())),
        destination_ranges=tuple(body.get("destinationRanges", ())),
        source_tags=tuple(body.get("sourceTags", ())),
        target_tags=tuple(body.get("targetTags", ())),
        source_service_accounts=tuple(body.get("sourceServiceAccounts", ())),
        target_service_accounts=tuple(body.get("targetServiceAccounts", ())),
        disabled=body["disabled"],
    )


def _match(entry: Json) -> L4Match:
    pairs = []
    for port in entry.get("ports", ()):
        first, _, last = port.partition("-")
        pairs.append((int(first), int(last or first)))
    return L4Match(entry["IPProtocol"], tuple(pairs))
