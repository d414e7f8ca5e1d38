"""Rolling windows: their percentiles next to exact ones, what they forget, and what they cost."""

import math
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from redis_connectivity.core.windows import ACCURACY, WINDOWS, WindowFigures, Windows

LATENCIES = st.floats(0.01, 60_000.0)


def exact(latencies: list[float], percent: int) -> float:
    """Nearest rank."""
    return sorted(latencies)[max(1, math.ceil(percent * len(latencies) / 100)) - 1]


def of(windows: Windows, name: str, now: float) -> WindowFigures:
    return next(one for one in windows.figures(now) if one.name == name)


@given(st.lists(st.none() | LATENCIES, max_size=300))
def test_percentiles_are_as_near_as_promised(seen: list[float | None]) -> None:
    windows = Windows()
    for latency in seen:
        windows.add(1e9, latency)
    latencies = [one for one in seen if one is not None]
    for figures in windows.figures(1e9):
        assert (figures.probes, figures.successes) == (len(seen), len(latencies))
        for percent, told in ((50, figures.p50), (95, figures.p95), (99, figures.p99)):
            if not latencies:
                assert told is None
            else:
                assert told is not None
                wanted = exact(latencies, percent)
                assert abs(told - wanted) <= ACCURACY * wanted * (1 + 1e-6)


@given(st.lists(st.tuples(st.floats(0.0, 7200.0), st.none() | LATENCIES), min_size=1, max_size=80), st.floats(0.0, 1e5))
def test_a_window_has_what_is_younger_than_eleven_twelfths_and_nothing_that_is_older_than_it(
    seen: list[tuple[float, float | None]], later: float
) -> None:
    windows, now, times = Windows(), 1e9, []
    for pause, latency in seen:
        now += pause
        windows.add(now, latency)
        times.append(now)
    now += later
    for name, seconds in WINDOWS:
        surely = sum(now - one < seconds * 11 / 12 for one in times)
        perhaps = sum(now - one <= seconds for one in times)
        assert surely <= of(windows, name, now).probes <= perhaps


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    windows = Windows()
    windows.add(1e9, 1.0)
    windows.add(1e9 - 7200, 1.0)
    assert of(windows, "5m", 1e9).probes == 2


def test_a_day_costs_what_the_documentation_says() -> None:
    """Latencies as spread as can be, and as they usually are; a probe every 30 s, and every second."""

    def cost(*, interval: int, usual: bool) -> float:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            windows = Windows()
            for probe in range(86400 // interval):
                spread = 10 ** ((probe * 37) % 560 / 100 - 1)
                windows.add(1e9 + probe * interval, 2.0 + (probe % 10) / 10 if usual else spread)
            return (tracemalloc.get_traced_memory()[0] - before) / 1024
        finally:
            tracemalloc.stop()

    worst, usual = cost(interval=30, usual=False), cost(interval=30, usual=True)
    most = cost(interval=1, usual=False)
    print(
        f"a day of probes every 30 s: {worst:.1f} KiB at worst, {usual:.1f} KiB as usual; every second: {most:.1f} KiB"
    )
    assert worst <= 32
    assert usual <= 12
    assert most <= 64
