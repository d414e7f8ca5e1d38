"""What the page shows and when it changes: views of all paths, and who waits for news of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis_connectivity.web.history import History
from redis_connectivity.web.view import PathView, path_view, summary

__all__ = ["Feed", "Subscription"]


class Subscription:
    """One reader's news: keys that changed since it last took them."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def add(self, key: str) -> None:
        """The path changed."""
        self._changed.add(key)
        self._news.set()

    async def take(self) -> set[str]:
        """Wait for news, and take all there is."""
        await self._news.wait()
        self._news.clear()
        changed, self._changed = self._changed, set()
        return changed


class Feed:
    """All paths as the page shows them.

    Args:
        bodies: Every resource as last seen.
        find: One resource by namespace/name, None when it is gone.
        leads: Whether this process probes and repairs.
        now: Seconds since the epoch.
        windows: Success rate and percentiles of one path as this process knows them now, in status' form; empty where
            it does not probe, and what status has is shown.
    """

    def __init__(
        self,
        bodies: Callable[[], Iterable[Mapping[str, Any]]],
        find: Callable[[str], Mapping[str, Any] | None],
        leads: Callable[[], bool],
        now: Callable[[], float],
        windows: Callable[[str], Sequence[Mapping[str, Any]]] = lambda _: (),
    ) -> None:
        self._bodies = bodies
        self._find = find
        self._leads = leads
        self._now = now
        self._windows = windows
        self._history = History()
        self._readers: set[Subscription] = set()

    # --- news come in

    def changed(self, key: str) -> None:
        """A resource appeared, changed or went."""
        if self._find(key) is None:
            self._history.forget(key)
        self._tell(key)

    def probed(self, key: str, seconds: float | None) -> None:
        """A probe of the path ended: its latency, or None when it failed."""
        self._history.probed(key, self._now(), seconds)
        self._tell(key)

    def _tell(self, key: str) -> None:
        for reader in self._readers:
            reader.add(key)

    # --- and go out

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """News from now on."""
        reader = Subscription()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    @property
    def readers(self) -> int:
        """How many wait for news."""
        return len(self._readers)

    def everything(self) -> dict[str, Any]:
        """All paths, in order of their keys, with a summary."""
        views = sorted((path_view(body) for body in self._bodies()), key=lambda one: one.key)
        return {
            "now": self._now(),
            "leader": self._leads(),
            "summary": summary(views),
            "paths": [self._whole(view) for view in views],
        }

    def one(self, key: str) -> dict[str, Any] | None:
        """One path, None when it is gone."""
        body = self._find(key)
        return None if body is None else self._whole(path_view(body))

    def _whole(self, view: PathView) -> dict[str, Any]:
        live = self._windows(view.key)
        return {
            **view.as_json(),
            **({"windows": live} if live else {}),
            "samples": self._history.of(view.key),
        }
