"""What a scene is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab.expected import Alert, alerts_of, hops_of
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.worlds import ENVIRONMENTS, Environment
from redis_connectivity_lab.wound import Wound

__all__ = ["Scene", "UnknownSceneError"]


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
        causes: What the first diagnosis must be: a code, or one by environment where they differ.
        names: Where the operator cannot heal the scene: the reason that Ready gives.
        drift: Where it can: whether `status.drift` remembers it, for it was done to something of the operator's own.
        slow: Seconds that it takes longer than the others.
        earlier: A diagnosis that is true before the cause can be known: that somebody undoes each repair shows only
            once there have been some.
        cut: Whether probes fail for it, where `names` alone does not tell: a hop was seen to be wrong, and traffic
            stops for it, too.
    """

    name: str
    summary: str
    act: Callable[[Site], Wound]
    causes: Code | Mapping[str, Code]
    environments: tuple[Environment, ...] = ENVIRONMENTS
    names: Reason | None = None
    drift: bool = True
    slow: float = 0.0
    earlier: Code | None = None
    cut: bool | None = None

    def cause(self, env: Environment) -> Code:
        """What the first diagnosis must be."""
        return self.causes if isinstance(self.causes, Code) else self.causes[env.word]

    @property
    def codes(self) -> frozenset[Code]:
        """What it may be, over all environments."""
        return frozenset({self.causes}) if isinstance(self.causes, Code) else frozenset(self.causes.values())

    @property
    def hops(self) -> frozenset[str | None]:
        """At one of which the page shows the path to end while the scene lasts; None where no hop is wrong."""
        return hops_of(self.names) if self.names is not None else frozenset({None})

    @property
    def alerts(self) -> frozenset[Alert]:
        """The shipped alerts on the path that fire while the scene lasts; none where the operator heals it."""
        return alerts_of(self.names, cut=self.cut) if self.names is not None else frozenset()

    def environment(self, word: str | None) -> Environment:
        """The environment by its word, or the default; raises UnknownSceneError where the scene makes no sense."""
        if word is None:
            return self.environments[0]
        for env in self.environments:
            if env.word == word:
                return env
        there = " and ".join(env.word for env in self.environments)
        raise UnknownSceneError(f"scene {self.name} can be played in {there}, not in {word!r}")
