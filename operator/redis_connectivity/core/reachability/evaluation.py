"""Going through the stages with a box of traffic, until every piece of it has met its fate.

A clause in doubt forks: a branch takes it as matching, while the main branch goes on as if it did not. A piece has a
certain answer when all branches over it come to the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from redis_connectivity.core.cloudvalues import Direction
from redis_connectivity.core.reachability.boxes import Box, Span, cut, overlap
from redis_connectivity.core.reachability.clauses import Clause, Effect, Share
from redis_connectivity.core.reachability.values import (
    Answer,
    Decider,
    Doubt,
    DoubtKind,
    Judgement,
    Part,
    Unread,
    worst,
)

__all__ = ["Stage", "evaluate"]

_ANSWERS = {Effect.ALLOW: Answer.ALLOWED, Effect.DENY: Answer.DENIED, Effect.OPEN: Answer.UNKNOWN}
_WORST_FIRST = {Answer.DENIED: 0, Answer.UNKNOWN: 1, Answer.ALLOWED: 2}

#: What must match for a branch to be taken; empty on the main one.
_Why = tuple[Doubt, ...]


class _Item(NamedTuple):
    """A box that is still undecided on one branch."""

    box: Box
    why: _Why = ()


class _Fate(NamedTuple):
    """What becomes of a box on one branch, and by which rule (None: by rules that could not be read)."""

    box: Box
    answer: Answer
    decider: Decider | None
    why: _Why


class Stage:
    """Clauses in their order; what none of them ends goes on to the next stage.

    With `unread`, there may be more here, which could not be read.
    """

    __slots__ = ("table", "unread")

    def __init__(self, clauses: Iterable[Clause], unread: Unread | None = None) -> None:
        #: Each clause behind its hull: most are passed over by four comparisons.
        self.table = tuple(
            (one.sources[0][0], one.sources[-1][1], one.destinations[0][0], one.destinations[-1][1], one)
            for one in clauses
        )
        self.unread = unread

    def clauses_for(self, box: Box) -> Iterator[Clause]:
        """The clauses that may touch the box, in order."""
        first, last, low, high, _, _ = box
        for s_low, s_high, d_low, d_high, clause in self.table:
            if s_low <= last and s_high >= first and d_low <= high and d_high >= low:
                yield clause


def evaluate(direction: Direction, whole: Box, stages: Sequence[Stage], implied: Decider) -> Judgement:
    """The judgement on a box of traffic; `implied` decides about what no stage ends."""
    allowed = Answer.ALLOWED if direction is Direction.EGRESS else Answer.DENIED
    simple = _undivided(whole, stages, (allowed, implied))
    if simple is not None:
        answer, decider = simple
        return Judgement(direction, answer, (Part(answer, decider, answer, (whole,)),))
    items = [_Item(whole)]
    fates: list[_Fate] = []
    for stage in stages:
        items = _pass(stage, whole, items, fates)
        if not items:
            break
    fates += [_Fate(item.box, allowed, implied, item.why) for item in items]
    parts = _parts(fates)
    return Judgement(direction, worst(tuple(part.answer for part in parts)), parts)


def _undivided(whole: Box, stages: Iterable[Stage], implied: tuple[Answer, Decider]) -> tuple[Answer, Decider] | None:
    """The one fate of the whole box, found without taking it apart; None where it is divided or in doubt."""
    for stage in stages:
        if stage.unread is not None:
            return None
        for clause in stage.clauses_for(whole):
            share = clause.share_of(whole)
            if share is Share.NONE:
                continue
            if share is Share.SOME or clause.doubts or clause.effect is Effect.OPEN:
                return None
            if clause.effect is Effect.NEXT:
                break
            return _ANSWERS[clause.effect], clause.decider
    return implied


def _pass(stage: Stage, whole: Box, items: list[_Item], fates: list[_Fate]) -> list[_Item]:
    """Take items through a stage; returns those that go on to the next, adds the fates of the others."""
    if stage.unread is not None:
        doubt = Doubt(DoubtKind.PERMISSION, stage.unread.permission, message=stage.unread.message)
        fates += [_Fate(item.box, Answer.UNKNOWN, None, (*item.why, doubt)) for item in items]
    gone_on: list[_Item] = []
    for clause in stage.clauses_for(whole):
        if not items:
            break
        staying: list[_Item] = []
        answer = _ANSWERS.get(clause.effect)
        for item in items:
            hits, rest = _split(clause, item.box)
            if not hits:
                staying.append(item)
                continue
            staying += [_Item(box, item.why) for box in rest]
            if clause.doubts:
                staying += [_Item(box, item.why) for box in hits]
            why = item.why + clause.doubts
            if answer is None:
                gone_on += [_Item(box, why) for box in hits]
            else:
                fates += [_Fate(box, answer, clause.decider, why) for box in hits]
        items = staying
    return _settled(items + gone_on)


def _settled(items: list[_Item]) -> list[_Item]:
    """Without what other branches share with the main one: from here on they fare alike."""
    main = [item.box for item in items if not item.why]
    if len(main) == len(items):
        return items
    settled = [_Item(box) for box in main]
    for item in items:
        if item.why:
            settled += [_Item(box, item.why) for box in _outside([item.box], main)]
    return settled


def _outside(boxes: list[Box], holes: Iterable[Box]) -> list[Box]:
    for hole in holes:
        rest: list[Box] = []
        for box in boxes:
            shared = overlap(box, hole)
            rest += [box] if shared is None else cut(box, shared)
        boxes = rest
    return boxes


def _split(clause: Clause, box: Box) -> tuple[list[Box], list[Box]]:
    """The pieces of a box that the clause matches, and the others."""
    first, last, low, high, port_low, port_high = box
    hits = [
        (s[0], s[1], d[0], d[1], p[0], p[1])
        for s in _within(clause.sources, first, last)
        for d in _within(clause.destinations, low, high)
        for p in _within(clause.ports, port_low, port_high)
    ]
    return hits, _outside([box], hits)


def _within(spans: Sequence[Span], first: int, last: int) -> list[Span]:
    """What of the spans lies between two numbers."""
    return [(max(low, first), min(high, last)) for low, high in spans if low <= last and high >= first]


def _parts(fates: list[_Fate]) -> tuple[Part, ...]:
    """The fates of all branches as disjoint parts, one for each different outcome, the worst first."""
    main = [fate for fate in fates if not fate.why]
    others = [fate for fate in fates if fate.why]
    grouped: dict[tuple[Answer, Decider, Answer, _Why], list[Box]] = {}
    for fate in main:
        assert fate.decider is not None  # noqa: S101  (only branches in doubt end at rules that were not read)
        for box, forks in _overlay(fate.box, others):
            key = (*_outcome(fate, fate.decider, forks),)
            grouped.setdefault(key, []).append(box)
    parts = [Part(answer, by, otherwise, tuple(boxes), why) for (answer, by, otherwise, why), boxes in grouped.items()]
    return tuple(sorted(parts, key=lambda part: (_WORST_FIRST[part.answer], _WORST_FIRST[part.otherwise])))


def _overlay(box: Box, others: Iterable[_Fate]) -> list[tuple[Box, tuple[_Fate, ...]]]:
    """The box in pieces, each with the fates that it has on other branches."""
    pieces: list[tuple[Box, tuple[_Fate, ...]]] = [(box, ())]
    for other in others:
        refined: list[tuple[Box, tuple[_Fate, ...]]] = []
        for piece, forks in pieces:
            shared = overlap(piece, other.box)
            if shared is None:
                refined.append((piece, forks))
            else:
                refined.append((shared, (*forks, other)))
                refined += [(rest, forks) for rest in cut(piece, shared)]
        pieces = refined
    return pieces


def _outcome(fate: _Fate, by: Decider, forks: Iterable[_Fate]) -> tuple[Answer, Decider, Answer, _Why]:
    """Answer, what decides, the answer but for doubts, and the doubts that keep it open."""
    why: list[Doubt] = []
    if fate.answer is Answer.UNKNOWN:
        why.append(Doubt(DoubtKind.INSPECTION, "apply_security_profile_group", by))
    for fork in forks:
        if fork.answer is not fate.answer:
            why += fork.why
    answer = Answer.UNKNOWN if why else fate.answer
    return answer, by, fate.answer, tuple(dict.fromkeys(why))
