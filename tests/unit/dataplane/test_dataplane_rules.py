"""The compiled rules, by examples of how Google Cloud decides and by properties of any rule set."""

from __future__ import annotations

import dataclasses
import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_connectivity_lab.dataplane.compile import IMPLIED_DENY_INGRESS, Traffic, compile_topology
from redis_connectivity_lab.dataplane.nft import render
from redis_connectivity_lab.dataplane.verdict import TCP, UDP, Outcome, Verdict, verdict
from redis_connectivity_lab.topology import Direction, Host, HostKind, L4Match, Rule, Topology
from unit.dataplane.dataplane_values import (
    ADDRESSES,
    ALL,
    ALLOW,
    CONNECTOR,
    MANAGED,
    NETWORK,
    OTHER_NETWORK,
    PORTS,
    VM,
    host,
    rule,
    topologies,
    topology,
)

#: Every example asks hundreds of verdicts; the machine may be busy with other tests.
unhurried = settings(max_examples=50, deadline=None)

EGRESS = Direction.EGRESS
NAME = ALLOW.name
NO = f"!{IMPLIED_DENY_INGRESS}"
CLOSED = rule("deny", allow=False, direction=EGRESS, matches=(ALL,))
CLIENT_ACCOUNT, SERVER_ACCOUNT = "client@p.iam", "server@p.iam"
CLIENT = host("client", "10.0.0.9", account=CLIENT_ACCOUNT)
SERVER = host("server", "10.0.0.8", account=SERVER_ACCOUNT)
FROM_ACCOUNT = rule("acc", source_accounts=(CLIENT_ACCOUNT,), target_accounts=(SERVER_ACCOUNT,))
MANY = rule("many", matches=(L4Match("tcp", ((1, 2),)), L4Match("tcp", ((6000, 7000),))))
HOSTS = (CONNECTOR, VM, MANAGED, CLIENT, SERVER)


def ask(what: Topology, source: Host = CONNECTOR, to: Host = VM, port: int = 6379, protocol: int = TCP) -> Verdict:
    return verdict(compile_topology(what), source.id, to.address, port, protocol)


@pytest.mark.parametrize(
    ("rules", "source", "to", "decided_by"),
    [
        # (rules, sender, receiver, name of the rule that allows or None; "!name" for one that denies)
        pytest.param((), CONNECTOR, VM, NO, id="no rule: ingress is denied"),
        pytest.param((), CONNECTOR, MANAGED, "implied-allow-egress", id="no rule: egress to managed is allowed"),
        pytest.param((ALLOW,), CONNECTOR, VM, ALLOW.name, id="range and target tag"),
        pytest.param((ALLOW,), CLIENT, VM, NO, id="another source"),
        pytest.param((ALLOW,), CONNECTOR, SERVER, NO, id="another target"),
        pytest.param((dataclasses.replace(ALLOW, disabled=True),), CONNECTOR, VM, NO, id="disabled"),
        pytest.param((ALLOW, rule("deny", allow=False)), CONNECTOR, VM, "!deny", id="equal priority: deny wins"),
        pytest.param((ALLOW, rule("deny", allow=False, priority=999)), CONNECTOR, VM, "!deny", id="deny before"),
        pytest.param((ALLOW, rule("deny", allow=False, priority=1001)), CONNECTOR, VM, ALLOW.name, id="deny behind"),
        pytest.param(
            (ALLOW, rule("deny", allow=False, priority=0, disabled=True)), CONNECTOR, VM, ALLOW.name, id="disabled deny"
        ),
        pytest.param(
            (ALLOW, rule("deny", allow=False, direction=EGRESS, target_tags=("vpc-connector",), matches=(ALL,))),
            CONNECTOR, VM, "!deny", id="egress denied on the connector's tag",
        ),
        pytest.param(
            (CLOSED,), CONNECTOR, MANAGED, "!deny", id="egress to managed"
        ),
        pytest.param(
            (
                CLOSED,
                rule("open", direction=EGRESS, priority=900, destinations=("10.9.0.0/29",)),
            ),
            CONNECTOR, MANAGED, "open", id="egress allow before the deny",
        ),
        pytest.param((rule("deny", allow=False, priority=0),), CONNECTOR, MANAGED, "implied-allow-egress",
                     id="no ingress rule reaches managed"),
        pytest.param((CLOSED, rule("in", matches=(ALL,))), MANAGED, VM, "in",
                     id="no egress rule reaches managed"),
        pytest.param((rule("tag", source_tags=("vpc-connector",)),), CONNECTOR, VM, "tag", id="source tag"),
        pytest.param((rule("tag", source_tags=("vpc-connector",)),), CLIENT, VM, NO, id="without it"),
        pytest.param((rule("tag", source_tags=("nobody",)),), CONNECTOR, VM, NO, id="nobody's tag"),
        pytest.param((rule("or", source_tags=("nobody",), sources=("10.2.0.0/28",)),), CONNECTOR, VM, "or",
                     id="range or tag"),
        pytest.param((FROM_ACCOUNT,), CLIENT, SERVER, "acc",
                     id="accounts"),
        pytest.param((rule("acc", source_accounts=(CLIENT_ACCOUNT,)),), CONNECTOR, SERVER, NO,
                     id="a connector has no account"),
        pytest.param((rule("v6", sources=("fd00::/8",)),), CONNECTOR, VM, NO, id="IPv6 range alone"),
        pytest.param((rule("udp", matches=(L4Match("udp"),)),), CONNECTOR, VM, NO, id="other protocol"),
        pytest.param((rule("six", matches=(L4Match("6"),)),), CONNECTOR, VM, "six", id="protocol by number"),
        pytest.param((rule("near", matches=(L4Match("tcp", ((6380, 6390), (1, 6378))),)),), CONNECTOR, VM,
                     NO, id="ports beside"),
        pytest.param((MANY,), CONNECTOR, VM, "many",
                     id="port in the second match"),
        pytest.param((rule("some", matches=(L4Match("tcp", ((1, 2),)), L4Match("tcp"))),), CONNECTOR, VM, "some",
                     id="a match without ports is every port"),
        pytest.param((rule("other", network=OTHER_NETWORK),), CONNECTOR, VM, NO, id="other network's rule"),
        pytest.param((), VM, VM, None, id="a host reaches itself"),
    ],
)  # fmt: skip
def test_decisions(rules: tuple[Rule, ...], source: Host, to: Host, decided_by: str | None) -> None:
    found = ask(topology(*rules, hosts=HOSTS), source, to)
    assert found.allowed == (not (decided_by or "").startswith("!"))
    assert found.rule == (decided_by.removeprefix("!") if decided_by else None)


