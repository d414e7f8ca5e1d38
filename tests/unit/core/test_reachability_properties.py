"""The analyser against a reference as plain as can be: one packet, rule after rule, every doubt both ways."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    FirewallRule,
    Layer4,
    PolicyAction,
    PolicyKind,
)
from redis_connectivity.core.reachability import Answer, Firewall, Flow, Receiver, Sender, Side, candidates
from unit.core.reachability_values import NETWORK

unhurried = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SENDER = Sender(IPv4Network("10.2.0.0/29"), frozenset({"conn"}))
RECEIVER = Receiver(
    IPv4Network("10.0.0.4/31"), (6379, 6380), Side.VPC, frozenset({"redis"}), frozenset({"x@p.iam"}), frozenset()
)
PACKETS = [
    (IPv4Address(f"10.2.0.{last}"), IPv4Address(f"10.0.0.{host}"), port)
    for last in range(8)
    for host in (4, 5)
    for port in (6379, 6380)
]

sources = st.frozensets(
    st.sampled_from(["10.2.0.0/29", "10.2.0.0/30", "10.2.0.5/32", "10.2.0.6/31", "0.0.0.0/0", "fd00::/8"]), max_size=2
)
destinations = st.frozensets(st.sampled_from(["10.0.0.4/32", "10.0.0.0/24", "10.9.0.0/16", "::/0"]), max_size=2)
layer4 = st.frozensets(
    st.builds(
        Layer4,
        st.sampled_from(["tcp", "all", "6", "udp"]),
        st.sampled_from([(), ((6379, 6379),), ((1, 6379),), ((6380, 7000),)]),
    ),
    min_size=1,
    max_size=2,
).filter(lambda found: all(not one.ports or one.protocol in ("tcp", "6", "udp") for one in found))
directions = st.sampled_from(list(Direction))


@st.composite
def vpc_rules(draw: st.DrawFn) -> list[FirewallRule]:
    def one(number: int) -> FirewallRule:
        direction = draw(directions)
        by_account = draw(st.integers(0, 4)) == 0
        ingress = direction is Direction.INGRESS
        tags = st.frozensets(st.sampled_from(["conn", "redis", "web"]), max_size=2)
        accounts = st.frozensets(st.sampled_from(["x@p.iam", "y@p.iam"]), max_size=1)
        return FirewallRule(
            NETWORK,
            f"r{number}",
            direction,
            draw(st.sampled_from(list(Action))),
            draw(st.sampled_from([0, 999, 1000, 1001])),
            draw(layer4),
            source_ranges=draw(sources),
            destination_ranges=draw(destinations),
            source_tags=draw(tags) if ingress and not by_account else frozenset(),
            target_tags=frozenset() if by_account else draw(tags),
            source_service_accounts=draw(accounts) if ingress and by_account else frozenset(),
            target_service_accounts=draw(accounts) if by_account else frozenset(),
            disabled=draw(st.integers(0, 7)) == 0,
        )

    return [one(number) for number in range(draw(st.integers(0, 6)))]


@st.composite
def policies(draw: st.DrawFn) -> tuple[FirewallPolicy, ...]:
    def one(priority: int) -> FirewallPolicyRule:
        return FirewallPolicyRule(
            priority,
            draw(st.sampled_from(list(PolicyAction))),
            draw(directions),
            draw(layer4),
            source_ranges=draw(sources),
            destination_ranges=draw(destinations),
            target_service_accounts=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"x@p.iam"})])),
            opaque=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"targetType:X"})])),
        )

    kinds = draw(st.lists(st.sampled_from(list(PolicyKind)), max_size=3))
    return tuple(
        FirewallPolicy(
            kind, f"p{place}", f"p{place}", tuple(one(priority) for priority in range(draw(st.integers(1, 3))))
        )
        for place, kind in enumerate(kinds)
    )


orders = st.sampled_from(["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"])
flows = st.builds(
    lambda accounts, as_source: Flow(
        NETWORK, replace(SENDER, tags_as_source=as_source), replace(RECEIVER, service_accounts=accounts)
    ),
    st.sampled_from([frozenset({"x@p.iam"}), frozenset({"z@p.iam"}), None]),
    st.booleans(),
)

# --- the reference

Packet = tuple[IPv4Address, IPv4Address, int]


def inside(address: IPv4Address, ranges: frozenset[str]) -> bool:
    networks = [ip_network(text) for text in ranges]
    return any(network.version == 4 and ip_address(str(address)) in network for network in networks)


def carried(found: frozenset[Layer4], port: int) -> bool:
    return any(
        one.protocol == "all"
        or (one.protocol in ("tcp", "6") and (not one.ports or any(low <= port <= high for low, high in one.ports)))
        for one in found
    )


def rule_matches(rule: FirewallRule, flow: Flow, packet: Packet) -> set[bool]:
    """True, False, or both where it cannot be known."""
    source, destination, port = packet
    at = flow.sender if rule.direction is Direction.EGRESS else flow.receiver
    if rule.disabled or not carried(rule.layer4, port):
        return {False}
    if rule.destination_ranges and not inside(destination, rule.destination_ranges):
        return {False}
    target = {True}
    if rule.target_tags:
        target = {bool(rule.target_tags & at.tags)}
    elif rule.target_service_accounts:
        known = at.service_accounts
        target = {True, False} if known is None else {bool(rule.target_service_accounts & known)}
    origin = {True}
    if rule.source_ranges or rule.source_tags or rule.source_service_accounts:
        origin = {inside(source, rule.source_ranges)}
        if rule.source_tags & flow.sender.tags and True not in origin:
            origin = {True} if flow.sender.tags_as_source else {True, False}
    return {one and other for one in target for other in origin}


def policy_rule_matches(rule: FirewallPolicyRule, flow: Flow, packet: Packet) -> set[bool]:
    source, destination, port = packet
    accounts = (flow.sender if rule.direction is Direction.EGRESS else flow.receiver).service_accounts
    if rule.disabled or not carried(rule.layer4, port):
        return {False}
    if rule.source_ranges and not inside(source, rule.source_ranges):
        return {False}
    if rule.destination_ranges and not inside(destination, rule.destination_ranges):
        return {False}
    if rule.target_service_accounts and accounts is not None and not rule.target_service_accounts & accounts:
        return {False}
    unsure = bool(rule.opaque) or (bool(rule.target_service_accounts) and accounts is None)
    return {True, False} if unsure else {True}


def outcomes(
    direction: Direction,
    flow: Flow,
    rules: list[FirewallRule],
    found: tuple[FirewallPolicy, ...],
    order: str,
    packet: Packet,
) -> set[str]:
    """Everything that can become of the packet."""

    def of_policy(policy: FirewallPolicy) -> list[list[tuple[set[bool], str]]]:
        ordered = sorted((one for one in policy.rules if one.direction is direction), key=lambda one: one.priority)
        return [[(policy_rule_matches(one, flow, packet), one.action.value) for one in ordered]]

    ordered = sorted(
        (one for one in rules if one.direction is direction), key=lambda one: (one.priority, one.action is Action.ALLOW)
    )
    vpc = [[(rule_matches(one, flow, packet), one.action.value) for one in ordered]]
    kinds = {kind: [stage for one in found if one.kind is kind for stage in of_policy(one)] for kind in PolicyKind}
    first = kinds[PolicyKind.HIERARCHY] + kinds[PolicyKind.SYSTEM]
    network = kinds[PolicyKind.NETWORK] + kinds[PolicyKind.NETWORK_REGIONAL]
    stages = first + (network + vpc if order == "BEFORE_CLASSIC_FIREWALL" else vpc + network)

    def walk(stage: int, place: int) -> set[str]:
        if stage == len(stages):
            return {"allow" if direction is Direction.EGRESS else "deny"}
        if place == len(stages[stage]):
            return walk(stage + 1, 0)
        matches, action = stages[stage][place]
        ends: set[str] = set()
        if True in matches:
            ends |= walk(stage + 1, 0) if action == "goto_next" else {action}
        if False in matches:
            ends |= walk(stage, place + 1)
        return ends

    return walk(0, 0)


def answer_of(possible: set[str]) -> Answer:
    return {("allow",): Answer.ALLOWED, ("deny",): Answer.DENIED}.get(tuple(possible), Answer.UNKNOWN)


@unhurried
@given(vpc_rules(), policies(), orders, flows)
def test_it_says_of_each_packet_what_the_reference_says(
    rules: list[FirewallRule], found: tuple[FirewallPolicy, ...], order: str, flow: Flow
) -> None:
    firewall = Firewall(rules, found, order, found)
    for direction in Direction:
        judged = firewall.judge(direction, flow)
        expected = [answer_of(outcomes(direction, flow, rules, found, order, packet)) for packet in PACKETS]
        assert [judged.answer_at(*packet) for packet in PACKETS] == expected
        assert judged.answer is (
            Answer.DENIED
            if Answer.DENIED in expected
            else Answer.UNKNOWN
            if Answer.UNKNOWN in expected
            else Answer.ALLOWED
        )


@unhurried
@given(vpc_rules(), policies(), orders, flows)
def test_parts_cover_the_flow_once(
    rules: list[FirewallRule], found: tuple[FirewallPolicy, ...], order: str, flow: Flow
) -> None:
    for direction in Direction:
        judged = Firewall(rules, found, order, found).judge(direction, flow)
        boxes = [box for part in judged.parts for box in part.boxes]
        size = sum((b[1] - b[0] + 1) * (b[3] - b[2] + 1) * (b[5] - b[4] + 1) for b in boxes)
        assert size == len(PACKETS)
        for part in judged.parts:
            assert bool(part.doubts) is (part.answer is Answer.UNKNOWN)


@unhurried
@given(vpc_rules(), flows, st.randoms(use_true_random=False))
def test_neither_the_order_of_rules_nor_the_filter_changes_anything(
    rules: list[FirewallRule], flow: Flow, chance: object
) -> None:
    shuffled = chance.sample(rules, len(rules))
    kept = candidates(rules, (flow,))
    for direction in Direction:
        judged = Firewall(rules).judge(direction, flow)
        assert Firewall(shuffled).judge(direction, flow) == judged
        assert Firewall(kept).judge(direction, flow) == judged


@unhurried
@given(vpc_rules(), flows, directions)
def test_a_rule_in_front_of_the_denies_in_the_way_opens_the_path(
    rules: list[FirewallRule], flow: Flow, direction: Direction
) -> None:
    """What the planner stands on."""
    denies = Firewall(rules).denies_in_the_way(direction, flow)
    if any(one.priority == 0 for one in denies):
        return
    ours = FirewallRule(
        NETWORK,
        "ours",
        direction,
        Action.ALLOW,
        min([1000, *(one.priority - 1 for one in denies)]),
        frozenset({Layer4("tcp", ((6379, 6380),))}),
    )
    assert Firewall([*rules, ours]).judge(direction, flow).allowed
