"""How a connector differs from the declared one in what cannot change in place."""

from __future__ import annotations

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.desired import ConnectorWant, Desired

__all__ = ["cannot_shrink", "immutable_difference", "same_placement"]


def immutable_difference(desired: Desired, connector: Connector) -> tuple[Reason, str] | None:
    """How the connector differs in what cannot change in place, with a sentence; None where it does not."""
    want = desired.connector
    if connector.network and connector.network != desired.network.name:
        return (
            Reason.CONNECTOR_WRONG_NETWORK,
            (
                f"Connector {connector.name} is on network {connector.network}, but the spec means"
                f" {desired.network.name}: traffic from Cloud Run enters the wrong network. Name another connector,"
                " or delete this one."
            ),
        )
    declared = f"range {want.ip_cidr_range}" if want.ip_cidr_range else f"subnet {want.subnet}"
    if not same_placement(want, connector, desired.network.project):
        actual = f"subnet {connector.subnet}" if connector.subnet else f"range {connector.ip_cidr_range}"
        return (
            Reason.CONNECTOR_IMMUTABLE_FIELD,
            (
                f"Connector {connector.name} has {actual}, the spec declares {declared}, and Google cannot change that"
                " in place. Put the old value back, or delete the connector when its services can bear it."
            ),
        )
    return None


def same_placement(want: ConnectorWant, connector: Connector, network_project: str) -> bool:
    """Whether a connector is in the declared range or subnet, as far as it tells."""
    if want.subnet:
        return (connector.subnet, connector.subnet_project) == (want.subnet, network_project)
    return not connector.subnet and connector.ip_cidr_range in (None, want.ip_cidr_range)


def cannot_shrink(desired: Desired, connector: Connector) -> str:
    """The counts that would have to shrink, in a sentence; empty where none does."""
    want = desired.connector
    over = [
        f"{field} is {actual}, declared {declared}"
        for field, declared, actual in (
            ("minInstances", want.min_instances, connector.min_instances),
            ("maxInstances", want.max_instances, connector.max_instances),
        )
        if declared is not None and actual > declared
    ]
    if not over:
        return ""
    return f"Connector {connector.name}: {'; '.join(over)}; a connector's counts can only grow in place."
