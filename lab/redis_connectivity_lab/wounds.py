"""The scenes in force in a running lab: broken by name, healed by name or all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis_connectivity_lab.cloudside import CloudSide
from redis_connectivity_lab.scenes import Scene, UnknownSceneError, scene_of
from redis_connectivity_lab.site import Kubectl, NothingThereError, Site
from redis_connectivity_lab.wound import Wound

__all__ = ["Wounds"]


@dataclass(frozen=True, slots=True)
class _Played:
    scene: Scene
    site: Site
    wound: Wound

    @property
    def title(self) -> str:
        return f"{self.scene.name} ({self.site.env.word})"


class Wounds:
    """What was broken and by which scene. Not for several threads at once."""

    def __init__(self, cloud: CloudSide, kubectl: Kubectl | None = None) -> None:
        self._cloud = cloud
        self._kubectl = kubectl
        self._played: dict[tuple[str, str], _Played] = {}

    def break_(self, name: str, word: str | None) -> dict[str, Any]:
        """Play a scene; says what was done and what to watch.

        Raises:
            UnknownSceneError: There is no such scene, or not there.
            NothingThereError: What it breaks is not there, or is broken by it already.
        """
        scene = scene_of(name)
        site = Site(self._cloud, scene.environment(word), self._kubectl)
        key = (scene.name, site.env.word)
        before = self._played.get(key)
        if before is not None and before.wound.undo is not None and before.wound.open():
            raise NothingThereError(f"{before.title} is in force already; `redis-connectivity lab heal {name}` ends it")
        played = _Played(scene, site, scene.act(site))
        self._played[key] = played
        return {
            "scene": played.title,
            "done": played.wound.done,
            "watch": played.wound.watch,
            "heals": "the operator" if scene.names is None else f"redis-connectivity lab heal {name}",
        }

    def heal(self, name: str | None) -> list[dict[str, str]]:
        """End a scene, or all; says for each what came of it."""
        if name is not None:
            scene_of(name)
        chosen = [key for key in self._played if name in (None, key[0])]
        if name is not None and not chosen:
            raise UnknownSceneError(f"scene {name} is not in force")
        return [self._heal(key) for key in chosen]

    def _heal(self, key: tuple[str, str]) -> dict[str, str]:
        played = self._played[key]
        healed, undo = not played.wound.open(), played.wound.undo
        if undo is None and not healed:
            # Nobody but the operator may do it: a hand that helps would hide that it does not.
            said = (
                "still broken; to heal it is the operator's work, `redis-connectivity lab status` tells how it stands"
            )
            return {"scene": played.title, "said": said}
        if undo is not None:
            undo()
        del self._played[key]
        return {"scene": played.title, "said": "was healed by the operator" if undo is None else "ended"}

    def in_force(self) -> list[dict[str, str]]:
        """The scenes that were played and are not over; those that the operator has healed are forgotten."""
        found = []
        for key, played in list(self._played.items()):
            still = played.wound.open()
            if not still and played.wound.undo is None:
                del self._played[key]
                continue
            done = played.wound.done if still else f"{played.wound.done} (the operator has dealt with it)"
            found.append({"scene": played.title, "done": done})
        return found
