"""Random rule sets: the kernel's packet filter and the pure verdict must agree on every connection."""

from __future__ import annotations

import asyncio
import os
import random
import time
from ipaddress import IPv4Address

import pytest

from redis_connectivity.probes.model import FailureCode
from redis_connectivity_lab.dataplane import DataPlane, open_dataplane
from redis_connectivity_lab.dataplane.compile import compile_topology
from redis_connectivity_lab.dataplane.verdict import verdict
from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, Rule, Topology
from unit.dataplane.dataplane_values import ALL, NETWORK, host, rule, skip_where_impossible

pytestmark = pytest.mark.lab

BUDGET_SECONDS = 15.0
PORTS = (22, 6379, 6380)
TAGS = ("a", "b", "c")
ACCOUNTS = ("x@p.iam", "y@p.iam")
RANGES = (
    "10.0.0.0/24",
    "10.0.0.0/25",
    "10.0.1.0/24",
    "10.0.0.2/32",
    "10.0.1.3/32",
    "0.0.0.0/0",
    "10.0.0.0/16",
    "fd00::/8",
)
MATCHES = (
    ALL,
    L4Match("tcp"),
    L4Match("6", ((6379, 6379),)),
    L4Match("tcp", ((1, 100), (6379, 6379))),
    L4Match("tcp", ((6000, 6379), (6380, 7000))),
    L4Match("udp"),
    L4Match("icmp"),
)
#: A connection that is let through is answered or refused at once; only what is dropped gives no sign.
DROPPED = FailureCode.CONNECT_TIMEOUT


def some(chance: random.Random, values: tuple[str, ...], most: int = 2) -> tuple[str, ...]:
    return tuple(chance.sample(values, chance.randint(0, most)))


def random_hosts(chance: random.Random) -> tuple[Host, ...]:
    kinds = (HostKind.VM, HostKind.VM, HostKind.CONNECTOR, HostKind.MANAGED)
    return tuple(
        host(f"h{n}", address, chance.choice(kinds), tags=some(chance, TAGS), account=chance.choice((None, *ACCOUNTS)))
        for n, address in enumerate(("10.0.0.2", "10.0.0.3", "10.0.0.130", "10.0.1.2", "10.0.1.3", "10.0.1.130"))
    )


def random_rule(chance: random.Random, name: str) -> Rule:
    ingress, by_account = chance.random() < 0.6, chance.random() < 0.3
    return rule(
        name,
        allow=chance.random() < 0.6,
        direction=Direction.INGRESS if ingress else Direction.EGRESS,
        priority=chance.choice((0, 900, 1000, 1001)),
        matches=tuple(chance.sample(MATCHES, chance.randint(1, 2))),
        sources=some(chance, RANGES) if ingress else (),
        destinations=() if ingress else some(chance, RANGES),
        source_tags=some(chance, TAGS) if ingress and not by_account else (),
        source_accounts=some(chance, ACCOUNTS) if ingress and by_account else (),
        target_tags=() if by_account else some(chance, TAGS),
        target_accounts=some(chance, ACCOUNTS) if by_account else (),
        disabled=chance.random() < 0.1,
    )


async def passes(dataplane: DataPlane, source: Host, to: IPv4Address, port: int, seconds: float) -> bool:
    answer = await dataplane.ping_from(source.id, str(to), port, seconds)
    assert answer.failure, "nothing listens anywhere"
    assert answer.failure.code in {DROPPED, FailureCode.CONNECTION_REFUSED}, answer
    return answer.failure.code is not DROPPED


async def test_kernel_and_verdict_agree() -> None:
    skip_where_impossible("namespaces")
    seed = int(os.environ.get("DATAPLANE_SEED", random.SystemRandom().randrange(2**32)))
    print(f"DATAPLANE_SEED={seed}")
    chance = random.Random(seed)
    rounds = connections = let_through = 0
    async with await open_dataplane("namespaces") as dataplane:
        hosts = random_hosts(chance)
        end = time.monotonic() + BUDGET_SECONDS
        while time.monotonic() < end or rounds < 3:
            if rounds % 5 == 4:
                hosts = random_hosts(chance)
            rules = frozenset(random_rule(chance, f"r{n}") for n in range(chance.randint(1, 9)))
            what = Topology(frozenset({NETWORK}), frozenset(hosts), rules)
            await dataplane.apply(what)
            compiled = compile_topology(what)
            cases = [(source, to.address, port) for source in hosts for to in hosts for port in PORTS]
            expected = [verdict(compiled, source.id, to, port).allowed for source, to, port in cases]
            found = await asyncio.gather(*(passes(dataplane, *case, seconds=0.5) for case in cases))
            for case, wanted, got in zip(cases, expected, found, strict=True):
                # A busy machine can be late with an answer: what seemed dropped is asked again, with patience.
                agreed = got == wanted or await passes(dataplane, *case, seconds=5) == wanted
                source, to, port = case
                told = verdict(compiled, source.id, to, port)
                assert agreed, f"seed {seed}, round {rounds}: {source.id} → {to}:{port}: kernel {got}, {told}\n{what}"
            rounds += 1
            connections += len(cases)
            let_through += sum(expected)
    print(f"{rounds} rule sets, {connections} connections, {let_through} let through")
    assert 0 < let_through < connections
