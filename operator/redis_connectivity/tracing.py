"""Traces, as a thin door to OpenTelemetry: what the operator does becomes spans, and its user says where they go.

Without the extra `otel` (the SDK and its exporter), or with no endpoint in the environment, a span costs some
microseconds and goes nowhere. Attributes are names, places and codes: never a message, which may quote anybody, and
never a header, a URL or what a Secret holds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context

__all__ = ["CLIENT", "SERVICE", "Traced", "TracingUnavailableError", "span", "start_tracing"]

SERVICE: Final = "redis-connectivity"
CLIENT: Final = trace.SpanKind.CLIENT

_PREFIX: Final = "redis_connectivity."
#: Either one turns tracing on; the exporter reads them, and all the others that OpenTelemetry defines.
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
#: Seconds that the last spans have for their way at the end.
_FAREWELL: Final = 3.0
_NANO: Final = 1_000_000_000

_TRACER: Final = trace.get_tracer(SERVICE)


class TracingUnavailableError(Exception):
    """The environment asks for traces, and what sends them is not installed."""


class Traced:
    """A span under way."""

    def __init__(self, one: trace.Span) -> None:
        self._span = one
        self._next = time.time_ns()

    def ended(self, outcome: str, *, ok: bool, **facts: str | float) -> None:
        """Note how it ended: `outcome` is from a closed vocabulary, and no text of anybody."""
        self._span.set_attributes(_named({"outcome": outcome, **facts}))
        if not ok:
            self._span.set_attribute("error.type", outcome)
            self._span.set_status(trace.StatusCode.ERROR)

    def part(self, name: str, seconds: float, *, ok: bool) -> None:
        """A part of it that took place elsewhere, one after the other, as far as durations tell."""
        begun, self._next = self._next, self._next + int(seconds * _NANO)
        child = _TRACER.start_span(name, trace.set_span_in_context(self._span), start_time=begun)
        if not ok:
            child.set_status(trace.StatusCode.ERROR)
        child.end(self._next)


@contextmanager
def span(
    name: str, kind: trace.SpanKind = trace.SpanKind.INTERNAL, *, root: bool = False, **facts: str | float
) -> Iterator[Traced]:
    """What happens inside is a span of this name, and spans begun there are within it.

    With `root` it is within none: what goes on for ever was once begun by something that is long over.
    """
    with _TRACER.start_as_current_span(
        name,
        context=Context() if root or _is_over(trace.get_current_span()) else None,
        kind=kind,
        attributes=_named(facts),
        # An exception's text and stack may hold what a trace must not.
        record_exception=False,
        set_status_on_exception=False,
    ) as one:
        yield Traced(one)


def start_tracing(identity: str, environ: Mapping[str, str] = os.environ) -> Callable[[], None] | None:
    """Send spans from now on, where the environment names an endpoint; answers what ends it, None where nothing does.

    Args:
        identity: What tells this replica from others.
        environ: The environment; the SDK reads the process' own for everything but the question whether to begin.

    Raises:
        TracingUnavailableError: The extra `otel` is not installed.
    """
    if not any(environ.get(name) for name in _ENDPOINTS):
        return None
    try:
        # Not at the top: an extra, which most do without.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        wanted = next(name for name in _ENDPOINTS if environ.get(name))
        raise TracingUnavailableError(
            f"{wanted} is set, and the extra that sends traces is not installed ({error});"
            " pip install 'redis-connectivity[otel]', or unset it"
        ) from error
    known = {"service.version": version(SERVICE), "service.instance.id": identity}
    if not environ.get("OTEL_SERVICE_NAME"):
        known["service.name"] = SERVICE
    provider = TracerProvider(resource=Resource.create(known), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

    def end() -> None:
        # In a thread of its own: a collector that is gone must not hold up the end of the operator.
        farewell = threading.Thread(target=provider.shutdown, name="tracing", daemon=True)
        farewell.start()
        farewell.join(_FAREWELL)

    return end


def _is_over(one: trace.Span) -> bool:
    """Whether a span that was taken along by a task has ended since; one that nobody wants is merely not recorded."""
    known = one.get_span_context()
    return known.is_valid and known.trace_flags.sampled and not one.is_recording()


def _named(facts: Mapping[str, str | float]) -> dict[str, str | float]:
    return {f"{_PREFIX}{name}": value for name, value in facts.items()}
