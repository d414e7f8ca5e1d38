"""Putting things into the emulated cloud, changing and removing them at once, as somebody who is not the operator.

What is put in goes through the same validation as the API's own calls; it only takes no time and asks no permission.
Every change is noted in the audit log with kind `lab` and the actor's name.
"""

from __future__ import annotations

from typing import Final

from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.lab_kinds import KINDS, Key, Kind
from redis_connectivity_lab.emulator.store import Project

__all__ = ["KINDS", "SOMEBODY", "Lab"]

SOMEBODY: Final = "somebody@example.com"


class Lab:
    """The lab's hands in the cloud.

    A resource is named by kind, project and key: `("us-central1", "name")` for what lives in a region or zone,
    `("name",)` for what does not.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def project(
        self,
        project: str,
        *,
        number: str | None = None,
        default_network: bool = False,
        aet_visible: bool | None = None,
        disabled_apis: list[str] | None = None,
        missing_images: list[str] | None = None,
    ) -> Project:
        """Make a project, or change its settings. `default_network` gives it the auto mode network `default`."""
        found = self._world.store.add(project, number)
        if aet_visible is not None:
            found.aet_visible = aet_visible
        if disabled_apis is not None:
            found.disabled_apis = set(disabled_apis)
        if missing_images is not None:
            found.missing_images = set(missing_images)
        if default_network and "default" not in found.networks:
            body = {"autoCreateSubnetworks": True, "description": "Default network for the project"}
            self.put("networks", project, ("default",), body)
        self._world.store.touch(found)
        return found

    def reset(self, project: str) -> Project:
        """Empty a project: resources, settings, policies, operations. Its number stays, and the audit log too."""
        self._world.operations.forget(project)
        self._world.long_running.forget(project)
        for token in self._world.store.get(project).accounts.values():
            self._world.tokens.remove(token)
        return self._world.store.replace(project)

    def remove_project(self, project: str) -> None:
        """Let a project be gone."""
        self.reset(project)
        self._world.store.remove(project)

    def put(self, kind: str, project: str, key: Key, body: Json, *, actor: str = SOMEBODY) -> Json:
        """Create or replace a resource at once; answers the resource."""
        holder = self._world.store.get(project)
        result = _kind(kind).put(self._world, holder, key, dict(body))
        return self._done("put", kind, holder, key, actor, result)

    def patch(self, kind: str, project: str, key: Key, body: Json, *, actor: str = SOMEBODY) -> Json:
        """Change a resource at once by JSON merge patch, output fields such as a state included."""
        holder = self._world.store.get(project)
        handler = _kind(kind)
        if handler.patch is None:
            raise ApiError(400, f"{kind} cannot be patched; put them anew")
        result = handler.patch(self._world, holder, key, body)
        return self._done("patch", kind, holder, key, actor, result)

    def delete(self, kind: str, project: str, key: Key, *, actor: str = SOMEBODY) -> None:
        """Remove a resource at once."""
        holder = self._world.store.get(project)
        _kind(kind).delete(self._world, holder, key)
        self._done("delete", kind, holder, key, actor, {})

    def list(self, kind: str, project: str) -> list[Json]:
        """The resources of a kind, whether their owners could see them or not."""
        return _kind(kind).items(self._world.store.get(project))

    def _done(self, verb: str, kind: str, project: Project, key: Key, actor: str, result: Json) -> Json:
        self._world.store.touch(project)
        self._world.audit.add(
            principal=actor,
            method=f"lab.{kind}.{verb}",
            project=project.id,
            resource=f"projects/{project.id}/{kind}/{'/'.join(key)}",
            status=200,
            kind="lab",
        )
        return result


def _kind(name: str) -> Kind:
    try:
        return KINDS[name]
    except KeyError:
        raise ApiError(404, f"no kind is named {name!r}; there are {', '.join(KINDS)}") from None
