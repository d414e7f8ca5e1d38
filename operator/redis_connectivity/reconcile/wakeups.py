"""Whom a change in the cloud concerns: pure, so that a thousand resources are not woken for one rule of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redis_connectivity.cloud.keys import Kind
from redis_connectivity.core.cloudvalues import FirewallRule
from redis_connectivity.core.desired import Desired, MemorystoreWant
from redis_connectivity.core.identity import read_marker
from redis_connectivity.reconcile.store import Key

__all__ = ["concerned"]


def concerned(
    kind: Kind,
    changed: Iterable[str],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    resources: Mapping[Key, Desired],
) -> frozenset[Key]:
    """Of the resources that depend on a view, those that a change of the items named `changed` can concern."""
    names = frozenset(changed)
    if kind is Kind.FIREWALLS:
        return _by_rules([rule for name in names for rule in (before.get(name), after.get(name)) if rule], resources)
    if kind is Kind.CONNECTORS:
        return frozenset(key for key, desired in resources.items() if desired.connector.name in names)
    if kind is Kind.NETWORKS:
        return frozenset(key for key, desired in resources.items() if desired.network.name in names)
    if kind is Kind.REDIS_INSTANCES:
        return frozenset(
            key
            for key, desired in resources.items()
            if isinstance(desired.target, MemorystoreWant) and desired.target.instance in names
        )
    return frozenset(resources)


def _by_rules(rules: list[FirewallRule], resources: Mapping[Key, Desired]) -> frozenset[Key]:
    by_uid = {desired.owner.uid: key for key, desired in resources.items()}
    found: set[Key] = set()
    networks = set()
    for rule in rules:
        marker = read_marker(rule.description)
        if marker is not None and marker.owner.uid in by_uid and marker.rule == rule.name:
            found.add(by_uid[marker.owner.uid])
        else:
            networks.add(rule.network)
    if networks:
        found |= {key for key, desired in resources.items() if desired.network in networks}
    return frozenset(found)
