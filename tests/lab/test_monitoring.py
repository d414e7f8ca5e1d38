"""Alerts and dashboard: Prometheus's own tool takes and plays the rules; nothing is asked that is not measured."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from redis_connectivity.api.status import CircuitState
from redis_connectivity.metrics import Metrics
from redis_connectivity_lab.stack import PROJECT_ROOT
from support.prometheus import MONITORING, PROMTOOL, rules

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: tools/bootstrap.sh monitoring")
pytestmark = pytest.mark.lab


def promtool(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [str(PROMTOOL), *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(rules(), encoding="utf-8")
    (tmp_path / "alerts.test.yaml").write_bytes((MONITORING / "alerts.test.yaml").read_bytes())
    return tmp_path


@needs_promtool
def test_prometheus_takes_the_rules(folder: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", str(folder / "rules.yaml"))


@needs_promtool
def test_every_alert_fires_and_rests_as_told(folder: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(folder / "alerts.test.yaml"))


@needs_promtool
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("and on (instance) redis_connectivity_leader == 1", ""),
        ('status="False"', 'status="True"'),
        ("for: 1m", "for: 10m"),
        ("> 900", "> 9000"),
        ("or vector(0)", ""),
    ],
)
def test_the_played_alerts_notice_a_changed_rule(folder: Path, before: str, after: str) -> None:
    text = rules()
    assert before in text
    (folder / "rules.yaml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", str(folder / "alerts.test.yaml"))


def test_every_alert_is_played_both_ways() -> None:
    played = yaml.safe_load((MONITORING / "alerts.test.yaml").read_text(encoding="utf-8"))
    cases = [case for test in played["tests"] for case in test["alert_rule_test"]]
    for group in yaml.safe_load(rules())["groups"]:
        for rule in group["rules"]:
            mine = [case for case in cases if case["alertname"] == rule["alert"]]
            assert any(case.get("exp_alerts") for case in mine), f"{rule['alert']} is never seen to fire"
            assert any(not case.get("exp_alerts") for case in mine), f"{rule['alert']} is never seen to rest"
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert set(rule["annotations"]) == {"summary", "description"}


def measured() -> Metrics:
    """Metrics with a series each, as the operator makes them."""
    metrics = Metrics()
    for status in ("True", "False", "Unknown"):
        metrics.condition.labels("staging", "chat", "Ready", status).set(0)
    metrics.reconciles.labels("ok").inc()
    metrics.cloud_calls.labels("acme-staging", "compute", "firewalls.list", "ok").inc()
    metrics.cloud_writes.labels("InsertRule", "ok").inc()
    metrics.drift.labels("staging", "chat", "FirewallRule").inc()
    metrics.contended.labels("staging", "chat").set(0)
    metrics.poll_factor.labels("acme-staging").set(1)
    metrics.policy_violations.labels("guard").set(0)
    metrics.probes.labels("staging", "chat", "Ok").inc()
    metrics.probe_seconds.labels("staging", "chat").observe(0.001)
    metrics.probe_last_success.labels("staging", "chat").set(1)
    metrics.circuit("staging", "chat", CircuitState.OPEN)
    metrics.diagnosed("staging", "chat", "RuleMissing")
    return metrics


def names(metrics: Metrics) -> set[str]:
    """Names of series as Prometheus stores them."""
    text = generate_latest(metrics.registry).decode()
    return {re.split(r"[{ ]", line, maxsplit=1)[0] for line in text.splitlines() if not line.startswith("#")}


@needs_promtool
def test_names_and_units_are_as_prometheus_wants_them() -> None:
    promtool("check", "metrics", stdin=generate_latest(measured().registry).decode())


def expressions() -> Iterator[str]:
    """Every expression that is shipped."""
    for group in yaml.safe_load(rules())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    board = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query")


def test_nothing_is_asked_that_is_not_measured() -> None:
    known = names(measured())
    asked = {name for one in expressions() for name in re.findall(r"redis_connectivity_[a-z_]+", one)}
    assert asked - known == set()


def test_every_metric_is_in_the_documentation() -> None:
    told = (PROJECT_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    for one in measured().registry.collect():
        family = f"{one.name}_total" if one.type == "counter" else one.name
        assert f"`{family}`" in told or f"`_{family.removeprefix('redis_connectivity_')}`" in told
    for rule in (one for group in yaml.safe_load(rules())["groups"] for one in group["rules"]):
        assert f"`{rule['alert']}`" in told


def test_a_resource_that_goes_takes_its_series_along() -> None:
    metrics = measured()
    metrics.forget("staging", "chat")
    assert 'name="chat"' not in generate_latest(metrics.registry).decode()


def test_one_cause_at_a_time() -> None:
    metrics = measured()
    metrics.diagnosed("staging", "chat", "EgressDenied")
    text = generate_latest(metrics.registry).decode()
    assert 'code="EgressDenied"' in text
    assert 'code="RuleMissing"' not in text
    metrics.diagnosed("staging", "chat", None)
    assert "redis_connectivity_diagnosis{" not in generate_latest(metrics.registry).decode()
