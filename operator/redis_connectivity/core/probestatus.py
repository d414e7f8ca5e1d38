"""What status tells of the probes: the last results, the circuit, and the windows, rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from redis_connectivity.api.status import (
    CheckStatus,
    CircuitState,
    CircuitStatus,
    ProbeCheckStatus,
    ProbeFailure,
    ProbeStatus,
    ProbeWindow,
)
from redis_connectivity.core.breaker import Circuit, told
from redis_connectivity.core.probing import ProbeMemory
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.windows import WindowFigures

__all__ = ["probe_status", "window_status", "without_figures"]


def probe_status(
    memory: ProbeMemory | None, circuit: Circuit | None, windows: Sequence[WindowFigures]
) -> ProbeStatus | None:
    """The whole of status.probe; None before the first probe."""
    if memory is None or memory.last is None:
        return None
    success, failure = memory.last_success, memory.last_failure
    return ProbeStatus(
        origin=memory.origin,
        crosses_connector=memory.origin == "Prober",
        target=memory.target,
        last_probe_time=rfc3339(memory.last.at),
        last_success_time=rfc3339(success.at) if success else None,
        latency_milliseconds=round(success.seconds * 1000, 1) if success and success.seconds is not None else None,
        consecutive_failures=memory.failures,
        circuit=_circuit(circuit) if circuit is not None else None,
        windows=[window_status(one) for one in windows],
        last_failure=ProbeFailure(
            step=failure.step, code=failure.code, message=failure.message, time=rfc3339(failure.at)
        )
        if failure
        else None,
        checks=_checks(memory),
    )


def without_figures(probe: ProbeStatus) -> ProbeStatus:
    """What of it is news when it changes."""
    failure = probe.last_failure
    return probe.model_copy(
        update={
            "last_probe_time": None,
            "last_success_time": None,
            "latency_milliseconds": None,
            "consecutive_failures": 0,
            "windows": [],
            "last_failure": failure.model_copy(update={"time": ""}) if failure else None,
            "checks": [one.model_copy(update={"latency_milliseconds": None}) for one in probe.checks],
        }
    )


def window_status(figures: WindowFigures) -> ProbeWindow:
    """A window for people: the rate to a thousandth, latencies to two digits, which is as exact as they are."""
    return ProbeWindow(
        name=figures.name,
        probes=figures.probes,
        success_rate=math.floor(1000 * figures.successes / figures.probes) / 1000 if figures.probes else None,
        p50_milliseconds=_two_digits(figures.p50),
        p95_milliseconds=_two_digits(figures.p95),
        p99_milliseconds=_two_digits(figures.p99),
    )


def _two_digits(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.2g}")


def _circuit(circuit: Circuit) -> CircuitStatus:
    # Since when it is closed would differ after each restart, and be told anew by every resource.
    state = told(circuit)
    return CircuitStatus(state=state, since=None if state is CircuitState.CLOSED else rfc3339(circuit.since))


def _checks(memory: ProbeMemory) -> list[ProbeCheckStatus]:
    result = memory.decisive
    if result is None:
        return []
    tried = {one.name: one for one in result.checks}
    return [
        ProbeCheckStatus(
            name=name,
            status=CheckStatus.SUCCEEDED if one.ok else CheckStatus.FAILED,
            latency_milliseconds=round(one.seconds * 1000, 1),
            code=one.code or None,
            message=one.message or None,
        )
        if (one := tried.get(name)) is not None
        else ProbeCheckStatus(name=name, status=CheckStatus.SKIPPED)
        for name in result.chain
    ]
