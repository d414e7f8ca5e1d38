"""Networks, hosts and rules for the data plane's tests, and random ones for Hypothesis."""

from __future__ import annotations

import os
import subprocess
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import strategies as st

from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, NetworkId, Rule, ServiceId, Topology

NETWORK = NetworkId("acme-staging", "staging-vpc")
OTHER_NETWORK = NetworkId("acme-staging", "other-vpc")
REDIS = L4Match("tcp", ((6379, 6379),))
ALL = L4Match("all")


def host(
    name: str,
    address: str,
    kind: HostKind = HostKind.VM,
    *,
    tags: tuple[str, ...] = (),
    account: str | None = None,
    redis_port: int | None = None,
    password: str | None = None,
    network: NetworkId = NETWORK,
) -> Host:
    block = IPv4Network(f"{address}/28", strict=False) if kind is HostKind.CONNECTOR else IPv4Network(address)
    return Host(name, kind, network, IPv4Address(address), block, tags, account, redis_port, password)


CONNECTOR = host("connector", "10.2.0.2", HostKind.CONNECTOR, tags=("vpc-connector", "vpc-connector-us-staging"))
VM = host("vm", "10.0.0.3", tags=("redis-instance",), redis_port=6379)
MANAGED = host("managed", "10.9.0.3", HostKind.MANAGED, redis_port=6379)
SERVICE = ServiceId("acme-staging", "us-central1", "chat-prober", CONNECTOR.id)


def rule(
    name: str = "rule",
    *,
    allow: bool = True,
    direction: Direction = Direction.INGRESS,
    priority: int = 1000,
    matches: tuple[L4Match, ...] = (REDIS,),
    sources: tuple[str, ...] = (),
    destinations: tuple[str, ...] = (),
    source_tags: tuple[str, ...] = (),
    target_tags: tuple[str, ...] = (),
    source_accounts: tuple[str, ...] = (),
    target_accounts: tuple[str, ...] = (),
    disabled: bool = False,
    network: NetworkId = NETWORK,
) -> Rule:
    return Rule(
        network,
        name,
        direction,
        priority,
        allow,
        matches,
        source_ranges=sources,
        destination_ranges=destinations,
        source_tags=source_tags,
        target_tags=target_tags,
        source_service_accounts=source_accounts,
        target_service_accounts=target_accounts,
        disabled=disabled,
    )


def skip_where_impossible(kind: str) -> None:
    """Skip a test of namespaces where the machine itself refuses them; a fault of ours must still fail."""
    if kind == "namespaces":
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = ["unshare", *user, "--fork", "--pid", "--mount", "--net", "--mount-proc", "true"]
        try:
            tried = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            pytest.skip(f"no namespaces here: {error}")
        if tried.returncode:
            pytest.skip(f"no namespaces here: {tried.stderr.strip()}")


#: The rule the whole product is about.
ALLOW = rule("allow-vpc-connector-to-redis", sources=("10.2.0.0/28",), target_tags=("redis-instance",))


def topology(
    *rules: Rule, hosts: tuple[Host, ...] = (CONNECTOR, VM, MANAGED), services: tuple[ServiceId, ...] = ()
) -> Topology:
    return Topology(frozenset(h.network for h in hosts), frozenset(hosts), frozenset(rules), frozenset(services))


# What random topologies are made of: few values, so that rules meet, overlap and shadow each other.
_TAGS = ("a", "b", "c")
_ACCOUNTS = ("x@p.iam", "y@p.iam")
PORTS = (1, 80, 6379, 65535)
ADDRESSES = tuple(f"10.0.{third}.{last}" for third in (0, 1) for last in (2, 3, 130))
_RANGES = (
    "10.0.0.0/24",
    "10.0.0.0/25",
    "10.0.1.0/24",
    "10.0.0.2/32",
    "10.0.1.3/32",
    "0.0.0.0/0",
    "10.0.0.0/16",
    "fd00::/8",
)

_matches = st.one_of(
    st.just(ALL),
    st.builds(
        L4Match,
        st.sampled_from(["tcp", "udp", "6", "icmp"]),
        st.lists(st.sampled_from([(1, 1), (80, 80), (6379, 6379), (60, 7000), (6000, 65535)]), max_size=2).map(tuple),
    ),
)


def _some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=most).map(tuple)


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    ingress = draw(st.booleans())
    by_account = draw(st.booleans())
    return rule(
        name,
        allow=draw(st.booleans()),
        direction=Direction.INGRESS if ingress else Direction.EGRESS,
        priority=draw(st.sampled_from([0, 900, 1000, 1001, 65535])),
        matches=tuple(draw(st.lists(_matches, min_size=1, max_size=2))),
        sources=draw(_some(_RANGES)) if ingress else (),
        destinations=() if ingress else draw(_some(_RANGES)),
        source_tags=draw(_some(_TAGS)) if ingress and not by_account else (),
        source_accounts=draw(_some(_ACCOUNTS)) if ingress and by_account else (),
        target_tags=() if by_account else draw(_some(_TAGS)),
        target_accounts=draw(_some(_ACCOUNTS)) if by_account else (),
        disabled=draw(st.sampled_from([False, False, False, True])),
    )


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    hosts = tuple(
        host(
            f"h{number}",
            address,
            draw(st.sampled_from([HostKind.VM, HostKind.VM, HostKind.CONNECTOR, HostKind.MANAGED])),
            tags=draw(_some(_TAGS)),
            account=draw(st.sampled_from([None, *_ACCOUNTS])),
        )
        for number, address in enumerate(ADDRESSES)
    )
    return topology(*(draw(rules(f"r{n}")) for n in range(draw(st.integers(0, 8)))), hosts=hosts)
