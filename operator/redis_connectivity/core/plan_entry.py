"""The part of a plan about how traffic enters the network: by a connector, or by Direct VPC egress."""

from __future__ import annotations

from redis_connectivity.core.connector_plan import ConnectorPlan
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan_connector import plan_connector
from redis_connectivity.core.plan_direct_vpc import plan_direct_vpc

__all__ = ["plan_entry"]


def plan_entry(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    """The network is there."""
    if desired.direct is not None:
        return plan_direct_vpc(desired, desired.direct, observed)
    return plan_connector(desired, observed, ledger, now)
