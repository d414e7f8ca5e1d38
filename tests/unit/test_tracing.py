"""Spans: what is in them, whose children they are, and that nothing happens where nobody asked for them."""

import asyncio
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from redis_connectivity import tracing
from redis_connectivity.tracing import CLIENT, TracingUnavailableError, span, start_tracing

SECRET = "hunter2-in-a-message"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    return exporter


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {one.name: one for one in spans.get_finished_spans()}


def lasted(one: ReadableSpan) -> int:
    """Nanoseconds."""
    return (one.end_time or 0) - (one.start_time or 0)


def test_a_span_has_facts_an_outcome_and_its_children(spans: InMemorySpanExporter) -> None:
    with span("reconcile", root=True, resource="staging/chat") as outer:
        with span("compute.firewalls.list", CLIENT, project="acme") as inner:
            inner.ended("Forbidden", ok=False, google_seconds=0.5)
        outer.ended("ok", ok=True, reason="PathProven")
    found = named(spans)
    inner_span, outer_span = found["compute.firewalls.list"], found["reconcile"]
    assert inner_span.parent == outer_span.context
    assert dict(outer_span.attributes or {}) == {
        "redis_connectivity.resource": "staging/chat",
        "redis_connectivity.outcome": "ok",
        "redis_connectivity.reason": "PathProven",
    }
    assert (outer_span.status.status_code, inner_span.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert (inner_span.attributes or {})["error.type"] == "Forbidden"
    assert inner_span.kind is CLIENT


def test_parts_follow_one_another_and_last_as_long_as_they_took(spans: InMemorySpanExporter) -> None:
    with span("probe") as one:
        one.part("check tcp", 0.25, ok=True)
        one.part("check redisPing", 0.5, ok=False)
    tcp, ping = named(spans)["check tcp"], named(spans)["check redisPing"]
    assert lasted(tcp) == 250_000_000
    assert lasted(ping) == 500_000_000
    assert ping.start_time == tcp.end_time
    assert ping.status.status_code is StatusCode.ERROR
    assert tcp.parent == named(spans)["probe"].context


async def test_what_a_task_took_along_from_a_span_that_is_over_is_no_parent(spans: InMemorySpanExporter) -> None:
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        with span("later"):
            pass

    with span("first"):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
        with span("for everybody", root=True):
            pass
    go.set()
    await task
    assert [named(spans)[name].parent for name in ("first", "for everybody", "later")] == [None] * 3


def test_an_exception_leaves_no_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=SECRET), span("breaks"):
        raise ValueError(SECRET)
    (one,) = spans.get_finished_spans()
    assert SECRET not in one.to_json()
    assert one.events == ()


def test_without_an_endpoint_nothing_begins_and_spans_go_nowhere() -> None:
    assert start_tracing("pod-1", {}) is None
    assert start_tracing("pod-1", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None
    with span("nothing", resource="a/b") as one:
        one.part("less", 1.0, ok=False)
        one.ended("ok", ok=True)


def test_an_endpoint_without_the_extra_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(
        TracingUnavailableError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT is set.*redis-connectivity\[otel\]"
    ):
        start_tracing("pod-1", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