def test_direct_vpc_egress_sends_by_its_tags_and_is_no_source_by_them() -> None:
    direct = host("run", "10.0.9.9", HostKind.DIRECT, tags=("chat",))
    by_tag = dataclasses.replace(ALLOW, source_tags=("chat",), source_ranges=())
    by_range = dataclasses.replace(ALLOW, source_ranges=("10.0.9.0/26",))
    out = rule("out", direction=EGRESS, target_tags=("chat",), destinations=(f"{VM.address}/32",), priority=10)
    for rules, decided_by in (
        ((by_tag,), NO),
        ((by_range,), NAME),
        ((by_range, CLOSED), "!deny"),
        ((by_range, CLOSED, out), NAME),
    ):
        found = ask(topology(*rules, hosts=(*HOSTS, direct)), direct)
        assert (found.allowed, found.rule) == (not decided_by.startswith("!"), decided_by.lstrip("!"))


def test_ports_mean_nothing_to_protocols_without() -> None:
    what = topology(rule("icmp", matches=(L4Match("icmp", ((8, 8),)),)))
    assert ask(what, protocol=1).allowed
    assert not ask(what, protocol=UDP).allowed


def test_unknown_address_and_unknown_sender() -> None:
    networks = compile_topology(topology(rule("any", matches=(ALL,))))
    assert verdict(networks, CONNECTOR.id, IPv4Address("10.0.0.77"), 1).outcome is Outcome.NO_SUCH_HOST
    assert verdict(networks, "nobody", VM.address, 1).outcome is Outcome.NO_SUCH_HOST


def test_networks_share_nothing() -> None:
    elsewhere = dataclasses.replace(VM, id="elsewhere", network=OTHER_NETWORK)
    what = topology(rule("any", matches=(ALL,), network=OTHER_NETWORK), hosts=(CONNECTOR, elsewhere))
    assert ask(what, CONNECTOR, elsewhere).outcome is Outcome.NO_SUCH_HOST


