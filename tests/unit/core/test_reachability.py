"""The analyser, by examples: one for each fact of Google's evaluation that it stands on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.reachability import (
    Answer,
    DeciderKind,
    Firewall,
    Judgement,
    Side,
)
from unit.core.reachability_values import (
    ALLOW,
    DENY,
    EGRESS,
    INGRESS,
    MANAGED,
    SENDER,
    TAG,
    flow,
    rule,
)


def decided(judgement: Judgement) -> tuple[Answer, str]:
    assert judgement.by is not None
    return judgement.answer, judgement.by.name


# --- VPC firewall rules


def test_without_rules_egress_is_allowed_and_ingress_denied() -> None:
    judged = Firewall(()).judge(EGRESS, flow())
    assert decided(judged) == (Answer.ALLOWED, "implied allow egress")
    judged = Firewall(()).judge(INGRESS, flow())
    assert decided(judged) == (Answer.DENIED, "implied deny ingress")
    assert judged.by is not None
    assert (judged.by.kind, judged.by.priority, judged.by.beatable) == (DeciderKind.IMPLIED, 65535, True)


def test_the_smaller_priority_number_wins() -> None:
    rules = [rule("weak", DENY, 1000), rule("strong", ALLOW, 999)]
    assert decided(Firewall(rules).judge(EGRESS, flow())) == (Answer.ALLOWED, "strong")


def test_a_deny_beats_an_allow_at_equal_priority() -> None:
    rules = [rule("a-allow", ALLOW, 1000), rule("z-deny", DENY, 1000)]
    assert decided(Firewall(rules).judge(EGRESS, flow())) == (Answer.DENIED, "z-deny")


def test_the_answer_names_the_rule_its_kind_priority_and_direction() -> None:
    by = Firewall([rule("lock", DENY, 900)]).judge(EGRESS, flow()).by
    assert by is not None
    assert (by.kind, by.name, by.priority, by.direction) == (DeciderKind.VPC_RULE, "lock", 900, EGRESS)
    assert str(by) == "rule lock (priority 900)"


@pytest.mark.parametrize(
    "harmless",
    [
        rule("disabled", DENY, 0, disabled=True),
        rule("ingress", DENY, 0, INGRESS),
        rule("another-network", DENY, 0, network=NetworkRef("acme-staging", "default")),
        rule("another-project", DENY, 0, network=NetworkRef("acme-production", "staging-vpc")),
        rule("another-protocol", DENY, 0, protocol="udp"),
        rule("another-number", DENY, 0, protocol="17"),
        rule("another-port", DENY, 0, ports=((1, 6378), (6380, 65535))),
        rule("another-destination", DENY, 0, destination_ranges="10.128.0.6/32"),
        rule("another-source", DENY, 0, source_ranges="10.2.0.16/28"),
        rule("another-tag", DENY, 0, target_tags=("web", "redis-instance")),
        rule("an-account", DENY, 0, target_service_accounts="redis@acme.iam"),
        rule("ipv6-only", DENY, 0, destination_ranges="::/0"),
    ],
    ids=lambda one: one.name,
)
def test_what_does_not_match_decides_nothing(harmless: object) -> None:
    assert Firewall([harmless]).judge(EGRESS, flow()).allowed


@pytest.mark.parametrize(
    "matching",
    [
        rule("all-protocols", DENY, protocol="all"),
        rule("by-number", DENY, protocol="6", ports=((6379, 6379),)),
        rule("port-range", DENY, ports=((1, 100), (6000, 7000))),
        rule("common-tag", DENY, target_tags="vpc-connector"),
        rule("own-tag", DENY, target_tags=("web", TAG)),
        rule("destination", DENY, destination_ranges=("::/0", "10.128.0.0/20")),
        rule("source", DENY, source_ranges="10.0.0.0/8"),
    ],
    ids=lambda one: one.name,
)
def test_what_matches_decides(matching: object) -> None:
    judged = Firewall([matching]).judge(EGRESS, flow())
    assert decided(judged) == (Answer.DENIED, matching.name)


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ({"source_ranges": "10.2.0.0/28"}, True),
        ({"source_ranges": "10.2.0.16/28"}, False),
        ({"source_tags": "vpc-connector"}, True),
        ({"source_tags": "web"}, False),
        ({"source_tags": "web", "source_ranges": "10.2.0.0/24"}, True),
        ({"source_tags": TAG, "source_ranges": "192.0.2.0/24"}, True),
        ({"source_service_accounts": "run@acme.iam"}, False),
        ({"source_ranges": "fd00::/8"}, False),
        ({}, True),
    ],
)
def test_sources_of_an_ingress_rule_add_up(source: dict[str, str], allowed: bool) -> None:
    """By range, tag or service account; a connector has its own tags and no service account of the user's."""
    assert Firewall([rule("r", ALLOW, direction=INGRESS, **source)]).judge(INGRESS, flow()).allowed is allowed


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ({}, True),
        ({"target_tags": "redis-instance"}, True),
        ({"target_tags": "web"}, False),
        ({"target_service_accounts": "redis@acme.iam"}, True),
        ({"target_service_accounts": "web@acme.iam"}, False),
        ({"destination_ranges": "10.128.0.0/20"}, True),
        ({"destination_ranges": "10.128.1.0/24"}, False),
    ],
)
def test_targets_of_an_ingress_rule(target: dict[str, str], allowed: bool) -> None:
    assert Firewall([rule("r", ALLOW, direction=INGRESS, **target)]).judge(INGRESS, flow()).allowed is allowed


