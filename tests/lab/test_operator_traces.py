"""Traces of the real operator, received as a collector receives them: OTLP over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import OPERATOR_NAMESPACE, Lab
from support.hardened import REGION, Hardened
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PASSWORD = "a-password-that-no-trace-may-hold"
#: All that a span may say: names, places, codes, and a duration.
KNOWN = {"resource", "lane", "outcome", "reason", "project", "google_seconds", "target", "origin"}


class Collector:
    """Takes what is exported; a context manager."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(self.path, body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        self.raw.append(body)
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({pair.key: pair.value.string_value for pair in one.resource.attributes})
            for scope in one.scope_spans:
                self.spans += scope.spans

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def facts(self, one: Span) -> dict[str, str]:
        return {pair.key.removeprefix("redis_connectivity."): pair.value.string_value for pair in one.attributes}

    def find(self, name: str, **facts: str) -> list[Span]:
        return [one for one in tuple(self.spans) if one.name == name and self.facts(one).items() >= facts.items()]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def test_reconciles_calls_probes_and_checks_arrive_and_no_secret_does(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    with Lab(Timings.instant(), settings={"POLL_INTERVAL": "1"}) as lab:
        lab.operator.start()
        world = Hardened(lab.cloud.control, lab.cloud.url).build()
        vm = (world.project, f"{REGION}-a", "redis-vm")
        lab.cloud.control.patch("instances", *vm, redisPassword="another")
        lab.cloud.settle()
        lab.cluster.create_namespace("traced")
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis", "namespace": "traced"}}
        lab.apply({**secret, "stringData": {"password": PASSWORD}})
        lab.kubectl(
            "create", "role", "redis", "-n", "traced", "--verb=get", "--resource=secrets", "--resource-name=redis"
        )
        account = f"--serviceaccount={OPERATOR_NAMESPACE}:redis-connectivity"
        lab.kubectl("create", "rolebinding", "redis", "-n", "traced", "--role=redis", account)
        redis = {"vm": {"host": world.host}, "auth": {"secretRef": {"name": "redis"}}}
        lab.apply(world.resource("traced", redis=redis))
        # A probe that fails with the secret in its hands.
        lab.wait_condition("traced", "path", "Ready", "False", "AuthenticationFailed")
        wait_until(
            lambda: (
                collector.find("reconcile", resource="traced/path", reason="AuthenticationFailed")
                and collector.find("probe", outcome="WrongPassword")
            ),
            deadline=60,
            describe=lambda: f"the spans to arrive; there are {sorted({one.name for one in collector.spans})}",
        )
        lab.operator.stop()

    failed = collector.find("probe", outcome="WrongPassword")[0]
    assert failed.status.code == Status.STATUS_CODE_ERROR
    facts = collector.facts(failed)
    assert (facts["resource"], facts["target"], facts["origin"]) == ("traced/path", f"{world.host}:6379", "Prober")
    checks = [one for one in collector.spans if one.parent_span_id == failed.span_id]
    assert [one.name for one in checks] == ["check tcp", "check redisPing"]

    inserted = collector.find("compute.firewalls.insert", project=world.project, outcome="ok")
    reconciles = {one.span_id for one in collector.find("reconcile", resource="traced/path")}
    assert inserted
    assert all(one.parent_span_id in reconciles for one in inserted)
    polled = collector.find("compute.firewalls.list", project=world.project)
    assert any(not one.parent_span_id for one in polled)

    assert {one["service.name"] for one in collector.resources} == {"redis-connectivity"}
    assert {name for one in collector.spans for name in collector.facts(one)} <= KNOWN | {"error.type"}
    assert not [one for one in collector.raw if PASSWORD.encode() in one]
