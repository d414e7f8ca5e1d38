"""The resources as last seen: fed by the watch, corrected by a LIST of our own and by answers to our own writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["Body", "Key", "ResourceStore"]

Body = dict[str, Any]


class Key(NamedTuple):
    """A resource by namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def _key(body: Body) -> Key:
    metadata = body["metadata"]
    return Key(metadata["namespace"], metadata["name"])


def _version(body: Body) -> int:
    # Comparable since Kubernetes 1.35 by contract, and with etcd always so; anything else counts as oldest.
    text = str(body["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


def _essence(body: Body) -> tuple[object, ...]:
    """What a reconcile depends on, status left out: our own status writes must not wake us."""
    metadata = body["metadata"]
    return (
        metadata["uid"],
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        tuple(metadata.get("finalizers", ())),
        tuple(sorted(metadata.get("annotations", {}).items())),
    )


class ResourceStore:
    """Resources by key. Every method that takes news answers whether a reconcile is due for it."""

    def __init__(self) -> None:
        self._bodies: dict[Key, Body] = {}
        self._own_status: dict[Key, object] = {}
        self._listeners: list[Callable[[Key], None]] = []

    def listen(self, listener: Callable[[Key], None]) -> None:
        """Call `listener` for each resource that appears, changes (its status too) or goes."""
        self._listeners.append(listener)

    def _tell(self, key: Key) -> None:
        for listener in self._listeners:
            listener(key)

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._bodies))

    def get(self, key: Key) -> Body | None:
        """The resource as last seen, or None."""
        return self._bodies.get(key)

    def bodies(self) -> tuple[Body, ...]:
        """All resources as last seen."""
        return tuple(self._bodies.values())

    def saw(self, body: Body) -> Key | None:
        """News from the watch or a list. The key when a reconcile is due, None when nothing that matters changed."""
        key = _key(body)
        before = self._bodies.get(key)
        if before is not None and before["metadata"]["uid"] == body["metadata"]["uid"]:
            if _version(body) <= _version(before):
                return None
            self._bodies[key] = body
            self._tell(key)
            tampered = key in self._own_status and body.get("status") != self._own_status[key]
            return key if tampered or _essence(body) != _essence(before) else None
        self._bodies[key] = body
        self._own_status.pop(key, None)
        self._tell(key)
        return key

    def vanished(self, body: Body) -> Key:
        """The watch says that the resource is gone."""
        key = _key(body)
        known = self._bodies.get(key)
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            self.forget(key)
        return key

    def forget(self, key: Key) -> None:
        """Drop a resource that is no more."""
        self._own_status.pop(key, None)
        if self._bodies.pop(key, None) is not None:
            self._tell(key)

    def wrote(self, body: Body) -> None:
        """The API server's answer to a write of ours."""
        key = _key(body)
        known = self._bodies.get(key)
        if known is None or known["metadata"]["uid"] != body["metadata"]["uid"]:
            return  # deleted meanwhile: the answer is older than that
        self._own_status[key] = body.get("status")
        if _version(body) > _version(known):
            self._bodies[key] = body
            self._tell(key)

    def relisted(self, bodies: Iterable[Body]) -> list[Key]:
        """A whole list: the keys to reconcile."""
        return [key for body in bodies if (key := self.saw(body)) is not None]

    def missing_from(self, bodies: Iterable[Body], known_before: Iterable[Key]) -> list[Key]:
        """Of the keys known before a list began, those it does not have: deletions that the watch missed."""
        listed = {_key(body) for body in bodies}
        return [key for key in known_before if key not in listed and key in self._bodies]
