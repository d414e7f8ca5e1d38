"""Ranges of subnets by name, as observed."""

from __future__ import annotations

from ipaddress import IPv4Network

from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed, Unseen

__all__ = ["range_of"]


def range_of(desired: Desired, observed: Observed, name: str | None) -> IPv4Network | None:
    """The range of a subnet of the network's project in the resource's region; None where it is not known."""
    if not name or isinstance(observed.subnetworks, Unseen):
        return None
    for one in observed.subnetworks:
        if (one.name, one.region) == (name, desired.region):
            return one.ip_cidr_range
    return None
