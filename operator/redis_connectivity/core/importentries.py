"""How Cloud Run gets into the networks of a project, as `import` finds it: connectors, and Direct VPC egress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis_connectivity.core.cloudvalues import Connector, ConnectorState, NetworkRef, Subnetwork
from redis_connectivity.core.desired import DirectVpcWant, connector_name_for
from redis_connectivity.core.importvalues import Inventory, Left
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.prober import made_by_operator
from redis_connectivity.core.runvalues import RunService
from redis_connectivity.core.sources import Source, of_connector, of_direct_vpc

__all__ = ["Entry", "declared", "entries_of"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a network that resources can be written for.

    Attributes:
        way: The connector, or what Direct VPC egress leaves by.
        network: That it leads into.
        source: Where its traffic comes from.
        what: How people call it, within a sentence.
        name: Its name, or its subnet's.
        found: A sentence that describes it.
    """

    way: Connector | DirectVpcWant
    network: NetworkRef
    source: Source
    what: str
    name: str
    found: str

    @property
    def connector(self) -> Connector | None:
        """The connector, where it is one."""
        return self.way if isinstance(self.way, Connector) else None


def entries_of(inventory: Inventory) -> tuple[tuple[Entry, ...], tuple[Left, ...]]:
    """The ways in, connectors before Direct VPC egress, by name; and what looks like one but cannot be declared."""
    found = (*_connectors(inventory), *_direct(inventory))
    entries = tuple(one for one in found if isinstance(one, Entry))
    return entries, tuple(one for one in found if isinstance(one, Left))


def declared(entry: Entry, project: str, environment: str, *, adopt: bool) -> dict[str, Any]:
    """The part of a spec that names the way in, with what differs from the defaults and nothing else."""
    match entry.way:
        case DirectVpcWant(subnet=subnet, tags=tags):
            return {"directVpcEgress": {"subnet": subnet, **({"tags": sorted(tags)} if tags else {})}}
        case Connector() as connector:
            return {"connector": _declared(connector, project, environment, adopt=adopt)}


def _declared(connector: Connector, project: str, environment: str, *, adopt: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if connector.name != connector_name_for(environment):
        spec["name"] = connector.name
    if connector.project != project:
        spec["projectId"] = connector.project
    if connector.subnet:
        spec["subnet"] = {"name": connector.subnet}
    else:
        spec["ipCidrRange"] = str(connector.ip_cidr_range)
    if not adopt:
        spec["management"] = "Observed"
    else:
        spec["management"] = "Managed"
        if connector.machine_type not in ("", "e2-micro"):
            spec["machineType"] = connector.machine_type
    return spec


# --- connectors


def _connectors(inventory: Inventory) -> Iterator[Entry | Left]:
    for connector in sorted(inventory.connectors, key=lambda one: (one.name, one.project)):
        found = _connector(connector, inventory)
        yield Left(f"connector {connector.name}", found) if isinstance(found, str) else found


def _connector(connector: Connector, inventory: Inventory) -> Entry | str:
    """The way in, or why no resource can be written for it."""
    if connector.state is not ConnectorState.READY:
        return f"it is in state {connector.state}; import it when it is READY"
    project = (connector.subnet_project if connector.subnet else "") or connector.project
    if project != inventory.holder:
        place = f"subnet {connector.subnet}" if connector.subnet else "a network"
        return _of_another_project(place, project, inventory)
    network, range_ = connector.network, connector.ip_cidr_range
    if range_ is None:
        subnet = _subnet(connector.subnet, connector.region, inventory)
        if isinstance(subnet, str):
            return subnet
        network, range_ = subnet.network.name, subnet.ip_cidr_range
    if network not in {one.ref.name for one in inventory.networks}:
        return f"its network {network or '(not told)'} is not in project {inventory.holder}"
    place = f"subnet {connector.subnet}" if connector.subnet else f"range {connector.ip_cidr_range}"
    size = f"{connector.machine_type}, {connector.min_instances} to {connector.max_instances} instances"
    return Entry(
        connector,
        NetworkRef(inventory.holder, network),
        of_connector(connector.region, connector.name, range_),
        f"connector {connector.name}",
        connector.name,
        f"connector {connector.name} ({connector.state}, {place}, {size}) on network {network}",
    )


def _subnet(name: str, region: str, inventory: Inventory) -> Subnetwork | str:
    """The subnet of that name, or why it is not known."""
    if isinstance(inventory.subnetworks, Unseen):
        return f"its network is that of subnet {name}: {inventory.subnetworks.message}"
    for one in inventory.subnetworks:
        if (one.region, one.name) == (region, name):
            return one
    return f"its subnet {name or '(not told)'} is not in project {inventory.holder}"


def _of_another_project(place: str, project: str, inventory: Inventory) -> str:
    if inventory.host_project is None:
        return (
            f"it is on {place} of project {project} (Shared VPC), which is not read here: import with"
            f" --host-project {project}"
        )
    without = ": import without --host-project" if project == inventory.project else ""
    return f"it is on a network of project {project}, and networks of {inventory.holder} are read here{without}"


# --- Direct VPC egress


def _direct(inventory: Inventory) -> Iterator[Entry | Left]:
    """One way in for all services that leave by the same subnet with the same tags."""
    if isinstance(inventory.services, Unseen):
        return
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    subnets: dict[str, Subnetwork] = {}
    for service in sorted(inventory.services, key=lambda one: one.name):
        if service.deleting or made_by_operator(service) or not (service.way.subnetwork or service.way.network):
            continue
        subnet = _subnet_of(service, inventory)
        if isinstance(subnet, str):
            yield Left(f"Cloud Run service {service.name}", subnet)
            continue
        subnets[subnet.name] = subnet
        together[subnet.name, tuple(sorted(service.way.tags))].append(service.name)
    for (name, tags), services in sorted(together.items()):
        subnet, want = subnets[name], DirectVpcWant(name, frozenset(tags))
        tagged = f" with network tags {', '.join(tags)}" if tags else ""
        used = f"Cloud Run service{'' if len(services) == 1 else 's'} {', '.join(services)}"
        yield Entry(
            want,
            subnet.network,
            of_direct_vpc(want, subnet.ip_cidr_range),
            f"Direct VPC egress of {', '.join(services)} from subnet {name}{tagged}",
            name,
            f"{used} on Direct VPC egress from subnet {name} ({subnet.ip_cidr_range}){tagged}, on network"
            f" {subnet.network.name}",
        )


def _subnet_of(service: RunService, inventory: Inventory) -> Subnetwork | str:
    """The subnet that a service's instances stand in, or why no resource can be written for it.

    Without a subnet Cloud Run takes the one that is named like the network. Names are full ones in a Shared VPC, and
    may be short ones elsewhere. Source: run.v2 VpcAccess.NetworkInterface.
    """
    given = service.way.subnetwork or service.way.network
    parts = given.split("/")
    project = parts[parts.index("projects") + 1] if "projects" in parts[:-1] else inventory.project
    name = parts[-1]
    # Google may write a project's number, which says nothing against any id.
    if project != inventory.holder and not project.isdigit():
        return _of_another_project(f"subnet {name}", project, inventory)
    subnet = _subnet(name, inventory.region, inventory)
    if not isinstance(subnet, str) and subnet.network not in {one.ref for one in inventory.networks}:
        return f"its network {subnet.network.name} is not in project {inventory.holder}"
    return subnet
