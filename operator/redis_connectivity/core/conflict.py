"""Two resources that cannot both have what they declare: the older one has it, the younger one is told.

About connectors: the same one at different places, overlapping ranges in a network, or a subnet for two. Resources that
agree about a connector share it. Firewall rules are never contested: each resource has its own, known by its marker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from redis_connectivity.api.spec import ConnectorManagement
from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.identity import ResourceId

__all__ = ["Claim", "Conflict", "claim_of", "losers"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one resource wants for itself. `created` is its creationTimestamp, which sorts as text."""

    owner: ResourceId
    created: str
    connector: str
    network: NetworkRef
    region: str
    ip_cidr_range: IPv4Network | None
    subnet: str | None

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the oldest first; two of the same second by their uid, so that everybody sees the same order."""
        return self.created, self.owner.uid

    @property
    def place(self) -> str:
        """Where the connector is to be, for people."""
        where = f"range {self.ip_cidr_range}" if self.ip_cidr_range else f"subnet {self.subnet}"
        return f"{where} in network {self.network.name}"

    def agrees_with(self, other: Claim) -> bool:
        """Whether both want the same connector at the same place."""
        return (self.connector, self.network, self.ip_cidr_range, self.subnet) == (
            other.connector,
            other.network,
            other.ip_cidr_range,
            other.subnet,
        )

    def dispute(self, other: Claim) -> str:
        """Why this one cannot be as declared while the other one is, for people; empty where both can be."""
        name = self.connector.rsplit("/", 1)[-1]
        theirs = other.connector.rsplit("/", 1)[-1]
        if self.connector == other.connector:
            if self.agrees_with(other):
                return ""
            return (
                f"Connector {name} is declared with {self.place} here, and with {other.place} by"
                f" {other.owner.key}, which is older. Declare the same, or give this one a connector of its own"
                " (spec.connector.name)."
            )
        if self.network != other.network:
            return ""
        mine, its = self.ip_cidr_range, other.ip_cidr_range
        if mine is not None and its is not None and mine.overlaps(its):
            return (
                f"Range {mine} overlaps {its}, which {other.owner.key}, an older resource, declares for connector"
                f" {theirs} in network {self.network.name}. Set spec.connector.ipCidrRange to a free /28."
            )
        if self.subnet is not None and (self.subnet, self.region) == (other.subnet, other.region):
            return (
                f"Subnet {self.subnet} is declared by {other.owner.key}, an older resource, for connector {theirs};"
                " a connector needs one of its own. Name another in spec.connector.subnet."
            )
        return ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a resource is told that cannot have what it declares. `rival` is the other one's namespace/name."""

    rival: str
    message: str


def claim_of(desired: Desired, created: str) -> Claim | None:
    """What a resource wants for itself; None where it leaves the connector to others."""
    if desired.direct is not None:
        return None
    want = desired.connector
    if want.management is not ConnectorManagement.MANAGED:
        return None
    return Claim(
        owner=desired.owner,
        created=created,
        connector=desired.connector_path,
        network=desired.network,
        region=desired.region,
        ip_cidr_range=want.ip_cidr_range,
        subnet=want.subnet,
    )


def losers(claims: Iterable[Claim]) -> dict[str, Conflict]:
    """Who must give way, by uid. From the oldest on, each one wins unless it disputes with a winner.

    Who gives way blocks nobody: a third one that only disputes with it has what it wants.
    """
    winners: list[Claim] = []
    found: dict[str, Conflict] = {}
    for claim in sorted(claims, key=lambda one: one.age):
        for winner in winners:
            dispute = claim.dispute(winner)
            if dispute:
                found[claim.owner.uid] = Conflict(winner.owner.key, dispute)
                break
        else:
            winners.append(claim)
    return found
