"""Somebody else keeps undoing repairs: a single drift is repaired at once, a fight is given up in time."""

import bisect
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convergence import Cloud, connector, desired, run

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4
from redis_connectivity.core.contention import CALM, FIELD_ROUNDS, OBJECT_ROUNDS, counted, forget_ended
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.timing import contention_delay

NAME = "allow-vpc-connector-to-redis"
#: The repairs that an allowance and the growing waits after it let through in ten minutes: 1 + 2 + 4 minutes apart.
IN_TEN_MINUTES = 3


#: A hardened network: without our rule nothing gets in.
DENY = FirewallRule(
    desired().network,
    "deny",
    Direction.INGRESS,
    action=Action.DENY,
    priority=900,
    layer4=frozenset({Layer4("all")}),
    source_ranges=frozenset({"0.0.0.0/0"}),
)


@dataclass
class Fight:
    """The operator and somebody else at the same cloud; time passes only when told."""

    want: Desired = field(default_factory=desired)
    cloud: Cloud = field(default_factory=lambda: Cloud({"deny": DENY}, connector(), 10))
    ledger: Ledger = field(default_factory=Ledger)
    now: float = 1_000_000.0
    generation: int = 1
    writes: list[tuple[float, str, CloudAction]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = run(self.want, self.cloud, self.ledger)

    def look(self) -> Plan:
        """One reconcile, as the shell does it: plan, save, apply, count."""
        plan = make_plan(
            self.want,
            self.cloud.observed(self.ledger),
            forget_ended(self.ledger, self.generation, self.now),
            self.now,
        )
        self.ledger = Ledger.model_validate_json(plan.ledger.model_dump_json(exclude_defaults=True))
        repairs = {one.action: one for one in plan.repairs}
        for action in plan.actions:
            self.ledger = self.cloud.do(action, self.ledger)
            if action in repairs:
                repair = repairs[action]
                contests = counted(self.ledger.contests, repair, self.now, self.generation)
                self.ledger = self.ledger.model_copy(update={"contests": contests})
                self.writes.append((self.now, repair.subjects[0].object, action))
            else:
                self.writes.append((self.now, "", action))
        self.cloud.settle()
        return plan

    def sabotage(self, **changes: object) -> None:
        self.cloud.rules[NAME] = replace(self.cloud.rules[NAME], **changes)  # type: ignore[arg-type] # FirewallRule's own

    def as_wanted(self) -> bool:
        return NAME in self.cloud.rules and not self.cloud.rules[NAME].disabled


def test_a_single_drift_is_repaired_at_once() -> None:
    fight = Fight()
    fight.sabotage(disabled=True)
    plan = fight.look()
    assert plan.in_sync.reason is Reason.REPAIRING
    assert fight.as_wanted()


def test_a_fight_is_given_up_after_a_few_rounds_told_once_and_gone_on_with_later() -> None:
    fight = Fight()
    for _ in range(FIELD_ROUNDS):
        fight.now += 1
        fight.sabotage(disabled=True)
        fight.look()
        assert fight.as_wanted()
    fight.now += 1
    fight.sabotage(disabled=True)
    before = fight.ledger
    plan = fight.look()
    assert plan.actions == ()
    assert plan.in_sync.reason is Reason.DRIFT_CONTENDED
    assert plan.firewall.reason is Reason.DRIFT_CONTENDED
    assert "disabled was put right 3 times since" in plan.in_sync.message
    assert "driftPolicy" in plan.in_sync.message
    assert plan.due_in == pytest.approx(contention_delay(1) - 1)
    key = "INGRESS/disabled"
    assert (before.contests[key].told, fight.ledger.contests[key].told) == (False, True)
    # Looking again changes nothing, until it is due.
    settled = fight.ledger
    fight.look()
    assert fight.ledger == settled
    fight.now += contention_delay(1)
    fight.look()
    assert fight.as_wanted()
    # The next wait is longer.
    fight.sabotage(disabled=True)
    plan = fight.look()
    assert plan.due_in == pytest.approx(contention_delay(2))


def test_a_harmless_fight_does_not_close_the_path() -> None:
    """What is contended is the log setting: the path is as open as ever."""
    fight = Fight()
    for _ in range(FIELD_ROUNDS):
        fight.sabotage(logging=None)
        fight.look()
    fight.sabotage(logging=None)
    plan = fight.look()
    assert plan.in_sync.reason is Reason.DRIFT_CONTENDED
    assert plan.firewall.reason is Reason.FIREWALL_OPEN


def test_other_fields_are_repaired_meanwhile() -> None:
    fight = Fight()
    for _ in range(FIELD_ROUNDS):
        fight.sabotage(priority=5000)
        fight.look()
    fight.sabotage(disabled=True)
    fight.look()
    assert fight.as_wanted()


def test_it_ends_when_the_other_stops() -> None:
    fight = Fight()
    for _ in range(FIELD_ROUNDS):
        fight.sabotage(disabled=True)
        fight.look()
    fight.now += CALM
    fight.look()
    assert fight.ledger.contests == {}
    fight.sabotage(disabled=True)
    fight.look()
    assert fight.as_wanted()


def test_it_ends_with_a_change_of_the_spec() -> None:
    fight = Fight()
    for _ in range(FIELD_ROUNDS + 1):
        fight.sabotage(disabled=True)
        fight.look()
    assert not fight.as_wanted()
    fight.generation += 1
    fight.look()
    assert fight.as_wanted()


def test_a_war_of_priorities_is_a_fight_too() -> None:
    """Nobody touches our rule, but a deny goes in front of it each time it has moved."""
    fight = Fight()
    moves = 0
    for _ in range(20):
        ours = fight.cloud.rules[NAME].priority
        fight.cloud.rules["deny"] = replace(DENY, priority=ours)
        fight.look()
        moves += fight.cloud.rules[NAME].priority != ours
    assert moves == FIELD_ROUNDS


def test_a_connector_that_is_deleted_again_and_again() -> None:
    fight = Fight(cloud=Cloud({}, None, 10))
    made = 0
    for _ in range(30):
        fight.now += 1
        plan = fight.look()
        fight.look()
        made += any(type(one).__name__ == "CreateConnector" for one in plan.actions)
        if fight.cloud.connector is not None:
            fight.look()
            fight.cloud.connector = None
    assert made <= FIELD_ROUNDS + 2
    assert plan.connector.reason is Reason.DRIFT_CONTENDED


CHANGES: dict[str, dict[str, object]] = {
    "disable": {"disabled": True},
    "priority": {"priority": 5000},
    "ports": {"layer4": frozenset({Layer4("tcp", ((22, 22),))})},
    "ranges": {"source_ranges": frozenset({"192.0.2.0/24"})},
    "tags": {"target_tags": frozenset({"web"})},
    "log": {"logging": None},
    "marker": {"description": ""},
}

moves = st.lists(
    st.tuples(
        st.floats(0.0, 400.0),
        st.sampled_from(
            ["nothing", "delete", "disable", "priority", "ports", "ranges", "tags", "log", "marker", "copy"]
        ),
        st.integers(1, 3),
    ),
    min_size=5,
    max_size=60,
)


@settings(deadline=None, max_examples=30)
@given(moves)
def test_whatever_the_opponent_does_writes_are_bounded(script: list[tuple[float, str, int]]) -> None:
    """No ten minutes see more than so many writes about one object; and it comes to rest once the other stops."""
    fight = Fight()
    for pause, move, looks in script:
        fight.now += pause
        rule = fight.cloud.rules.get(NAME)
        if rule is not None and move == "delete":
            del fight.cloud.rules[NAME]
        elif rule is not None and move == "copy":
            # One who knows what our marker looks like, and makes a rule that seems to be ours.
            forged = rule.description.replace(f"rule={NAME}", "rule=copy")
            fight.cloud.rules["copy"] = replace(rule, name="copy", description=forged, id="forged")
        elif rule is not None:
            fight.sabotage(**CHANGES.get(move, {}))
        for _ in range(looks):
            fight.look()
    for kind in {kind for _, kind, _ in fight.writes if kind}:
        times = [at for at, what, _ in fight.writes if what == kind]
        for index, begin in enumerate(times):
            inside = bisect.bisect_left(times, begin + CALM) - index
            assert inside <= OBJECT_ROUNDS + IN_TEN_MINUTES
    assert [one for one in fight.writes if not one[1]] == [], "a write that is not counted"
    fight.now += 4 * 3600
    for _ in range(3):
        fight.look()
    plan = fight.look()
    assert plan.actions == ()
    assert plan.in_sync.ok
    assert plan.firewall.ok


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["priority", "disabled", "logging"]), st.floats(0.0, 30.0))
def test_one_field_is_written_rarer_than_all(field_name: str, pause: float) -> None:
    fight = Fight()
    change = {"priority": 4000, "disabled": True, "logging": None}[field_name]
    begin = fight.now
    while fight.now < begin + CALM:
        fight.sabotage(**{field_name: change})
        fight.look()
        fight.now += max(pause, 0.5)
    inside = [at for at, _, _ in fight.writes if at < begin + CALM]
    assert len(inside) <= FIELD_ROUNDS + IN_TEN_MINUTES
