"""What status tells of probes: rounded, and what of it is news."""

from redis_connectivity.api.status import CircuitState, RedisConnectivityStatus
from redis_connectivity.core.breaker import Circuit
from redis_connectivity.core.probestatus import probe_status, window_status
from redis_connectivity.core.probing import ProbeMemory, ProbeResult, record
from redis_connectivity.core.statusbuild import has_news
from redis_connectivity.core.windows import WindowFigures

OPEN = Circuit(CircuitState.OPEN, since=100.0)


def memory(at: float = 1.0) -> ProbeMemory:
    result = ProbeResult(at=at, ok=True, origin="Prober", target="10.0.0.3:6379", seconds=0.00213)
    return record(None, result, failure_threshold=2, success_threshold=1)


def status(circuit: Circuit | None = None, *windows: WindowFigures, at: float = 1.0) -> RedisConnectivityStatus:
    return RedisConnectivityStatus(probe=probe_status(memory(at), circuit, windows))


def figures(probes: int = 1000, successes: int = 999, p50: float | None = 2.1444) -> WindowFigures:
    return WindowFigures("5m", probes, successes, p50, 12.7, 1234.5)


def test_figures_are_told_as_exactly_as_they_are_known() -> None:
    told = window_status(figures())
    assert (told.p50_milliseconds, told.p95_milliseconds, told.p99_milliseconds) == (2.1, 13.0, 1200.0)
    assert told.success_rate == 0.999
    # Never better than it is: one failure of a million is no whole success.
    assert window_status(figures(1_000_000, 999_999)).success_rate == 0.999
    nothing = window_status(WindowFigures("1h", 0, 0, None, None, None))
    assert (nothing.success_rate, nothing.p50_milliseconds) == (None, None)


def test_figures_that_move_are_no_news() -> None:
    assert not has_news(status(None, figures()), status(None, figures(2000, 1, 9.0), at=500.0))


def test_a_circuit_is_news_when_it_opens_and_closes_and_not_when_it_tries() -> None:
    closed, opened = status(Circuit()), status(OPEN)
    trying = status(Circuit(CircuitState.HALF_OPEN, since=100.0, next_trial=7.0, trial=True, failed_trials=3))
    answered = status(Circuit(CircuitState.HALF_OPEN, since=100.0, successes=1))
    assert has_news(closed, opened)
    assert not has_news(opened, trying)
    assert has_news(trying, answered)
    # A restart knows no outage any more; the state that it finds is the one that it writes.
    assert not has_news(closed, status(Circuit(since=500.0)))
