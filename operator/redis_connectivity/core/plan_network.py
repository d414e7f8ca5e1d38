"""The network's part of a plan: whether it is there, and with it the subnet that traffic enters by."""

from __future__ import annotations

from collections.abc import Sequence

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import CONNECTOR_PREFIX_LENGTH, DIRECT_VPC_PREFIX_LENGTH_MAX, is_direct_vpc_range
from redis_connectivity.core.cloudvalues import Subnetwork
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.verdict import Verdict, bad, good, unseen

__all__ = ["plan_network"]


def plan_network(desired: Desired, observed: Observed) -> Verdict:
    """How the network stands, with the subnet of the connector or of Direct VPC egress."""
    network = observed.network
    if isinstance(network, Unseen):
        return unseen(network)
    if network is None:
        return bad(
            Reason.NETWORK_NOT_FOUND,
            f"Project {desired.network.project} has no network {desired.network.name}. Create it, or name the right one"
            " in spec.network.name; the connector and the rules wait for it.",
        )
    wanted = desired.direct.subnet if desired.direct is not None else desired.connector.subnet
    if wanted is None:
        return good(Reason.NETWORK_FOUND, f"Network {desired.network.name} exists.")
    if isinstance(observed.subnetworks, Unseen):
        return unseen(observed.subnetworks)
    subnet = next((s for s in observed.subnetworks if (s.name, s.region) == (wanted, desired.region)), None)
    if desired.direct is not None:
        return _for_direct_vpc(desired, wanted, subnet)
    return _for_connector(desired, wanted, subnet)


def _for_connector(desired: Desired, wanted: str, subnet: Subnetwork | None) -> Verdict:
    if subnet is None:
        return bad(
            Reason.SUBNET_NOT_FOUND,
            f"There is no subnet {wanted} in {desired.network.project}/{desired.region}. Create it as a /28 with"
            " purpose PRIVATE, or name the right one in spec.connector.subnet.",
        )
    problems = _problems(desired, subnet, "a connector")
    if subnet.ip_cidr_range.prefixlen != CONNECTOR_PREFIX_LENGTH:
        problems.insert(-1, f"has range {subnet.ip_cidr_range}, and a connector needs a /28")
    remedy = "Name a subnet made for the connector in spec.connector.subnet."
    return _verdict(desired, wanted, [one for one in problems if one], remedy)


def _for_direct_vpc(desired: Desired, wanted: str, subnet: Subnetwork | None) -> Verdict:
    if subnet is None:
        return bad(
            Reason.SUBNET_NOT_FOUND,
            f"There is no subnet {wanted} in {desired.network.project}/{desired.region}. Create it as a /26 or larger,"
            " or name the one that the Cloud Run service uses in spec.directVpcEgress.subnet.",
        )
    problems = _problems(desired, subnet, "Direct VPC egress")
    if subnet.ip_cidr_range.prefixlen > DIRECT_VPC_PREFIX_LENGTH_MAX:
        problems.append(f"has range {subnet.ip_cidr_range}, and Direct VPC egress needs a /26 or larger")
    elif not is_direct_vpc_range(subnet.ip_cidr_range):
        problems.append(
            f"has range {subnet.ip_cidr_range}, and Direct VPC egress needs a private one (RFC 1918, RFC 6598, class E)"
        )
    remedy = "Name the subnet that the Cloud Run service uses in spec.directVpcEgress.subnet."
    return _verdict(desired, wanted, [one for one in problems if one], remedy)


def _problems(desired: Desired, subnet: Subnetwork, who: str) -> list[str]:
    """What is wrong with a subnet for any purpose; empty texts for what is right."""
    return [
        f"is on network {subnet.network.name}, not {desired.network.name}" if subnet.network != desired.network else "",
        f"has purpose {subnet.purpose}, and {who} needs PRIVATE" if subnet.purpose != "PRIVATE" else "",
    ]


def _verdict(desired: Desired, wanted: str, problems: Sequence[str], remedy: str) -> Verdict:
    if problems:
        return bad(Reason.SUBNET_UNSUITABLE, f"Subnet {wanted} {'; it '.join(problems)}. {remedy}")
    return good(Reason.NETWORK_FOUND, f"Network {desired.network.name} and subnet {wanted} exist.")
