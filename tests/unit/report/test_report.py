"""The report: what it says of a path, that it says nothing it does not know, and that nobody's text becomes markup."""

from typing import Any

import pytest

from redis_connectivity.core.reporting import Rates, make_report
from redis_connectivity.report import as_html, as_markdown

AT = "2026-11-25T12:00:00Z"
EVIL = "<script>alert(1)</script> | b"


def body(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "redisconnectivity.io/v1alpha1",
        "kind": "RedisConnectivity",
        "metadata": {
            "name": "chat",
            "namespace": "staging",
            "uid": "u",
            "resourceVersion": "7",
            "annotations": {"team": "chat", "redisconnectivity.io/reconcile-at": "x"},
        },
        "spec": {"environment": "staging", "projectId": "acme", "region": "us-central1"},
        "status": status,
    }


WHOLE: dict[str, Any] = {
    "conditions": [{"type": "Ready", "status": "True", "reason": "PathProven", "message": "It works."}],
    "baseline": {
        "taken": "2026-11-25T11:00:00Z",
        "connector": {"name": "staging-connector", "state": "Absent"},
        "directions": [{"direction": "EGRESS", "answer": "Denied", "by": "rule deny-all (priority 900)"}],
        "adoptedRules": [],
    },
    "path": [{"name": "Egress", "verdict": "Allowed", "by": "rule ours", "message": "Allowed by rule ours."}],
    "connector": {"name": "staging-connector", "owned": True, "ipCidrRange": "10.2.0.0/28", "minInstances": 2},
    "firewallRules": [
        {"name": "ours", "direction": "EGRESS", "allowed": "tcp:6379", "priority": 899, "targetTags": ["t"]}
    ],
    "drift": [
        {"kind": "FirewallRule", "name": "ours", "field": "disabled", "before": "false", "after": EVIL, "seen": "t"}
    ],
    "probe": {
        "target": "10.0.0.3:6379",
        "crossesConnector": True,
        "checks": [{"name": "redisPing", "status": "Succeeded", "latencyMilliseconds": 2.5}],
        "circuit": {"state": "Open", "since": "2026-11-25T11:51:00Z"},
        "windows": [
            {"name": "5m", "probes": 0},
            {
                "name": "1h",
                "probes": 120,
                "successRate": 0.975,
                "p50Milliseconds": 2.1,
                "p95Milliseconds": 9.0,
                "p99Milliseconds": 40.0,
            },
            {"name": "24h", "probes": 3, "successRate": 0.0},
        ],
    },
    "outages": [
        {"began": "2026-11-25T11:50:00Z", "code": "ProbeFailed", "cause": "no answer", "repairedBy": "Operator: a try"},
        {
            "began": "2026-11-25T11:00:00Z",
            "ended": "2026-11-25T11:30:00Z",
            "code": "RuleMissing",
            "cause": EVIL,
            "repairedBy": "Operator: create firewall rule ours",
        },
    ],
}
PAGE = {"samples": [[0, 2.0], [30, None], [60, 4.0]]}

SECTIONS = [
    "Problem analysis",
    "Solution overview",
    "What was changed",
    "Deployment instructions",
    "Validation",
    "Before and after",
    "Rollback",
    "Admin handoff",
    "Business impact",
]


@pytest.mark.parametrize("status", [WHOLE, {}])
@pytest.mark.parametrize("page", [PAGE, None])
def test_every_section_is_there_whatever_is_known(status: dict[str, Any], page: dict[str, Any] | None) -> None:
    report = make_report(body(**status), AT, page)
    for text in (as_markdown(report), as_html(report)):
        positions = [text.index(section) for section in SECTIONS]
        assert positions == sorted(positions)
        assert "None" not in text


def test_it_tells_what_was_and_what_is() -> None:
    text = as_markdown(make_report(body(**WHOLE), AT, PAGE, Rates(600, 10, "EUR")))
    assert "| Egress | Denied (rule deny-all (priority 900)) | Allowed |" in text
    assert "connector staging-connector (made)" in text
    assert "| redisPing | Succeeded | 2.5 |" in text
    assert "last 1h | not measured before the first change | 97.5 % of 120 |" in text
    assert "| Latency, last 1h | | p50 2.1 ms, p95 9.0 ms, p99 40.0 ms |" in text
    assert "| Latency, last 24h | | p50 – ms" in text
    assert "last 5m" not in text  # nothing was probed then
    assert "circuit Open since 2026-11-25T11:51:00Z" in text
    assert "| Operator: create firewall rule ours |" in text
    assert "a try" not in text  # what is tried while it lasts has ended nothing
    assert "30.0 minutes" in text
    assert "18000 requests" in text
    assert "300.00 EUR" in text


def test_impact_is_told_only_in_numbers_that_were_given() -> None:
    text = as_markdown(make_report(body(**WHOLE), AT, PAGE))
    assert "30.0 minutes" in text
    assert "requests without Redis" not in text
    assert "At the given cost" not in text


def test_nobodys_text_becomes_markup() -> None:
    report = make_report(body(**WHOLE), AT, PAGE)
    assert "<script>" not in as_html(report)
    assert "&lt;script&gt;" in as_html(report)
    (row,) = [line for line in as_markdown(report).splitlines() if line.startswith("| FirewallRule ours")]
    assert row.replace("\\|", "").count("|") == 8


def test_the_declared_resource_is_what_a_person_would_write() -> None:
    text = as_markdown(make_report(body(**WHOLE), AT))
    assert "team: chat" in text
    for unwanted in ("resourceVersion", "uid: u", "reconcile-at"):
        assert unwanted not in text


def test_the_plot_draws_what_was_measured_and_marks_what_failed() -> None:
    html = as_html(make_report(body(**WHOLE), AT, PAGE))
    assert html.count("<polyline") == 2  # before and after the failure
    assert html.count("<line ") == 1
