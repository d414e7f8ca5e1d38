"""The circuit breaker: what opens and closes it, how many may try, and how late a healed target is found at most."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from redis_connectivity.api.status import CircuitState
from redis_connectivity.core.breaker import (
    Circuit,
    Pacing,
    admit,
    answers,
    cap,
    heard,
    holds,
    release,
    told,
    wait,
)
from redis_connectivity.core.probing import ProbeMemory, ProbeResult, path_changed, record

DEFAULT = Pacing(30.0, 2, 1)
PACINGS = st.builds(Pacing, st.floats(1.0, 86400.0), st.integers(1, 10), st.integers(1, 5))
JITTER = st.floats(0.9, 1.0)


def result(
    code: str = "", kind: str = "tcp", *, at: float = 0.0, conclusive: bool = True, ok: bool | None = None
) -> ProbeResult:
    """A probe that failed with a code at a kind of check, or one that passed."""
    return ProbeResult(
        at=at,
        ok=not code if ok is None else ok,
        origin="Prober",
        target="10.0.0.3:6379",
        code=code,
        kind=kind if code else "",
        conclusive=conclusive,
    )


def opened(pacing: Pacing = DEFAULT, at: float = 1000.0) -> Circuit:
    """A circuit that has just opened."""
    first = heard(Circuit(), at - pacing.patience, pacing, answered=False, trial=False)
    return heard(first, at, pacing, answered=False, trial=False)


def test_it_opens_after_three_times_the_threshold_and_not_before() -> None:
    circuit = Circuit()
    for number in range(6):
        circuit = heard(circuit, 100.0 + 30.0 * number, DEFAULT, answered=False, trial=False)
        assert circuit.state is CircuitState.CLOSED
    circuit = heard(circuit, 280.0, DEFAULT, answered=False, trial=False)
    assert (circuit.state, circuit.since) == (CircuitState.OPEN, 280.0)


def test_trials_are_two_and_then_four_intervals_apart() -> None:
    circuit = opened()
    waits = []
    now = 1000.0
    for _ in range(4):
        waits.append(wait(circuit, now, DEFAULT))
        now += waits[-1]
        trial = admit(circuit, now, DEFAULT)
        assert trial is not None
        circuit = heard(trial, now, DEFAULT, answered=False, trial=True)
    assert waits == [60.0, 120.0, 120.0, 120.0]


@pytest.mark.parametrize(
    ("interval", "longest"), [(1.0, 4.0), (30.0, 120.0), (75.0, 300.0), (120.0, 300.0), (900.0, 900.0)]
)
def test_the_cap(interval: float, longest: float) -> None:
    assert cap(Pacing(interval, 2, 1)) == longest


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (result(), True),
        (result("ConnectTimeout"), False),
        (result("ConnectionRefused"), False),
        (result("ReadTimeout", "redisPing"), False),
        (result("TooManyClients", "redisPing"), False),
        (result("Loading", "redisReadWrite"), False),
        # Redis serves, and people have to mend something: their mending should be seen soon.
        (result("WrongPassword", "redisPing"), True),
        (result("TlsRequired", "redisPing"), True),
        (result("OutOfMemory", "redisReadWrite"), True),
        (result("ReadTimeout", "http"), True),
        (result("ProberTimeout", "", conclusive=False), None),
        (result("SecretNotFound", "", conclusive=False), None),
    ],
)
def test_what_counts_as_an_answer(one: ProbeResult, expected: bool | None) -> None:
    assert answers(one) is expected


def test_nobody_is_held_back_before_the_verdict_stands() -> None:
    def more(memory: ProbeMemory | None, one: ProbeResult) -> ProbeMemory:
        return record(memory, one, failure_threshold=2, success_threshold=2)

    assert not holds(None)
    once = more(None, result("ConnectTimeout"))
    assert not holds(once)
    twice = more(once, result("ConnectTimeout"))
    assert holds(twice)
    # After a repair, the verdict has to be found anew, so that the cause can be told.
    assert not holds(path_changed(twice))
    assert holds(more(more(path_changed(twice), result("ConnectTimeout")), result("ConnectTimeout")))
    # One of two successes: what is missing comes at the circuit's pace.
    assert holds(more(twice, result()))
    assert not holds(more(more(twice, result()), result()))


def test_a_trial_that_asked_nobody_is_still_due() -> None:
    circuit = opened()
    trial = admit(circuit, circuit.next_trial, DEFAULT)
    assert trial is not None
    assert admit(trial, circuit.next_trial, DEFAULT) is None
    assert admit(release(trial), circuit.next_trial, DEFAULT) is not None


def test_it_is_half_open_for_people_once_a_trial_was_answered() -> None:
    pacing = replace(DEFAULT, success_threshold=2)
    circuit = opened(pacing)
    trial = admit(circuit, circuit.next_trial, pacing)
    assert trial is not None
    assert (trial.state, told(trial)) == (CircuitState.HALF_OPEN, CircuitState.OPEN)
    once = heard(trial, 1070.0, pacing, answered=True, trial=True)
    assert told(once) is CircuitState.HALF_OPEN
    assert wait(once, 1070.0, pacing) == 30.0
    again = heard(once, 1100.0, pacing, answered=True, trial=True)
    assert (told(again), again.since) == (CircuitState.CLOSED, 1100.0)


def test_a_clock_that_was_set_back_holds_nobody() -> None:
    circuit = opened(at=1e9)
    assert admit(circuit, 1e9 - 86400, DEFAULT) is not None


@given(PACINGS, st.lists(st.booleans(), max_size=60))
def test_while_something_answers_often_enough_it_lets_everything_through(pacing: Pacing, seen: list[bool]) -> None:
    """Closed is as if there were no circuit: only silence for the whole of its patience opens it."""
    circuit, now, silent_since = Circuit(), 0.0, None
    for answered in seen:
        now += pacing.interval
        assert admit(circuit, now, pacing) is circuit
        circuit = heard(circuit, now, pacing, answered=answered, trial=False)
        silent_since = None if answered else now if silent_since is None else silent_since
        if silent_since is not None and now - silent_since >= pacing.patience:
            assert circuit.state is CircuitState.OPEN
            return
        assert circuit.state is CircuitState.CLOSED


class Outage(RuleBasedStateMachine):
    """Many resources, one target that comes and goes, chains that take time and overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.circuit = Circuit()
        self.pacing = DEFAULT
        #: Chains under way: whether each is a trial.
        self.flying: list[bool] = []
        self.sinces: list[float] = []

    @initialize(pacing=PACINGS)
    def starts(self, pacing: Pacing) -> None:
        self.pacing = pacing

    @rule(share=st.floats(0.0, 3.0))
    def time_goes_by(self, share: float) -> None:
        self.now += share * self.pacing.interval

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.now -= 10 * cap(self.pacing)

    @rule()
    def one_that_may_be_held_asks(self) -> None:
        after = admit(self.circuit, self.now, self.pacing)
        if after is not None:
            self.flying.append(after.state is not CircuitState.CLOSED)
            self.circuit = after

    @rule()
    def one_that_may_not_be_held_asks(self) -> None:
        self.flying.append(False)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), answered=st.booleans(), jitter=JITTER)
    def a_chain_ends(self, data: st.DataObject, answered: bool, jitter: float) -> None:
        trial = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.circuit = heard(self.circuit, self.now, self.pacing, answered=answered, trial=trial, jitter=jitter)

    @precondition(lambda self: True in self.flying)
    @rule()
    def a_trial_asks_nobody(self) -> None:
        self.flying.remove(True)
        self.circuit = release(self.circuit)

    @invariant()
    def never_more_than_one_trial_counts(self) -> None:
        """A trial of an outage that others have ended meanwhile may still fly; the circuit knows of one at most."""
        if self.circuit.trial:
            assert True in self.flying
            assert admit(self.circuit, self.now, self.pacing) is None

    @invariant()
    def a_trial_is_never_further_off_than_the_cap(self) -> None:
        assert 0.0 <= wait(self.circuit, self.now, self.pacing) <= cap(self.pacing)

    @invariant()
    def it_ends_within_the_cap_once_the_target_has_healed(self) -> None:
        circuit, now = release(self.circuit), self.now
        first = now + cap(self.pacing)
        for number in range(self.pacing.success_threshold):
            if circuit.state is CircuitState.CLOSED:
                break
            now += wait(circuit, now, self.pacing)
            assert now <= first + number * self.pacing.interval + 1e-6 * now
            trial = admit(circuit, now, self.pacing)
            assert trial is not None
            circuit = heard(trial, now, self.pacing, answered=True, trial=True)
        assert circuit.state is CircuitState.CLOSED


TestOutage = Outage.TestCase


@given(PACINGS, st.lists(st.tuples(st.floats(0.0, 1e5), st.booleans(), JITTER), max_size=80))
def test_times_never_run_backwards(pacing: Pacing, seen: list[tuple[float, bool, float]]) -> None:
    circuit, now, since = Circuit(), 0.0, 0.0
    for later, answered, jitter in seen:
        now += later
        after = admit(circuit, now, pacing)
        if after is None:
            continue
        trial = after.state is not CircuitState.CLOSED
        circuit = heard(after, now, pacing, answered=answered, trial=trial, jitter=jitter)
        assert since <= circuit.since <= now
        assert circuit.silent_since is None or circuit.silent_since <= now
        since = circuit.since
