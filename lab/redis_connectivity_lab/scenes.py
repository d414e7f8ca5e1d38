"""What people and clouds do to a path, by name: `lab break NAME` plays one, `lab heal` undoes it.

Some scenes the operator heals by itself; the others it cannot, and says what is the matter (`names`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity_lab.scene_acts import (
    Wound,
    api_unavailable,
    connector_deleted,
    connector_error,
    deny,
    memorystore_maintenance,
    permission_lost,
    quota_exhausted,
    redis_paused,
    redis_stopped,
    rule_changed,
    rule_deleted,
)
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.worlds import ENVIRONMENTS, PRODUCTION, STAGING, Environment

__all__ = ["SCENES", "Scene", "UnknownSceneError", "scene_of"]

#: A range that nothing of the lab's is in.
ELSEWHERE: Final = "192.168.77.7/32"
_WRONG_PORT: Final = "6380"
#: Google grants quota by the minute, and the operator does not press for it.
_QUOTA_SECONDS: Final = 400.0


class UnknownSceneError(Exception):
    """There is no such scene, or not in that environment; the message lists what there is."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One way to break a path.

    Attributes:
        name: As on the command line.
        summary: One line.
        act: Breaks a site.
        environments: Where it can be played; the first is the default.
        names: Where the operator cannot heal the scene: the reason that Ready gives.
        drift: Where it can: whether `status.drift` remembers it, for it was done to something of the operator's own.
        slow: Seconds that it takes longer than the others.
    """

    name: str
    summary: str
    act: Callable[[Site], Wound]
    environments: tuple[Environment, ...] = ENVIRONMENTS
    names: Reason | None = None
    drift: bool = True
    slow: float = 0.0

    def environment(self, word: str | None) -> Environment:
        """The environment by its word, or the default; raises UnknownSceneError where the scene makes no sense."""
        if word is None:
            return self.environments[0]
        for env in self.environments:
            if env.word == word:
                return env
        there = " and ".join(env.word for env in self.environments)
        raise UnknownSceneError(f"scene {self.name} can be played in {there}, not in {word!r}")


def scene_of(name: str) -> Scene:
    """A scene by its name; raises UnknownSceneError."""
    try:
        return SCENES[name]
    except KeyError:
        raise UnknownSceneError(f"there is no scene {name!r}; there are {', '.join(SCENES)}") from None


_OVERTAKES: Final = "the operator's rule moves in front of the deny, to priority 99"
_UNBEATABLE: Final = "FirewallReady turns False and names the deny, which only its owner can lift"

_ALL: Final = (
    Scene("rule-deleted", "somebody deletes the operator's rule", rule_deleted),
    Scene(
        "rule-narrowed",
        "somebody narrows the operator's rule to one other address",
        rule_changed(lambda env: {env.ranges_field: [ELSEWHERE]}),
    ),
    Scene("rule-disabled", "somebody disables the operator's rule", rule_changed(lambda _: {"disabled": True})),
    Scene(
        "rule-port-changed",
        "somebody changes the port of the operator's rule",
        rule_changed(lambda _: {"allowed": [{"IPProtocol": "tcp", "ports": [_WRONG_PORT]}]}),
    ),
    Scene(
        "deny-in-front",
        "another team puts a stronger deny in front of the operator's rule",
        deny("lockdown", 100, _OVERTAKES, beatable=True),
        drift=False,
    ),
    Scene(
        "egress-denied",
        "a deny of all egress that no VPC firewall rule can beat (priority 0)",
        deny("no-way-out", 0, _UNBEATABLE, beatable=False),
        (PRODUCTION,),
        Reason.FIREWALL_DENY_UNBEATABLE,
    ),
    Scene("redis-stopped", "Redis is killed", redis_stopped, names=Reason.PROBE_FAILED),
    Scene(
        "redis-paused", "Redis freezes: connections open, and get no answer", redis_paused, names=Reason.PROBE_FAILED
    ),
    Scene(
        "connector-deleted", "somebody deletes the connector that the operator made", connector_deleted, (PRODUCTION,)
    ),
    Scene(
        "connector-error",
        "the connector that the operator made turns to ERROR",
        connector_error,
        (PRODUCTION,),
        drift=False,
    ),
    Scene(
        "foreign-connector-error",
        "a connector that somebody else made turns to ERROR",
        connector_error,
        (STAGING,),
        Reason.CONNECTOR_ERROR,
    ),
    Scene(
        "memorystore-maintenance",
        "the Memorystore instance is taken out for maintenance",
        memorystore_maintenance,
        (PRODUCTION,),
        Reason.REDIS_NOT_READY,
    ),
    Scene(
        "permission-lost",
        "the operator may no longer list or change firewall rules",
        permission_lost,
        names=Reason.PERMISSION_DENIED,
    ),
    Scene(
        "quota-exhausted",
        "the project's Compute quota is used up",
        quota_exhausted,
        names=Reason.QUOTA_EXHAUSTED,
        slow=_QUOTA_SECONDS,
    ),
    Scene(
        "api-unavailable",
        "the Compute API answers 503",
        api_unavailable,
        names=Reason.CLOUD_UNAVAILABLE,
    ),
)
#: By name, in the order in which they are listed.
SCENES: Final[dict[str, Scene]] = {one.name: one for one in _ALL}
