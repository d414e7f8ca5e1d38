"""What each action may cost, by examples; and that nothing is called harmless that cuts a packet off."""

import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from redis_connectivity.core.actions import (
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    NetworkRef,
)
from redis_connectivity.core.risk import Risk, RiskLevel, assess, worst
from redis_connectivity.core.rulecover import lost

NETWORK = NetworkRef("acme-staging", "staging-vpc")
INGRESS = FirewallRule(
    NETWORK,
    "ours",
    Direction.INGRESS,
    Action.ALLOW,
    1000,
    frozenset({Layer4("tcp", ((6379, 6379),))}),
    source_ranges=frozenset({"10.2.0.0/28"}),
    target_tags=frozenset({"redis-instance"}),
)
EGRESS = replace(
    INGRESS,
    direction=Direction.EGRESS,
    source_ranges=frozenset(),
    destination_ranges=frozenset({"10.128.0.5/32"}),
    target_tags=frozenset({"vpc-connector-us-central1-c"}),
)
CONNECTOR = Connector("acme-staging", "us-central1", "c", ConnectorState.READY, "staging-vpc")


def update(before: FirewallRule, *rules: FirewallRule, **after: object) -> Risk:
    changed = replace(before, **after)  # type: ignore[arg-type]  # fields of the rule
    return assess(UpdateRule(before, changed, (), ""), rules)


@pytest.mark.parametrize(
    ("risk", "level", "words"),
    [
        (assess(PatchConnector(CONNECTOR, None, (3, 4), "")), RiskLevel.NONE, "grows in place"),
        (assess(PatchConnector(CONNECTOR, "e2-standard-4", None, "")), RiskLevel.BRIEF, "long-running connections"),
        (assess(PatchConnector(CONNECTOR, "e2-standard-4", (3, 4), "")), RiskLevel.BRIEF, "long-running connections"),
        (assess(DeleteConnector(CONNECTOR, "")), RiskLevel.CUTS, "every Cloud Run service"),
        (assess(DeleteConnector(replace(CONNECTOR, state=ConnectorState.ERROR), "")), RiskLevel.NONE, "never recovers"),
        (assess(InsertRule(INGRESS, "")), RiskLevel.NONE, "takes nothing away"),
        (assess(InsertRule(replace(INGRESS, action=Action.DENY), "")), RiskLevel.CUTS, "a deny"),
        (assess(DeleteRule(INGRESS, "")), RiskLevel.CUTS, "only this rule"),
        (assess(DeleteRule(replace(INGRESS, disabled=True), "")), RiskLevel.NONE, "disabled"),
        (assess(DeleteRule(INGRESS, ""), [replace(INGRESS, name="twin")]), RiskLevel.NONE, "rule twin allows the same"),
        (assess(DeleteRule(INGRESS, ""), [replace(INGRESS, name="weak", priority=1001)]), RiskLevel.CUTS, "only"),
        # --- updates
        (update(INGRESS, description="x", logging="INCLUDE_ALL_METADATA"), RiskLevel.NONE, "allows the same"),
        (update(INGRESS, disabled=True), RiskLevel.CUTS, "all that the rule allows"),
        (update(replace(INGRESS, disabled=True), disabled=False), RiskLevel.NONE, "disabled now"),
        (update(INGRESS, source_ranges=frozenset({"10.2.0.0/24"})), RiskLevel.NONE, "allows more"),
        (update(INGRESS, source_ranges=frozenset({"10.2.0.0/29"})), RiskLevel.CUTS, "from 10.2.0.0/28"),
        (update(INGRESS, source_ranges=frozenset({"10.2.0.0/29", "10.2.0.8/29"})), RiskLevel.NONE, "the same"),
        (update(INGRESS, target_tags=frozenset({"web"})), RiskLevel.CUTS, "for machines with tag redis-instance"),
        (update(INGRESS, target_tags=frozenset()), RiskLevel.NONE, "allows more"),
        (
            update(replace(INGRESS, target_tags=frozenset()), target_tags=frozenset({"redis-instance"})),
            RiskLevel.CUTS,
            "machines other than those with tag redis-instance",
        ),
        (update(INGRESS, layer4=frozenset({Layer4("tcp", ((6380, 6380),))})), RiskLevel.CUTS, "tcp:6379"),
        (update(INGRESS, layer4=frozenset({Layer4("all")})), RiskLevel.NONE, "allows more"),
        (update(INGRESS, direction=Direction.EGRESS), RiskLevel.CUTS, "all that the rule allows"),
        (update(EGRESS, destination_ranges=frozenset({"10.128.0.6/32"})), RiskLevel.CUTS, "to 10.128.0.5/32"),
        (update(EGRESS, destination_ranges=frozenset({"10.128.0.4/31"})), RiskLevel.NONE, "allows more"),
        (
            update(INGRESS, replace(INGRESS, name="twin"), source_ranges=frozenset({"10.9.0.0/28"})),
            RiskLevel.NONE,
            "rule twin allows the same",
        ),
        # --- priorities
        (update(INGRESS, priority=899), RiskLevel.NONE, "denies from 900 to 1000"),
        (update(INGRESS, priority=1100), RiskLevel.NONE, "no deny stands between"),
        (
            update(INGRESS, replace(INGRESS, name="no", action=Action.DENY, priority=1100), priority=1100),
            RiskLevel.CUTS,
            "too weak against rule no (priority 1100)",
        ),
        (
            update(INGRESS, replace(INGRESS, name="no", action=Action.DENY, priority=1000), priority=1100),
            RiskLevel.NONE,  # it wins against ours already: a tie goes to the deny
            "no deny",
        ),
        (
            update(
                INGRESS, replace(INGRESS, name="no", action=Action.DENY, priority=1050, disabled=True), priority=1100
            ),
            RiskLevel.NONE,
            "no deny",
        ),
    ],
)
def test_each_action_has_its_risk(risk: Risk, level: RiskLevel, words: str) -> None:
    assert risk.level is level
    assert words in risk.message