def test_ports_of_protocols_without_ports_count_for_nothing() -> None:
    icmp = rule("ping", DENY, protocol="icmp")
    assert not Firewall([icmp]).judge(EGRESS, flow(protocol="icmp")).allowed
    assert not Firewall([icmp]).judge(EGRESS, flow(protocol="1")).allowed
    assert Firewall([icmp]).judge(EGRESS, flow()).allowed


def test_no_ingress_rule_applies_to_a_managed_redis() -> None:
    judged = Firewall([rule("lock", DENY, 0, INGRESS)]).judge(INGRESS, flow(MANAGED))
    assert judged.allowed
    assert "managed" in judged.exempt


def test_what_stands_at_a_mere_address_is_not_known() -> None:
    judged = Firewall(()).judge(INGRESS, flow(replace(MANAGED, side=Side.UNKNOWN)))
    assert judged.answer is Answer.UNKNOWN
    assert "10.129.0.3:6379" in judged.exempt


# --- a source is a range


def test_an_allow_for_a_part_denies_the_rest() -> None:
    judged = Firewall([rule("half", ALLOW, direction=INGRESS, source_ranges="10.2.0.0/29")]).judge(INGRESS, flow())
    assert judged.answer is Answer.DENIED
    assert judged.parts[0].sources == (IPv4Network("10.2.0.8/29"),)
    assert [part.answer for part in judged.parts] == [Answer.DENIED, Answer.ALLOWED]


def test_a_deny_that_touches_denies() -> None:
    judged = Firewall([rule("one", DENY, source_ranges="10.2.0.3/32")]).judge(EGRESS, flow())
    assert decided(judged) == (Answer.DENIED, "one")
    assert judged.parts[0].sources == (IPv4Network("10.2.0.3/32"),)


def test_two_halves_make_a_whole() -> None:
    halves = [rule(each, ALLOW, direction=INGRESS, source_ranges=each) for each in ("10.2.0.0/29", "10.2.0.8/29")]
    assert Firewall(halves).judge(INGRESS, flow()).allowed


def test_rules_take_a_range_apart_exactly() -> None:
    rules = [
        rule("hole", DENY, 10, INGRESS, source_ranges="10.2.0.6/31"),
        rule("quarter", ALLOW, 20, INGRESS, source_ranges="10.2.0.4/30"),
        rule("half", DENY, 30, INGRESS, source_ranges="10.2.0.0/29"),
        rule("all", ALLOW, 40, INGRESS),
    ]
    judged = Firewall(rules).judge(INGRESS, flow())
    fates = [judged.answer_at(each, IPv4Address("10.128.0.5"), 6379) for each in SENDER.range]
    assert fates == [Answer.DENIED] * 4 + [Answer.ALLOWED] * 2 + [Answer.DENIED] * 2 + [Answer.ALLOWED] * 8
    with pytest.raises(ValueError, match="not of this flow"):
        judged.answer_at(IPv4Address("10.2.0.16"), IPv4Address("10.128.0.5"), 6379)


def test_destinations_and_ports_are_ranges_too() -> None:
    nodes = replace(MANAGED, addresses=IPv4Network("10.129.0.0/30"), ports=(11000, 13047))
    rules = [
        rule("some", ALLOW, 1, ports=((11000, 12000),), destination_ranges="10.129.0.0/31"),
        rule("lock", DENY, 2),
    ]
    judged = Firewall(rules).judge(EGRESS, flow(nodes))
    source = IPv4Address("10.2.0.2")
    assert judged.answer is Answer.DENIED
    assert judged.answer_at(source, IPv4Address("10.129.0.1"), 12000) is Answer.ALLOWED
    assert judged.answer_at(source, IPv4Address("10.129.0.1"), 12001) is Answer.DENIED
    assert judged.answer_at(source, IPv4Address("10.129.0.2"), 12000) is Answer.DENIED
