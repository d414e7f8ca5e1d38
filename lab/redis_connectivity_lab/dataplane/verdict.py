"""Asking the compiled rules about one connection, without a packet: what the relay does, and tests compare with."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Literal

from redis_connectivity_lab.dataplane.compile import (
    IMPLIED_ALLOW_EGRESS,
    IMPLIED_DENY_INGRESS,
    PORT_PROTOCOLS,
    CompiledHost,
    CompiledNetwork,
    Decision,
    Traffic,
    compile_topology,
)
from redis_connectivity_lab.topology import Direction, Judged, NetworkId, Topology

__all__ = ["TCP", "UDP", "Outcome", "Verdict", "judge", "verdict"]

TCP: Final = 6
UDP: Final = 17


class Outcome(enum.StrEnum):
    """What becomes of the first packet of a connection."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NO_SUCH_HOST = "no such host"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and, for a denial, the direction it was met in and the rule (an implied one's name included).

    For what is allowed these are the last that was asked: the receiver's ingress rule, or the sender's egress rule
    where the receiver has none.
    """

    outcome: Outcome
    direction: Direction | None = None
    rule: str | None = None
    receiver: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether a connection can come about."""
        return self.outcome is Outcome.ALLOWED


def verdict(
    networks: Mapping[NetworkId, CompiledNetwork],
    source: str,
    destination: IPv4Address,
    port: int,
    protocol: int = TCP,
) -> Verdict:
    """What becomes of a new connection from the host with the id `source`; `port` is ignored where there are none."""
    sender = _host(networks.values(), source)
    if sender is None:
        return Verdict(Outcome.NO_SUCH_HOST)
    if sender.host.address == destination:  # never leaves the host, so no firewall sees it
        return Verdict(Outcome.ALLOWED, receiver=source)
    last: tuple[Direction, str] | None = None
    if sender.in_vpc:
        rule, allow = _first(sender.egress, destination, protocol, port) or (IMPLIED_ALLOW_EGRESS, True)
        if not allow:
            return Verdict(Outcome.DENIED, Direction.EGRESS, rule)
        last = Direction.EGRESS, rule
    on_network = networks[sender.host.network].hosts
    receiver = next((h for h in on_network if h.host.address == destination), None)
    if receiver is None:
        return Verdict(Outcome.NO_SUCH_HOST)
    if receiver.in_vpc:
        rule, allow = _first(receiver.ingress, sender.host.address, protocol, port) or (IMPLIED_DENY_INGRESS, False)
        if not allow:
            return Verdict(Outcome.DENIED, Direction.INGRESS, rule, receiver.host.id)
        last = Direction.INGRESS, rule
    direction, rule_name = last or (None, None)
    return Verdict(Outcome.ALLOWED, direction, rule_name, receiver.host.id)


def judge(topology: Topology, sender: str, to: IPv4Address, port: int) -> Judged:
    """The same for whoever has only a topology."""
    networks = compile_topology(topology)
    found = _host(networks.values(), sender)
    if found is None:
        return Judged("no such sender")
    answer = verdict(networks, sender, to, port)
    outcome: Literal["allowed", "denied", "no such receiver"]
    match answer.outcome:
        case Outcome.NO_SUCH_HOST:
            outcome = "no such receiver"
        case Outcome.ALLOWED:
            outcome = "allowed"
        case Outcome.DENIED:
            outcome = "denied"
    return Judged(outcome, answer.direction, answer.rule or "", found.host.network.project)


def _host(networks: Iterable[CompiledNetwork], host_id: str) -> CompiledHost | None:
    return next((h for network in networks for h in network.hosts if h.host.id == host_id), None)


def _first(decisions: Iterable[Decision], peer: IPv4Address, protocol: int, port: int) -> tuple[str, bool] | None:
    left = -1  # the stage that was left by goto_next
    for decision in decisions:
        if decision.stage == left or not _matches(decision.traffic, protocol, port):
            continue
        if any(peer in network for network in decision.peers):
            if decision.allow is not None:
                return decision.rule, decision.allow
            left = decision.stage
    return None


def _matches(traffic: Iterable[Traffic], protocol: int, port: int) -> bool:
    for entry in traffic:
        if entry.protocol is None:
            return True
        if entry.protocol == protocol:
            has_ports = protocol in PORT_PROTOCOLS and entry.ports
            return not has_ports or any(first <= port <= last for first, last in entry.ports)
    return False
