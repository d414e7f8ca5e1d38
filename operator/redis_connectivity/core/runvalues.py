"""Cloud Run services as the operator knows them: what it deploys, and what is there."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Rollout", "RunService", "WayOut", "service_path"]


class Rollout(enum.StrEnum):
    """How the newest template of a service stands: run.v2 Service.reconciling and terminal_condition, in one word."""

    UNDER_WAY = "Deploying"
    SUCCEEDED = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class WayOut:
    """A revision's way into the network (run.v2 VpcAccess): a connector by its full name, or a subnet.

    `network` and `subnetwork` are full names, `projects/P/…`.
    """

    connector: str = ""
    network: str = ""
    subnetwork: str = ""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunService:
    """A Cloud Run service (run.v2.Service), as far as the operator's own are concerned.

    `attempt` is the operator's mark on the template: it makes an unchanged one a new revision. `serves` says whether a
    revision is ready, be it an older one; `message` is Google's on what became of the newest.
    """

    project: str
    region: str
    name: str
    image: str
    args: tuple[str, ...]
    way: WayOut
    labels: frozenset[tuple[str, str]] = frozenset()
    service_account: str = ""
    attempt: int = 0
    uri: str = ""
    rollout: Rollout = Rollout.UNDER_WAY
    serves: bool = False
    message: str = ""
    deleting: bool = False

    @property
    def full_name(self) -> str:
        """projects/P/locations/R/services/S."""
        return service_path(self.project, self.region, self.name)


def service_path(project: str, region: str, name: str) -> str:
    """The full name of a service."""
    return f"projects/{project}/locations/{region}/services/{name}"
