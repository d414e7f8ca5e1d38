"""The connector's part of a plan where there is none: Cloud Run's instances stand in a subnet of the network."""

from __future__ import annotations

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.connector_plan import ConnectorPlan
from redis_connectivity.core.desired import Desired, DirectVpcWant
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.sources import of_direct_vpc
from redis_connectivity.core.verdict import good, unknown

__all__ = ["plan_direct_vpc"]


def plan_direct_vpc(desired: Desired, want: DirectVpcWant, observed: Observed) -> ConnectorPlan:
    """The network and the subnet are there: traffic comes from any of the subnet's addresses."""
    subnets = () if isinstance(observed.subnetworks, Unseen) else observed.subnetworks
    subnet = next((one for one in subnets if (one.name, one.region) == (want.subnet, desired.region)), None)
    if subnet is None:
        return ConnectorPlan(unknown(Reason.EARLIER_HOP_NOT_READY, f"Waits for subnet {want.subnet}."))
    by_tag = f", network tags {', '.join(sorted(want.tags))}" if want.tags else ""
    message = (
        f"There is no connector: Cloud Run enters by Direct VPC egress from subnet {want.subnet}"
        f" ({subnet.ip_cidr_range}{by_tag})."
    )
    source = of_direct_vpc(want, subnet.ip_cidr_range)
    return ConnectorPlan(good(Reason.DIRECT_VPC_EGRESS, message), sources=(source,), usable=True)
