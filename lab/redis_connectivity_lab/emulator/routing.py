"""From method and path to what answers: a tree of path segments, so that cost does not grow with the routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Router"]

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    fixed: dict[str, _Node[T]] = field(default_factory=dict)
    #: The subtree below a variable segment.
    variable: _Node[T] | None = None
    targets: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)


class Router(Generic[T]):
    """Routes with `{name}` for a variable segment; a fixed segment wins over a variable one.

    The last variable segment may be followed by a method of its own, as in `{account}:generateAccessToken`.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, http: str, path: str, target: T) -> None:
        """Add a route."""
        node = self._root
        names = []
        for segment in path.strip("/").replace("}:", "}/:").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.fixed.setdefault(segment, _Node())
        if http in node.targets:
            raise ValueError(f"two routes for {http} {path}")
        node.targets[http] = (target, tuple(names))

    def find(self, http: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target of a request, and the values of its variable segments."""
        segments = path.strip("/").split("/")
        found = self._walk(self._root, segments, 0, http, [])
        if found is None and ":" in segments[-1]:
            last, _, method = segments[-1].rpartition(":")
            found = self._walk(self._root, [*segments[:-1], last, f":{method}"], 0, http, [])
        if found is None:
            return None
        (target, names), values = found
        return target, dict(zip(names, values, strict=True))

    def _walk(
        self, node: _Node[T], segments: list[str], at: int, http: str, values: list[str]
    ) -> tuple[tuple[T, tuple[str, ...]], list[str]] | None:
        if at == len(segments):
            target = node.targets.get(http)
            return None if target is None else (target, values)
        segment = segments[at]
        if segment in node.fixed:
            found = self._walk(node.fixed[segment], segments, at + 1, http, values)
            if found is not None:
                return found
        if node.variable is not None and segment:
            return self._walk(node.variable, segments, at + 1, http, [*values, segment])
        return None
