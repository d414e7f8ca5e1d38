"""What people and clouds do to a path, by name: `lab break NAME` plays one, `lab heal` undoes it.

Some scenes the operator heals by itself; the others it cannot, and says what is the matter (`names`). What is the
matter comes first as a diagnosis: `causes`.
"""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.scene import Scene, UnknownSceneError
from redis_connectivity_lab.scenes_access import ACCESS
from redis_connectivity_lab.scenes_connector import CONNECTOR, NETWORK
from redis_connectivity_lab.scenes_firewall import FIREWALL
from redis_connectivity_lab.scenes_redis import REDIS

__all__ = ["SCENES", "Scene", "UnknownSceneError", "scene_of"]

_ALL: Final = (*FIREWALL, *REDIS, *CONNECTOR, *NETWORK, *ACCESS)

#: By name, in the order in which they are listed.
SCENES: Final[dict[str, Scene]] = {one.name: one for one in _ALL}


def scene_of(name: str) -> Scene:
    """A scene by its name; raises UnknownSceneError."""
    try:
        return SCENES[name]
    except KeyError:
        raise UnknownSceneError(f"there is no scene {name!r}; there are {', '.join(SCENES)}") from None
