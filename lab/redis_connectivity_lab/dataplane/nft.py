"""The compiled rules of one network as an nftables ruleset for its router's namespace.

A packet crosses the router once. The first one of a connection must return from the egress chain, where it is judged
as its sender's, and from the ingress chain, where it is judged as its receiver's (`return` is that direction's
consent, `drop` ends it; see `_direction` for firewall policies, which are stages before and after the VPC rules);
later ones are `established`. Rules are listed once with the hosts they apply to, so that a ruleset grows with the
rules and not with rules times hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity_lab.dataplane.compile import (
    IMPLIED_ALLOW_EGRESS,
    IMPLIED_DENY_INGRESS,
    CompiledNetwork,
    Decision,
    Traffic,
)

__all__ = ["TABLE", "render"]

TABLE: Final = "vpc"


def render(network: CompiledNetwork) -> str:
    """The whole table; loading it replaces the one before in a single transaction.

    Every rule has a counter and, as its comment, the name of the firewall rule it comes from.
    """
    members = {h.host.address: h for h in network.hosts if h.in_vpc}
    chains = {
        **_direction(
            "egress",
            _listed({address: h.egress for address, h in members.items()}, host="saddr", peer="daddr"),
            f'counter return comment "{IMPLIED_ALLOW_EGRESS}"',
        ),
        **_direction(
            "ingress",
            _listed({address: h.ingress for address, h in members.items()}, host="daddr", peer="saddr"),
            f'counter drop comment "{IMPLIED_DENY_INGRESS}"',
        ),
        "forward": tuple(_forward([h.host.address for h in network.hosts], list(members))),
    }
    lines = [f"add table ip {TABLE}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
    for name, body in chains.items():
        lines += [f"\tchain {name} {{", *(f"\t\t{line}" for line in body), "\t}"]
    return "\n".join((*lines, "}", ""))


def _direction(name: str, listed: Iterable[tuple[Decision, str]], implied: str) -> dict[str, tuple[str, ...]]:
    """The chain of a direction, after one for each stage where there are several.

    A single stage consents by `return`. Among several that only ends a stage, so consent is a mark as well, which ends
    the direction; `goto_next` returns without it.
    """
    stages: dict[int, list[str]] = {}
    decisions = list(listed)
    several = len({one.stage for one, _ in decisions}) > 1 or any(one.allow is None for one, _ in decisions)
    for decision, match in decisions:
        consent = "meta mark set 1 return" if several else "return"
        what = {True: consent, False: "drop", None: "return"}[decision.allow]
        stages.setdefault(decision.stage, []).append(f'{match}counter {what} comment "{decision.rule}"')
    if not several:
        return {name: (*(line for lines in stages.values() for line in lines), implied)}
    chains = {f"{name}-{number}": tuple(lines) for number, lines in stages.items()}
    asked = [line for chain in chains for line in (f"jump {chain}", "meta mark 1 return")]
    return {**chains, name: ("meta mark set 0", *asked, implied)}


def _forward(hosts: Iterable[IPv4Address], members: Iterable[IPv4Address]) -> Iterator[str]:
    yield "type filter hook forward priority filter; policy drop;"
    yield "ct state established,related accept"
    yield "ct state invalid counter drop"
    if not hosts:
        return
    yield f"ip saddr != {_set(hosts)} counter drop"
    yield f"ip daddr != {_set(hosts)} counter drop"
    if members:  # a managed host has no rules of its own: its traffic passes by the chains
        yield f"ip saddr {_set(members)} jump egress"
        yield f"ip daddr {_set(members)} jump ingress"
    yield "counter accept"


def _listed(by_host: Mapping[IPv4Address, Iterable[Decision]], host: str, peer: str) -> Iterator[tuple[Decision, str]]:
    """The decisions in their order, each with what it matches: its hosts, too, so one list serves all."""
    targets: dict[Decision, list[IPv4Address]] = {}
    for address, decisions in by_host.items():
        for decision in decisions:
            targets.setdefault(decision, []).append(address)
    for decision in sorted(targets, key=lambda each: each.order):
        everyone = len(targets[decision]) == len(by_host)
        which = "" if everyone else f"ip {host} {_set(targets[decision])} "
        # Peers are collapsed, so everywhere is one network: no match says it shorter.
        everywhere = any(network.prefixlen == 0 for network in decision.peers)
        who = "" if everywhere else f"ip {peer} {_set(decision.peers)} "
        for traffic in decision.traffic:
            yield decision, f"{which}{who}{_traffic(traffic)}"


def _traffic(traffic: Traffic) -> str:
    if traffic.protocol is None:
        return ""
    ports = (str(first) if first == last else f"{first}-{last}" for first, last in traffic.ports)
    match = f"meta l4proto {traffic.protocol} "
    return f"{match}th dport {_set(ports)} " if traffic.ports else match


def _set(elements: Iterable[object]) -> str:
    """A set, or its only element as it is: each set is two more messages, and a transaction's size has a limit."""
    texts = [str(element) for element in elements]
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}"
