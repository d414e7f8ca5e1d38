"""Several resources that declare one connector: who of them uses what, and whose word counts when they disagree.

Whoever made the connector keeps it as its own spec says; where there is none yet, the oldest makes it. The others use
what is there, and are told whom they disagree with.
"""

from __future__ import annotations

from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.connector_compare import same_placement
from redis_connectivity.core.desired import ConnectorWant, Desired
from redis_connectivity.core.observed import Observed, Sharer

__all__ = ["conflict_with_an_older", "conflict_with_any", "uses"]


def uses(sharer: Sharer, connector: Connector, successor: str) -> bool:
    """Whether another resource goes by this connector rather than by `successor`, which takes its place."""
    return sharer.successor != successor or same_placement(sharer.want, connector, sharer.network_project)


def _disagreement(mine: ConnectorWant, theirs: ConnectorWant) -> str:
    """What the other one declares otherwise; empty where nothing. A count that is not declared is no opinion."""
    pairs: tuple[tuple[str, object, object], ...] = (
        ("ipCidrRange", mine.ip_cidr_range, theirs.ip_cidr_range),
        ("subnet", mine.subnet, theirs.subnet),
        ("machineType", mine.machine_type, theirs.machine_type),
        ("minInstances", mine.min_instances or theirs.min_instances, theirs.min_instances or mine.min_instances),
        ("maxInstances", mine.max_instances or theirs.max_instances, theirs.max_instances or mine.max_instances),
    )
    return ", ".join(
        f"{field} {other or 'none'} and not {own or 'none'}" for field, own, other in pairs if own != other
    )


def _told(desired: Desired, sharer: Sharer, disagreement: str) -> str:
    return (
        f"Connector {desired.connector.name} is shared with {sharer.key}, which declares {disagreement}. Declare the"
        " same in both, or another connector.name in one of them."
    )


def conflict_with_an_older(desired: Desired, observed: Observed) -> str:
    """Why this resource does not make a connector: an older one declares it otherwise. Empty where none does."""
    for sharer in observed.connector_sharers:
        disagreement = _disagreement(desired.connector, sharer.want) if sharer.older else ""
        if disagreement:
            return f"{_told(desired, sharer, disagreement)} The older one makes it."
    return ""


def conflict_with_any(desired: Desired, observed: Observed) -> str:
    """Whom this resource, which did not make the connector, disagrees with. Empty where nobody."""
    for sharer in observed.connector_sharers:
        disagreement = _disagreement(desired.connector, sharer.want)
        if disagreement:
            return _told(desired, sharer, disagreement)
    return ""
