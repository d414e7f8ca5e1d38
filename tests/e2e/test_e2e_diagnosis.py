"""Every scene in the lab, against the real operator: the first diagnosis after the break is the true cause.

The resource is watched, so that a wrong diagnosis which stands for a moment is seen too. Page, kubectl and metrics must
tell the same; what the metrics said is then held before Prometheus' own tool, which must raise the alert.
"""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.narrator import Narrator
from redis_connectivity_lab.opened import opened_lab
from redis_connectivity_lab.sceneplay import Played, play_scene
from redis_connectivity_lab.scenes import SCENES, Scene
from redis_connectivity_lab.speeds import Speed
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import STAGING, Environment
from support.alerting import rule_test
from support.prometheus import PROMTOOL, rules

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PATIENCE = 60.0
#: Leaves the operator slow in its project for minutes after, and so has a lab of its own.
QUOTA = "quota-exhausted"
PLAYED = [(scene, env) for scene in SCENES.values() if scene.name != QUOTA for env in scene.environments]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with opened_lab(Speed.INSTANT, "auto", lambda _: None) as running:
        yield running


@pytest.fixture(scope="module")
def played() -> list[Played]:
    """The scenes that were played, each added by its test."""
    return []


@pytest.mark.parametrize(("scene", "env"), PLAYED, ids=[f"{scene.name}-{env.word}" for scene, env in PLAYED])
def test_the_first_diagnosis_is_the_true_cause_on_every_surface(
    lab: Lab, scene: Scene, env: Environment, played: list[Played]
) -> None:
    file = io.StringIO()
    narrator = Narrator(Console(file=file, width=160))
    play_scene(lab, narrator, scene, env, PATIENCE, played.append)
    said = file.getvalue()
    assert narrator.held, said
    # What is told before the cause can be known is no secret of this test.
    assert scene.earlier is None or said.index(f": {scene.earlier}. ") < said.index(f": {scene.cause(env)}. "), said


@pytest.mark.timeout(1800)
def test_a_used_up_quota_is_named_and_over_when_google_grants_again(played: list[Played]) -> None:
    """By Google's own minutes: the operator does not press for quota before the next one begins."""
    file = io.StringIO()
    narrator = Narrator(Console(file=file, width=160))
    with opened_lab(Speed.INSTANT, "auto", lambda _: None) as own:
        play_scene(own, narrator, SCENES[QUOTA], STAGING, PATIENCE, played.append)
    assert narrator.held, file.getvalue()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: tools/bootstrap.sh monitoring")
def test_what_the_metrics_said_raises_the_alert_of_each_scene(played: list[Played], tmp_path: Path) -> None:
    if not played:
        pytest.skip("no scene was played in this run")
    (tmp_path / "rules.yaml").write_text(rules(), encoding="utf-8")
    file = tmp_path / "scenes.test.yaml"
    file.write_text(rule_test(played), encoding="utf-8")
    command = [str(PROMTOOL), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def diagnose(lab: Lab, *arguments: str) -> tuple[int, str]:
    """`redis-connectivity diagnose` as an administrator runs it: its exit code, and all that it said."""
    command = [sys.executable, "-m", "redis_connectivity", "diagnose", *arguments]
    kubeconfig = ["--kubeconfig", str(lab.control_plane.kubeconfig)]
    done = subprocess.run([*command, *kubeconfig], capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_the_command_tells_what_the_status_knows(lab: Lab) -> None:
    env = STAGING
    where = (env.resource, "-n", env.namespace)
    code, said = diagnose(lab, *where)
    assert (code, "there is no RedisConnectivity sessions in namespace staging" in said) == (1, True), said
    lab.apply(env.manifest(lab.cloud.url))
    try:
        lab.wait_condition(env.namespace, env.resource, "Ready", deadline=PATIENCE)
        code, said = diagnose(lab, *where, "--fresh")
        assert code == 0, said
        assert "Ready=True (PathProven)" in said
        assert said.count("✓") == 6
        code, said = diagnose(lab, "session", "-n", env.namespace)
        assert (code, "; there are sessions" in said) == (1, True), said
        lab.cloud.stop_redis(env.host_id)
        lab.wait_condition(env.namespace, env.resource, "Ready", "False", "ProbeFailed", deadline=PATIENCE)
        code, said = diagnose(lab, *where)
        assert code == 2, said
        assert "RedisStopped: Nothing listens at 10.128.0.5:6379" in said
        told = json.loads(diagnose(lab, *where, "-o", "json")[1])
        assert told["diagnosis"]["documentation"] == "docs/diagnosis/RedisStopped.md"
        assert [hop["verdict"] for hop in told["path"]] == ["Allowed"] * 5 + ["Denied"]
    finally:
        lab.cloud.start_redis(env.host_id)
        lab.kubectl("delete", "rconn", env.resource, "-n", env.namespace)


def test_without_an_operator_a_fresh_look_is_not_waited_for_without_end(lab: Lab) -> None:
    env = STAGING
    lab.apply(env.manifest(lab.cloud.url))
    lab.wait_condition(env.namespace, env.resource, "Ready", deadline=PATIENCE)
    lab.operator.stop()
    try:
        code, said = diagnose(lab, env.resource, "-n", env.namespace, "--fresh", "--timeout", "2")
        assert (code, "has not looked at staging/sessions within 2 s. Does it run" in said) == (1, True), said
    finally:
        lab.operator.start()
        lab.kubectl("delete", "rconn", env.resource, "-n", env.namespace)
        wait_until(
            lambda: lab.get(env.namespace, env.resource) is None, deadline=PATIENCE, describe="the resource to go"
        )
