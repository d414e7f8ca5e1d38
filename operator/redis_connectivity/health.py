"""The operator's own HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from redis_connectivity.metrics import Metrics

__all__ = ["HealthServer"]


class HealthServer:
    """Serves liveness, readiness and metrics.

    `alive` and `ready` answer None when all is well, else a sentence saying what is not.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        alive: Callable[[], str | None],
        ready: Callable[[], str | None],
    ) -> None:
        self._host, self._port = host, port
        self._metrics = metrics
        self._alive, self._ready = alive, ready
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port in use; differs from the wanted one when that was 0."""
        if self._runner is None:
            return self._port
        for address in self._runner.addresses:
            return int(address[1])
        return self._port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application()
        app.router.add_get("/healthz", lambda _: _verdict(self._alive()))
        app.router.add_get("/readyz", lambda _: _verdict(self._ready()))
        app.router.add_get("/metrics", self._metrics_page)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics_page(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _verdict(problem: str | None) -> web.Response:
    return web.Response(text=problem or "ok", status=503 if problem else 200)
