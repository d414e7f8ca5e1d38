"""The words of the reachability analyser: what is asked about, and what the answers look like."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, summarize_address_range

from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, NetworkRef, PolicyAction
from redis_connectivity.core.reachability.boxes import Box, merged

__all__ = [
    "Answer",
    "Decider",
    "DeciderKind",
    "Doubt",
    "DoubtKind",
    "Flow",
    "Judgement",
    "Part",
    "Receiver",
    "Sender",
    "Side",
    "Unread",
    "worst",
]

#: Priority of the implied rules, as Google's page on VPC firewall rules gives it.
IMPLIED_PRIORITY = 65535


class Answer(enum.StrEnum):
    """What becomes of traffic, as far as it can be told from what was read."""

    ALLOWED = "Allowed"
    DENIED = "Denied"
    UNKNOWN = "Unknown"


def worst(answers: tuple[Answer, ...]) -> Answer:
    """The answer for a whole whose parts have these: a denied part denies it, an unknown one leaves it unknown."""
    if Answer.DENIED in answers:
        return Answer.DENIED
    return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.ALLOWED


class DeciderKind(enum.StrEnum):
    """What kind of thing a rule belongs to, in Google's order of evaluation (network policies may come before)."""

    HIERARCHICAL_POLICY = "hierarchical firewall policy"
    SYSTEM_POLICY = "system firewall policy"
    VPC_RULE = "VPC firewall rule"
    NETWORK_POLICY = "global network firewall policy"
    REGIONAL_POLICY = "regional network firewall policy"
    IMPLIED = "implied rule"


@dataclass(frozen=True, slots=True)
class Decider:
    """The rule that decides. `name` is a VPC rule's name, or its policy's; a policy's rule is known by its priority.

    `beatable` says whether a VPC firewall rule could win against it.
    """

    kind: DeciderKind
    name: str
    priority: int
    direction: Direction
    action: Action | PolicyAction
    beatable: bool = True
    #: The VPC rule itself, where it is one.
    rule: FirewallRule | None = field(default=None, compare=False, repr=False)
    #: Name of the policy's rule, where it has one.
    rule_name: str = ""

    def __str__(self) -> str:
        if self.kind is DeciderKind.IMPLIED:
            return f"the implied rule (priority {self.priority})"
        if self.kind is DeciderKind.VPC_RULE:
            return f"rule {self.name} (priority {self.priority})"
        named = f" {self.rule_name!r}" if self.rule_name else ""
        return f"{self.kind} {self.name}, rule{named} (priority {self.priority})"


class DoubtKind(enum.StrEnum):
    """Why something cannot be told."""

    #: A rule matches by something that is not known here (a name, a place, a secure tag …).
    MATCH = "match"
    #: A rule hands the traffic to an inspection, whose outcome nobody can tell beforehand.
    INSPECTION = "inspection"
    #: Rules could not be read.
    PERMISSION = "permission"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What keeps an answer open. `missing` is the match kind, the permission, or the inspection's name."""

    kind: DoubtKind
    missing: str
    decider: Decider | None = None
    message: str = ""

    def __str__(self) -> str:
        if self.kind is DoubtKind.PERMISSION:
            return self.message or f"{self.missing} is missing"
        if self.kind is DoubtKind.INSPECTION:
            return f"{self.decider} hands the traffic to an inspection ({self.missing})"
        return f"{self.decider} matches by {self.missing}, which cannot be judged here"


@dataclass(frozen=True, slots=True)
class Unread:
    """Policies that could not be read: by want of which permission, and a sentence that says what to do."""

    permission: str
    message: str = ""


class Side(enum.StrEnum):
    """Where the target stands, which decides whose rules apply to what it is sent."""

    #: A machine of the user's on the network: ingress rules apply.
    VPC = "vpc"
    #: Google's side of a peering, or behind a Private Service Connect endpoint: no ingress rule of the user's applies.
    MANAGED = "managed"
    #: Just an address: whether something of the user's stands there is not known.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sender:
    """A connector's machines, or revisions with Direct VPC egress: any address of the range may send.

    `service_accounts` are those that rules may select it by; None means that they are not known. A connector has none
    of the user's. `tags_as_source` is False for Direct VPC egress, where the effect of a source tag in an ingress rule
    is not defined.
    """

    range: IPv4Network
    tags: frozenset[str] = frozenset()
    service_accounts: frozenset[str] | None = frozenset()
    tags_as_source: bool = True


@dataclass(frozen=True, slots=True)
class Receiver:
    """The target: an address (or a range of them) and inclusive ports. None means: not known."""

    addresses: IPv4Network
    ports: tuple[int, int]
    side: Side
    tags: frozenset[str] = frozenset()
    service_accounts: frozenset[str] | None = None
    secure_tags: frozenset[str] | None = None

    @property
    def where(self) -> str:
        """ADDRESS:PORT, with ranges where there are some."""
        first, last = self.ports
        host = self.addresses.network_address if self.addresses.prefixlen == 32 else self.addresses
        return f"{host}:{first}" if first == last else f"{host}:{first}-{last}"


@dataclass(frozen=True, slots=True)
class Flow:
    """New connections from a sender to a receiver on one network. `protocol` is a name or a number, lower case."""

    network: NetworkRef
    sender: Sender
    receiver: Receiver
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the flow (sources, destinations, ports) that has one fate.

    `by` decides; where the answer is Unknown it is what decides if none of the doubts applies, and `otherwise` is its
    answer then.
    """

    answer: Answer
    by: Decider
    otherwise: Answer
    boxes: tuple[Box, ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def sources(self) -> tuple[IPv4Network, ...]:
        """The source addresses, as few networks as possible."""
        return tuple(
            network
            for first, last in merged((box[0], box[1]) for box in self.boxes)
            for network in summarize_address_range(IPv4Address(first), IPv4Address(last))
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """One direction of a flow: the answer for all of it, and its parts (the worst first)."""

    direction: Direction
    answer: Answer
    parts: tuple[Part, ...]
    #: Why no rule was asked, where none applies.
    exempt: str = ""

    @property
    def allowed(self) -> bool:
        """Whether every packet of the flow passes, for certain."""
        return self.answer is Answer.ALLOWED

    @property
    def otherwise(self) -> Answer:
        """The answer if nothing that is in doubt applies."""
        return worst(tuple(part.otherwise for part in self.parts))

    @property
    def by(self) -> Decider | None:
        """What decides about the worst part."""
        return self.parts[0].by if self.parts else None

    @property
    def blocker(self) -> Decider | None:
        """What denies, or would if nothing in doubt applied; one that no VPC rule can beat before others."""
        denied = [part.by for part in self.parts if part.otherwise is Answer.DENIED]
        return next((by for by in denied if not by.beatable), denied[0] if denied else None)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Everything that keeps the answer open, each once."""
        return tuple(dict.fromkeys(doubt for part in self.parts for doubt in part.doubts))

    def answer_at(self, source: IPv4Address, destination: IPv4Address, port: int) -> Answer:
        """The answer for one packet of the flow.

        Raises:
            ValueError: The packet is not of this flow.
        """
        if self.exempt:
            return self.answer
        point = (int(source), int(destination), port)
        for part in self.parts:
            for box in part.boxes:
                if all(box[2 * axis] <= point[axis] <= box[2 * axis + 1] for axis in range(3)):
                    return part.answer
        raise ValueError(f"{source} → {destination}:{port} is not of this flow")
