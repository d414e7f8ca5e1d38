"""The whole path of a question, hop by hop: out through the firewall, along the route, in through the firewall."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from redis_connectivity.core.cloudvalues import Direction, NetworkRef
from redis_connectivity.core.reachability.firewall import Firewall
from redis_connectivity.core.reachability.routes import Route, judge_route
from redis_connectivity.core.reachability.values import (
    Answer,
    Decider,
    Doubt,
    DoubtKind,
    Flow,
    Judgement,
    Part,
    Receiver,
    Sender,
    worst,
)

__all__ = ["Hop", "HopName", "PathAnswer", "Question", "analyse", "describe"]


class HopName(enum.StrEnum):
    """The hops that reachability judges, in the path's order."""

    #: What the sender may send: egress rules.
    EGRESS = "EgressFirewall"
    #: Whether a way leads from the network to the target: subnet, peering, Private Service Connect.
    ROUTE = "Route"
    #: What the target may be sent: ingress rules, where any can apply.
    INGRESS = "IngressFirewall"


@dataclass(frozen=True, slots=True)
class Question:
    """Can the sender reach every one of the receivers (address and ports)? The first receiver is the main one.

    Without a `route` that hop is left out.
    """

    network: NetworkRef
    sender: Sender
    receivers: tuple[Receiver, ...]
    firewall: Firewall
    route: Route | None = None
    protocol: str = "tcp"

    @property
    def flows(self) -> tuple[Flow, ...]:
        """One flow for each receiver."""
        return tuple(Flow(self.network, self.sender, receiver, self.protocol) for receiver in self.receivers)


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop's answer.

    `by` is the rule that decides, `evidence` further facts for people, `missing` the permissions and match kinds
    without which an Unknown cannot be resolved. `judgements` has one entry for each receiver, on firewall hops.
    """

    name: HopName
    answer: Answer
    message: str
    by: Decider | None = None
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """The hops in the path's order."""

    hops: tuple[Hop, ...]

    @property
    def answer(self) -> Answer:
        """The whole path's answer."""
        return worst(tuple(hop.answer for hop in self.hops))

    @property
    def first_problem(self) -> Hop | None:
        """The first hop that denies, else the first that cannot be told."""
        for answer in (Answer.DENIED, Answer.UNKNOWN):
            for hop in self.hops:
                if hop.answer is answer:
                    return hop
        return None

    def hop(self, name: HopName) -> Hop | None:
        """A hop by name; None when the question left it out."""
        return next((hop for hop in self.hops if hop.name is name), None)


def analyse(question: Question) -> PathAnswer:
    """The answer for each hop. Every hop is judged, also behind one that denies."""
    egress = _firewall_hop(HopName.EGRESS, Direction.EGRESS, question)
    ingress = _firewall_hop(HopName.INGRESS, Direction.INGRESS, question)
    if question.route is None:
        return PathAnswer((egress, ingress))
    found = judge_route(question.route, question.network, question.receivers)
    route = Hop(HopName.ROUTE, found.answer, found.message, missing=(found.missing,) if found.missing else ())
    return PathAnswer((egress, route, ingress))


def _firewall_hop(name: HopName, direction: Direction, question: Question) -> Hop:
    judgements = tuple(question.firewall.judge(direction, flow) for flow in question.flows)
    answer = worst(tuple(judgement.answer for judgement in judgements))
    at = next(index for index, judgement in enumerate(judgements) if judgement.answer is answer)
    doubts = tuple(dict.fromkeys(doubt for judgement in judgements for doubt in judgement.doubts))
    message = describe(judgements[at], question.flows[at])
    others = [
        describe(judgement, flow)
        for index, (judgement, flow) in enumerate(zip(judgements, question.flows, strict=True))
        if index != at and judgement.answer is not Answer.ALLOWED
    ]
    return Hop(
        name,
        answer,
        message,
        by=judgements[at].by,
        evidence=tuple(dict.fromkeys((*others, *map(str, doubts)))),
        missing=tuple(dict.fromkeys(doubt.missing for doubt in doubts if doubt.kind is not DoubtKind.INSPECTION)),
        judgements=judgements,
    )


def describe(judgement: Judgement, flow: Flow) -> str:
    """One sentence: what becomes of the flow in this direction, by which rule, or what is missing to tell."""
    where = f"{flow.protocol} to {flow.receiver.where}"
    way = "Egress" if judgement.direction is Direction.EGRESS else "Ingress"
    if judgement.exempt:
        state = "is not filtered" if judgement.allowed else "cannot be judged"
        return f"{way} of {where} {state}: {judgement.exempt}."
    part = judgement.parts[0]
    which = _which(part, judgement, flow)
    if part.answer is Answer.ALLOWED:
        return f"{way} of {where} from {flow.sender.range} is allowed by {_rules(judgement)}."
    if part.answer is Answer.DENIED:
        return f"{way} of {where} from {which} is denied by {part.by}."
    return f"{way} of {where} from {which} cannot be judged: {_first_doubt(part.doubts)}."


def _which(part: Part, judgement: Judgement, flow: Flow) -> str:
    """The sender's range, or the part of it that is meant."""
    if len(judgement.parts) == 1:
        return str(flow.sender.range)
    sources = part.sources
    if sources == (flow.sender.range,):
        return str(flow.sender.range)
    return f"{', '.join(map(str, sources))} (a part of {flow.sender.range})"


def _rules(judgement: Judgement) -> str:
    return ", ".join(dict.fromkeys(str(part.by) for part in judgement.parts))


def _first_doubt(doubts: tuple[Doubt, ...]) -> str:
    more = f", and {len(doubts) - 1} more" if len(doubts) > 1 else ""
    return f"{doubts[0]}{more}"
