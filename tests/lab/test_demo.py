"""The demo as a user runs it, its scenes, and that it does not say yes when the answer is no."""

import io
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from redis_connectivity_lab.demo import play
from redis_connectivity_lab.narrator import Narrator
from redis_connectivity_lab.opened import opened_lab
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.speeds import Speed
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import STAGING
from support.commands import Commands
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

STEPS = 18
PATIENCE = 60.0


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path)
    yield made
    made.end()


def rows(said: str) -> list[str]:
    """The last column of the table's rows that have one."""
    return re.findall(r"│\s+[\d.]*\s+│\s*(yes|NO|skipped)\s*│", said)


@pytest.mark.parametrize("data_plane", ["auto", "relay"])
def test_every_step_of_the_demo_holds(commands: Commands, data_plane: str) -> None:
    said = commands.run("lab", "demo", "--fast", "--data-plane", data_plane)
    assert rows(said) == ["yes"] * STEPS, said
    assert f"Every one of {STEPS} steps held." in said
    assert "Data plane: " in said
    if data_plane == "relay":
        assert "Data plane: a relay on this machine" in said
    assert "baseline: PING times out, with connector READY and Redis running: ConnectTimeout" in said
    assert commands.left() == []


def test_ctrl_c_in_the_middle_leaves_nothing_behind(commands: Commands) -> None:
    process = commands.start("lab", "demo")
    assert process.stdout is not None
    for line in process.stdout:
        if "turns Ready" in line:
            break
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 130, said
    assert "Stopped; everything that was started is gone." in said
    assert commands.left() == []


def test_a_machine_without_a_control_plane_is_told_what_to_do(commands: Commands, tmp_path: Path) -> None:
    commands.environment["KUBEBUILDER_ASSETS"] = str(tmp_path)
    assert "Error: " in commands.run("lab", "demo", "--fast", code=1)
    assert commands.left() == []


def test_an_unknown_scene_is_told_before_anything_starts(commands: Commands) -> None:
    said = commands.run("lab", "demo", "--scene", "nope", code=1)
    assert "there is no scene 'nope'; there are rule-deleted" in said
    said = commands.run("lab", "demo", "--scene", "egress-denied", "-e", "staging", code=1)
    assert "can be played in production, not in 'staging'" in said


# --- in a lab that the tests share


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with opened_lab(Speed.INSTANT, "auto", lambda _: None) as running:
        yield running


def story() -> tuple[Narrator, io.StringIO]:
    file = io.StringIO()
    return Narrator(Console(file=file, width=160)), file


def test_without_an_operator_the_demo_does_not_hold_and_says_why(lab: Lab) -> None:
    narrator, told = story()
    lab.operator.stop()
    try:
        play(lab, narrator, STAGING, patience=3)
        narrator.summary()
    finally:
        lab.operator.start()
    assert not narrator.held
    seen = {step.name: step.ok for step in narrator.steps}
    assert seen == {
        "baseline": True,
        "apply": True,
        "ready": False,
        "ping": None,
        "deleted": None,
        "narrowed": None,
        "foreign": None,
        # kubectl delete works without an operator: there is no finalizer yet, and nothing was made.
        "delete": True,
        "closed": True,
    }
    text = told.getvalue()
    assert "waited 3 s for: sessions to be Ready=True" in text
    assert "(the operator does not run)" in text
    assert rows(text).count("skipped") == 4


def test_an_open_network_is_no_baseline(lab: Lab) -> None:
    """The demo tries its PING really: where nothing denies it, there is nothing to repair."""
    site = Site(lab.cloud, STAGING)
    site.put_rule(
        "open-in", direction="INGRESS", priority=10, allowed=[{"IPProtocol": "all"}], sourceRanges=["0.0.0.0/0"]
    )
    site.put_rule(
        "open-out", direction="EGRESS", priority=10, allowed=[{"IPProtocol": "all"}], destinationRanges=["0.0.0.0/0"]
    )
    narrator, told = story()
    try:
        wait_until(lambda: site.ask().ok, deadline=20, describe="PING through an open network")
        play(lab, narrator, STAGING, PATIENCE)
    finally:
        site.delete_rule("open-in")
        site.delete_rule("open-out")
    assert narrator.steps[0].ok is False
    assert "PING was answered, so there is nothing to repair" in told.getvalue()
    assert not narrator.held
