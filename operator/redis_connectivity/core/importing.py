"""From what a project holds to resources that declare it, written so that applying them changes nothing.

Every resource is asked of the planner before it is handed out: it gets the first firewall modes under which the
operator would do nothing. What cannot be declared is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from redis_connectivity.api.base import problems
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.cloudvalues import (
    Connector,
    ConnectorState,
    NetworkRef,
    RedisInstance,
)
from redis_connectivity.core.desired import Desired, connector_name_for, resolve
from redis_connectivity.core.forecast import forecast
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.importnames import environment_of, unique_name
from redis_connectivity.core.importtargets import FoundTarget, keeper_of, targets_of
from redis_connectivity.core.importvalues import Imported, Inventory, Left, Resource
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outlook import outlook
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance

__all__ = ["Imported", "Inventory", "Left", "Resource", "import_paths"]

#: Stands for the uid that the resource does not have yet.
_NOBODY: Final = "none"


def import_paths(inventory: Inventory, *, namespace: str, network: str | None = None, adopt: bool = False) -> Imported:
    """A resource for each connector and Redis that it can be meant for.

    Args:
        inventory: What is there.
        namespace: Of the resources.
        network: Only this one.
        adopt: Write resources that take over what they find instead of only using it.
    """
    resources: list[Resource] = []
    left: list[Left] = []
    taken: set[str] = set()
    reached: set[str] = set()
    for connector in sorted(inventory.connectors, key=lambda one: (one.name, one.project)):
        where = _network_of(connector, inventory)
        if isinstance(where, str):
            left.append(Left(f"connector {connector.name}", where))
            continue
        if network not in (None, where.name):
            continue
        found, others = targets_of(connector, where, inventory)
        left += (Left(what, why) for what, why in others)
        if not found:
            left.append(Left(f"connector {connector.name}", f"no Redis was found on its network {where.name}"))
        for target in found:
            reached.add(target.what)
            made = _resource(_Candidate(connector, where, target), inventory, namespace, taken, adopt=adopt)
            if isinstance(made, Left):
                left.append(made)
            else:
                taken.add(made.name)
                resources.append(made)
    left += _unreached(inventory, reached, network)
    return Imported(tuple(resources), tuple(dict.fromkeys(left)))


@dataclass(frozen=True, slots=True)
class _Candidate:
    connector: Connector
    network: NetworkRef
    target: FoundTarget

    @property
    def what(self) -> str:
        return f"connector {self.connector.name} to {self.target.what}"


def _network_of(connector: Connector, inventory: Inventory) -> NetworkRef | str:
    """The connector's network, or why no resource can be written for the connector."""
    if connector.state is not ConnectorState.READY:
        return f"it is in state {connector.state}; import it when it is READY"
    project = (connector.subnet_project if connector.subnet else "") or connector.project
    if project != inventory.holder:
        return _of_another_project(connector, project, inventory)
    name = connector.network
    if not name:
        if isinstance(inventory.subnetworks, Unseen):
            return f"its network is that of subnet {connector.subnet}: {inventory.subnetworks.message}"
        places = ((one.region, one.name, one.network.name) for one in inventory.subnetworks)
        name = next((net for region, sub, net in places if (region, sub) == (connector.region, connector.subnet)), "")
    if name not in {one.ref.name for one in inventory.networks}:
        return f"its network {name or '(not told)'} is not in project {inventory.holder}"
    return NetworkRef(inventory.holder, name)


def _of_another_project(connector: Connector, project: str, inventory: Inventory) -> str:
    if inventory.host_project is None:
        return (
            f"it is on subnet {connector.subnet} of project {project} (Shared VPC), which is not read here: import with"
            f" --host-project {project}"
        )
    without = ": import without --host-project" if project == inventory.project else ""
    return f"it is on a network of project {project}, and networks of {inventory.holder} are read here{without}"


def _resource(
    candidate: _Candidate, inventory: Inventory, namespace: str, taken: set[str], *, adopt: bool
) -> Resource | Left:
    connector, target = candidate.connector, candidate.target
    keeper = keeper_of(connector, candidate.network, target, inventory)
    if keeper is not None:
        return Left(candidate.what, f"rule {keeper[0]} says that resource {keeper[1]} looks after it already")
    name = unique_name(target.name, connector.name, taken)
    environment, guess = environment_of(candidate.network.name)
    owner = ResourceId(_NOBODY, namespace, name, _NOBODY)
    for firewall in _modes(adopt=adopt):
        spec = _spec(candidate, inventory, environment, firewall, adopt=adopt)
        try:
            parsed = RedisConnectivitySpec.model_validate(spec)
        except ValidationError as error:
            return Left(candidate.what, f"it cannot be declared: {'; '.join(problems(error))}")
        desired = resolve(owner, parsed)
        observed = _observed(desired, candidate, inventory)
        foretold = forecast(desired, observed, Ledger(), 0.0)
        if foretold.steps and not adopt:
            continue
        return Resource(
            name=name,
            spec=spec,
            found=(_describe(connector, candidate.network), *target.found),
            guessed=(guess, *target.guessed),
            foretold=foretold,
            outlook=outlook(desired, foretold, 0.0),
        )
    why = "; ".join(action.summary for action in foretold.actions)
    return Left(candidate.what, f"no resource leaves it as it is; this would be done: {why}")


