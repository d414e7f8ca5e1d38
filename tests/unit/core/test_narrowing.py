"""A path that moves keeps its old way open until the new one answers."""

from dataclasses import replace

from hypothesis import given
from test_adoption import some
from test_convergence import Cloud, connector, desired

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.cloudvalues import FirewallRule, Layer4
from redis_connectivity.core.coverage import covers
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.narrowing import union
from redis_connectivity.core.plan import Plan, make_plan

NAME = "allow-vpc-connector-to-redis"
OLD, NEW = "10.128.0.5:6379", "10.128.0.5:6380"


def moved(**more: object) -> Desired:
    return desired(redis={"vm": {"host": "10.128.0.5", "port": 6380}}, **more)


class Path:
    """One resource's path, and what probes say of it."""

    def __init__(self) -> None:
        self.cloud = Cloud({}, connector(), 10)
        self.ledger = Ledger()
        self.look(desired(), "")
        self.look(desired(), OLD)

    def look(self, want: Desired, answering: str) -> Plan:
        seen = replace(self.cloud.observed(self.ledger), answering=answering)
        plan = make_plan(want, seen, self.ledger, 1.0)
        self.ledger = Ledger.model_validate_json(plan.ledger.model_dump_json(exclude_defaults=True))
        for action in plan.actions:
            self.ledger = self.cloud.do(action, self.ledger)
        return plan

    @property
    def ports(self) -> frozenset[Layer4]:
        return self.cloud.rules[NAME].layer4

    def allows(self, *ports: int) -> bool:
        return self.ports == frozenset({Layer4("tcp", ((port, port),)) for port in ports})


def test_both_are_open_until_the_new_one_answers() -> None:
    path = Path()
    path.look(moved(), OLD)
    assert path.allows(6379, 6380)
    plan = path.look(moved(), OLD)
    assert plan.actions == ()
    assert plan.in_sync.reason is Reason.PROGRESSING
    assert NEW in plan.in_sync.message
    assert "disruptionPolicy" in plan.in_sync.message
    assert plan.firewall.ok
    # The new one does not answer yet, or the operator was started anew: nothing is closed.
    for answering in ("", OLD, ""):
        assert path.look(moved(), answering).actions == ()
    path.look(moved(), NEW)
    assert path.allows(6380)
    plan = path.look(moved(), NEW)
    assert plan.actions == ()
    assert plan.in_sync.reason is Reason.IN_SYNC
    assert path.ledger.widened == {}


def test_where_nothing_answers_there_is_nothing_to_keep() -> None:
    path = Path()
    path.look(moved(), "")
    assert path.allows(6380)


def test_consent_closes_at_once() -> None:
    path = Path()
    path.look(moved(disruptionPolicy="Allow"), OLD)
    assert path.allows(6380)
    path = Path()
    path.look(moved(), OLD)
    path.look(moved(disruptionPolicy="Allow"), OLD)
    assert path.allows(6380)


def test_who_changes_their_mind_again() -> None:
    path = Path()
    path.look(moved(), OLD)
    path.look(desired(), OLD)
    assert path.allows(6379)
    assert path.look(desired(), OLD).actions == ()


def test_drift_of_the_wide_rule_is_repaired_to_the_wide_one() -> None:
    path = Path()
    path.look(moved(), OLD)
    path.cloud.rules[NAME] = replace(path.cloud.rules[NAME], disabled=True)
    plan = path.look(moved(), "")
    assert plan.in_sync.reason is Reason.REPAIRING
    assert path.allows(6379, 6380)
    assert not path.cloud.rules[NAME].disabled


def test_somebody_who_widens_the_rule_is_undone() -> None:
    """That the rule then allows more is drift, not a way to keep."""
    path = Path()
    path.cloud.rules[NAME] = replace(path.cloud.rules[NAME], source_ranges=frozenset({"0.0.0.0/0"}))
    path.look(desired(), OLD)
    assert path.cloud.rules[NAME].source_ranges == {"10.2.0.0/28"}
    path.cloud.rules[NAME] = replace(path.cloud.rules[NAME], source_ranges=frozenset({"0.0.0.0/0"}))
    path.look(moved(), OLD)
    assert path.cloud.rules[NAME].source_ranges == {"10.2.0.0/28"}


def test_what_the_spec_narrows_without_moving_is_narrowed_at_once() -> None:
    path = Path()
    both = desired(redis={"vm": {"host": "10.128.0.5", "targetTags": ["redis-instance", "web"]}})
    path.look(both, OLD)
    assert path.cloud.rules[NAME].target_tags == {"redis-instance", "web"}
    path.look(desired(), OLD)
    assert path.cloud.rules[NAME].target_tags == {"redis-instance"}


@given(some, some)
def test_a_union_covers_both_or_there_is_none(one: FirewallRule, other: FirewallRule) -> None:
    wide = union(one, other)
    if wide is not None:
        assert covers(wide, one)
        assert covers(wide, other)
