"""Which Redis a way in can be meant for: managed ones of its network, and VMs that a rule opens tcp:6379 to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any, Protocol

from redis_connectivity.api.limits import REDIS_PORT, REDIS_TAG
from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallRule,
    Machine,
    NetworkRef,
    RedisInstance,
)
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.pscvalues import Authorization, RedisCluster, ValkeyInstance
from redis_connectivity.core.reachability import GOOGLE_RULE_PREFIX
from redis_connectivity.core.sources import Source
from redis_connectivity.core.targets import same_network

__all__ = ["FoundTarget", "keeper_of", "opened", "targets_of"]

Seen = RedisInstance | RedisCluster | ValkeyInstance
#: What was left out, and why.
Others = list[tuple[str, str]]


class _Project(Protocol):
    """The part of the inventory that holds targets."""

    @property
    def rules(self) -> tuple[FirewallRule, ...]: ...
    @property
    def machines(self) -> tuple[Machine, ...] | Unseen: ...
    @property
    def instances(self) -> tuple[RedisInstance, ...] | Unseen: ...
    @property
    def clusters(self) -> tuple[RedisCluster, ...] | Unseen: ...
    @property
    def valkeys(self) -> tuple[ValkeyInstance, ...] | Unseen: ...


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A Redis, as `spec.redis` will name it."""

    what: str
    name: str
    redis: dict[str, Any]
    found: tuple[str, ...]
    guessed: tuple[str, ...] = ()
    seen: Seen | None = None


def targets_of(source: Source, entry: str, network: NetworkRef, project: _Project) -> tuple[list[FoundTarget], Others]:
    """The targets for a way in (`entry` is what it is called), and what looked like one but cannot be declared."""
    found = [
        *(_memorystore(one) for one in _read(project.instances) if _authorised(one, network)),
        *(_psc(one, "Redis Cluster", "cluster", "name") for one in _read(project.clusters) if _connected(one, network)),
        *(
            _psc(one, "Valkey instance", "valkey", "instance")
            for one in _read(project.valkeys)
            if _connected(one, network)
        ),
    ]
    machines, others = _machines(source, entry, network, project)
    return [*sorted(found, key=lambda one: one.what), *machines], others


def _read(seen: Sequence[Any] | Unseen) -> Sequence[Any]:
    return () if isinstance(seen, Unseen) else seen


def _authorised(one: RedisInstance, network: NetworkRef) -> bool:
    return one.authorized_network is not None and same_network(one.authorized_network, network)


def _connected(one: RedisCluster | ValkeyInstance, network: NetworkRef) -> bool:
    return any(each.network is not None and same_network(each.network, network) for each in one.connections)


def _memorystore(one: RedisInstance) -> FoundTarget:
    notes = [f"Memorystore instance {one.name} ({one.state}, {one.host or 'no address yet'}:{one.port})"]
    if one.auth_enabled:
        notes.append("it asks for AUTH: set spec.redis.auth to have probes give the password")
    if one.transit_encryption:
        notes.append("it asks for TLS: set spec.redis.tls to have probes check its certificate")
    return FoundTarget(
        f"Memorystore instance {one.name}", one.name, {"memorystore": {"instance": one.name}}, tuple(notes), seen=one
    )


def _psc(one: RedisCluster | ValkeyInstance, noun: str, kind: str, key: str) -> FoundTarget:
    notes = [f"{noun} {one.name} ({one.state})"]
    if one.authorization is Authorization.IAM_AUTH:
        notes.append("it asks IAM: set spec.redis.auth.iam.serviceAccount to have probes connect as that account")
    elif one.authorization is not Authorization.DISABLED:
        notes.append(f"it asks for {one.authorization}: set spec.redis.auth to have probes give a token")
    if one.transit_encryption:
        notes.append("it asks for TLS: set spec.redis.tls to have probes check its certificate")
    return FoundTarget(f"{noun} {one.name}", one.name, {kind: {key: one.name}}, tuple(notes), seen=one)


def _machines(source: Source, entry: str, network: NetworkRef, project: _Project) -> tuple[list[FoundTarget], Others]:
    """VMs in the order of their names, each by the first rule that opens it."""
    if isinstance(project.machines, Unseen):
        return [], []
    found: dict[tuple[str, str, str], FoundTarget] = {}
    others: Others = []
    for rule in sorted(project.rules, key=lambda one: one.name):
        names_port = _names_redis(rule, network)
        covers = _covers(rule, source)
        if names_port is None or covers is None:
            continue
        if not names_port:
            others.append((f"rule {rule.name}", "it lets in every port, which does not tell that Redis is behind it"))
            continue
        if not covers:
            others.append((f"rule {rule.name}", f"it lets in a part of {source.range} of {entry} only"))
            continue
        if not (rule.target_tags or rule.target_service_accounts):
            others.append(
                (f"rule {rule.name}", f"it is for every machine of {network.name}: which of them is Redis is not told")
            )
            continue
        chosen = [one for one in project.machines if one.network == network and _selected(rule, one)]
        if not chosen:
            others.append((f"rule {rule.name}", f"no machine of network {network.name} is selected by it"))
        for machine in chosen:
            found.setdefault((machine.name, machine.zone, machine.address), _vm(machine, rule))
    return [found[key] for key in sorted(found)], others


