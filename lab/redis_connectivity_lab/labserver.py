"""What a running lab answers on its unix socket: HTTP and JSON, for this user alone.

GET /status   POST /break {scene, environment?}   POST /heal {scene?}   POST /down
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from redis_connectivity_lab.controlplane import ControlPlaneError
from redis_connectivity_lab.dataplane.protocol import DataPlaneError
from redis_connectivity_lab.emulator.control_client import ControlError
from redis_connectivity_lab.labstate import LabState
from redis_connectivity_lab.scenes import UnknownSceneError
from redis_connectivity_lab.site import NothingThereError
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.wounds import Wounds

__all__ = ["LabServer"]

#: Between two looks at whether the operator still lives.
_LOOK: Final = 1.0
_REFUSALS: Final = (ControlError, ControlPlaneError, DataPlaneError, NothingThereError, UnknownSceneError)


class LabServer:
    """Serves a lab until it is told to stop."""

    def __init__(self, lab: Lab, state: LabState, say: Callable[[str], None]) -> None:
        self._lab = lab
        self._state = state
        self._say = say
        self._wounds = Wounds(lab.cloud, lab.kubectl)
        self._stop = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def serve(self, socket: Path, started: Callable[[], None]) -> None:
        """Answer on `socket` until /down, Ctrl-C or SIGTERM. `started` is called once it answers."""
        app = web.Application()
        app.router.add_get("/status", self._status)
        app.router.add_post("/break", self._break)
        app.router.add_post("/heal", self._heal)
        app.router.add_post("/down", self._down)
        runner = web.AppRunner(app, access_log=None)  # its socket is in the lab's folder, which is this user's alone
        await runner.setup()
        try:
            await web.UnixSite(runner, str(socket)).start()
            started()
            await self._until_stopped()
        finally:
            await runner.cleanup()

    def stop(self) -> None:
        """Let `serve` return."""
        self._stop.set()

    async def _until_stopped(self) -> None:
        alive = True
        while not self._stop.is_set():
            if alive and not self._lab.operator.alive:
                alive = False
                self._say(f"The operator has ended. Its log ends:\n{self._lab.operator.log_tail(20)}")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _LOOK)

    # --- answers

    async def _status(self, _request: web.Request) -> web.Response:
        return await self._answer(self._look)

    async def _break(self, request: web.Request) -> web.Response:
        body = await request.json()
        response = await self._answer(lambda: self._wounds.break_(str(body["scene"]), body.get("environment")))
        if response.status == 200:
            self._say(f"Scene {body['scene']} was played.")
        return response

    async def _heal(self, request: web.Request) -> web.Response:
        body = await request.json()
        return await self._answer(lambda: {"healed": self._wounds.heal(body.get("scene"))})

    async def _down(self, _request: web.Request) -> web.Response:
        self._say("Asked to stop.")
        self.stop()
        return web.json_response({"pid": self._state.pid})

    async def _answer(self, work: Callable[[], dict[str, Any]]) -> web.Response:
        """Do blocking work in a thread; what the lab refuses is 409 and a sentence."""
        async with self._one_at_a_time:
            try:
                return web.json_response(await asyncio.to_thread(work))
            except _REFUSALS as error:
                return web.json_response({"error": str(error)}, status=409)

    def _look(self) -> dict[str, Any]:
        resources = json.loads(self._lab.kubectl("get", "rconn", "-A", "-o", "json"))["items"]
        plane = self._lab.cloud.status()
        return {
            "lab": self._state.to_json(),
            "operator": {"alive": self._lab.operator.alive},
            "resources": [
                {
                    "namespace": one["metadata"]["namespace"],
                    "name": one["metadata"]["name"],
                    "status": one.get("status", {}),
                }
                for one in resources
            ],
            "hosts": plane["hosts"],
            "services": plane["services"],
            "problems": plane["problems"],
            "scenes": self._wounds.in_force(),
        }
