"""What a connector's range must not overlap: Google would make the connector all the same, and leave it in ERROR."""

from __future__ import annotations

from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed, Unseen

__all__ = ["range_conflict"]


def range_conflict(desired: Desired, observed: Observed) -> str:
    """What the declared range overlaps, and what to do, in a sentence; empty where it is free as far as is known."""
    conflict = _overlap(desired, observed)
    if not conflict:
        return ""
    return (
        f"{desired.connector.ip_cidr_range} overlaps {conflict} in network {desired.network.name}, and Google would"
        " leave the connector in ERROR. Set spec.connector.ipCidrRange to a free /28."
    )


def _overlap(desired: Desired, observed: Observed) -> str:
    wanted = desired.connector.ip_cidr_range
    if wanted is None:
        return ""
    if not isinstance(observed.subnetworks, Unseen):
        for subnet in observed.subnetworks:
            if subnet.network == desired.network and subnet.ip_cidr_range.overlaps(wanted):
                return f"subnet {subnet.name} ({subnet.ip_cidr_range})"
    for other in observed.connectors:
        same_network = other.network in (desired.network.name, "") and other.full_name != desired.connector_path
        if same_network and other.ip_cidr_range is not None and other.ip_cidr_range.overlaps(wanted):
            return f"connector {other.name} ({other.ip_cidr_range})"
    return ""
