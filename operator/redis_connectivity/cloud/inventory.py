"""One shared view per kind, project and place, filled by list calls: cost grows with projects, not with resources.

* **Single flight**: callers who want the same view share one call. At most one runs per key; who needs newer data than
  it can give waits for its end and shares the next one.
* **Age**: an answer is as old as the beginning of the call that brought it. An answer of "no" counts as well: a failed
  attempt not older than `max_age` is told again instead of repeated.
* **Own writes**: a reading that began before a write is never shown as newer than it. A confirmed write goes into the
  view at once (`patch_local`) and is laid over readings that began before it; after a write with an unknown end
  (`invalidate`) such readings are thrown away.
* **Changes**: every difference, and every change between working and failing, goes to one listener.

Everything here runs on one event loop; there are no locks because nothing between two awaits is shared.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast

from redis_connectivity.cloud.clock import Clock, Stamp, stamp
from redis_connectivity.cloud.errors import CloudError, NotFound
from redis_connectivity.cloud.keys import AnyKey, Key, Kind
from redis_connectivity.cloud.lanes import AnyLane, Lane, Ticket, ticket
from redis_connectivity.cloud.snapshot import AnySnapshot, Snapshot, changed_names

__all__ = ["Inventory", "OnChange", "Source"]

T = TypeVar("T")

log = logging.getLogger(__name__)


class Source(Protocol):
    """Reads the whole content of a key, by name. Raises `CloudError`."""

    def __call__(self, key: AnyKey, lane: AnyLane) -> Awaitable[Mapping[str, Any]]:
        """Begin the reading."""
        ...


class OnChange(Protocol):
    """Hears of differences. Called on the loop, must return at once.

    `changed` holds the names added, removed or modified; it is empty when only the error came, went or changed.
    """

    def __call__(self, key: AnyKey, changed: frozenset[str], before: AnySnapshot, after: AnySnapshot) -> None:
        """Take note of a change."""
        ...


def _nobody(key: AnyKey, changed: frozenset[str], before: AnySnapshot, after: AnySnapshot) -> None:
    """The listener that is not there."""


@dataclass(eq=False, slots=True)
class _Flight:
    order: int
    begun: Stamp
    ticket: Ticket
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class _Overlay:
    """An own write, laid over readings that began before it (or, for a new thing, until the list shows it)."""

    value: Any
    order: int
    hold_until: float


@dataclass(eq=False, slots=True)
class _Entry:
    snapshot: AnySnapshot
    valid_from: int = 0
    flight: _Flight | None = None
    overlays: dict[str, _Overlay] = field(default_factory=dict)
    failures: int = 0
    failed_order: int = 0
    attempted: float | None = None


class Inventory:
    """The shared views; see the module.

    Args:
        sources: How each kind is read.
        clock: For ages.
        on_change: The listener.
    """

    def __init__(self, sources: Mapping[Kind, Source], clock: Clock, on_change: OnChange = _nobody) -> None:
        self._sources = dict(sources)
        self._clock = clock
        self._on_change = on_change
        self._entries: dict[AnyKey, _Entry] = {}
        self._order = itertools.count(1)
        self._closed = False

    def peek(self, key: Key[T]) -> Snapshot[T]:
        """What is known now, however old; never calls Google. See `Snapshot.known`, `.error` and `.age`."""
        entry = self._entries.get(key)
        return Snapshot(key) if entry is None else cast("Snapshot[T]", entry.snapshot)

    def age(self, key: AnyKey) -> float:
        """Seconds since the content of a view was read; infinite when it never was."""
        return self.peek(key).age(self._clock.monotonic())

    def newest(self) -> float:
        """When (monotonic) the reading began that went well last, of whatever view; minus infinity before the first."""
        read = (entry.snapshot.observed for entry in self._entries.values())
        return max((one.monotonic for one in read if one is not None), default=float("-inf"))

    def known(self) -> tuple[AnyKey, ...]:
        """The views that exist."""
        return tuple(self._entries)

    async def need(self, key: Key[T], max_age: float, lane: AnyLane = Lane.REPAIR) -> Snapshot[T]:
        """The view, read no earlier than `max_age` seconds ago; shared with everybody who asks.

        Raises:
            CloudError: It could not be read; `peek` still has the last good content.
        """
        return await self.need_since(key, self._clock.monotonic() - max_age, lane)

    async def need_since(self, key: Key[T], earliest: float, lane: AnyLane = Lane.REPAIR) -> Snapshot[T]:
        """The same, read no earlier than a moment of the monotonic clock. Raises like `need`."""
        entry = self._entry(key)
        holder = ticket(lane)
        while True:
            seen = entry.snapshot
            if seen.observed is not None and seen.observed.monotonic >= earliest and seen.order > entry.valid_from:
                return cast("Snapshot[T]", seen)
            told = (
                seen.failed is not None and seen.failed.monotonic >= earliest and entry.failed_order > entry.valid_from
            )
            if seen.error is not None and told:
                raise seen.error.with_traceback(None)
            flight = entry.flight or self._take_off(key, entry, holder.lane)
            flight.ticket.promote(holder.lane)
            await self._join(flight)

    async def refresh(self, key: Key[T], lane: AnyLane = Lane.REPAIR) -> Snapshot[T]:
        """The view, read from now on. Raises like `need`."""
        return await self.need(key, 0.0, lane)

    def invalidate(self, key: AnyKey) -> None:
        """Forget that the view is fresh: something was written whose end is unknown.

        Readings that began earlier are thrown away, also the one in progress; the content stays for `peek`.
        """
        entry = self._entries.get(key)
        if entry is not None:
            entry.valid_from = next(self._order)

    def mark(self) -> int:
        """A point in logical time, for `patch_local(as_of=…)`: take it before reading what is to be patched in."""
        return next(self._order)

    def patch_local(
        self, key: Key[T], name: str, value: T | None, *, as_of: int | None = None, hold: float = 0.0
    ) -> None:
        """Put one thing known for sure (an own write that Google confirmed, a fresh GET) into the view at once.

        Args:
            key: The view.
            name: The thing's name in it.
            value: What it is now; None when it is gone.
            as_of: The `mark` taken before the value was read. A list that began later wins.
            hold: Seconds for which a list that lacks a new thing is not believed (Serverless VPC Access lags a few
                seconds behind its own operations; Terraform's provider waits 5 s after a create).
        """
        entry = self._entries.get(key)
        if entry is None or not (entry.snapshot.known or entry.flight):
            return  # nobody looks at this view; the first reading will begin after this write
        order = next(self._order) if as_of is None else as_of
        earlier = entry.overlays.get(name)
        if entry.snapshot.order > order or (earlier is not None and earlier.order > order):
            return  # what is in the view is newer than this
        entry.overlays[name] = _Overlay(value, order, self._clock.monotonic() + hold)
        before = entry.snapshot
        if not before.known:
            return  # the first reading is under way and will find the overlay
        items = dict(before.items)
        _lay(items, name, value)
        entry.snapshot = replace(before, items=MappingProxyType(items))
        self._tell(key, before, entry.snapshot)

    async def fresh(self, key: Key[T], name: str, read: Awaitable[T], *, hold: float = 0.0) -> T | None:
        """One thing read by itself (a GET, not yet awaited), put into the view; None when Google says NotFound."""
        mark = self.mark()
        value: T | None
        try:
            value = await read
        except NotFound:
            value = None
        self.patch_local(key, name, value, as_of=mark, hold=hold)
        return value

    async def attempt(self, key: AnyKey, lane: AnyLane) -> None:
        """Read now, or share the reading in progress; a failure is recorded, not raised. For pollers."""
        entry = self._entry(key)
        await self._join(entry.flight or self._take_off(key, entry, ticket(lane).lane))

    def last_attempt(self, key: AnyKey) -> tuple[float | None, int]:
        """When (monotonic) the last attempt began, and how many have failed in a row."""
        entry = self._entries.get(key)
        return (None, 0) if entry is None else (entry.attempted, entry.failures)

    def forget(self, key: AnyKey) -> None:
        """Drop a view nobody is interested in any more, unless somebody waits for it right now."""
        entry = self._entries.get(key)
        if entry is not None and entry.flight is None:
            del self._entries[key]

    async def close(self) -> None:
        """Cancel the readings in progress and refuse new ones."""
        self._closed = True
        tasks = [entry.flight.task for entry in self._entries.values() if entry.flight is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _entry(self, key: AnyKey) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(Snapshot(key))
        return entry

    def _take_off(self, key: AnyKey, entry: _Entry, lane: Lane) -> _Flight:
        if self._closed:
            msg = f"the inventory is closed; {key} is not read any more"
            raise RuntimeError(msg)
        begun = stamp(self._clock)
        order = next(self._order)
        holder = Ticket(lane)
        task = asyncio.create_task(self._fly(key, entry, order, begun, holder), name=f"inventory {key}")
        entry.attempted = begun.monotonic
        entry.flight = _Flight(order, begun, holder, task)
        return entry.flight

    async def _join(self, flight: _Flight) -> None:
        """Wait for a reading without owning it: whoever stops waiting does not stop it for the others."""
        try:
            await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if self._closed and flight.task.cancelled():
                msg = "the inventory was closed during a reading"
                raise RuntimeError(msg) from None
            raise

    async def _fly(self, key: AnyKey, entry: _Entry, order: int, begun: Stamp, holder: Ticket) -> None:
        try:
            items = dict(await self._sources[key.kind](key, holder))
        except CloudError as error:
            self._land(key, entry, order, begun, error)
        else:
            self._land(key, entry, order, begun, items)
        finally:
            entry.flight = None

    def _land(self, key: AnyKey, entry: _Entry, order: int, begun: Stamp, result: dict[str, Any] | CloudError) -> None:
        before = entry.snapshot
        if isinstance(result, CloudError):
            entry.failures += 1
            entry.failed_order = order
            entry.snapshot = replace(before, error=result, failed=begun)
        else:
            entry.failures = 0
            if order < entry.valid_from:
                return  # it began before a write it may not have seen
            now = self._clock.monotonic()
            for name, overlay in tuple(entry.overlays.items()):
                held = overlay.value is not None and now < overlay.hold_until and name not in result
                if overlay.order > order or held:
                    _lay(result, name, overlay.value)
                else:
                    del entry.overlays[name]
            entry.snapshot = Snapshot(key, MappingProxyType(result), observed=begun, order=order)
        self._tell(key, before, entry.snapshot)

    def _tell(self, key: AnyKey, before: AnySnapshot, after: AnySnapshot) -> None:
        changed = changed_names(before.items, after.items)
        same_error = after.error is None and before.error is None
        if after.error is not None:
            same_error = after.error.same_as(before.error)
        if not changed and same_error and before.known == after.known:
            return
        try:
            self._on_change(key, changed, before, after)
        except Exception:
            # A fault of the listener must not stop the eyes of everybody else; the traceback says where it is.
            log.exception("the listener for changes failed", extra={"key": str(key)})


def _lay(items: dict[str, Any], name: str, value: object | None) -> None:
    if value is None:
        items.pop(name, None)
    else:
        items[name] = value
