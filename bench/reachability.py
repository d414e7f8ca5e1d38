"""How fast the analyser judges: pure computing, no lab."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    FirewallRule,
    Layer4,
    NetworkRef,
    PolicyAction,
    PolicyKind,
)
from redis_connectivity.core.reachability import Answer, Firewall, Flow, Receiver, Sender, Side, candidates

__all__ = ["reachability"]

Row = tuple[str, str, str, str]

_NETWORK = NetworkRef("acme", "vpc")
_RULES = 1000
_FLOWS = 10_000
_RECONCILES = 500
_PORTS = (6379, 6378, 6380, 11000)
_REPEATS = 3


def reachability() -> Iterator[Row]:
    """Flows judged a second, each in both directions, with the connector's /28 as its source."""
    chance = random.Random(4)  # noqa: S311 - the same rules and flows in each run
    flows = [_flow(chance) for _ in range(_FLOWS)]
    mixed = [_rule(chance, number) for number in range(_RULES)]
    policies = _policies(chance)
    label = f"{_FLOWS:,} flows, {_RULES:,} VPC rules"
    yield ("reachability", f"{label} as projects have them", *_judged(lambda: Firewall(mixed), flows))
    yield ("reachability", f"{label}, 4 policies of 50 rules", *_judged(lambda: Firewall(mixed, policies), flows))
    broad = [_broad_rule(chance, number) for number in range(_RULES)]
    yield ("reachability", f"{label} for every machine and tcp port", *_judged(lambda: Firewall(broad), flows))
    seconds = min(_timed(lambda: _reconciles(mixed, flows[:_RECONCILES])) for _ in range(_REPEATS))
    each = f"{1000 * seconds / _RECONCILES:.2f} ms a resource"
    yield ("reachability", f"one resource anew among {_RULES:,} rules", each, "filter the rules, judge both directions")


def _judged(make: Callable[[], Firewall], flows: Sequence[Flow]) -> tuple[str, str]:
    """Flows a second, making the firewall ready included; and how they came out."""
    denied = 0

    def run() -> None:
        nonlocal denied
        firewall = make()
        denied = sum(
            Answer.DENIED
            in (firewall.judge(Direction.EGRESS, flow).answer, firewall.judge(Direction.INGRESS, flow).answer)
            for flow in flows
        )

    seconds = min(_timed(run) for _ in range(_REPEATS))
    return f"{len(flows) / seconds:,.0f} flows/s", f"{100 * denied / len(flows):.0f} % denied"


def _reconciles(rules: Iterable[FirewallRule], flows: Iterable[Flow]) -> None:
    """What a plan does for each resource: one pass over the project's rules, then judging what is left."""
    for flow in flows:
        firewall = Firewall(candidates(rules, (flow,)))
        for direction in Direction:
            firewall.judge(direction, flow)


def _timed(run: Callable[[], None]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _flow(chance: random.Random) -> Flow:
    connector, machine = chance.randrange(50), chance.randrange(200)
    sender = Sender(
        IPv4Network((int(IPv4Address("10.2.0.0")) + 16 * connector, 28)),
        frozenset({"vpc-connector", f"vpc-connector-us-central1-c{connector}"}),
    )
    address = IPv4Network((int(IPv4Address("10.128.0.0")) + machine, 32))
    tags = frozenset({f"redis-{machine % 40}", f"team-{machine % 7}"})
    receiver = Receiver(address, (port := chance.choice(_PORTS), port), Side.VPC, tags, frozenset(), frozenset())
    return Flow(_NETWORK, sender, receiver)


def _layer4(chance: random.Random) -> frozenset[Layer4]:
    kind = chance.random()
    if kind < 0.2:
        return frozenset({Layer4("all")})
    if kind < 0.35:
        return frozenset({Layer4("tcp")})
    ports = tuple((port, port) for port in chance.sample((22, 80, 443, 3306, 5432, 6378, 6379, 8080, 9090, 11000), 2))
    return frozenset({Layer4("tcp", ports)})


def _range(chance: random.Random, base: str) -> frozenset[str]:
    length = chance.choice((16, 24, 28, 28, 32))
    start = int(IPv4Address(base)) + chance.randrange(1024)
    return frozenset({str(IPv4Network((start, length), strict=False))})


def _rule(chance: random.Random, number: int) -> FirewallRule:
    """A rule as projects have them: most for a tag, some for everybody; mostly narrow ranges."""
    ingress = chance.random() < 0.7
    tagged = chance.random() < 0.85
    tag = chance.choice((f"redis-{chance.randrange(40)}", f"team-{chance.randrange(7)}", f"app-{chance.randrange(90)}"))
    if not ingress and chance.random() < 0.5:
        tag = f"vpc-connector-us-central1-c{chance.randrange(50)}"
    return FirewallRule(
        _NETWORK,
        f"rule-{number}",
        Direction.INGRESS if ingress else Direction.EGRESS,
        Action.ALLOW if chance.random() < 0.7 else Action.DENY,
        chance.choice((900, 1000, 1000, 1000, 2000, 65000)),
        _layer4(chance),
        source_ranges=_range(chance, "10.2.0.0") if ingress else frozenset(),
        destination_ranges=frozenset() if ingress else _range(chance, "10.128.0.0"),
        target_tags=frozenset({tag}) if tagged else frozenset(),
    )


def _broad_rule(chance: random.Random, number: int) -> FirewallRule:
    """The worst case: nothing but the addresses tells whether the rule matches."""
    ingress = number % 2 == 0
    return FirewallRule(
        _NETWORK,
        f"rule-{number}",
        Direction.INGRESS if ingress else Direction.EGRESS,
        Action.DENY,
        chance.randrange(65535),
        frozenset({Layer4("tcp")}),
        source_ranges=_range(chance, "10.60.0.0") if ingress else frozenset(),
        destination_ranges=frozenset() if ingress else _range(chance, "10.61.0.0"),
    )


def _policies(chance: random.Random) -> tuple[FirewallPolicy, ...]:
    kinds = (PolicyKind.HIERARCHY, PolicyKind.HIERARCHY, PolicyKind.NETWORK, PolicyKind.NETWORK)
    return tuple(
        FirewallPolicy(
            kind,
            f"policy-{place}",
            f"policy-{place}",
            tuple(
                FirewallPolicyRule(
                    priority,
                    chance.choice((PolicyAction.DENY, PolicyAction.GOTO_NEXT)),
                    chance.choice(tuple(Direction)),
                    _layer4(chance),
                    source_ranges=_range(chance, "10.2.0.0"),
                    destination_ranges=_range(chance, "10.128.0.0"),
                )
                for priority in range(50)
            ),
        )
        for place, kind in enumerate(kinds)
    )
