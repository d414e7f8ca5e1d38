"""The path hop by hop, the ways to the target, and the rules that a connector lives by."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from redis_connectivity.core.cloudvalues import NetworkRef, Peering, Subnetwork
from redis_connectivity.core.reachability import (
    Answer,
    ConnectorSite,
    DirectPeering,
    Firewall,
    HopName,
    PathAnswer,
    PrivateServiceAccess,
    PrivateServiceConnect,
    PscConnection,
    Question,
    Route,
    SubnetRoute,
    Unread,
    analyse,
    blocked_control_traffic,
    google_rules_for,
    service_project_rules,
    with_google_rules,
)
from redis_connectivity.core.reachability.firewall import BEFORE_CLASSIC_FIREWALL
from unit.core.reachability_values import (
    ALLOW,
    DENY,
    EGRESS,
    GLOBAL,
    INGRESS,
    MANAGED,
    NETWORK,
    SENDER,
    TAG,
    VM,
    policy,
    policy_rule,
    rule,
)

SITE = ConnectorSite("us-central1", "staging-connector", NETWORK, SENDER.range)
SUBNET = Subnetwork("acme-staging", "us-central1", "apps", NETWORK, IPv4Network("10.128.0.0/20"))
ADDRESS = IPv4Address("10.129.0.3")
ON_A_SUBNET = SubnetRoute((SUBNET,))


def ask(*rules: object, receivers: tuple[object, ...] = (VM,), route: Route | None = ON_A_SUBNET) -> PathAnswer:
    return analyse(Question(NETWORK, SENDER, receivers, Firewall(rules), route))


def hop_of(path: PathAnswer, name: HopName) -> tuple[Answer, str]:
    hop = path.hop(name)
    assert hop is not None
    return hop.answer, hop.message


# --- the path


def test_the_hops_come_in_the_paths_order_and_all_are_judged() -> None:
    path = ask(rule("lock", DENY, 900))
    assert [hop.name for hop in path.hops] == [HopName.EGRESS, HopName.ROUTE, HopName.INGRESS]
    assert [hop.answer for hop in path.hops] == [Answer.DENIED, Answer.ALLOWED, Answer.DENIED]
    assert path.answer is Answer.DENIED
    assert path.first_problem is path.hops[0]
    assert (
        path.hops[0].message
        == "Egress of tcp to 10.128.0.5:6379 from 10.2.0.0/28 is denied by rule lock (priority 900)."
    )


def test_an_open_path() -> None:
    path = ask(rule("ours", ALLOW, 1000, INGRESS, source_ranges="10.2.0.0/28"))
    assert (path.answer, path.first_problem) == (Answer.ALLOWED, None)
    assert hop_of(path, HopName.INGRESS)[1].endswith("is allowed by rule ours (priority 1000).")
    assert "apps (10.128.0.0/20)" in hop_of(path, HopName.ROUTE)[1]


def test_the_message_says_which_part_of_the_range_is_denied() -> None:
    path = ask(rule("half", ALLOW, 1000, INGRESS, source_ranges="10.2.0.0/29"))
    assert "from 10.2.0.8/29 (a part of 10.2.0.0/28) is denied by the implied rule" in hop_of(path, HopName.INGRESS)[1]


def test_the_worst_receiver_decides() -> None:
    replica = type(VM)(IPv4Network("10.128.0.6/32"), (6379, 6379), VM.side, VM.tags, VM.service_accounts)
    path = ask(
        rule("ours", ALLOW, 1000, INGRESS),
        rule("lock", DENY, 900, EGRESS, destination_ranges="10.128.0.6/32"),
        receivers=(VM, replica),
    )
    assert "10.128.0.6:6379" in hop_of(path, HopName.EGRESS)[1]


def test_a_definite_deny_comes_before_what_is_not_known() -> None:
    path = ask(route=SubnetRoute(Unread("compute.subnetworks.list")))
    assert path.first_problem is path.hop(HopName.INGRESS)
    path = ask(rule("ours", ALLOW, 1000, INGRESS), route=SubnetRoute(Unread("compute.subnetworks.list")))
    assert path.answer is Answer.UNKNOWN
    assert path.first_problem is not None
    assert path.first_problem.missing == ("compute.subnetworks.list",)


def test_without_a_route_there_is_no_such_hop() -> None:
    assert ask(route=None).hop(HopName.ROUTE) is None


# --- routes


def route_answer(route: Route, receiver: object = MANAGED) -> tuple[Answer, str]:
    return hop_of(ask(receivers=(receiver,), route=route), HopName.ROUTE)


@pytest.mark.parametrize(
    ("peerings", "answer", "words"),
    [
        ((Peering("redis-peer-1", "n", "ACTIVE"),), Answer.ALLOWED, "redis-peer-1"),
        ((Peering("redis-peer-1", "n", "INACTIVE"), Peering("redis-peer-22", "n", "ACTIVE")), Answer.ALLOWED, "-22"),
        ((Peering("redis-peer-1", "n", "INACTIVE"),), Answer.DENIED, "redis-peer-1 is INACTIVE"),
        ((Peering("servicenetworking-googleapis-com", "n", "ACTIVE"),), Answer.DENIED, "redis-peer-NUMBER"),
        ((Peering("my-redis-peer-1", "n", "ACTIVE"),), Answer.DENIED, "redis-peer-NUMBER"),
        ((), Answer.DENIED, "redis-peer-NUMBER"),
        (None, Answer.UNKNOWN, "could not be read"),
    ],
)
def test_direct_peering(peerings: tuple[Peering, ...] | None, answer: Answer, words: str) -> None:
    found, message = route_answer(DirectPeering(peerings))
    assert found is answer
    assert words in message


@pytest.mark.parametrize(
    ("state", "answer"),
    [("ACTIVE", Answer.ALLOWED), ("INACTIVE", Answer.DENIED), ("", Answer.DENIED), (None, Answer.DENIED)],
)
def test_private_service_access(state: str | None, answer: Answer) -> None:
    peerings = [Peering("redis-peer-1", "n", "ACTIVE")]
    if state is not None:
        peerings.append(Peering("servicenetworking-googleapis-com", "n", state))
    found, message = route_answer(PrivateServiceAccess(tuple(peerings)))
    assert found is answer
    assert "private service access" in message


@pytest.mark.parametrize(
    ("connection", "answer", "words"),
    [
        (PscConnection(ADDRESS, "ACTIVE", NETWORK), Answer.ALLOWED, "ACTIVE at 10.129.0.3"),
        (PscConnection(ADDRESS, "ACTIVE"), Answer.ALLOWED, "ACTIVE"),
        (PscConnection(ADDRESS, "NOT_FOUND", NETWORK), Answer.DENIED, "NOT_FOUND"),
        (PscConnection(ADDRESS, "ACTIVE", NetworkRef("acme-staging", "other")), Answer.DENIED, "across a peering"),
        (PscConnection(ADDRESS, "", NETWORK), Answer.UNKNOWN, "does not tell"),
        (PscConnection(IPv4Address("10.129.0.4"), "ACTIVE", NETWORK), Answer.DENIED, "10.129.0.3"),
    ],
)
def test_private_service_connect(connection: PscConnection, answer: Answer, words: str) -> None:
    found, message = route_answer(PrivateServiceConnect(NETWORK, (connection,)))
    assert found is answer
    assert words in message


def test_a_machine_outside_all_subnets_may_be_behind_a_route() -> None:
    elsewhere = Subnetwork("acme-staging", "us-central1", "apps", NetworkRef("acme-staging", "x"), SUBNET.ip_cidr_range)
    for subnets in ((), (elsewhere,)):
        path = ask(route=SubnetRoute(subnets))
        hop = path.hop(HopName.ROUTE)
        assert hop is not None
        assert (hop.answer, hop.missing) == (Answer.UNKNOWN, ("compute.routes.list",))


# --- the connector's own rules


def test_googles_rules_are_added_where_a_list_lacks_them() -> None:
    made = google_rules_for(SITE, ())
    assert [one.name for one in made] == [
        f"aet-uscentral1-staging--connector-{suffix}"
        for suffix in ("hcfw", "rsgfw", "earfw", "egrfw", "sbntfw", "tagfw")
    ]
    assert google_rules_for(SITE, made[:1]) == ()
    other = rule("aet-uscentral1-other-hcfw", ALLOW)
    assert google_rules_for(SITE, [other]) == made


def test_a_plain_network_lets_a_connector_through_to_a_machine() -> None:
    path = ask(*with_google_rules(SITE, ()))
    assert path.answer is Answer.ALLOWED
    hop = path.hop(HopName.INGRESS)
    assert hop is not None
    assert hop.by is not None
    assert hop.by.name.startswith("aet-")


def test_a_deny_of_equal_priority_beats_what_google_allows() -> None:
    assert ask(*with_google_rules(SITE, [rule("lock", DENY, 1000, INGRESS)])).answer is Answer.DENIED


def test_connectors_of_service_projects_get_no_rules_from_google() -> None:
    site = ConnectorSite("us-central1", "staging-connector", NETWORK, SENDER.range, own_network=False)
    assert google_rules_for(site, ()) == ()


def blocked(*rules: object, site: ConnectorSite = SITE, **more: object) -> list[tuple[str, str, bool]]:
    found = blocked_control_traffic(site, Firewall(with_google_rules(site, rules), **more))
    return [(one.rule.name.rpartition("-")[2], one.by.name, one.missing) for one in found]


def test_a_hardened_network_leaves_the_connector_alive() -> None:
    assert blocked(rule("in", DENY, 900, INGRESS), rule("out", DENY, 900)) == []
    assert blocked(rule("in", DENY, 101, INGRESS), rule("out", DENY, 101)) == []


@pytest.mark.parametrize(
    ("deny", "cut"),
    [
        (rule("d", DENY, 99), ["earfw"]),
        (rule("d", DENY, 100), ["earfw"]),
        (rule("d", DENY, 50, destination_ranges="35.199.224.0/24"), ["earfw"]),
        (rule("d", DENY, 50, protocol="udp", ports=((666, 666),)), ["earfw"]),
        (rule("d", DENY, 50, target_tags=TAG), ["earfw"]),
        (rule("d", DENY, 50, target_tags="web"), []),
        (rule("d", DENY, 50, ports=((6379, 6379),)), []),
        (rule("d", DENY, 50, destination_ranges="10.0.0.0/8"), []),
        (rule("d", DENY, 99, INGRESS), ["hcfw", "rsgfw"]),
        (rule("d", DENY, 99, INGRESS, source_ranges="35.191.192.0/20"), ["hcfw"]),
        (rule("d", DENY, 99, INGRESS, source_ranges="130.211.1.0/24"), ["hcfw"]),
        (rule("d", DENY, 99, INGRESS, target_tags="vpc-connector", protocol="icmp"), ["rsgfw"]),
    ],
)
def test_a_stricter_deny_that_cuts_the_connector_off_is_named(deny: object, cut: list[str]) -> None:
    assert blocked(deny) == [(suffix, "d", False) for suffix in cut]


def test_a_network_policy_before_vpc_rules_can_cut_the_connector_off() -> None:
    guard = policy(GLOBAL, policy_rule(1000, DENY, INGRESS), name="guard")
    assert blocked(policies=(guard,)) == []
    assert blocked(policies=(guard,), enforcement_order=BEFORE_CLASSIC_FIREWALL) == [
        ("hcfw", "guard", False),
        ("rsgfw", "guard", False),
    ]


def test_rules_missing_in_a_shared_vpcs_host_project() -> None:
    site = ConnectorSite("us-central1", "staging-connector", NETWORK, SENDER.range, own_network=False)
    assert blocked(site=site) == [("checks", "implied deny ingress", True), ("connector", "implied deny ingress", True)]
    assert blocked(*service_project_rules(site), site=site) == []
    assert blocked(*service_project_rules(site), rule("d", DENY, 500), site=site) == [("serverless", "d", False)]
    found = blocked_control_traffic(site, Firewall(()))
    assert "rule vpc-connector-health-checks is missing in acme-staging" in str(found[0])
