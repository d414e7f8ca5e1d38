"""`plan FILE…` against the emulated Google Cloud: what it shows, and the exit code that scripts go by."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from redis_connectivity.cli.main import app
from redis_connectivity.core.cloudvalues import Direction
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings

PROJECT, REGION, NETWORK = "acme-staging", "us-central1", "staging-vpc"
MEMORYSTORE: dict[str, Any] = {
    "apiVersion": "redisconnectivity.io/v1alpha1",
    "kind": "RedisConnectivity",
    "metadata": {"name": "chat", "namespace": "staging"},
    "spec": {
        "environment": "staging",
        "projectId": PROJECT,
        "region": REGION,
        "connector": {"ipCidrRange": "10.2.0.0/28"},
        "redis": {"memorystore": {"instance": "chat-cache"}},
    },
}
#: Without a cluster the resource is taken as a new one, which nobody has a uid for.
OWNER = ResourceId("none", "staging", "chat", "none")
RULE = "allow-vpc-connector-to-redis"


def variant(name: str = "chat", **spec: object) -> dict[str, Any]:
    made = copy.deepcopy(MEMORYSTORE)
    made["metadata"]["name"] = name
    made["spec"].update(spec)
    return made


ON_VM = variant(redis={"vm": {"host": "10.128.0.5"}})


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant(), seed=1) as running:
        running.control.project(PROJECT)
        running.control.put("networks", PROJECT, NETWORK)
        yield running.control


def plan(google: ControlClient, folder: Path, *documents: dict[str, Any], url: str = "", **env: str) -> Result:
    files = []
    for number, document in enumerate(documents):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(yaml.safe_dump(document), encoding="utf-8")
    endpoints = {f"REDIS_CONNECTIVITY_{one}_ENDPOINT": url or google.url for one in ("COMPUTE", "VPCACCESS", "REDIS")}
    env = {**endpoints, "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous", "COLUMNS": "300", **env}
    done = CliRunner().invoke(app, ["plan", *map(str, files)], env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    # A plan is only a plan.
    assert google.audit(kind="write") == []
    return done


def in_place(google: ControlClient) -> None:
    """All that the resource on Memorystore needs, made by somebody else."""
    google.put("connectors", PROJECT, REGION, "staging-connector", network=NETWORK, ipCidrRange="10.2.0.0/28")
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)


def test_differences_are_shown_and_end_with_2(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, MEMORYSTORE)

    assert done.exit_code == 2
    assert "staging/chat" in done.stdout
    assert "+ create connector staging-connector" in done.stdout
    assert "because it does not exist" in done.stdout
    assert f"ok Network: Network {NETWORK} exists." in done.stdout
    assert "no Redis: There is no Memorystore instance chat-cache" in done.stdout
    assert "(RedisNotFound)" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_gets_colours(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, MEMORYSTORE, FORCE_COLOR="1", TERM="xterm-256color")

    assert "\x1b[32m+ create connector staging-connector" in done.stdout


def test_no_difference_ends_with_0(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    done = plan(google, tmp_path, MEMORYSTORE)

    assert done.exit_code == 0
    assert "Nothing would change now." in done.stdout
    assert done.stdout.count(" ok ") == 4


def test_waiting_for_somebody_else_is_no_difference(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, variant(network={"name": "other-vpc"}))

    assert done.exit_code == 0
    assert "no Network: Project acme-staging has no network other-vpc." in done.stdout
    assert "Nothing can be done now." in done.stdout


def test_a_changed_rule_is_shown_field_by_field(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    google.put(
        "firewalls",
        PROJECT,
        RULE,
        network=NETWORK,
        direction="INGRESS",
        priority=1000,
        allowed=[{"IPProtocol": "tcp", "ports": ["6380"]}],
        sourceRanges=["10.2.0.0/28"],
        targetTags=["redis-instance"],
        logConfig={"enable": True, "metadata": "INCLUDE_ALL_METADATA"},
        description=Marker(OWNER, Direction.INGRESS, RULE).description(),
    )
    done = plan(google, tmp_path, ON_VM)

    assert done.exit_code == 2
    assert f"~ update firewall rule {RULE}" in done.stdout
    assert "protocols: tcp:6380 → tcp:6379" in done.stdout
    assert "sourceRanges" not in done.stdout


def test_several_files_and_one_verdict(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    done = plan(google, tmp_path, MEMORYSTORE, variant("sessions", redis={"vm": {"host": "10.128.0.5"}}))

    assert done.exit_code == 2
    nothing, something = done.stdout.split("staging/sessions")
    assert "Nothing would change now." in nothing
    assert f"+ create firewall rule {RULE}" in something


@pytest.mark.parametrize(
    ("spec", "seed", "words"),
    [
        ({"projectId": "acme-nowhere"}, lambda _: None, ("ProjectNotFound", "Check spec.projectId")),
        ({}, lambda google: google.allow(PROJECT, {"*": []}), ("PermissionDenied", "Grant compute.networks.list")),
        ({}, lambda google: google.project(PROJECT, disabledApis=["redis"]), ("APIDisabled", "Enable it there")),
    ],
    ids=["no-such-project", "permission-denied", "api-disabled"],
)
def test_what_cannot_be_read_ends_with_1(
    google: ControlClient, tmp_path: Path, spec: dict[str, object], seed: Any, words: tuple[str, ...]
) -> None:
    # Also beside a resource that differs: "could not be said" is the greater news.
    seed(google)
    done = plan(google, tmp_path, variant(**spec), ON_VM)

    assert done.exit_code == 1
    for word in words:
        assert word in done.stdout


def test_a_cloud_that_does_not_answer_ends_with_1(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, MEMORYSTORE, url="http://127.0.0.1:1")

    assert done.exit_code == 1
    assert "cannot be asked now" in done.stdout
