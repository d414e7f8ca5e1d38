"""The probe schedule against a server that goes and comes back: how often, how many at once, how soon it is seen."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from redis_connectivity.api.status import CircuitState
from redis_connectivity.core.breaker import cap
from redis_connectivity.metrics import Metrics
from redis_connectivity.reconcile.circuits import PROBES_PER_TARGET
from redis_connectivity.reconcile.credentials import CredentialReader
from redis_connectivity.reconcile.probejob import ProbeJob
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.store import Key
from support.waiting import eventually

INTERVAL = 0.2
KEYS = [Key("ns", f"path-{number}") for number in range(24)]


@dataclass
class Server:
    """Answers PING, or hangs up; counts who comes and how many are here at once."""

    port: int = 0
    up: bool = True
    #: Seconds that an answer takes.
    takes: float = 0.0
    came: list[float] = field(default_factory=list)
    here: int = 0
    most: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append(time.monotonic())
        self.here += 1
        self.most = max(self.most, self.here)
        try:
            while self.up and (data := await reader.read(4096)):
                await asyncio.sleep(self.takes)
                writer.write(b"+PONG\r\n" * data.count(b"*"))
                await writer.drain()
        except ConnectionError:
            pass  # the prober has what it wanted
        finally:
            self.here -= 1
            writer.close()


@dataclass
class World:
    server: Server
    probes: ProbeScheduler
    news: list[Key]
    job: ProbeJob

    def states(self) -> set[CircuitState]:
        return {one.state for key in KEYS if (one := self.probes.circuit(key)) is not None}

    def reachable(self, *, at: bool) -> list[Key]:
        return [key for key in KEYS if (memory := self.probes.memory(key)) is not None and memory.reachable is at]

    def chains(self) -> int:
        return sum(task.begun for task in self.probes._tasks.values())

    async def until(self, what: Any, told: str) -> None:
        async def seen() -> bool:
            return bool(what())

        await eventually(seen, deadline=60, describe=lambda: f"{told}; circuits {self.states()}", interval=0.01)


@asynccontextmanager
async def world(*, members: int = len(KEYS), **job: Any) -> AsyncIterator[World]:
    server = Server()
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    nothing: Any = None  # no password is asked for, so nobody is asked for one
    news: list[Key] = []
    probes = ProbeScheduler(
        in_flight=64,
        metrics=Metrics(),
        changed=news.append,
        now=time.time,
        credentials=CredentialReader(nothing, nothing),
        rng=random.Random(1),
    )
    wanted = ProbeJob("127.0.0.1", server.port, INTERVAL, 5.0, None, 2, 1)
    wanted = replace(wanted, **job)
    for key in KEYS[:members]:
        probes.ensure(key, wanted)
    try:
        yield World(server, probes, news, wanted)
    finally:
        await probes.close()
        listening.close()
        await listening.wait_closed()


async def test_one_asks_for_all_while_nobody_answers_and_all_know_soon_when_it_heals() -> None:
    async with world() as at:
        await at.until(lambda: len(at.reachable(at=True)) == len(KEYS), "all to be reachable")
        at.server.up = False
        await at.until(lambda: at.states() == {CircuitState.OPEN}, "the circuit to open")
        await at.until(lambda: len(at.reachable(at=False)) == len(KEYS), "all to know that nothing answers")

        # What was under way when it opened has ended; from now on there are trials only.
        began, before = time.monotonic(), at.chains()
        at.news.clear()
        await at.until(lambda: at.chains() >= before + 5, "five more trials")
        lasted = time.monotonic() - began
        longest = cap(at.probes._tasks[KEYS[0]].circuit.pacing)
        # Four waits lie between five trials, each at least nine tenths of two intervals; one may have been under way.
        assert lasted >= 3 * 0.9 * 2 * INTERVAL
        assert at.news == []
        assert at.server.here <= 1

        at.server.up, at.server.most = True, 0
        at.server.takes = 0.02
        began, before = time.monotonic(), len(at.server.came)
        await at.until(lambda: len(at.reachable(at=True)) == len(KEYS), "all to be reachable again")
        first = at.server.came[before] - began
        assert first <= longest + 5.0  # for a machine that is busy; the bound itself is shown in core
        assert at.states() == {CircuitState.CLOSED}
        assert at.server.most <= PROBES_PER_TARGET
        assert set(at.news) == set(KEYS)


async def test_not_more_than_its_places_are_taken_at_one_target() -> None:
    async with world(interval=60.0) as at:
        at.server.takes = 0.1
        await at.until(lambda: len(at.reachable(at=True)) == len(KEYS), "all to be probed")
        assert at.server.most == PROBES_PER_TARGET

        def told(suffix: str, **labels: str) -> float | None:
            name = f"redis_connectivity_probe_lateness_seconds_{suffix}"
            return at.probes._metrics.registry.get_sample_value(name, labels)

        # All were due at once, and those that found no place say how long they waited for one.
        assert told("count") == len(KEYS)
        assert (told("bucket", le="0.05") or 0.0) <= PROBES_PER_TARGET
        assert (told("sum") or 0.0) >= PROBES_PER_TARGET * (0.1 + 0.2)


async def test_a_change_of_the_path_is_tried_at_once_and_closes_the_circuit_for_all() -> None:
    async with world(members=4, interval=2.0, failure_threshold=1) as at:
        at.server.up = False
        await at.until(lambda: at.states() == {CircuitState.OPEN}, "the circuit to open")
        await at.until(lambda: at.probes._tasks[KEYS[0]].held, "it to be held back")
        at.server.up = True
        began = time.monotonic()
        at.probes.path_changed(KEYS[0])
        await at.until(lambda: len(at.reachable(at=True)) == 4, "all to be reachable again")
        circuit = at.probes.circuit(KEYS[0])
        assert circuit is not None
        assert circuit.state is CircuitState.CLOSED
        # By itself it would have been tried after 3.6 s at the earliest.
        assert time.monotonic() - began < 3.0


async def test_whoever_asks_for_a_probe_gets_one_from_an_open_circuit() -> None:
    async with world(members=2, interval=2.0, failure_threshold=1) as at:
        at.server.up = False
        await at.until(lambda: at.states() == {CircuitState.OPEN}, "the circuit to open")
        before = len(at.server.came)
        await at.probes.probe_now(KEYS[1], 30.0)
        assert len(at.server.came) >= before + 1
        assert at.states() == {CircuitState.OPEN}


async def test_another_target_has_a_circuit_of_its_own() -> None:
    async with world(members=2, failure_threshold=1) as at:
        at.server.up = False
        await at.until(lambda: at.states() == {CircuitState.OPEN}, "the circuit to open")
        at.probes.ensure(KEYS[0], replace(at.job, network="other/staging-vpc"))
        assert at.states() == {CircuitState.OPEN, CircuitState.CLOSED}
