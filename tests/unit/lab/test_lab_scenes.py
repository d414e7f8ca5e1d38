"""The scenes' registry, the ledger of wounds, and what the commands print."""

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab import scenes, wounds
from redis_connectivity_lab.cloudside import CloudSide
from redis_connectivity_lab.expected import Alert
from redis_connectivity_lab.labstate import LabState
from redis_connectivity_lab.labview import guide, show_status
from redis_connectivity_lab.scenes import SCENES, Scene, UnknownSceneError, scene_of
from redis_connectivity_lab.site import NothingThereError, Site
from redis_connectivity_lab.worlds import ENVIRONMENTS, PRODUCTION, STAGING
from redis_connectivity_lab.wound import Wound
from support.prometheus import MONITORING


@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda one: one.name)
def test_a_scene_is_told_in_one_line(scene: Scene) -> None:
    assert SCENES[scene.name] is scene
    assert "\n" not in scene.summary
    assert scene.environments
    assert all(one in ENVIRONMENTS for one in scene.environments)


@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda one: one.name)
def test_a_scene_says_what_page_and_alerts_must_tell(scene: Scene) -> None:
    if scene.names is None:
        assert (scene.hops, scene.alerts) == ({None}, frozenset())
        return
    # A policy forbids before any hop is looked at; every other scene ends at a hop.
    assert (None in scene.hops) == (scene.names is Reason.NOT_ALLOWED_BY_POLICY)
    assert len(scene.alerts & {Alert.PATH_BROKEN, Alert.NOT_READY}) == 1
    shipped = (MONITORING / "prometheusrule.yaml").read_text(encoding="utf-8")
    assert all(f"alert: {one.value}\n" in shipped for one in scene.alerts)


def test_an_unknown_scene_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UnknownSceneError, match=r"no scene 'nope'; there are rule-deleted, "):
        scene_of("nope")


def test_a_scene_is_played_where_it_makes_sense() -> None:
    scene = SCENES["memorystore-maintenance"]
    assert scene.environment(None) is PRODUCTION
    with pytest.raises(UnknownSceneError, match="in production, not in 'staging'"):
        scene.environment("staging")
    assert SCENES["rule-deleted"].environment(None) is STAGING


class Broken:
    """A scene that breaks a flag."""

    def __init__(self) -> None:
        self.broken = False
        self.undone = 0

    def act(self, _site: Site) -> Wound:
        self.broken = True
        return Wound("broke the flag", "the flag", lambda: self.broken, self.undo)

    def act_on_the_operators(self, _site: Site) -> Wound:
        self.broken = True
        return Wound("broke the flag", "the flag", lambda: self.broken)

    def undo(self) -> None:
        self.broken = False
        self.undone += 1


@pytest.fixture
def flag(monkeypatch: pytest.MonkeyPatch) -> Broken:
    broken = Broken()
    table = {
        "ours": Scene("ours", "the lab ends it", broken.act, Code.REDIS_STOPPED, names=Reason.PROBE_FAILED),
        "theirs": Scene("theirs", "the operator heals it", broken.act_on_the_operators, Code.RULE_MISSING),
    }
    monkeypatch.setattr(scenes, "SCENES", table)
    return broken


@pytest.fixture
def ledger() -> wounds.Wounds:
    return wounds.Wounds(CloudSide())  # never started: these scenes touch no cloud


def test_a_scene_is_in_force_until_it_is_healed(flag: Broken, ledger: wounds.Wounds) -> None:
    told = ledger.break_("ours", None)
    assert (told["scene"], told["heals"]) == ("ours (staging)", "redis-connectivity lab heal ours")
    assert [one["scene"] for one in ledger.in_force()] == ["ours (staging)"]
    with pytest.raises(NothingThereError, match="in force already"):
        ledger.break_("ours", None)
    ledger.break_("ours", "production")
    assert ledger.heal("ours") == [
        {"scene": "ours (staging)", "said": "ended"},
        {"scene": "ours (production)", "said": "ended"},
    ]
    assert flag.undone == 2
    assert ledger.in_force() == []
    assert ledger.heal(None) == []


