"""What `diagnose` tells about a resource, from its status alone."""

import json
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from redis_connectivity.cli import diagnose as command
from redis_connectivity.cli.diagnose import report
from redis_connectivity.cli.main import app

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "PathProven",
    "message": "All is well.",
    "lastTransitionTime": "T0",
}
BROKEN = {**READY, "status": "False", "reason": "ProbeFailed", "message": "It does not answer."}
HOP = {"name": "Egress", "verdict": "Denied", "by": "rule lockdown", "message": "Egress is denied by [rule] lockdown."}
DIAGNOSIS = {
    "code": "EgressDenied",
    "summary": "rule lockdown denies it.",
    "evidence": ["It is somebody else's."],
    "remedy": "Ask its owner.",
    "documentation": "docs/diagnosis/EgressDenied.md",
    "since": "T1",
}


def resource(**status: Any) -> dict[str, Any]:
    metadata = {"namespace": "production", "name": "chat", "generation": 3}
    return {"metadata": metadata, "status": {"observedGeneration": 3, "conditions": [READY], **status}}


def run(monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "in_cluster", lambda *_: body)
    result = CliRunner().invoke(app, ["diagnose", "chat", *arguments])
    return result.exit_code, result.output


def test_a_healthy_path_is_told_and_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, resource(path=[{**HOP, "verdict": "Allowed"}]))
    assert code == 0
    for part in ("production/chat  Ready=True (PathProven) since T0", "✓ Egress  Allowed", "All is well."):
        assert part in said


def test_a_broken_path_is_told_with_its_cause_and_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, resource(conditions=[BROKEN], path=[HOP], diagnosis=DIAGNOSIS))
    assert code == 2
    for part in (
        "✗ Egress  Denied   Egress is denied by [rule] lockdown.",
        "EgressDenied: rule lockdown denies it.",
        "It is somebody else's.",
        "Ask its owner.",
        "docs/diagnosis/EgressDenied.md",
        "T1",
    ):
        assert part in said


def test_an_old_status_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _, said = run(monkeypatch, resource(observedGeneration=2))
    assert "The spec has changed since the operator looked" in said


def test_a_resource_that_nobody_has_looked_at_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, {"metadata": {"namespace": "n", "name": "x", "generation": 1}})
    assert code == 2
    assert "Does it run?" in said


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_the_same(monkeypatch: pytest.MonkeyPatch, form: str, load: Any) -> None:
    body = resource(conditions=[BROKEN], path=[HOP], diagnosis=DIAGNOSIS)
    code, said = run(monkeypatch, body, "-o", form)
    assert code == 2
    assert load(said) == report(body)
    assert load(said)["diagnosis"] == DIAGNOSIS


def test_a_cluster_that_is_not_there_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["diagnose", "chat", "--kubeconfig", "/nowhere/kubeconfig"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
