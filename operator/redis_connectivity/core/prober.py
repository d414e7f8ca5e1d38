"""The prober that the operator deploys: which service it is, whose, and what it should look like.

One service serves all resources of a project and region that leave by the same way. Its name follows from that way as
it is *declared*, so it stays when the connector is replaced by another; its template then leads to that other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from redis_connectivity.core.desired import Desired
from redis_connectivity.core.runvalues import RunService, WayOut, service_path

__all__ = [
    "ProberSetup",
    "is_ours",
    "labels_of",
    "made_by_operator",
    "owner_of",
    "prober_path",
    "prober_there",
    "same_way",
    "service_of",
]

_PREFIX: Final = "redis-connectivity-prober"
#: The marker: the uid of the cluster whose operator made a service, as in the marker of a firewall rule.
_CLUSTER_LABEL: Final = "redis-connectivity-cluster"
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class ProberSetup:
    """What the operator's settings say about the probers that it deploys.

    `image` is empty where that is not known. `service_account` is an e-mail, or a name in the resource's own project;
    empty for Google's default. `allow` are the ranges that targets may be in; none for a prober's own default.
    """

    image: str = ""
    service_account: str = ""
    allow: tuple[str, ...] = ()

    @property
    def args(self) -> tuple[str, ...]:
        """The container's arguments: the command, and the targets that it is given."""
        return ("prober", *(word for one in self.allow for word in ("--allow", one)))

    def account_in(self, project: str) -> str:
        """The e-mail of the account that a prober in this project runs as."""
        if not self.service_account or "@" in self.service_account:
            return self.service_account
        return f"{self.service_account}@{project}.iam.gserviceaccount.com"


def prober_path(desired: Desired) -> str:
    """The full name of the service that probes for a resource; it is the same for all that leave by the same way."""
    way = _declared_way(desired)
    text = "|".join((desired.owner.cluster, way.connector, way.network, way.subnetwork, *sorted(way.tags)))
    name = f"{_PREFIX}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"
    return service_path(desired.project, desired.region, name)


def _declared_way(desired: Desired) -> WayOut:
    """The way as the spec has it, whatever connector has taken the declared one's place."""
    if desired.direct is not None:
        return _way_out(desired, "")
    return _way_out(desired, desired.connector.base)


def _way_out(desired: Desired, connector: str) -> WayOut:
    direct, host = desired.direct, desired.network.project
    if direct is None:
        return WayOut(f"projects/{desired.connector.project}/locations/{desired.region}/connectors/{connector}")
    return WayOut(
        network=f"projects/{host}/global/networks/{desired.network.name}",
        subnetwork=f"projects/{host}/regions/{desired.region}/subnetworks/{direct.subnet}",
        tags=direct.tags,
    )


def service_of(desired: Desired, setup: ProberSetup) -> RunService:
    """The service as it should be. The connector is the one in use: `lineage.settle` comes before."""
    return RunService(
        project=desired.project,
        region=desired.region,
        name=prober_path(desired).rsplit("/", 1)[-1],
        image=setup.image,
        args=setup.args,
        way=_way_out(desired, desired.connector.name if desired.direct is None else ""),
        labels=frozenset(labels_of(desired.owner.cluster).items()),
        service_account=setup.account_in(desired.project),
    )


def same_way(want: WayOut, seen: WayOut) -> bool:
    """Whether both are one. Google may write a project's number for its id, and a bare name for a full one."""
    if want.tags != seen.tags or bool(want.connector) != bool(seen.connector):
        return False
    return _same_name(want.connector, seen.connector) and _same_name(want.subnetwork, seen.subnetwork)


def _same_name(ours: str, theirs: str) -> bool:
    if "/" not in theirs:
        return ours.rsplit("/", 1)[-1] == theirs
    # Of projects/P/…, perhaps behind a host.
    _, project, *place = ours.split("/")
    _, their_project, *their_place = theirs[max(0, theirs.find("projects/")) :].split("/")
    return place == their_place and (project == their_project or their_project.isdigit())


def prober_there(desired: Desired, services: Iterable[RunService]) -> RunService | None:
    """The prober that some operator deployed on a resource's way, for who does not know the cluster.

    Who knows it asks for `prober_path`: only that is sure to be the resource's own.
    """
    way = _way_out(desired, desired.connector.name if desired.direct is None else "")
    found = [one for one in services if made_by_operator(one) and not one.deleting and same_way(way, one.way)]
    return min(found, key=lambda one: (not one.serves, one.name), default=None)


def labels_of(cluster: str) -> dict[str, str]:
    """The labels of a service that an operator of this cluster makes."""
    return {_CLUSTER_LABEL: cluster}


def is_ours(service: RunService, cluster: str) -> bool:
    """Whether an operator of this cluster made the service."""
    return (_CLUSTER_LABEL, cluster) in service.labels


def made_by_operator(service: RunService) -> bool:
    """Whether it is a prober, of whatever cluster's operator."""
    return _CLUSTER_LABEL in dict(service.labels) and service.name.startswith(f"{_PREFIX}-")


def owner_of(service: RunService) -> str:
    """Whose a service is, in words."""
    cluster = dict(service.labels).get(_CLUSTER_LABEL)
    return f"the operator of the cluster {cluster}" if cluster else "somebody else"