def test_what_is_the_operators_to_heal_is_left_to_it(flag: Broken, ledger: wounds.Wounds) -> None:
    assert ledger.break_("theirs", None)["heals"] == "the operator"
    assert "the operator's work" in ledger.heal("theirs")[0]["said"]
    assert flag.broken
    flag.broken = False
    assert ledger.heal(None) == [{"scene": "theirs (staging)", "said": "was healed by the operator"}]


def test_what_the_operator_has_healed_is_no_longer_in_force(flag: Broken, ledger: wounds.Wounds) -> None:
    ledger.break_("theirs", None)
    assert ledger.in_force()
    flag.broken = False
    assert ledger.in_force() == []


def test_healing_what_is_not_broken_is_refused(flag: Broken, ledger: wounds.Wounds) -> None:
    del flag
    with pytest.raises(UnknownSceneError, match="ours is not in force"):
        ledger.heal("ours")
    with pytest.raises(UnknownSceneError, match="no scene"):
        ledger.heal("nope")


STATE = LabState(
    pid=4711,
    phase="running",
    kubeconfig="/x/admin.kubeconfig",
    kubectl="/bin-of-the-lab/kubectl",
    google="http://127.0.0.1:1",
    data_plane="Data plane: a relay [on loopback].",
    metrics="http://127.0.0.1:2",
    kubernetes="https://127.0.0.1:3",
    manifests={"staging": "/x/staging.yaml"},
    probers={"staging": "http://127.0.0.1:1/_run/p/r/prober"},
)


def printed(status: dict[str, Any]) -> str:
    file = io.StringIO()
    show_status(Console(file=file, width=200), status)
    return file.getvalue()


def test_the_guide_says_how_to_use_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    file = io.StringIO()
    guide(Console(file=file, width=40), STATE, ctrl_c=True)
    text = file.getvalue()
    for line in (
        "export KUBECONFIG=/x/admin.kubeconfig",
        'export PATH="$PATH:/bin-of-the-lab"',
        "kubectl apply -f /x/staging.yaml",
        "http://127.0.0.1:1/_run/p/r/prober/v1/probe",
        "Data plane: a relay [on loopback].",
        "http://127.0.0.1:2/metrics",
        "(or Ctrl-C here)",
    ):
        assert line in text


def test_status_says_how_to_begin_where_nothing_is_applied() -> None:
    text = printed(
        {
            "lab": dataclasses.asdict(STATE),
            "operator": {"alive": False},
            "resources": [],
            "hosts": [{"id": "p/redis-vm", "address": "10.0.0.5", "redis": "stopped"}],
            "services": [{"name": "prober", "connector": "p/c", "ready": False}],
            "problems": ["rule x cannot be compiled"],
            "scenes": [],
        }
    )
    for line in (
        "operator has ended",
        "a relay [on loopback]",
        "kubectl apply -f /x/staging.yaml",
        "Redis redis-vm at 10.0.0.5: stopped",
        "prober behind c: starting",
        "rule x cannot be compiled",
        "Scenes in force: none",
    ):
        assert line in text


def test_status_shows_conditions_probe_drift_and_what_is_wrong() -> None:
    status = {
        "conditions": [
            {"type": "Reachable", "status": "False", "reason": "ProbeFailed", "message": "no answer"},
            {"type": "Ready", "status": "False", "reason": "ProbeFailed", "message": "no answer"},
        ],
        "probe": {"consecutiveFailures": 3, "lastFailure": {"code": "ConnectTimeout"}},
        "drift": [{"name": "rule", "field": "exists", "repaired": "2026-01-01T00:00:00Z"}],
    }
    text = printed(
        {
            "lab": dataclasses.asdict(STATE),
            "operator": {"alive": True},
            "resources": [
                {"namespace": "staging", "name": "sessions", "status": status},
                {"namespace": "production", "name": "chat", "status": {}},
            ],
            "hosts": [],
            "services": [],
            "problems": [],
            "scenes": [{"scene": "redis-stopped (staging)", "done": "killed Redis"}],
        }
    )
    for line in (
        "staging/sessions",
        "ConnectTimeout ×3",
        "1, last: rule exists repaired",
        "sessions Reachable=False (ProbeFailed): no answer",
        "none yet",
        "redis-stopped (staging): killed Redis",
    ):
        assert line in text