def opened(rules: Sequence[FirewallRule], machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """The machines that some rule of people's names tcp:6379 for: those that can become targets."""
    naming = [rule for rule in rules if _names_redis(rule, rule.network)]
    return tuple(
        one for one in machines if any(rule.network == one.network and _selected(rule, one) for rule in naming)
    )


def _names_redis(rule: FirewallRule, network: NetworkRef) -> bool | None:
    """Whether a rule of people's lets tcp:6379 in by name, only with every other port (False), or not at all (None)."""
    of_people = not rule.disabled and not rule.name.startswith(GOOGLE_RULE_PREFIX)
    if not of_people or (rule.network, rule.direction, rule.action) != (network, Direction.INGRESS, Action.ALLOW):
        return None
    tcp = [one for one in rule.layer4 if one.protocol in ("tcp", "6", "all")]
    if any(low <= REDIS_PORT <= high for one in tcp for low, high in one.ports):
        return True
    return False if any(not one.ports for one in tcp) else None


def _covers(rule: FirewallRule, source: Source) -> bool | None:
    """Whether the rule lets in all of a range, a part of it (False), or nothing (None)."""
    by_tag = source.tags_as_source and bool(rule.source_tags & source.tags)
    if by_tag or not (rule.source_ranges or rule.source_tags or rule.source_service_accounts):
        return True
    networks = [one for one in map(ip_network, rule.source_ranges) if isinstance(one, IPv4Network)]
    if any(source.range.subnet_of(one) for one in networks):
        return True
    return False if any(source.range.overlaps(one) for one in networks) else None


def _selected(rule: FirewallRule, machine: Machine) -> bool:
    return bool(rule.target_tags & machine.tags or rule.target_service_accounts & machine.service_accounts)


def _vm(machine: Machine, rule: FirewallRule) -> FoundTarget:
    redis: dict[str, Any] = {"host": machine.address}
    tags = sorted(rule.target_tags & machine.tags)
    if tags and tags != [REDIS_TAG]:
        redis["targetTags"] = tags
    elif not tags:
        redis["targetServiceAccounts"] = sorted(rule.target_service_accounts & machine.service_accounts)
    return FoundTarget(
        f"VM {machine.zone}/{machine.name}",
        machine.name,
        {"vm": redis},
        (f"VM {machine.name} ({machine.status}, {machine.address}, zone {machine.zone}), opened by rule {rule.name}",),
        (f"Redis on it, at port {REDIS_PORT}, because rule {rule.name} opens that port",),
    )


def keeper_of(source: Source, network: NetworkRef, target: FoundTarget, project: _Project) -> tuple[str, str] | None:
    """The rule and the resource that look after a path already, by the marker of a rule for it; None: nobody."""
    hosts = {f"{one}/32" for one in _hosts(target)}
    for rule in sorted(project.rules, key=lambda one: one.name):
        marker = read_marker(rule.description)
        if marker is None or marker.rule != rule.name or rule.network != network:
            continue
        ingress = rule.direction is Direction.INGRESS
        # An ingress rule cannot tell a subnet's revisions apart by their tags: it is for all of them.
        told_apart = source.tags_as_source or not source.aim
        if ingress and told_apart and str(source.range) in rule.source_ranges and _targets(rule, target):
            return rule.name, marker.owner.key
        if not ingress and source.aim & rule.target_tags and hosts & rule.destination_ranges:
            return rule.name, marker.owner.key
    return None


def _hosts(target: FoundTarget) -> list[str]:
    match target.seen:
        case None:
            return [str(target.redis["vm"]["host"])]
        case RedisInstance(host=host, read_endpoint=reader):
            return [one for one in (host, reader) if one]
        case RedisCluster(connections=connections) | ValkeyInstance(connections=connections):
            return [one.address for one in connections]


def _targets(rule: FirewallRule, target: FoundTarget) -> bool:
    vm = target.redis.get("vm")
    if vm is None:
        return False
    tags = set(vm.get("targetTags", () if "targetServiceAccounts" in vm else (REDIS_TAG,)))
    return bool(rule.target_tags & tags or rule.target_service_accounts & set(vm.get("targetServiceAccounts", ())))
