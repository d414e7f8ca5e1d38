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
from redis_connectivity.core.cloudvalues import Connector, FirewallPolicy, RedisInstance
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.forecast import forecast
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.importentries import Entry, declared, entries_of
from redis_connectivity.core.importnames import environment_of, unique_name
from redis_connectivity.core.importtargets import FoundTarget, keeper_of, targets_of
from redis_connectivity.core.importvalues import Imported, Inventory, Left, Resource
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outlook import outlook
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.questions import is_on_subnet, target_region

__all__ = ["Imported", "Inventory", "Left", "Resource", "import_paths"]

#: Stands for the uid that the resource does not have yet.
_NOBODY: Final = "none"


def import_paths(inventory: Inventory, *, namespace: str, network: str | None = None, adopt: bool = False) -> Imported:
    """A resource for each way in and Redis that it can be meant for.

    Args:
        inventory: What is there.
        namespace: Of the resources.
        network: Only this one.
        adopt: Write resources that take over what they find instead of only using it.
    """
    resources: list[Resource] = []
    taken: set[str] = set()
    reached: set[str] = set()
    entries, undeclared = entries_of(inventory)
    left = list(undeclared)
    for entry in entries:
        if network not in (None, entry.network.name):
            continue
        found, others = targets_of(entry.source, entry.what, entry.network, inventory)
        left += (Left(what, why) for what, why in others)
        if not found:
            left.append(Left(entry.what, f"no Redis was found on its network {entry.network.name}"))
        for target in found:
            reached.add(target.what)
            made = _resource(_Candidate(entry, target), inventory, namespace, taken, adopt=adopt)
            if isinstance(made, Left):
                left.append(made)
            else:
                taken.add(made.name)
                resources.append(made)
    left += (*_unreached(inventory, reached, network), *_unread(inventory, network))
    return Imported(tuple(resources), tuple(dict.fromkeys(left)))


@dataclass(frozen=True, slots=True)
class _Candidate:
    entry: Entry
    target: FoundTarget

    @property
    def what(self) -> str:
        return f"{self.entry.what} to {self.target.what}"


def _resource(
    candidate: _Candidate, inventory: Inventory, namespace: str, taken: set[str], *, adopt: bool
) -> Resource | Left:
    entry, target = candidate.entry, candidate.target
    keeper = keeper_of(entry.source, entry.network, target, inventory)
    if keeper is not None:
        return Left(candidate.what, f"rule {keeper[0]} says that resource {keeper[1]} looks after it already")
    name = unique_name(target.name, entry.name, taken)
    environment, guess = environment_of(entry.network.name)
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
            found=(entry.found, *target.found),
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
    network = candidate.entry.network
    spec: dict[str, Any] = {
        "environment": environment,
        "projectId": inventory.project,
        "region": inventory.region,
    }
    if inventory.host_project is not None:
        spec["network"] = {"name": network.name, "hostProjectId": inventory.host_project}
    elif network.name != f"{environment}-vpc":
        spec["network"] = {"name": network.name}
    spec |= declared(candidate.entry, inventory.project, environment, adopt=adopt)
    spec["redis"] = candidate.target.redis
    if firewall:
        spec["firewall"] = firewall
    if adopt:
        spec["adoptionPolicy"] = "Adopt"
    return spec


def _observed(desired: Desired, candidate: _Candidate, inventory: Inventory) -> Observed:
    """What the operator would see."""
    entry = candidate.entry
    name = entry.network.name
    connectors: tuple[Connector, ...] = ()
    if desired.direct is None:
        connectors = tuple(one for one in inventory.connectors if one.project == desired.connector.project)
    return Observed(
        network=next(one for one in inventory.networks if one.ref == entry.network),
        connector=entry.connector,
        redis=candidate.target.seen,
        rules=inventory.rules,
        policies=inventory.policies.get(name, ()),
        regional_policies=inventory.regional_policies.get((name, inventory.region), ()),
        target_region_policies=_policies_at_target(desired, inventory),
        subnetworks=inventory.subnetworks,
        connectors=connectors,
        network_names=frozenset(one.ref.name for one in inventory.networks),
    )


def _policies_at_target(desired: Desired, inventory: Inventory) -> tuple[FirewallPolicy, ...] | Unseen | None:
    if isinstance(inventory.subnetworks, Unseen):
        return inventory.subnetworks if is_on_subnet(desired) else None
    region = target_region(desired, inventory.subnetworks)
    if region in ("", inventory.region):
        return None
    return inventory.regional_policies.get((desired.network.name, region), ())


def _unreached(inventory: Inventory, reached: set[str], network: str | None) -> Iterator[Left]:
    """Managed Redis that no path leads to."""
    kinds: tuple[tuple[str, Sequence[RedisInstance | RedisCluster | ValkeyInstance] | Unseen], ...] = (
        ("Memorystore instance", inventory.instances),
        ("Redis Cluster", inventory.clusters),
        ("Valkey instance", inventory.valkeys),
    )
    for noun, seen in kinds:
        for one in () if isinstance(seen, Unseen) else sorted(seen, key=lambda each: each.name):
            what, names = f"{noun} {one.name}", _networks_of(one)
            if what in reached or (network is not None and network not in names):
                continue
            if not names:
                yield Left(what, "Google does not tell on which network it is reached")
            else:
                where = f"its network {', '.join(sorted(names))}"
                yield Left(
                    what, f"no READY connector of the region, and no service by Direct VPC egress, is on {where}"
                )


def _networks_of(one: RedisInstance | RedisCluster | ValkeyInstance) -> frozenset[str]:
    """Names of the networks that a managed Redis can be reached from."""
    if isinstance(one, RedisInstance):
        refs = {one.authorized_network}
    else:
        refs = {connection.network for connection in one.connections}
    return frozenset(ref.name for ref in refs if ref is not None)


def _unread(inventory: Inventory, network: str | None) -> Iterator[Left]:
    """What could not be looked at."""
    kinds = {
        "Memorystore instance": inventory.instances,
        "Redis Cluster": inventory.clusters,
        "Valkey instance": inventory.valkeys,
        "VM": inventory.machines,
        "Cloud Run service": inventory.services,
    }
    for noun, seen in kinds.items():
        if isinstance(seen, Unseen):
            yield Left(f"every {noun}", f"could not be read: {seen.message}")
    policies = {(name, ""): seen for name, seen in inventory.policies.items()} | dict(inventory.regional_policies)
    for (name, region), found in policies.items():
        if isinstance(found, Unseen) and network in (None, name):
            where = f"network {name} in {region}" if region else f"network {name}"
            yield Left(f"firewall policies of {where}", f"could not be read: {found.message}")
