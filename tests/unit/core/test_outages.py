"""The log of outages: when one begins and ends, what it is put down to, and who is said to have ended it."""

from hypothesis import given
from hypothesis import strategies as st
from test_convergence import NETWORK

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.diagnosis import DiagnosisCode, DiagnosisStatus
from redis_connectivity.api.status import OUTAGES_MAX, Condition, ConditionStatus, RedisConnectivityStatus
from redis_connectivity.core.actions import CloudAction, InsertRule
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4
from redis_connectivity.core.outages import ELSEWHERE, SPEC, no_longer_watched, outages
from redis_connectivity.core.statusbuild import conditions_only
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

OK = good(Reason.PATH_PROVEN, "It works.")
BROKEN = bad(Reason.PROBE_FAILED, "Redis at 10.0.0.3:6379 does not answer. tcp: silence")
APPLYING = bad(Reason.FIREWALL_APPLYING, "Rules are being written.")
PENDING = unknown(Reason.PENDING, "Not looked at yet.")
STOPPED = DiagnosisStatus(
    code=DiagnosisCode.REDIS_STOPPED,
    summary="Nothing listens at 10.0.0.3:6379. It was there before.",
    remedy="Start it.",
    documentation="d",
    since=rfc3339(0),
)
ACTION = InsertRule(
    FirewallRule(
        NETWORK,
        "allow-vpc-connector-to-redis",
        Direction.INGRESS,
        Action.ALLOW,
        1000,
        frozenset({Layer4("tcp")}),
        source_ranges=frozenset({"10.2.0.0/28"}),
        destination_ranges=frozenset(),
    ),
    "it is missing",
)


class Story:
    """A resource's status through time."""

    def __init__(self) -> None:
        self.status = RedisConnectivityStatus(observed_generation=1)
        self.ok = False

    def then(
        self,
        at: float,
        ready: Verdict,
        diagnosis: DiagnosisStatus | None = None,
        *actions: CloudAction,
        generation: int = 1,
    ) -> "Story":
        log = outages(self.status, ready, diagnosis, actions, generation=generation, now=at)
        condition = Condition(
            type=ConditionType.READY,
            status=ready.status,
            reason=ready.reason,
            message=ready.message,
            last_transition_time=rfc3339(at),
            observed_generation=generation,
        )
        self.status = RedisConnectivityStatus(observed_generation=generation, conditions=[condition], outages=log)
        return self

    def told(self) -> list[tuple[str, str | None, str, str | None]]:
        return [(one.began, one.ended, one.code, one.repaired_by) for one in self.status.outages]


def test_an_outage_is_put_down_to_the_first_cause_that_is_found() -> None:
    story = Story().then(0, OK).then(10, BROKEN)
    assert story.told() == [(rfc3339(10), None, "ProbeFailed", None)]
    assert story.status.outages[0].cause == "Redis at 10.0.0.3:6379 does not answer."
    story.then(20, BROKEN, STOPPED)
    assert story.status.outages[0].cause == "Nothing listens at 10.0.0.3:6379."
    other = STOPPED.model_copy(update={"code": DiagnosisCode.CONNECTION_RESET})
    story.then(30, BROKEN, other).then(40, OK)
    assert story.told() == [(rfc3339(10), rfc3339(40), "RedisStopped", ELSEWHERE)]


def test_what_the_operator_did_is_said_to_have_ended_it() -> None:
    story = Story().then(0, OK).then(10, APPLYING, None, ACTION).then(11, APPLYING).then(12, OK)
    assert story.told() == [
        (rfc3339(10), rfc3339(12), "FirewallApplying", f"Operator: {ACTION.summary}"),
    ]


def test_a_change_of_the_spec_is_said_to_have_ended_it_whatever_the_operator_does_for_it() -> None:
    story = Story().then(0, OK).then(10, BROKEN, None, ACTION)
    story.then(20, BROKEN, None, ACTION, generation=2).then(21, BROKEN, None, ACTION, generation=2)
    story.then(30, OK, generation=2)
    assert story.told() == [(rfc3339(10), rfc3339(30), "ProbeFailed", SPEC)]


def test_the_change_that_broke_it_has_not_ended_it() -> None:
    story = Story().then(0, OK).then(10, BROKEN, generation=2).then(20, OK, generation=2)
    assert story.told() == [(rfc3339(10), rfc3339(20), "ProbeFailed", ELSEWHERE)]


def test_a_path_that_is_only_being_made_has_not_broken() -> None:
    story = Story().then(0, PENDING).then(10, APPLYING, None, ACTION)
    # Right after the rules are made, the first probe may still be lost.
    assert story.then(11, BROKEN).then(20, OK).told() == []
    never = Story().then(0, PENDING).then(10, BROKEN).then(20, BROKEN, STOPPED)
    assert never.told() == [(rfc3339(20), None, "RedisStopped", None)]


def test_what_is_not_known_neither_begins_nor_ends_an_outage() -> None:
    assert Story().then(0, OK).then(10, PENDING).told() == []
    assert Story().then(0, OK).then(10, BROKEN).then(20, PENDING).told()[0][1] is None


def test_whoever_is_suspended_is_not_watched_any_more() -> None:
    story = Story().then(0, OK).then(10, BROKEN, None, ACTION)
    suspended = conditions_only(
        story.status, {ConditionType.READY: unknown(Reason.SUSPENDED, "spec.suspend is true.")}, 1, 20.0
    )
    assert [(one.ended, one.repaired_by) for one in suspended.outages] == [(rfc3339(20), None)]
    refused = conditions_only(story.status, {ConditionType.READY: bad(Reason.INVALID_SPEC, "No.")}, 1, 20.0)
    assert refused.outages == story.status.outages
    assert no_longer_watched([], 1.0) == []


VERDICTS = st.sampled_from([OK, BROKEN, APPLYING, PENDING])


@given(st.lists(st.tuples(st.floats(1.0, 1e4), VERDICTS, st.booleans(), st.booleans()), max_size=60))
def test_whatever_happens_it_is_a_log(steps: list[tuple[float, Verdict, bool, bool]]) -> None:
    """Newest first, bounded, one after the other; only the newest may last, until Ready ends it."""
    story, now, generation = Story(), 0.0, 1
    for pause, verdict, changed, acts in steps:
        now += pause
        generation += changed
        before, was_ok = story.status.outages, story.ok
        story.ok = verdict is OK
        story.then(now, verdict, None, *([ACTION] if acts else []), generation=generation)
        log = story.status.outages
        assert len(log) <= OUTAGES_MAX
        assert all(one.ended is not None for one in log[1:])
        times = [at for one in reversed(log) for at in (one.began, one.ended) if at is not None]
        assert times == sorted(times)
        lasts = bool(log) and log[0].ended is None
        if verdict.status is ConditionStatus.TRUE:
            assert not lasts
        elif verdict is BROKEN:
            assert lasts == (was_ok or (bool(before) and before[0].ended is None))
        elif verdict.status is ConditionStatus.UNKNOWN:
            assert lasts == (bool(before) and before[0].ended is None)
        assert all(one.repaired_by for one in log if one.ended is not None)
