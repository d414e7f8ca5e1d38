"""Who owns what: the identity of a resource and the marker that its firewall rules carry."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from redis_connectivity.api.limits import COMPUTE_NAME_MAX
from redis_connectivity.core.cloudvalues import Direction

__all__ = ["Marker", "ResourceId", "read_marker", "rule_names"]

_MARKER: Final = re.compile(
    r"\[redisconnectivity\.io cluster=(?P<cluster>\S+) resource=(?P<namespace>\S+)/(?P<name>\S+)"
    r" uid=(?P<uid>\S+) direction=(?P<direction>INGRESS|EGRESS) rule=(?P<rule>\S+)\]"
)

_BASE_NAMES: Final = {
    Direction.INGRESS: "allow-vpc-connector-to-redis",
    Direction.EGRESS: "allow-vpc-connector-egress-to-redis",
}


@dataclass(frozen=True, slots=True, order=True)
class ResourceId:
    """One RedisConnectivity of one cluster. `cluster` is the uid of the namespace kube-system."""

    cluster: str
    namespace: str
    name: str
    uid: str

    @property
    def key(self) -> str:
        """namespace/name, as people write it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What a rule's description says about its owner.

    `rule` repeats the rule's own name: a rule that somebody made as a copy of ours carries our marker under another
    name, and must not be taken for ours.
    """

    owner: ResourceId
    direction: Direction
    rule: str

    def description(self) -> str:
        """The text for the rule's `description`: first for people, then for `read_marker`."""
        return (
            "Cloud Run to Redis, kept by redis-connectivity; edits are undone."
            f" [redisconnectivity.io cluster={self.owner.cluster} resource={self.owner.key}"
            f" uid={self.owner.uid} direction={self.direction} rule={self.rule}]"
        )


@lru_cache(maxsize=16384)
def read_marker(description: str) -> Marker | None:
    """The marker in a rule's description, or None where there is none (the rule is foreign)."""
    match = _MARKER.search(description)
    if match is None:
        return None
    part = match.groupdict()
    return Marker(
        ResourceId(part["cluster"], part["namespace"], part["name"], part["uid"]),
        Direction(part["direction"]),
        part["rule"],
    )


def rule_names(owner: ResourceId, direction: Direction) -> tuple[str, str]:
    """Names for a rule, the preferred one first.

    Rules share one name space in a project, so only the first resource gets the plain name; the second name is unique
    to the resource.
    """
    base = _BASE_NAMES[direction]
    digest = hashlib.sha256(f"{owner.cluster}/{owner.uid}".encode()).hexdigest()[:10]
    return base, f"{base}-{digest}"[:COMPUTE_NAME_MAX]
