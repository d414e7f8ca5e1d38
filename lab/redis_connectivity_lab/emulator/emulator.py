"""The emulator as an object: start it, look into it, stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from redis_connectivity_lab.emulator.audit import Audit
from redis_connectivity_lab.emulator.call import World
from redis_connectivity_lab.emulator.cloudrun import PREFIX, CloudRunFront, ServiceRouter
from redis_connectivity_lab.emulator.control import CONTROL, Control
from redis_connectivity_lab.emulator.faults import Faults
from redis_connectivity_lab.emulator.iam import Quotas, Tokens
from redis_connectivity_lab.emulator.ids import Ids
from redis_connectivity_lab.emulator.idtokens import METADATA, IdTokens, metadata
from redis_connectivity_lab.emulator.lab import Lab
from redis_connectivity_lab.emulator.lro import LongRunningOperations
from redis_connectivity_lab.emulator.operations import ComputeOperations
from redis_connectivity_lab.emulator.server import ApiServer
from redis_connectivity_lab.emulator.store import Bindings, Store
from redis_connectivity_lab.emulator.tasks import Tasks
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.emulator.topology_view import topology_of
from redis_connectivity_lab.topology import Judge, Topology

__all__ = ["Emulator"]

#: How long calls in flight (a `wait` may block for minutes) get to end by themselves at a stop.
_GRACE = 0.2


class Emulator:
    """Google Cloud's REST on one port, with control endpoints and the front end of Cloud Run services beside it.

    `granted` says who may do what in new projects; without it, everyone may do everything.

    Everything but `start` and `stop` is for the thread of the emulator's loop; see EmulatorThread for others.
    """

    def __init__(
        self, timings: Timings | None = None, *, seed: int | None = None, granted: Bindings | None = None
    ) -> None:
        ids = Ids()
        self._tasks = Tasks()
        #: Seconds that operations take; may be changed at any time.
        self.timings = timings or Timings()
        #: The state, project by project.
        self.store = Store(ids, granted)
        #: Every call.
        self.audit = Audit()
        #: Trouble on demand; `seed` makes probabilities repeatable.
        self.faults = Faults(seed)
        #: Bearer tokens and whose they are.
        self.tokens = Tokens()
        self._world = World(
            store=self.store,
            ids=ids,
            timings=self.timings,
            faults=self.faults,
            audit=self.audit,
            tokens=self.tokens,
            quotas=Quotas(),
            operations=ComputeOperations(ids, self.timings, self._tasks),
            long_running=LongRunningOperations(ids, self._tasks),
        )
        #: Puts things into the cloud, changes and removes them at once.
        self.lab = Lab(self._world)
        self._id_tokens = IdTokens()
        self._front = CloudRunFront(self._world, self._id_tokens)
        self._api = ApiServer(self._world)
        self._control = Control(self._world, self.lab, self.topology)
        self._runner: web.AppRunner | None = None
        self._url = ""
        self._topology: tuple[int, Topology] = (-1, Topology())

    @property
    def url(self) -> str:
        """Where it listens, e.g. `http://127.0.0.1:34567`; raises RuntimeError while it is not running."""
        if not self._url:
            raise RuntimeError("the emulator is not running: await start() first")
        return self._url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Port 0 takes a free one."""
        if self._runner is not None:
            raise RuntimeError("the emulator is running already")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        address = runner.addresses[0]
        self._url = self._world.url = f"http://{address[0]}:{address[1]}"
        self.store.bind(asyncio.get_running_loop())

    async def stop(self) -> None:
        """Stop listening; operations under way end where they are."""
        runner, self._runner, self._url = self._runner, None, ""
        self.store.bind(None)
        await self._tasks.stop()
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def topology(self) -> Topology:
        """What the data plane has to make real now."""
        if self._topology[0] != self.store.version:
            self._topology = (self.store.version, topology_of(self.store))
        return self._topology[1]

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after changes of the state; returns what ends the subscription.

        It is called in the emulator's loop, once for all changes of one turn of the loop.
        """
        return self.store.subscribe(callback)

    def set_service_router(self, router: ServiceRouter) -> None:
        """Tell how to find the unix socket of a Cloud Run service's process (None: it is not running)."""
        self._front.router = router
        self._world.answers = lambda service: router(service) is not None

    def set_judge(self, judge: Judge) -> None:
        """Tell who knows what becomes of a connection: for Connectivity Tests."""
        self._world.judge = judge

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await self._control.handle(request)
        if request.path.startswith(PREFIX):
            return await self._front.handle(request)
        looked_for = request.path == "/" and "Metadata-Flavor" in request.headers
        if looked_for or request.path.startswith(METADATA):
            return metadata(request, self._id_tokens)
        return await self._api.handle(request)