def test_second_claim_to_an_address_is_told() -> None:
    compiled = compile_topology(topology(hosts=(VM, dataclasses.replace(VM, id="zz"))))[NETWORK]
    assert [each.host.id for each in compiled.hosts] == [VM.id]
    assert compiled.problems == ("zz has no address: 10.0.0.3 is vm's",)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (rule('evil"; flush ruleset'), "not a rule's name"),
        (rule(sources=("10.0.0.0/33",)), "10.0.0.0/33"),
        (rule(matches=(L4Match("tcp", ((9, 8),)),)), "9-8 is no port range"),
        (rule(matches=(L4Match("tcp", ((0, 65536),)),)), "no port range"),
        (rule(matches=(L4Match("quic"),)), "'quic' is no IP protocol"),
        (rule(matches=(L4Match("256"),)), "'256' is no IP protocol"),
    ],
)
def test_what_no_rule_can_have_is_refused(bad: Rule, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_topology(topology(bad))


def test_ranges_and_ports_are_merged() -> None:
    ports = (L4Match("tcp", ((20, 30), (1, 5), (6, 10), (25, 40))), L4Match("TCP", ((80, 80),)))
    compiled = compile_topology(topology(rule(sources=("10.0.0.0/25", "10.0.0.128/25", "10.0.0.7/24"), matches=ports)))
    (decision,) = next(h for h in compiled[NETWORK].hosts if h.host == VM).ingress
    assert [str(peer) for peer in decision.peers] == ["10.0.0.0/24"]
    assert decision.traffic == (Traffic(TCP, ((1, 10), (20, 40), (80, 80))),)


def test_ruleset_text() -> None:
    deny = rule("deny-out", allow=False, direction=EGRESS, matches=(ALL,), target_tags=("vpc-connector",), priority=1)
    assert render(compile_topology(topology(ALLOW, deny))[NETWORK]).splitlines() == [
        "add table ip vpc",
        "delete table ip vpc",
        "table ip vpc {",
        "\tchain egress {",
        '\t\tip saddr 10.2.0.2 counter drop comment "deny-out"',
        '\t\tcounter return comment "implied-allow-egress"',
        "\t}",
        "\tchain ingress {",
        f'\t\tip daddr 10.0.0.3 ip saddr 10.2.0.0/28 meta l4proto 6 th dport 6379 counter return comment "{NAME}"',
        '\t\tcounter drop comment "implied-deny-ingress"',
        "\t}",
        "\tchain forward {",
        "\t\ttype filter hook forward priority filter; policy drop;",
        "\t\tct state established,related accept",
        "\t\tct state invalid counter drop",
        "\t\tip saddr != { 10.2.0.2, 10.9.0.3, 10.0.0.3 } counter drop",
        "\t\tip daddr != { 10.2.0.2, 10.9.0.3, 10.0.0.3 } counter drop",
        "\t\tip saddr { 10.2.0.2, 10.0.0.3 } jump egress",
        "\t\tip daddr { 10.2.0.2, 10.0.0.3 } jump ingress",
        "\t\tcounter accept",
        "\t}",
        "}",
    ]  # fmt: skip


def test_empty_network_lets_nothing_through() -> None:
    text = render(compile_topology(Topology(networks=frozenset({NETWORK})))[NETWORK])
    assert "policy drop" in text
    assert "accept" not in text.replace("established,related accept", "")


def _verdicts(what: Topology) -> dict[tuple[str, str, int, int], tuple[Outcome, Direction | None, str | None]]:
    networks = compile_topology(what)
    found = {
        (source.id, address, port, protocol): verdict(networks, source.id, IPv4Address(address), port, protocol)
        for source in what.hosts
        for address in ADDRESSES
        for port in PORTS
        for protocol in (TCP, UDP)
    }
    return {key: (each.outcome, each.direction, each.rule) for key, each in found.items()}


def _rulesets(what: Topology) -> list[str]:
    return [render(compiled) for compiled in compile_topology(what).values()]


@unhurried
@given(topologies(), st.randoms(use_true_random=False))
def test_order_of_definition_never_matters(what: Topology, chance: random.Random) -> None:
    def shuffled(of: Rule) -> Rule:
        return dataclasses.replace(
            of,
            matches=tuple(chance.sample(of.matches, len(of.matches))),
            source_ranges=tuple(chance.sample(of.source_ranges, len(of.source_ranges))),
            destination_ranges=tuple(chance.sample(of.destination_ranges, len(of.destination_ranges))),
            source_tags=tuple(chance.sample(of.source_tags, len(of.source_tags))),
            target_tags=tuple(chance.sample(of.target_tags, len(of.target_tags))),
        )

    again = dataclasses.replace(what, rules=frozenset(shuffled(each) for each in what.rules))
    assert _verdicts(again) == _verdicts(what)
    assert _rulesets(again) == _rulesets(what)


@unhurried
@given(topologies())
def test_a_disabled_rule_is_as_if_absent(what: Topology) -> None:
    without = dataclasses.replace(what, rules=frozenset(each for each in what.rules if not each.disabled))
    assert _verdicts(without) == _verdicts(what)


@unhurried
@given(topologies())
def test_a_deny_of_everything_in_front_leaves_managed_hosts_alone(what: Topology) -> None:
    closed = dataclasses.replace(what, rules=what.rules | {rule("aaa", allow=False, priority=0, matches=(ALL,))})
    managed = {str(each.address) for each in what.hosts if each.kind is HostKind.MANAGED}
    before = _verdicts(what)
    for key, (outcome, direction, _) in _verdicts(closed).items():
        source, to, _, _ = key
        own = next(each for each in what.hosts if each.id == source)
        if to in managed or str(own.address) == to:
            assert outcome == before[key][0]
        else:
            assert (outcome is Outcome.ALLOWED) is False
            assert direction is Direction.INGRESS or outcome == before[key][0]


@unhurried
@given(topologies())
def test_priorities_are_only_an_order(what: Topology) -> None:
    stretched = frozenset(dataclasses.replace(each, priority=each.priority * 3 + 7) for each in what.rules)
    assert _verdicts(dataclasses.replace(what, rules=stretched)) == _verdicts(what)
