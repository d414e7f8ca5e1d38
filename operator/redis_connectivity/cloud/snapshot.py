"""What the inventory knows about one key at a moment: immutable, dated, honest about failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from redis_connectivity.cloud.clock import Stamp
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.cloud.keys import Key

__all__ = ["AnySnapshot", "Snapshot", "changed_names"]

T = TypeVar("T")

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """A view's content.

    Attributes:
        key: Which view.
        items: By name; immutable. The last good reading, also while later ones fail, with own confirmed writes in it.
        observed: When the reading *began* (so the content is at least that new); None before the first good one.
        order: The logical time of that beginning, to compare with writes; larger is later.
        error: Why the last attempt failed; None when it went well.
        failed: When that failing attempt began.
    """

    key: Key[T]
    items: Mapping[str, T] = field(default_factory=lambda: _NOTHING)
    observed: Stamp | None = None
    order: int = 0
    error: CloudError | None = None
    failed: Stamp | None = None

    @property
    def known(self) -> bool:
        """False as long as nothing was ever read: then empty `items` mean nothing."""
        return self.observed is not None

    def age(self, now: float) -> float:
        """Seconds since the reading began, by the monotonic clock `now`; infinite when there was none."""
        return float("inf") if self.observed is None else max(0.0, now - self.observed.monotonic)


AnySnapshot = Snapshot[Any]


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Names added, removed or differing in value; a new `id` under an old name is a change too (made anew)."""
    names = set(before.keys() ^ after.keys())
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if old is not new and (old != new or getattr(old, "id", None) != getattr(new, "id", None)):
            names.add(name)
    return frozenset(names)