def _modes(*, adopt: bool) -> Iterator[dict[str, str]]:
    """Firewall modes, the defaults first: the fewer are forbidden, the more can be healed later."""
    yield {}
    if not adopt:
        yield {"ingress": "Never"}
        yield {"egress": "Never"}
        yield {"ingress": "Never", "egress": "Never"}


def _spec(
    candidate: _Candidate, inventory: Inventory, environment: str, firewall: dict[str, str], *, adopt: bool
) -> dict[str, Any]:
    """The spec in the resource's own words, with what differs from the defaults and nothing else."""
    connector, network = candidate.connector, candidate.network
    spec: dict[str, Any] = {
        "environment": environment,
        "projectId": inventory.project,
        "region": inventory.region,
    }
    if inventory.host_project is not None:
        spec["network"] = {"name": network.name, "hostProjectId": inventory.host_project}
    elif network.name != f"{environment}-vpc":
        spec["network"] = {"name": network.name}
    declared: dict[str, Any] = {}
    if connector.name != connector_name_for(environment):
        declared["name"] = connector.name
    if connector.project != inventory.project:
        declared["projectId"] = connector.project
    if connector.subnet:
        declared["subnet"] = {"name": connector.subnet}
    else:
        declared["ipCidrRange"] = str(connector.ip_cidr_range)
    if not adopt:
        declared["management"] = "Observed"
    else:
        declared["management"] = "Managed"
        if connector.machine_type not in ("", "e2-micro"):
            declared["machineType"] = connector.machine_type
    spec["connector"] = declared
    spec["redis"] = candidate.target.redis
    if firewall:
        spec["firewall"] = firewall
    if adopt:
        spec["adoptionPolicy"] = "Adopt"
    return spec


def _observed(desired: Desired, candidate: _Candidate, inventory: Inventory) -> Observed:
    """What the operator would see."""
    name = candidate.network.name
    connectors = tuple(one for one in inventory.connectors if one.project == desired.connector.project)
    return Observed(
        network=next(one for one in inventory.networks if one.ref == candidate.network),
        connector=next((one for one in connectors if one.name == desired.connector.name), None),
        redis=candidate.target.seen,
        rules=inventory.rules,
        policies=inventory.policies.get(name, ()),
        regional_policies=inventory.regional_policies.get(name, ()),
        subnetworks=inventory.subnetworks,
        connectors=connectors,
        network_names=frozenset(one.ref.name for one in inventory.networks),
    )


def _describe(connector: Connector, network: NetworkRef) -> str:
    place = f"subnet {connector.subnet}" if connector.subnet else f"range {connector.ip_cidr_range}"
    size = f"{connector.machine_type}, {connector.min_instances} to {connector.max_instances} instances"
    return f"connector {connector.name} ({connector.state}, {place}, {size}) on network {network.name}"


def _unreached(inventory: Inventory, reached: set[str], network: str | None) -> Iterator[Left]:
    """Managed Redis that no connector's path leads to, and kinds that could not be looked at."""
    kinds: tuple[tuple[str, Sequence[RedisInstance | RedisCluster | ValkeyInstance] | Unseen], ...] = (
        ("Memorystore instance", inventory.instances),
        ("Redis Cluster", inventory.clusters),
        ("Valkey instance", inventory.valkeys),
    )
    for noun, seen in kinds:
        if isinstance(seen, Unseen):
            yield Left(f"every {noun}", f"could not be read: {seen.message}")
            continue
        for one in sorted(seen, key=lambda each: each.name):
            what = f"{noun} {one.name}"
            if what in reached:
                continue
            if isinstance(one, RedisInstance):
                where = {one.authorized_network} - {None}
            else:
                where = {connection.network for connection in one.connections} - {None}
            names = {one.name for one in where if one is not None}
            if network is not None and network not in names:
                continue
            if not names:
                yield Left(what, "Google does not tell on which network it is reached")
            else:
                yield Left(what, f"no READY connector of the region is on its network {', '.join(sorted(names))}")
    if isinstance(inventory.machines, Unseen):
        yield Left("every VM", f"could not be read: {inventory.machines.message}")
    for by_network in (inventory.policies, inventory.regional_policies):
        for name, policies in by_network.items():
            if isinstance(policies, Unseen) and network in (None, name):
                yield Left(f"firewall policies of network {name}", f"could not be read: {policies.message}")
