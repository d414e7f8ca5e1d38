"""A second opinion on a path: what to ask Google's Connectivity Tests, and what to make of the answer. Pure.

Google analyses its own configuration for one Cloud Run revision and one destination. No packet is sent: "reachable" is
no proof, and what the path meets behind the network (Redis itself, TLS, a password) is not looked at.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity.core.desired import ClusterWant, Desired, MemorystoreWant

__all__ = ["Finding", "Opinion", "Question", "QuestionError", "Result", "agreement", "question"]

_REVISION: Final = re.compile(r"projects/[^/]+/locations/[^/]+/revisions/[^/]+")


class QuestionError(Exception):
    """There is nothing to ask yet; the message says what is missing."""


class Result(enum.StrEnum):
    """Google's own words (ReachabilityDetails.Result)."""

    REACHABLE = "REACHABLE"
    UNREACHABLE = "UNREACHABLE"
    AMBIGUOUS = "AMBIGUOUS"
    UNDETERMINED = "UNDETERMINED"


@dataclass(frozen=True, slots=True)
class Question:
    """One Connectivity Test over tcp.

    Attributes:
        project: Where the test is made: the project of Cloud Run.
        revision: projects/P/locations/R/revisions/REVISION, whose traffic is asked about.
        resource: projects/P/locations/R/instances/I (or clusters/C) of a managed Redis that Google knows by name.
        is_cluster: Whether `resource` is a Redis Cluster.
        address: Where Redis is, for any other target.
        network: projects/P/global/networks/N, where `address` belongs.
        port: Redis' port.
        related_projects: Other projects whose configuration decides.
    """

    project: str
    revision: str
    port: int
    resource: str = ""
    is_cluster: bool = False
    address: IPv4Address | None = None
    network: str = ""
    related_projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of Google's analysis: its state and description, and the rule or cause that it names."""

    state: str
    text: str
    drops: bool = False
    cause: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What Google says. `stopped`: where the analysis could not go on, as for want of a permission."""

    result: Result
    findings: tuple[Finding, ...] = ()
    verified: str = ""
    error: str = ""

    @property
    def stopped(self) -> tuple[Finding, ...]:
        """Where the analysis ended early: what is reachable so far may not be so further on."""
        return tuple(one for one in self.findings if one.state in ("ABORT", "VIEWER_PERMISSION_MISSING"))


def question(desired: Desired, revision: str, host: str, port: int) -> Question:
    """What to ask about a path.

    Args:
        desired: The path.
        revision: A revision's name, or its full name.
        host: Where Redis is, as observed; empty while that is not known.
        port: Redis' port.

    Raises:
        QuestionError: The target's address is not known, or is none.
    """
    if "/" not in revision:
        revision = f"projects/{desired.project}/locations/{desired.region}/revisions/{revision}"
    elif not _REVISION.fullmatch(revision):
        raise QuestionError(
            f"{revision} is no revision: give its name, or projects/PROJECT/locations/REGION/revisions/REVISION"
        )
    project = revision.split("/")[1]
    network = f"projects/{desired.network.project}/global/networks/{desired.network.name}"
    projects = {desired.project, desired.network.project}
    if desired.direct is None:
        projects.add(desired.connector.project)
    base = Question(project, revision, port, related_projects=tuple(sorted(projects - {project})))
    place = f"projects/{desired.project}/locations/{desired.region}"
    match desired.target:
        case MemorystoreWant(instance):
            return replace(base, resource=f"{place}/instances/{instance}")
        case ClusterWant(name):
            return replace(base, resource=f"{place}/clusters/{name}", is_cluster=True)
    try:
        address = IPv4Address(host)
    except ValueError:
        why = f"{host} is a DNS name, and Google is asked about addresses" if host else "Redis is not found yet"
        raise QuestionError(f"there is nothing to ask Google: {why}") from None
    return replace(base, address=address, network=network)


def agreement(opinion: Opinion, ready: str, reason: str) -> str:
    """What Google's opinion means beside the operator's verdict (`ready`: True, False or Unknown, and its reason)."""
    ours = f"The operator says Ready={ready} ({reason})"
    match opinion.result, ready:
        case Result.REACHABLE, "True":
            return f"{ours}: both find the path open."
        case Result.REACHABLE, "False":
            return (
                f"{ours}, and Google finds nothing in its configuration that stops this traffic. What is broken is"
                " where Google does not look: Redis itself, its machine's firewall, TLS or a password; or the revision"
                " goes another way than this path. The operator's diagnosis rests on real traffic."
            )
        case Result.UNREACHABLE, "True":
            return (
                f"{ours}, from traffic that got through, and Google finds this revision's stopped: it may use another"
                " connector or network than this path, or Google's view is older than the last change."
            )
        case Result.UNREACHABLE, "False":
            return f"{ours}: both find the path broken."
        case Result.REACHABLE | Result.UNREACHABLE, _:
            return f"{ours}; Google's is the only verdict so far."
    return f"{ours}; Google cannot tell."
