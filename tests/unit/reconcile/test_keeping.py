"""Values that are kept: read once for all, for as long as they are good, and anew when that is asked for."""

import asyncio
from dataclasses import dataclass, field

import pytest

from redis_connectivity.reconcile.keeping import Keeper


@dataclass
class World:
    """A value that is counted, how long it is good, and a clock."""

    good_for: float = 60.0
    now: float = 0.0
    reads: int = 0
    gate: asyncio.Event | None = None
    error: Exception | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: Keeper[int] = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(lambda: self.now)

    async def read(self) -> tuple[int, float]:
        self.reads += 1
        number = self.reads
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number, self.good_for

    async def get(self, key: str = "a", *, fresh: bool = False, rest: float = 0.0) -> int:
        return await self.keeper.get(key, self.read, fresh=fresh, rest=rest)


async def test_it_is_read_again_when_it_is_good_no_more() -> None:
    world = World()
    assert [await world.get(), await world.get(), await world.get("b")] == [1, 1, 2]
    world.now += 59.9
    assert await world.get() == 1
    world.now += 0.1
    assert await world.get() == 3


async def test_fresh_reads_what_was_not_read_just_now() -> None:
    world = World()
    await world.get()
    world.now += 10
    assert await world.get(fresh=True, rest=11.0) == 1
    assert await world.get(fresh=True, rest=10.0) == 2
    world.now += 1
    assert await world.get(fresh=True) == 3


@pytest.mark.parametrize(("fresh", "values"), [(False, {1}), (True, {1, 2})])
async def test_all_who_come_meanwhile_get_what_one_reads(fresh: bool, values: set[int]) -> None:
    world = World(gate=asyncio.Event())
    assert world.gate is not None
    first = asyncio.create_task(world.get(fresh=fresh))
    await world.began.wait()
    world.now += 1
    others = [asyncio.create_task(world.get(fresh=fresh)) for _ in range(100)]
    await asyncio.sleep(0)
    world.now += 1
    world.gate.set()
    assert {await first, *await asyncio.gather(*others)} == values
    assert world.reads == len(values)


async def test_another_key_does_not_wait() -> None:
    world = World(gate=asyncio.Event())
    assert world.gate is not None
    waiting = asyncio.create_task(world.get("slow"))
    await world.began.wait()
    world.gate, gate = None, world.gate
    assert await world.get("quick") == 2
    gate.set()
    assert await waiting == 1


async def test_what_fails_is_not_kept_and_the_next_one_tries() -> None:
    world = World(error=OSError("no"))
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            await world.get()
    world.error = None
    assert await world.get() == 3


async def test_who_is_sent_away_leaves_the_key_to_others() -> None:
    world = World(gate=asyncio.Event())
    first = asyncio.create_task(world.get())
    await world.began.wait()
    second = asyncio.create_task(world.get())
    first.cancel()
    world.gate = None
    assert await asyncio.wait_for(second, 5) == 2


async def test_a_failure_is_believed_for_as_long_as_is_wanted() -> None:
    world = World(error=OSError("no"))

    async def get(*, fresh: bool = False) -> int:
        return await world.keeper.get("a", world.read, fresh=fresh, failure=10.0)

    for fresh in (False, True):
        with pytest.raises(OSError, match="no"):
            await get(fresh=fresh)
    world.now, world.error = 9.9, None
    with pytest.raises(OSError, match="no"):
        await get()
    assert world.reads == 1
    world.now = 10.0
    assert await get() == 2
