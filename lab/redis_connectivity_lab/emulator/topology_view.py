"""The emulated cloud as the data plane needs it: networks, hosts, rules, services."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity_lab.emulator.aet_rules import connector_tags
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.names import short_name
from redis_connectivity_lab.emulator.store import Project, Service, Store
from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, NetworkId, Rule, ServiceId, Topology

__all__ = ["rule_of", "service_id", "topology_of"]

#: A connector carries traffic while its machines are replaced, so UPDATING counts.
_RUNNING = {"READY", "UPDATING"}
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
    )


def _part(project: Project) -> Topology:
    if project.part is None:
        project.part = Topology(
            networks=frozenset(NetworkId(project.id, name) for name in project.networks),
            hosts=frozenset(_hosts(project)),
            rules=frozenset(_rules(project)),
            services=frozenset(service_id(project.id, each) for each in project.services.values()),
        )
    return project.part


def service_id(project: str, service: Service) -> ServiceId:
    """A service with the full name of its connector, which may have been given as a bare name."""
    connector = service.connector
    if connector and "/" not in connector:
        connector = f"projects/{project}/locations/{service.region}/connectors/{connector}"
    return ServiceId(project, service.region, service.name, connector)


def _hosts(project: Project) -> Iterator[Host]:
    for (region, name), connector in project.connectors.items():
        if connector.body["state"] in _RUNNING and connector.network and connector.range:
            yield Host(
                id=connector.body["name"],
                kind=HostKind.CONNECTOR,
                network=connector.network,
                address=connector.range.network_address + _FIRST_USABLE,
                range=connector.range,
                tags=connector_tags(region, name),
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
                redis_port=vm.redis_port,
                redis_password=vm.redis_password,
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
            )


def _rules(project: Project) -> Iterator[Rule]:
    bodies = [*project.firewalls.values(), *(hidden.body for hidden in project.hidden_rules.values())]
    for body in bodies:
        rule = rule_of(project.id, body)
        if rule is not None:
            yield rule


def rule_of(project: str, body: Json) -> Rule | None:
    """A firewall resource as a rule; None for an IPv6 one, which says nothing about the lab's IPv4 networks."""
    ranges = (*body.get("sourceRanges", ()), *body.get("destinationRanges", ()))
    if any(":" in each for each in ranges):
        return None
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
