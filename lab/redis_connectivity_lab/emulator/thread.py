"""The emulator in a thread of its own, for synchronous tests, benches and commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from redis_connectivity_lab.emulator.control_client import ControlClient
from redis_connectivity_lab.emulator.emulator import Emulator
from redis_connectivity_lab.emulator.store import Bindings
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.topology import Topology

__all__ = ["EmulatorThread"]

T = TypeVar("T")
_START_TIMEOUT = 30.0


class EmulatorThread:
    """Runs an Emulator with a loop of its own. Use as a context manager; every method may be called from any thread."""

    def __init__(
        self,
        timings: Timings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int | None = None,
        granted: Bindings | None = None,
    ) -> None:
        self._emulator = Emulator(timings, seed=seed, granted=granted)
        self._host = host
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="emulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._emulator.start(self._host, self._port), timeout=_START_TIMEOUT)
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self._emulator.stop(), timeout=_START_TIMEOUT)
        finally:
            self._end_loop()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_TIMEOUT)
        if not self._thread.is_alive():
            self._loop.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._emulator.url

    @property
    def control(self) -> ControlClient:
        """A client of its control endpoints."""
        return ControlClient(self.url)

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
        """Run a coroutine in the emulator's loop and give back what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def call(self, function: Callable[[Emulator], T]) -> T:
        """Call a function with the Emulator, in its loop, and give back what it returns.

        The way to store, audit, faults, lab and subscriptions, e.g. `call(lambda emulator: emulator.audit.summary())`.
        """

        async def work() -> T:
            return function(self._emulator)

        return self.run(work())

    def topology(self) -> Topology:
        """What the data plane has to make real now."""
        return self.call(lambda emulator: emulator.topology())
