"""How a packet gets from the network to where the target stands, once the firewall has let it out.

Sources: Memorystore's pages on networking (peering names), the APIs of Memorystore for Redis Cluster and for Valkey
(pscConnectionStatus), VPC's page on routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity.core.cloudvalues import NetworkRef, Peering, Subnetwork
from redis_connectivity.core.reachability.values import Answer, Receiver, Unread

__all__ = [
    "DIRECT_PEERING",
    "PSA_PEERING",
    "DirectPeering",
    "PrivateServiceAccess",
    "PrivateServiceConnect",
    "PscConnection",
    "Route",
    "RouteAnswer",
    "SubnetRoute",
    "judge_route",
]

#: Name of the peering that private service access makes.
PSA_PEERING = "servicenetworking-googleapis-com"
#: Names of the peerings that Memorystore makes for instances with direct peering.
DIRECT_PEERING = re.compile(r"redis-peer-\d+")
_ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class DirectPeering:
    """Memorystore for Redis, connect mode DIRECT_PEERING. None: the network's peerings are not known."""

    peerings: tuple[Peering, ...] | None


@dataclass(frozen=True, slots=True)
class PrivateServiceAccess:
    """Memorystore for Redis, connect mode PRIVATE_SERVICE_ACCESS. None: the network's peerings are not known."""

    peerings: tuple[Peering, ...] | None


@dataclass(frozen=True, slots=True)
class PscConnection:
    """A Private Service Connect endpoint: an address of the network behind which a service stands.

    `status` is Google's pscConnectionStatus (ACTIVE, NOT_FOUND), or "" where Google tells none.
    """

    address: IPv4Address
    status: str
    network: NetworkRef | None = None


@dataclass(frozen=True, slots=True)
class PrivateServiceConnect:
    """Memorystore for Redis Cluster or for Valkey: reached through endpoints on the network."""

    network: NetworkRef
    connections: tuple[PscConnection, ...]


@dataclass(frozen=True, slots=True)
class SubnetRoute:
    """A machine on the network itself: within one of its subnets, or behind a route that was made by hand."""

    subnets: tuple[Subnetwork, ...] | Unread


Route = DirectPeering | PrivateServiceAccess | PrivateServiceConnect | SubnetRoute


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """Whether a way leads to the target, and by what; `missing` is the permission without which it cannot be told."""

    answer: Answer
    message: str
    missing: str = ""


def judge_route(route: Route, network: NetworkRef, receivers: Iterable[Receiver]) -> RouteAnswer:
    """Whether the network has a way to every receiver."""
    if isinstance(route, DirectPeering):
        return _direct(route, network)
    if isinstance(route, PrivateServiceAccess):
        return _private_service_access(route, network)
    if isinstance(route, PrivateServiceConnect):
        return _private_service_connect(route, receivers)
    return _subnet(route, network, receivers)


def _direct(route: DirectPeering, network: NetworkRef) -> RouteAnswer:
    if route.peerings is None:
        return _no_peerings(network)
    ours = [peering for peering in route.peerings if DIRECT_PEERING.fullmatch(peering.name)]
    active = [peering.name for peering in ours if peering.state == _ACTIVE]
    if active:
        return RouteAnswer(Answer.ALLOWED, f"Network {network} is peered with Memorystore ({', '.join(active)}).")
    if ours:
        states = ", ".join(f"{peering.name} is {peering.state or 'in no known state'}" for peering in ours)
        return RouteAnswer(
            Answer.DENIED,
            f"No peering of network {network} with Memorystore is ACTIVE: {states}. A peering whose other side was"
            " deleted stays INACTIVE; recreating the instance makes it anew.",
        )
    return RouteAnswer(
        Answer.DENIED,
        f"Network {network} has no peering named redis-peer-NUMBER, which Memorystore makes for an instance with"
        " direct peering: somebody deleted it, or the instance belongs to another network. Recreate the instance for"
        " this network.",
    )


def _private_service_access(route: PrivateServiceAccess, network: NetworkRef) -> RouteAnswer:
    if route.peerings is None:
        return _no_peerings(network)
    state = next((peering.state for peering in route.peerings if peering.name == PSA_PEERING), None)
    if state == _ACTIVE:
        return RouteAnswer(Answer.ALLOWED, f"Network {network} has private service access ({PSA_PEERING}).")
    found = "is not there" if state is None else f"is {state or 'in no known state'}"
    return RouteAnswer(
        Answer.DENIED,
        f"Peering {PSA_PEERING} of network {network} {found}. Set up private service access for the network again"
        " (gcloud services vpc-peerings connect --service=servicenetworking.googleapis.com).",
    )


def _no_peerings(network: NetworkRef) -> RouteAnswer:
    return RouteAnswer(
        Answer.UNKNOWN, f"The peerings of network {network} could not be read.", missing="compute.networks.list"
    )


def _private_service_connect(route: PrivateServiceConnect, receivers: Iterable[Receiver]) -> RouteAnswer:
    unsure: list[str] = []
    for receiver in receivers:
        inside = [one for one in route.connections if one.address in receiver.addresses]
        if not inside:
            return RouteAnswer(
                Answer.DENIED,
                f"No Private Service Connect endpoint has the address {receiver.addresses.network_address}. Create a"
                " service connection policy for the network, or register the endpoint.",
            )
        for one in inside:
            if one.network is not None and one.network != route.network:
                return RouteAnswer(
                    Answer.DENIED,
                    f"Endpoint {one.address} is on network {one.network}, not on {route.network}; a Private Service"
                    " Connect endpoint cannot be reached across a peering. Use an endpoint of this network.",
                )
            if one.status and one.status != _ACTIVE:
                return RouteAnswer(
                    Answer.DENIED,
                    f"The Private Service Connect connection at {one.address} is {one.status}, not ACTIVE. Its"
                    " forwarding rule was deleted, or the service does not accept it; create the endpoint again.",
                )
            if not one.status:
                unsure.append(str(one.address))
    if unsure:
        return RouteAnswer(
            Answer.UNKNOWN,
            f"Google does not tell how the Private Service Connect connection at {', '.join(unsure)} stands.",
            missing="compute.forwardingRules.get",
        )
    addresses = ", ".join(str(one.address) for one in route.connections)
    return RouteAnswer(Answer.ALLOWED, f"Private Service Connect is ACTIVE at {addresses}.")


def _subnet(route: SubnetRoute, network: NetworkRef, receivers: Iterable[Receiver]) -> RouteAnswer:
    if isinstance(route.subnets, Unread):
        return RouteAnswer(
            Answer.UNKNOWN,
            route.subnets.message or f"The subnets of network {network} could not be read.",
            missing=route.subnets.permission,
        )
    found: list[str] = []
    for receiver in receivers:
        holder = next((one for one in route.subnets if _holds(one, network, receiver.addresses)), None)
        if holder is None:
            return RouteAnswer(
                Answer.UNKNOWN,
                f"No subnet of network {network} holds {receiver.addresses.network_address}: unless a route leads"
                " there, packets are dropped. Compare the address with the machine's, and spec.network.name with its"
                " network.",
                missing="compute.routes.list",
            )
        found.append(f"{holder.name} ({holder.ip_cidr_range})")
    return RouteAnswer(Answer.ALLOWED, f"Redis is in subnet {', '.join(dict.fromkeys(found))} of network {network}.")


def _holds(subnet: Subnetwork, network: NetworkRef, addresses: IPv4Network) -> bool:
    return subnet.network == network and addresses.subnet_of(subnet.ip_cidr_range)
