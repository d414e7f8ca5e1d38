"""Who goes first when not all can: lanes, and a gate with a number of places that lets waiters in by lane.

A user's change goes before a repair, a repair before a poll; within a lane, first come first served. A
`Ticket` carries the lane of work that is shared: when somebody more urgent joins a read that waits as a poll,
the read moves up.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["AnyLane", "Gate", "Lane", "LaneQueue", "Ticket", "ticket", "was_served"]


class Lane(enum.IntEnum):
    """Order of urgency; the smaller goes first."""

    USER_CHANGE = 0
    REPAIR = 1
    POLL = 2


class Ticket:
    """A lane that may improve while its holder waits."""

    __slots__ = ("_listeners", "lane")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._listeners: list[Callable[[], None]] = []

    def promote(self, lane: Lane) -> None:
        """Take the better of the present lane and this one, and tell whoever keeps the holder waiting."""
        if lane < self.lane:
            self.lane = lane
            for listener in tuple(self._listeners):
                listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """While inside, `listener` is called at each promotion."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)


AnyLane = Lane | Ticket


def ticket(lane: AnyLane) -> Ticket:
    """The ticket itself, or a fresh one for a lane."""
    return lane if isinstance(lane, Ticket) else Ticket(lane)


@dataclass(eq=False, slots=True)
class _Waiter:
    ticket: Ticket
    order: int
    future: asyncio.Future[None]


class LaneQueue:
    """Waiters by lane.

    Chosen by a scan, because a ticket may change its lane at any time; queues here are short.
    """

    def __init__(self) -> None:
        self._waiters: list[_Waiter] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, holder: Ticket) -> asyncio.Future[None]:
        """A place in the queue: the future is done when it is this holder's turn.

        Cancelling it leaves the queue.
        """
        waiter = _Waiter(holder, next(self._order), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        waiter.future.add_done_callback(lambda _: self._drop(waiter))
        return waiter.future

    def _drop(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def head(self) -> Lane | None:
        """The lane of whoever is next; None when nobody waits."""
        waiter = self._best()
        return waiter.ticket.lane if waiter else None

    def serve(self) -> bool:
        """Let the next one in; False when nobody waits."""
        waiter = self._best()
        if waiter is None:
            return False
        self._waiters.remove(waiter)
        waiter.future.set_result(None)
        return True

    def fail(self, error: Exception) -> None:
        """Send everybody away with an error."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.future.done():
                waiter.future.set_exception(error)

    def _best(self) -> _Waiter | None:
        waiting = (waiter for waiter in self._waiters if not waiter.future.done())
        return min(waiting, key=lambda waiter: (waiter.ticket.lane, waiter.order), default=None)


def was_served(place: asyncio.Future[None]) -> bool:
    """True when a place in a `LaneQueue` was given, also to somebody who has stopped waiting for it."""
    return place.done() and not place.cancelled() and place.exception() is None


class Gate:
    """A number of places, taken by lane; polls never take the last `reserve` of them.

    The reserve is what lets a repair through while a service hangs and every poll sits in a place until its
    timeout.
    """

    def __init__(self, places: int, reserve: int = 0) -> None:
        if places < 1 or not 0 <= reserve < places:
            msg = f"a gate needs at least one place and a smaller reserve, not {places} and {reserve}"
            raise ValueError(msg)
        self.places = places
        self.reserve = reserve
        self.taken = 0
        self._queue = LaneQueue()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    def _free_for(self, lane: Lane) -> bool:
        limit = self.places - self.reserve if lane is Lane.POLL else self.places
        return self.taken < limit

    async def enter(self, lane: AnyLane) -> None:
        """Take a place, waiting for one in the order of lanes. Every `enter` is followed by one `leave`."""
        holder = ticket(lane)
        head = self._queue.head()
        if self._free_for(holder.lane) and (head is None or holder.lane < head):
            self.taken += 1
            return
        place = self._queue.join(holder)
        try:
            with holder.heard_by(self._admit):
                await place
        except asyncio.CancelledError:
            if was_served(place):
                self.leave()  # the place was given in the same moment as the wait was given up
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.taken -= 1
        self._admit()

    def _admit(self) -> None:
        while (head := self._queue.head()) is not None and self._free_for(head):
            self.taken += 1
            if not self._queue.serve():
                self.taken -= 1
                return

    def close(self, error: Exception) -> None:
        """Send all waiters away."""
        self._queue.fail(error)
