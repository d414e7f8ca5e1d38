"""Boxes of (source, destination, port): how a range is taken apart where rules treat its addresses differently."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

__all__ = ["Box", "Span", "cut", "merged", "overlap", "span_of"]

#: Inclusive bounds: first and last source, first and last destination, first and last port.
Box = tuple[int, int, int, int, int, int]
#: Inclusive bounds on one axis.
Span = tuple[int, int]


def span_of(network: IPv4Network) -> Span:
    """The first and the last address, as numbers."""
    first = int(network.network_address)
    return first, first + (1 << (32 - network.prefixlen)) - 1


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers as disjoint spans, in order."""
    result: list[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return tuple(result)


def overlap(one: Box, other: Box) -> Box | None:
    """What both have; None when that is nothing."""
    box = (
        max(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        min(one[3], other[3]),
        max(one[4], other[4]),
        min(one[5], other[5]),
    )
    return None if box[0] > box[1] or box[2] > box[3] or box[4] > box[5] else box


def cut(box: Box, hole: Box) -> list[Box]:
    """`box` without `hole`, which lies within it, as disjoint boxes."""
    rest: list[Box] = []
    low, high = list(box), list(hole)
    for axis in (0, 2, 4):
        if low[axis] < high[axis]:
            below = low.copy()
            below[axis + 1] = high[axis] - 1
            rest.append(_box(below))
        if high[axis + 1] < low[axis + 1]:
            above = low.copy()
            above[axis] = high[axis + 1] + 1
            rest.append(_box(above))
        low[axis], low[axis + 1] = high[axis], high[axis + 1]
    return rest


def _box(bounds: list[int]) -> Box:
    return bounds[0], bounds[1], bounds[2], bounds[3], bounds[4], bounds[5]