def test_a_new_connector_risks_nothing() -> None:
    assert assess(CreateConnector("projects/p/locations/r/connectors/c", None, "", "")).level is RiskLevel.NONE  # type: ignore[arg-type]  # only its kind matters


def test_the_worst_of_some() -> None:
    none, brief, cuts = (Risk(level, "") for level in RiskLevel)
    assert worst([]) is RiskLevel.NONE
    assert worst([brief, none]) is RiskLevel.BRIEF
    assert worst([none, cuts, brief]) is RiskLevel.CUTS


# --- the property: a small world of packets, each rule asked about each


RANGES = ["0.0.0.0/0", "10.2.0.0/24", "10.2.0.0/28", "10.2.0.0/29", "10.2.0.8/29", "10.2.0.1/32", "2001:db8::/32"]
ADDRESSES = [IPv4Address(one) for one in ("10.2.0.1", "10.2.0.9", "10.2.0.200", "192.0.2.1")]
PORTS = [Layer4("all"), Layer4("tcp"), Layer4("udp"), *(Layer4("tcp", (one,)) for one in ((1, 9), (5, 5), (6, 20)))]
TAGS = ["a", "b"]


def subsets(values: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


def possible(rule: FirewallRule) -> FirewallRule:
    """The rule as Google would take it: an egress rule has no source tags."""
    return replace(rule, source_tags=frozenset()) if rule.direction is Direction.EGRESS else rule


rules = st.builds(
    FirewallRule,
    network=st.just(NETWORK),
    name=st.sampled_from(["one", "two"]),
    direction=st.sampled_from(Direction),
    action=st.just(Action.ALLOW),
    priority=st.sampled_from([900, 1000]),
    layer4=st.frozensets(st.sampled_from(PORTS), min_size=1, max_size=2),
    source_ranges=subsets(RANGES),
    destination_ranges=subsets(RANGES),
    source_tags=subsets(TAGS),
    target_tags=subsets(TAGS),
    disabled=st.sampled_from([False, False, True]),
).map(possible)

FIELDS = ("layer4", "source_ranges", "destination_ranges", "source_tags", "target_tags", "disabled", "direction")


@st.composite
def changes(draw: st.DrawFn) -> tuple[FirewallRule, FirewallRule]:
    """A rule, and the same with a few fields of another."""
    before, other = draw(rules), draw(rules)
    fields = draw(st.frozensets(st.sampled_from(FIELDS), min_size=1, max_size=3))
    return before, possible(replace(before, **{name: getattr(other, name) for name in fields}))


_RANDOM = random.Random(6379)
_TAG_SETS = [frozenset(), frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})]
PACKETS = [
    (
        _RANDOM.choice(ADDRESSES),
        _RANDOM.choice(ADDRESSES),
        _RANDOM.choice(_TAG_SETS),
        _RANDOM.choice(_TAG_SETS),
        _RANDOM.choice(["tcp", "udp"]),
        _RANDOM.choice([1, 5, 6, 9, 20, 80]),
        _RANDOM.choice(list(Direction)),
    )
    for _ in range(600)
]


def passes(rule: FirewallRule, packet: tuple[object, ...]) -> bool:
    """Whether an allow rule matches a packet, written from Google's description and not from the code."""
    source, destination, source_tags, target_tags, protocol, port, direction = packet
    if rule.disabled or rule.direction is not direction:
        return False
    if rule.target_tags and not rule.target_tags & target_tags:  # type: ignore[operator]  # a set of tags
        return False
    if not any(
        one.protocol in ("all", protocol) and (not one.ports or any(low <= port <= high for low, high in one.ports))  # type: ignore[operator]  # a port
        for one in rule.layer4
    ):
        return False
    if rule.destination_ranges and not within(destination, rule.destination_ranges):
        return False
    if not rule.source_ranges and not rule.source_tags:
        return True
    return within(source, rule.source_ranges) or bool(rule.source_tags & source_tags)  # type: ignore[operator]  # a set of tags


def within(address: object, ranges: frozenset[str]) -> bool:
    return any(address in IPv4Network(one) for one in ranges if ":" not in one)


@settings(deadline=None, max_examples=500)
@given(changes())
def test_what_is_called_harmless_cuts_no_packet_off(change: tuple[FirewallRule, FirewallRule]) -> None:
    before, after = change
    cut_off = [packet for packet in PACKETS if passes(before, packet) and not passes(after, packet)]
    if not lost(before, after):
        assert cut_off == []
    event(f"cuts packets off: {bool(cut_off)}, told: {bool(lost(before, after))}")


@given(rules)
def test_no_change_loses_nothing(rule: FirewallRule) -> None:
    assert lost(rule, rule) == ()
