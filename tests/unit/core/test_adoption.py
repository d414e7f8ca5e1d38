"""Taking over what somebody else made: what, when, and how it is given back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convergence import NETWORK, OTHER, RANGE, Cloud, clouds, connector, desired, run

from redis_connectivity.api.spec import AdoptionPolicy, DeletionPolicy, DisruptionPolicy
from redis_connectivity.core.actions import DeleteConnector, DeleteRule, InsertRule, PatchConnector, UpdateRule
from redis_connectivity.core.baseline import baseline_status
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4
from redis_connectivity.core.coverage import covers, equivalent
from redis_connectivity.core.identity import Marker, read_marker
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.plan import make_plan
from redis_connectivity.core.plan_deletion import make_deletion_plan

NAME = "allow-vpc-connector-to-redis"
ADOPT = {"adoptionPolicy": "Adopt"}


def legacy(name: str = NAME, **changes: object) -> FirewallRule:
    """A rule as a person would have made it for this path."""
    rule = FirewallRule(
        network=NETWORK,
        name=name,
        direction=Direction.INGRESS,
        action=Action.ALLOW,
        priority=800,
        layer4=frozenset({Layer4("tcp", ((6379, 6379),))}),
        source_ranges=frozenset({str(RANGE)}),
        target_tags=frozenset({"redis-instance"}),
        description="made by hand, ticket 4711",
        id="77",
    )
    return replace(rule, **changes)  # type: ignore[arg-type] # the names are FirewallRule's own


def world(*rules: FirewallRule) -> Cloud:
    return Cloud({rule.name: rule for rule in rules}, connector(), 100)


def end(want: object, cloud: Cloud, ledger: Ledger) -> str:
    """Delete; gives what was said of what stays."""
    for number in range(12):
        plan = make_deletion_plan(want, cloud.observed(ledger), ledger, float(number))  # type: ignore[arg-type] # a Desired
        ledger = plan.ledger
        if plan.done:
            return plan.released
        for action in plan.actions:
            ledger = cloud.do(action, ledger)
        cloud.settle()
    raise AssertionError(f"deletion comes to no end: {plan}")


def test_never_is_the_default_and_leaves_it_alone() -> None:
    cloud = world(legacy())
    ledger = run(desired(), cloud, Ledger())
    assert cloud.rules[NAME] == legacy()
    assert ledger.adopted == {}


def test_the_rule_of_the_preferred_name_is_taken_over_with_marker_and_baseline() -> None:
    before = legacy(source_ranges=frozenset({"10.9.9.0/28"}), disabled=True)
    cloud = world(before)
    plan = make_plan(desired(**ADOPT), cloud.observed(Ledger()), Ledger(), 5.0)
    assert isinstance(plan.actions[0], UpdateRule)
    # Kept before the first write goes out, and durable with it.
    assert plan.ledger.adopted == {NAME: before}
    assert plan.ledger.adopted[NAME].id == "77"
    ledger = run(desired(**ADOPT), cloud, Ledger())
    after = cloud.rules[NAME]
    assert (after.id, after.source_ranges, after.disabled) == ("77", {str(RANGE)}, False)
    marker = read_marker(after.description)
    assert marker is not None
    assert marker.rule == NAME
    assert len(cloud.rules) == 1
    status = baseline_status(Ledger.model_validate_json(ledger.model_dump_json(exclude_defaults=True)))
    assert status is not None
    assert status.adopted_rules[0].description == "made by hand, ticket 4711"
    assert status.adopted_rules[0].source_ranges == ["10.9.9.0/28"]
    assert status.connector is not None
    assert status.connector.adopted


def test_an_equivalent_rule_of_any_name_is_taken_over_and_keeps_its_name() -> None:
    cloud = world(legacy("ops-redis"), legacy("zzz", source_ranges=frozenset({"10.2.0.0/29"})))
    ledger = run(desired(**ADOPT), cloud, Ledger())
    assert sorted(ledger.adopted) == ["ops-redis"]
    assert sorted(cloud.rules) == ["ops-redis", "zzz"]
    assert read_marker(cloud.rules["ops-redis"].description) is not None
    assert cloud.rules["ops-redis"].priority == 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"layer4": frozenset({Layer4("tcp", ((22, 22),))})},
        {"layer4": frozenset({Layer4("all")})},
        {"source_ranges": frozenset({"10.0.0.0/8"})},
        {"target_tags": frozenset()},
        {"target_tags": frozenset({"redis-instance", "web"})},
        {"source_tags": frozenset({"bastion"})},
    ],
)
def test_a_rule_that_allows_more_is_taken_over_with_consent_only(changes: dict[str, object]) -> None:
    wide = legacy(**changes)
    cloud = world(wide)
    ledger = run(desired(**ADOPT), cloud, Ledger())
    assert cloud.rules[NAME] == wide
    assert ledger.adopted == {}
    assert len(cloud.rules) == 2
    plan = make_plan(desired(**ADOPT), world(wide).observed(Ledger()), Ledger(), 0.0)
    assert isinstance(plan.actions[0], InsertRule)
    consented = world(wide)
    ledger = run(desired(**ADOPT, disruptionPolicy="Allow"), consented, Ledger())
    assert ledger.adopted == {NAME: wide}
    assert len(consented.rules) == 1


@pytest.mark.parametrize(
    "rule",
    [
        legacy(action=Action.DENY),
        legacy("aet-uscentral1-staging--connector-sbnt"),
        legacy(description=Marker(OTHER, Direction.INGRESS, NAME).description()),
        legacy(direction=Direction.EGRESS, source_ranges=frozenset(), destination_ranges=frozenset({"192.0.2.0/24"})),
    ],
    ids=["deny", "google's", "another resource's", "other direction"],
)
def test_what_is_never_taken_over(rule: FirewallRule) -> None:
    cloud = world(rule)
    run(desired(**ADOPT, disruptionPolicy="Allow"), cloud, Ledger())
    assert cloud.rules[rule.name] == rule


def test_delete_releases_what_was_adopted_and_restore_puts_it_back() -> None:
    before = legacy(priority=700, source_ranges=frozenset({"10.2.0.0/29"}), logging="INCLUDE_ALL_METADATA")
    for policy in ("Delete", "Restore"):
        want = desired(**ADOPT, deletionPolicy=policy)
        cloud = world(before)
        ledger = run(want, cloud, Ledger())
        said = end(want, cloud, ledger)
        assert NAME in said
        if policy == "Restore":
            assert cloud.rules == {NAME: before}
        else:
            assert cloud.rules[NAME] == replace(
                cloud.rules[NAME], description=before.description, source_ranges=frozenset({str(RANGE)})
            )
        assert cloud.connector is not None
        assert "staging-connector stays" in said


def test_an_adopted_connector_grows_and_is_never_deleted() -> None:
    want = desired(**ADOPT, connector={"ipCidrRange": str(RANGE), "maxInstances": 7})
    cloud = world()
    ledger = run(want, cloud, Ledger())
    assert cloud.connector is not None
    assert cloud.connector.max_instances == 7
    said = end(want, cloud, ledger)
    assert "maxInstances was 3 and is 7" in said
    assert cloud.connector.max_instances == 7


def test_a_connector_that_another_resource_claims_is_not_adopted() -> None:
    seen = replace(world().observed(Ledger()), connector_claimed_by="ns/other")
    assert make_plan(desired(**ADOPT), seen, Ledger(), 0.0).ledger.claim is None


def test_a_rule_that_is_not_wanted_any_more_is_released() -> None:
    cloud = world(legacy())
    ledger = run(desired(**ADOPT), cloud, Ledger())
    ledger = run(desired(**ADOPT, firewall={"ingress": "Never"}), cloud, ledger)
    assert cloud.rules[NAME].description == "made by hand, ticket 4711"
    assert ledger.adopted == {}
    assert ledger.applied == {}


def test_the_baseline_is_written_once() -> None:
    cloud = Cloud({"deny": legacy("deny", action=Action.DENY, target_tags=frozenset())}, connector(), 10)
    first = make_plan(desired(), cloud.observed(Ledger()), Ledger(), 3.0).ledger.baseline
    assert first is not None
    assert [(one.direction, one.answer) for one in first.directions] == [("EGRESS", "Allowed"), ("INGRESS", "Denied")]
    assert "implied" in first.directions[0].by
    assert "rule deny" in first.directions[1].by
    ledger = run(desired(), cloud, Ledger())
    del cloud.rules[NAME]
    assert run(desired(), cloud, ledger).baseline == ledger.baseline


ports = st.sampled_from([(), ((6379, 6379),), ((6000, 7000),), ((1, 6378), (6379, 65535)), ((22, 22),)])
some = st.builds(
    legacy,
    layer4=st.frozensets(st.builds(Layer4, st.sampled_from(["tcp", "udp", "all"]), ports), min_size=1, max_size=2),
    source_ranges=st.frozensets(
        st.sampled_from(["0.0.0.0/0", "10.2.0.0/28", "10.2.0.0/29", "10.2.0.8/29", "::/0"]), max_size=3
    ),
    source_tags=st.frozensets(st.sampled_from(["a", "b"])),
    target_tags=st.frozensets(st.sampled_from(["x", "y"])),
    disabled=st.booleans(),
)


@settings(deadline=None, max_examples=150)
@given(some, some, some)
def test_covering_is_an_order(one: FirewallRule, two: FirewallRule, three: FirewallRule) -> None:
    assert covers(one, one)
    if covers(one, two) and covers(two, three):
        assert covers(one, three)
    if equivalent(one, two):
        assert equivalent(two, one)


@settings(deadline=None, max_examples=80)
@given(clouds(), st.sampled_from(list(DisruptionPolicy)))
def test_adopted_and_restored_leaves_everything_as_it_was(cloud: Cloud, consent: DisruptionPolicy) -> None:
    """Whatever rules are there: what was foreign before is the same after adoption and Restore."""
    want = replace(
        desired(),
        adoption_policy=AdoptionPolicy.ADOPT,
        deletion_policy=DeletionPolicy.RESTORE,
        disruption_policy=consent,
    )
    mine = f"uid={want.owner.uid} "
    before = {name: rule for name, rule in cloud.rules.items() if mine not in rule.description}
    ledger = run(want, cloud, Ledger())
    end(want, cloud, ledger)
    assert {name: cloud.rules.get(name) for name in before} == before


@settings(deadline=None, max_examples=80)
@given(clouds())
def test_without_consent_adoption_closes_nothing(cloud: Cloud) -> None:
    want = desired(**ADOPT)
    mine = f"uid={want.owner.uid} "
    for number in range(12):
        plan = make_plan(want, cloud.observed(Ledger()), Ledger(), float(number))
        for action in plan.actions:
            if isinstance(action, UpdateRule) and mine not in action.before.description:
                assert covers(action.rule, action.before)
            assert not isinstance(action, DeleteConnector | PatchConnector)
            if isinstance(action, DeleteRule):
                assert mine in action.rule.description
        break
