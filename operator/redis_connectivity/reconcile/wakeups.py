"""Whom a change in the cloud concerns: pure, so that a thousand resources are not woken for one rule of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redis_connectivity.cloud.keys import Kind
from redis_connectivity.core.cloudvalues import FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.lineage import is_of_lineage
from redis_connectivity.core.prober import prober_path
from redis_connectivity.core.runvalues import RunService
from redis_connectivity.reconcile.observer import target_view
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
        return frozenset(
            key
            for key, desired in resources.items()
            if desired.direct is None and any(is_of_lineage(desired.connector, name) for name in names)
        )
    if kind is Kind.RUN_SERVICES:
        paths = {key: prober_path(desired) for key, desired in resources.items() if desired.deploys_prober}
        probers = frozenset(key for key, path in paths.items() if path.rsplit("/", 1)[-1] in names)
        return probers | _by_moves(names, before, after, {key: resources[key] for key in paths})
    if kind is Kind.NETWORKS:
        return frozenset(key for key, desired in resources.items() if desired.network.name in names)
    if kind in (Kind.REDIS_INSTANCES, Kind.REDIS_CLUSTERS, Kind.VALKEY_INSTANCES):
        places = {key: target_view(desired) for key, desired in resources.items()}
        return frozenset(key for key, place in places.items() if place and place[0].kind is kind and place[1] in names)
    return frozenset(resources)


def _by_moves(
    names: frozenset[str], before: Mapping[str, Any], after: Mapping[str, Any], resources: Mapping[Key, Desired]
) -> frozenset[Key]:
    """Whose connector a Cloud Run service began or ceased to leave by: status names those that still do."""
    moves = ((_connector_of(before.get(name)), _connector_of(after.get(name))) for name in names)
    connectors = {one for was, now in moves if was != now for one in (was, now) if one}
    return frozenset(
        key
        for key, desired in resources.items()
        if desired.direct is None and any(is_of_lineage(desired.connector, name) for name in connectors)
    )


def _connector_of(service: RunService | None) -> str:
    return service.way.connector.rsplit("/", 1)[-1] if service is not None else ""


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
