"""The way of a Cloud Run service's newest template into service: a revision, its container, then all traffic."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Final, Self

from redis_connectivity_lab.emulator.call import Call
from redis_connectivity_lab.emulator.errors import OperationFailure
from redis_connectivity_lab.emulator.ids import Json, fingerprint, now
from redis_connectivity_lab.emulator.run_ways import revision_of
from redis_connectivity_lab.emulator.store import Revision, Service
from redis_connectivity_lab.emulator.topology_view import service_ids

__all__ = ["RollOut", "tell", "typed"]

_TYPE: Final = "type.googleapis.com/google.cloud.run.v2.Service"
#: google.rpc.Code.FAILED_PRECONDITION.
_FAILED: Final = 9
#: Seconds between two looks at whether a container listens.
_LOOK: Final = 0.02
_NOT_LISTENING: Final = (
    "The user-provided container failed to start and listen on the port defined provided by the PORT=8080 environment "
    "variable within the allocated timeout."
)


def typed(body: Json) -> Json:
    """The service as an operation has it."""
    return {"@type": _TYPE} | body


def tell(call: Call, service: Service, body: Json) -> None:
    """Let the service say this of itself."""
    content = {key: value for key, value in body.items() if key != "etag"}
    service.body = content | {"etag": f'"{fingerprint(content)}"'}
    call.world.store.touch(call.project)


def _condition(state: str, message: str = "", reason: str = "") -> Json:
    told = {"message": message} | ({"reason": reason} if reason else {}) if message else {}
    return {"type": "Ready", "state": state, "lastTransitionTime": now()} | told


@dataclass(slots=True)
class RollOut:
    """One revision on its way. The newest template wins: one that another has overtaken changes nothing any more."""

    call: Call
    service: Service
    body: Json
    name: str
    revision: Revision | None = None
    failure: str = ""
    _template: Json = field(default_factory=dict)

    @classmethod
    def begin(cls, call: Call, service: Service, body: Json) -> Self:
        """Take `body` for the service's own, and say that it is being deployed."""
        name = f"{service.name}-{int(body['generation']):05d}-{secrets.token_hex(2)[:3]}"
        told = body | {
            "reconciling": True,
            "latestCreatedRevision": f"{body['name']}/revisions/{name}",
            "terminalCondition": _condition("CONDITION_RECONCILING", f"Deploying revision {name}."),
        }
        tell(call, service, told)
        return cls(call, service, told, name, _template=dict(body["template"]))

    @property
    def current(self) -> Json:
        """The service as it is now."""
        return self.service.body or self.body

    @property
    def _superseded(self) -> bool:
        return self.current["generation"] != self.body["generation"] or "deleteTime" in self.current

    def _fail(self, message: str) -> OperationFailure:
        self.failure = f"Revision '{self.name}' is not ready and cannot serve traffic. {message}"
        return OperationFailure(_FAILED, self.failure)

    async def until_it_listens(self) -> None:
        """Start the container and wait for it; raises what arrives in the operation."""
        world, project, container = self.call.world, self.call.project, self._template["containers"][0]
        if container["image"] in project.missing_images:
            raise self._fail(f"Image '{container['image']}' not found.")
        # Every image here holds this project's own program, of which one command serves.
        command, *args = container.get("args") or [""]
        if command != "prober":
            raise self._fail(_NOT_LISTENING)
        try:
            way = self._template.get("vpcAccess")
            revision = revision_of(world, project, self.service.region, self.name, way)
        except OperationFailure as error:
            raise self._fail(error.message) from error
        if self._superseded:
            return
        revision = replace(revision, args=tuple(args))
        self.revision = revision
        self.service.revisions = (*self.service.revisions, revision)
        world.store.touch(project)
        await self._listening()

    async def _listening(self) -> None:
        world = self.call.world
        mine = service_ids(self.call.project.id, self.service)[-1]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + world.timings.run_startup
        while not world.answers(mine) and not self._superseded:
            if loop.time() > deadline:
                raise self._fail(_NOT_LISTENING)
            await asyncio.sleep(_LOOK)

    def serve(self) -> Json:
        """Give the revision all traffic."""
        if self._superseded or self.revision is None:
            return typed(self.current)
        self.service.revisions = (self.revision,)
        uri = f"{self.call.world.url}/_run/{self.call.project.id}/{self.service.region}/{self.service.name}"
        told = self.current | {
            "reconciling": False,
            "observedGeneration": self.body["generation"],
            "latestReadyRevision": self.body["latestCreatedRevision"],
            "terminalCondition": _condition("CONDITION_SUCCEEDED"),
            "conditions": [_condition("CONDITION_SUCCEEDED") | {"type": "RoutesReady"}],
            "trafficStatuses": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
            "uri": uri,
            "urls": [uri],
        }
        tell(self.call, self.service, told)
        return typed(self.current)

    def failed(self) -> None:
        """Leave what served before in service, and say what went wrong."""
        if self._superseded:
            return
        self.service.revisions = tuple(one for one in self.service.revisions if one is not self.revision)
        message = self.failure or f"Revision '{self.name}' is not ready and cannot serve traffic."
        told = self.current | {
            "reconciling": False,
            "observedGeneration": self.body["generation"],
            "terminalCondition": _condition("CONDITION_FAILED", message, "REVISION_FAILED"),
        }
        tell(self.call, self.service, told)
