"""`import` against the emulated Google Cloud: files, refusals, and that what it writes plans to nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cli.main import app
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings

PROJECT, REGION, NETWORK = "acme-staging", "us-central1", "staging-vpc"


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant(), seed=1) as running:
        running.control.project(PROJECT)
        running.control.put("networks", PROJECT, NETWORK)
        yield running.control


def environment(google: ControlClient, **more: str) -> dict[str, str]:
    named = dict.fromkeys(("COMPUTE", "VPCACCESS", "REDIS", "REDIS_CLUSTER", "RUN"), google.url)
    named["MEMORYSTORE"] = f"{google.url}/memorystore"
    endpoints = {f"REDIS_CONNECTIVITY_{name}_ENDPOINT": url for name, url in named.items()}
    return {**endpoints, "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous", "COLUMNS": "300", **more}


def run(google: ControlClient, *line: str) -> Result:
    done = CliRunner().invoke(app, list(line), env=environment(google))
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert google.audit(kind="write") == []
    return done


def imported(google: ControlClient, *more: str) -> Result:
    return run(google, "import", "--project", PROJECT, "--region", REGION, *more)


def build(google: ControlClient) -> None:
    """A hardened network with a path to a VM, one to Memorystore, and things that no resource can be written for."""
    for direction, ranges in (("INGRESS", "sourceRanges"), ("EGRESS", "destinationRanges")):
        google.put(
            "firewalls",
            PROJECT,
            f"deny-{direction.lower()}",
            network=NETWORK,
            direction=direction,
            priority=900,
            denied=[{"IPProtocol": "all"}],
            **{ranges: ["0.0.0.0/0"]},
        )
    redis = [{"IPProtocol": "tcp", "ports": ["6379"]}]
    common: dict[str, Any] = {"network": NETWORK, "priority": 800, "allowed": redis}
    google.put(
        "firewalls",
        PROJECT,
        "redis-in",
        direction="INGRESS",
        sourceRanges=["10.2.0.0/28"],
        targetTags=["redis-instance"],
        **copy.deepcopy(common),
    )
    google.put(
        "firewalls",
        PROJECT,
        "redis-out",
        direction="EGRESS",
        destinationRanges=["10.0.0.0/8"],
        targetTags=["vpc-connector"],
        **copy.deepcopy(common),
    )
    google.put("connectors", PROJECT, REGION, "staging-connector", network=NETWORK, ipCidrRange="10.2.0.0/28")
    google.put("connectors", PROJECT, REGION, "broken", network=NETWORK, ipCidrRange="10.3.0.0/28", state="ERROR")
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    tags = ["redis-instance"]
    google.put(
        "instances",
        PROJECT,
        f"{REGION}-a",
        "redis-vm",
        network=NETWORK,
        address="10.128.0.5",
        tags=tags,
        redisPort=6379,
    )


def test_what_is_written_is_valid_and_plans_to_nothing(google: ControlClient, tmp_path: Path) -> None:
    build(google)
    done = imported(google, "--namespace", "staging", "-o", str(tmp_path / "out"))

    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["chat-cache.yaml", "redis-vm.yaml"]
    for file in files:
        body = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert body["metadata"] == {"name": file.stem, "namespace": "staging"}
        RedisConnectivitySpec.model_validate(body["spec"])
    planned = run(google, "plan", *map(str, files))
    assert planned.exit_code == 0, planned.stdout
    assert planned.stdout.count("Nothing would change now.") == 2
    assert planned.stdout.count("Path now: open") == 2


def test_what_was_found_and_guessed_stands_in_comments(google: ControlClient) -> None:
    build(google)
    done = imported(google)

    assert "# Found: VM redis-vm (RUNNING, 10.128.0.5, zone us-central1-a), opened by rule redis-in." in done.stdout
    assert "# Guessed: environment staging, from the name of network staging-vpc." in done.stdout
    assert "# Applying this changes nothing in Google Cloud." in done.stdout
    assert len(list(yaml.safe_load_all(done.stdout))) == 2
    # Piped on, it is the same.
    planned = CliRunner().invoke(app, ["plan", "-"], env=environment(google), input=done.stdout)
    assert planned.exit_code == 0


def test_what_is_not_imported_is_told_with_its_reason(google: ControlClient) -> None:
    build(google)
    done = imported(google)

    assert "Not imported: connector broken: it is in state ERROR; import it when it is READY" in done.stderr
    assert "broken" not in done.stdout


def test_no_file_is_overwritten_unless_forced(google: ControlClient, tmp_path: Path) -> None:
    build(google)
    (tmp_path / "redis-vm.yaml").write_text("mine", encoding="utf-8")
    refused = imported(google, "-o", str(tmp_path))

    assert refused.exit_code == 1
    assert "has redis-vm.yaml already; nothing was written" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["redis-vm.yaml"]
    assert (tmp_path / "redis-vm.yaml").read_text(encoding="utf-8") == "mine"

    assert imported(google, "-o", str(tmp_path), "--force").exit_code == 0
    assert "RedisConnectivity" in (tmp_path / "redis-vm.yaml").read_text(encoding="utf-8")


def test_adoption_says_what_applying_would_do(google: ControlClient) -> None:
    build(google)
    done = imported(google, "--adopt")

    assert "adoptionPolicy: Adopt" in done.stdout
    assert "# Applying this would update firewall rule redis-in" in done.stdout


def test_a_project_without_paths_says_so(google: ControlClient) -> None:
    done = imported(google)

    assert done.exit_code == 0
    assert done.stdout == "# No path was found.\n"


def test_what_cannot_be_read_is_named_and_ends_with_1(google: ControlClient) -> None:
    build(google)
    google.allow(PROJECT, {"*": ["compute.*", "vpcaccess.*", "memorystore.*", "run.*"]})
    done = imported(google)

    assert done.exit_code == 1
    assert "Not imported: every Memorystore instance: could not be read" in done.stderr
    assert "Grant redis.instances.list" in done.stderr
    assert "redis-vm" in done.stdout


def test_without_connectors_there_is_nothing_to_say(google: ControlClient) -> None:
    google.allow(PROJECT, {"*": ["compute.*"]})
    done = imported(google)

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "Grant vpcaccess.connectors.list" in done.stderr


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (("--network", "absent-vpc"), 1, "has no network absent-vpc; it has staging-vpc"),
        (("--namespace", "My_Team"), 2, "must be a namespace"),
        (("--region", "us-central1-a"), 2, "must be a region such as us-central1"),
        (("--project", "1234"), 2, "must be a project's id"),
    ],
)
def test_bad_options_are_told(google: ControlClient, line: tuple[str, ...], code: int, words: str) -> None:
    done = imported(google, *line)

    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_a_shared_vpc_is_read_with_its_host_project(google: ControlClient, tmp_path: Path) -> None:
    host, redis = "acme-host", [{"IPProtocol": "tcp", "ports": ["6379"]}]
    google.project(host)
    google.put("networks", host, "shared-vpc")
    google.put("subnetworks", host, REGION, "conn", network="shared-vpc", ipCidrRange="10.8.0.0/28")
    google.put(
        "firewalls",
        host,
        "redis-in",
        network="shared-vpc",
        direction="INGRESS",
        priority=800,
        allowed=redis,
        sourceRanges=["10.8.0.0/28"],
        targetTags=["redis-instance"],
    )
    vm = {"network": "shared-vpc", "address": "10.128.0.5", "tags": ["redis-instance"], "redisPort": 6379}
    google.put("instances", host, f"{REGION}-a", "redis-vm", **vm)
    google.put("connectors", PROJECT, REGION, "shared-conn", subnet={"name": "conn", "projectId": host})
    alone = imported(google)
    assert "import with --host-project acme-host" in alone.stderr

    done = imported(google, "--host-project", host, "-o", str(tmp_path / "out"))
    assert done.exit_code == 0, done.stderr
    (file,) = (tmp_path / "out").iterdir()
    spec = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
    assert (spec["projectId"], spec["network"]) == (PROJECT, {"name": "shared-vpc", "hostProjectId": host})
    assert spec["connector"] == {"name": "shared-conn", "subnet": {"name": "conn"}, "management": "Observed"}
    planned = run(google, "plan", str(file))
    assert planned.exit_code == 0, planned.stdout


def test_direct_vpc_egress_is_written_and_plans_to_nothing(google: ControlClient, tmp_path: Path) -> None:
    google.put("subnetworks", PROJECT, REGION, "run", network=NETWORK, ipCidrRange="10.64.0.0/24")
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    interface = {"network": NETWORK, "subnetwork": "run", "tags": ["chat"]}
    template = {"containers": [{"image": "example/chat"}], "vpcAccess": {"networkInterfaces": [interface]}}
    made = httpx2.post(
        f"{google.url}/v2/projects/{PROJECT}/locations/{REGION}/services",
        params={"serviceId": "chat"},
        json={"template": template},
        trust_env=False,
    )
    assert made.status_code == 200, made.text
    google.clear_audit()

    done = imported(google, "-o", str(tmp_path / "out"))
    assert (done.exit_code, done.stderr) == (0, f"Wrote 1 resource to {tmp_path / 'out'}.\n")
    (file,) = (tmp_path / "out").iterdir()
    text = file.read_text(encoding="utf-8")
    assert "# Found: Cloud Run service chat on Direct VPC egress from subnet run (10.64.0.0/24)" in text
    assert yaml.safe_load(text)["spec"]["directVpcEgress"] == {"subnet": "run", "tags": ["chat"]}
    planned = run(google, "plan", str(file))
    assert planned.exit_code == 0, planned.stdout
    assert "Nothing would change now." in planned.stdout


def test_a_host_project_that_is_the_project_itself_is_refused(google: ControlClient) -> None:
    done = imported(google, "--host-project", PROJECT)
    assert done.exit_code == 1
    assert f"--host-project {PROJECT} is --project itself: leave it out" in done.stderr
