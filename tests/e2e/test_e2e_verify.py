"""`verify FILE` in a pipeline: real hops, real traffic, exit codes, JUnit XML and JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from support.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def verify(place: Place, folder: Path, *options: str, **spec: object) -> "subprocess.CompletedProcess[str]":
    file = folder / "redisconnectivity.yaml"
    file.write_text(yaml.safe_dump(place.world.resource(place.namespace, **spec)), encoding="utf-8")
    google = place.world.google
    endpoints = {f"REDIS_CONNECTIVITY_{one}_ENDPOINT": google for one in ("COMPUTE", "VPCACCESS", "REDIS")}
    environment = {**os.environ, **endpoints, "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous"}
    command = [sys.executable, "-m", "redis_connectivity", "verify", str(file), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def steps(said: str) -> dict[str, str]:
    (resource,) = json.loads(said)["resources"]
    return {step["name"]: step["outcome"] for step in resource["steps"]}


def test_a_path_that_works_passes_step_by_step(place: Place, tmp_path: Path) -> None:
    place.apply()
    place.ready()
    mark = place.mark()
    report = tmp_path / "junit.xml"
    done = verify(place, tmp_path, "-o", "json", "--junit", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(steps(done.stdout).values()) == {"Passed"}
    assert {"Network", "Connector", "Egress", "Ingress", "Redis", "tcp", "redisPing"} <= set(steps(done.stdout))
    (suite,) = ET.parse(report).getroot()
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
    assert int(suite.get("tests", "0")) == len(suite.findall("testcase")) == len(steps(done.stdout))
    assert place.written(since=mark) == []


def test_a_path_that_is_cut_fails_where_it_is_cut(place: Place, tmp_path: Path) -> None:
    place.apply()
    place.ready()
    place.lab.cloud.stop_redis(place.world.host_id)
    report = tmp_path / "junit.xml"
    done = verify(place, tmp_path, "-o", "json", "--junit", str(report))
    assert done.returncode == 2, done.stdout + done.stderr
    seen = steps(done.stdout)
    assert (seen["Redis"], seen["tcp"], seen["redisPing"]) == ("Passed", "Failed", "Skipped")
    (suite,) = ET.parse(report).getroot()
    (failure,) = suite.findall("testcase/failure")
    assert place.world.host in failure.get("message", "")


def test_before_anything_is_made_it_says_which_hop_is_missing(place: Place, tmp_path: Path) -> None:
    done = verify(place, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "✗ configuration Connector: ConnectorNotFound" in done.stdout


def test_it_waits_for_what_is_being_made(place: Place, tmp_path: Path) -> None:
    place.apply()
    done = verify(place, tmp_path, "--wait", "90")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "works" in done.stdout


def test_without_a_prober_nothing_is_proven_and_that_is_no_success(place: Place, tmp_path: Path) -> None:
    place.apply()
    place.ready()
    probe = {"interval": "30s"}
    done = verify(place, tmp_path, probe=probe)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "set spec.probe.proberUrl" in done.stdout
    assert verify(place, tmp_path, "--no-probe", probe=probe).returncode == 0


def test_bad_input_is_told_in_a_sentence(place: Place, tmp_path: Path) -> None:
    done = verify(place, tmp_path, connector={"ipCidrRange": "10.2.0.0/27"})
    assert done.returncode == 1
    assert "must be a /28" in done.stderr
    unwritable = verify(place, tmp_path, "--no-probe", "--junit", str(tmp_path / "none" / "report.xml"))
    assert unwritable.returncode == 1
    assert "cannot write" in unwritable.stderr
