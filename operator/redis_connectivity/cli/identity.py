"""Who a declared resource is: the one that exists in the cluster, with its ledger, as far as it may be read.

What is ours hangs on it: rules are known by the resource's uid in their marker, a connector by the ledger alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.cloudvalues import FirewallRule
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId, read_marker
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import Gone, KubeError, KubeForbidden
from redis_connectivity.kube.ledgerstore import LedgerStore, LedgerUnreadable

__all__ = ["UNKNOWN", "Identity", "Ownership", "known_to_cluster", "recognised", "without_cluster"]

#: Stands for a uid that is not known; no marker can carry it.
UNKNOWN: Final = "none"


class Ownership(enum.StrEnum):
    """How much is known of what the resource owns."""

    #: It exists in the cluster, and its ledger was read.
    KNOWN = "Known"
    #: The cluster has no such resource: it owns nothing.
    NEW = "New"
    #: It exists in the cluster, but its ledger could not be read.
    LEDGER_UNREAD = "LedgerUnread"
    #: No cluster was asked.
    NO_CLUSTER = "NoCluster"


@dataclass(frozen=True, slots=True)
class Identity:
    """The resource as owner, what is recorded for it, and sentences on what could not be known."""

    owner: ResourceId
    ledger: Ledger
    ownership: Ownership
    notes: tuple[str, ...] = ()


def without_cluster(namespace: str, name: str) -> Identity:
    """The identity of a resource that no cluster was asked about: it is taken as new."""
    note = (
        "No cluster was asked, so this is planned as a new resource: a connector and rules that the operator has made"
        " already count as somebody else's. Give --kubeconfig or --context to plan for the resource that exists."
    )
    return Identity(ResourceId(UNKNOWN, namespace, name, UNKNOWN), Ledger(), Ownership.NO_CLUSTER, (note,))


async def known_to_cluster(kube: KubeClient, operator_namespace: str, namespace: str, name: str) -> Identity:
    """The identity of a resource as the cluster knows it.

    Raises:
        KubeError: The resource cannot be read.
    """
    try:
        cluster = await kube.cluster_uid()
    except KubeForbidden:
        cluster = UNKNOWN
    try:
        body = await kube.get_resource(namespace, name)
    except Gone:
        return Identity(ResourceId(cluster, namespace, name, UNKNOWN), Ledger(), Ownership.NEW)
    owner = ResourceId(cluster, namespace, name, body["metadata"]["uid"])
    notes: tuple[str, ...] = ()
    if body["metadata"].get("deletionTimestamp"):
        notes = ("The resource in the cluster is being deleted: the operator only removes what it made.",)
    try:
        ledger = await LedgerStore(kube, operator_namespace).load(owner)
    except (KubeForbidden, LedgerUnreadable) as error:
        return Identity(owner, _from_status(owner, body), Ownership.LEDGER_UNREAD, (*notes, _unread(error, body)))
    return Identity(owner, ledger, Ownership.KNOWN, notes)


def _owned(body: dict[str, Any]) -> bool:
    return bool(body.get("status", {}).get("connector", {}).get("owned"))


def _from_status(owner: ResourceId, body: dict[str, Any]) -> Ledger:
    """What the resource's own status lets one conclude: whether the connector is its own."""
    if not _owned(body):
        return Ledger()
    path = resolve(owner, RedisConnectivitySpec.model_validate(body["spec"])).connector_path
    return Ledger(claim=ConnectorClaim(connector=path, state=ClaimState.CONFIRMED))


def _unread(error: KubeError, body: dict[str, Any]) -> str:
    whose = "its own" if _owned(body) else "somebody else's"
    return (
        f"The ledger cannot be read ({error}). By the resource's status the connector counts as {whose}; rules are"
        " known by their marker; what others changed cannot be told from what the spec changes."
    )


def recognised(identity: Identity, rules: Iterable[FirewallRule]) -> Identity:
    """The identity after a look at the rules: their markers tell what the cluster did not.

    A uid is unique in the world, so a marker with ours has our cluster's uid, too. Without a uid, a marker with our
    name belongs to a resource that may be this one.
    """
    owner = identity.owner
    markers = [marker for rule in rules if (marker := read_marker(rule.description)) and marker.rule == rule.name]
    if owner.uid != UNKNOWN and owner.cluster == UNKNOWN:
        cluster = next((marker.owner.cluster for marker in markers if marker.owner.uid == owner.uid), UNKNOWN)
        return replace(identity, owner=replace(owner, cluster=cluster))
    if owner.uid == UNKNOWN:
        namesakes = sorted({marker.rule for marker in markers if marker.owner.key == owner.key})
        if namesakes:
            taken = (
                f"{', '.join(namesakes)}: marked as made for a resource {owner.key}, which is not taken for this one"
                " here. If it is the same, nothing would be made twice."
            )
            return replace(identity, notes=(*identity.notes, taken))
    return identity
