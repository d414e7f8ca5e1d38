"""`lab up`, and the commands of other terminals that find it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redis_connectivity_lab.controlplane import find
from support.commands import Commands
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

UP = ("lab", "up", "--speed", "instant")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path)
    yield made
    made.end()


def status(commands: Commands) -> dict[str, Any]:
    return dict(json.loads(commands.run("lab", "status", "--json")))


def condition(commands: Commands, name: str, kind: str) -> str:
    for one in status(commands)["resources"]:
        if one["name"] == name:
            return next((c["status"] for c in one["status"].get("conditions", []) if c["type"] == kind), "")
    return ""


def kubectl(lab: dict[str, Any], *arguments: str) -> str:
    command = [lab["kubectl"], "--kubeconfig", lab["kubeconfig"], *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=90).stdout


def wait_line(process: subprocess.Popen[str], word: str) -> list[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if word in line:
            return said
    raise AssertionError(f"it ended before it said {word!r}:\n{''.join(said)}")


def test_up_status_break_heal_down(commands: Commands) -> None:
    said = commands.run(*UP, "--detach")
    for words in ("export KUBECONFIG=", "kubectl apply -f ", "/v1/probe", "/metrics", "redis-connectivity lab down"):
        assert words in said
    assert "a lab runs already (pid" in commands.run(*UP, code=1)
    assert "a lab runs already (pid" in commands.run(*UP, "-d", code=1)

    # What it says works.
    lab = status(commands)["lab"]
    assert "apply the resource first" not in said
    assert "apply staging's resource first" in commands.run("lab", "break", "rule-deleted", code=1).replace("\n", " ")
    for file in lab["manifests"].values():
        kubectl(lab, "apply", "-f", file)
    kubectl(lab, "wait", "rconn", "-A", "--all", "--for=condition=Ready", "--timeout=60s")
    assert "sessions" in commands.run("lab", "status")

    # A scene that the operator heals, ...
    assert "deleted firewall rule allow-vpc-connector-to-redis" in commands.run("lab", "break", "rule-deleted")
    wait_until(
        lambda: any(one["status"].get("drift") for one in status(commands)["resources"]),
        deadline=30,
        describe="the repair in status",
    )
    assert status(commands)["scenes"] == []

    # ... and one that it names.
    assert "killed Redis" in commands.run("lab", "break", "redis-stopped", "-e", "production")
    assert "in force already" in commands.run("lab", "break", "redis-stopped", "-e", "production", code=1)
    wait_until(lambda: condition(commands, "chat", "Reachable") == "False", deadline=30, describe="Reachable=False")
    seen = commands.run("lab", "status")
    assert "redis-stopped (production): killed Redis" in seen
    assert "Redis chat-cache at 10.129.0.3: stopped" in seen
    assert "redis-stopped (production): ended." in commands.run("lab", "heal")
    wait_until(lambda: condition(commands, "chat", "Ready") == "True", deadline=30, describe="Ready again")
    assert "No scene is in force." in commands.run("lab", "heal")
    assert "there is no scene 'nope'" in commands.run("lab", "break", "nope", code=1)

    assert "has stopped" in commands.run("lab", "down")
    assert commands.left() == []
    assert "no lab runs" in commands.run("lab", "status", code=1)
    assert "no lab runs" in commands.run("lab", "down", code=1)


def test_scenes_are_listed_without_a_lab(commands: Commands) -> None:
    said = commands.run("lab", "break")
    assert "memorystore-maintenance" in said
    assert "names it: RedisNotReady" in said


@pytest.mark.parametrize("data_plane", ["auto", "relay"])
def test_kill_9_leaves_no_process_and_the_next_lab_no_folder(commands: Commands, data_plane: str) -> None:
    process = commands.start(*UP, "--apply", "--data-plane", data_plane)
    said = "".join(wait_line(process, "To stop it:"))
    assert "Both are Ready after" in said
    folder = Path(said.split("export KUBECONFIG=", 1)[1].split("\n", 1)[0]).parent
    assert folder.is_dir()
    assert len(commands.left()) > 5  # etcd, kube-apiserver, operator, agent, redis-servers, probers
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not commands.left(), deadline=20, describe=lambda: f"these to end: {commands.left()}")
    assert "no lab runs" in commands.run("lab", "status", code=1)

    again = commands.start(*UP)
    wait_line(again, "To stop it:")
    assert not folder.exists()
    os.kill(again.pid, signal.SIGTERM)
    rest, _ = again.communicate(timeout=90)
    assert again.returncode == 0, rest
    assert "Stopped; everything that was started is gone." in rest
    assert commands.left() == []


def test_a_lab_that_cannot_start_in_the_background_says_why(commands: Commands) -> None:
    found = find()
    commands.environment["KUBEBUILDER_ASSETS"] = str(found.etcd.parent)
    commands.environment["PATH"] = "/nowhere"  # no unshare, so no namespaces
    said = commands.run(*UP, "-d", "--data-plane", "namespaces", code=1)
    assert "Error: no data plane can run here" in said
    assert "`--data-plane relay` needs no privileges" in said
    assert "Error: the lab did not start" in said
    assert commands.left() == []
