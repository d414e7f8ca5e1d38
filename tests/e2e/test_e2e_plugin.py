"""`kubectl redisconnectivity …`, started by the real kubectl, against the context that kubectl has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def kubectl(place: Place, *arguments: str, code: int = 0) -> str:
    google = place.world.google
    environment = {
        **os.environ,
        **{f"REDIS_CONNECTIVITY_{one}_ENDPOINT": google for one in ("COMPUTE", "VPCACCESS", "REDIS")},
        "REDIS_CONNECTIVITY_NETWORK_MANAGEMENT_ENDPOINT": f"{google}/networkmanagement",
        "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous",
        "KUBECONFIG": str(place.lab.control_plane.kubeconfig),
        # The plugin is on PATH, as an installation puts it.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
    }
    command = [str(place.lab.control_plane.binaries.kubectl), "redisconnectivity", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout if code != 1 else done.stderr


def test_all_of_it_works_against_the_current_context(place: Place, tmp_path: Path) -> None:
    place.apply()
    place.ready()
    file = tmp_path / "path.yaml"
    file.write_text(yaml.safe_dump(place.world.resource(place.namespace)), encoding="utf-8")
    # The plan is for the resource that the cluster has, not for a new one.
    assert "Nothing would change now." in kubectl(place, "plan", str(file))
    assert "works" in kubectl(place, "verify", str(file))
    assert "Ready=True" in kubectl(place, "diagnose", "path", "-n", place.namespace)
    assert f"✓ {place.namespace}/path" in kubectl(place, "watch", "-n", place.namespace, "--once")
    assert "✓ redisPing" in kubectl(place, "probe", "path", "-n", place.namespace)


def test_a_probe_tells_how_it_is_now_and_not_how_it_was(place: Place) -> None:
    # So rarely that only the question itself can bring news.
    place.apply(probe={"proberUrl": place.world.prober_url, "interval": "1h", "timeout": "1s", "failureThreshold": 1})
    place.ready()
    place.lab.cloud.stop_redis(place.world.host_id)
    told = json.loads(kubectl(place, "probe", "path", "-n", place.namespace, "-o", "json", code=2))
    assert (told["reachable"], told["probe"]["checks"][0]["status"]) == ("False", "Failed")
    place.lab.cloud.start_redis(place.world.host_id)
    told = json.loads(kubectl(place, "probe", "path", "-n", place.namespace, "-o", "json"))
    assert {one["status"] for one in told["probe"]["checks"]} == {"Succeeded"}


def test_google_is_asked_for_a_second_opinion(place: Place) -> None:
    # With the rights of a person, which the operator has not.
    place.world.control.allow(place.world.project, {"*": ["*"]})
    place.apply()
    place.ready()
    asked = ("connectivity-test", "path", "-n", place.namespace, "--revision", "prober")
    said = kubectl(place, *asked)
    assert "REACHABLE" in said
    assert "The operator says Ready=True (PathProven): both find the path open." in said
    place.world.deny("no-way-out", "EGRESS", priority=0)
    place.says("Ready", "False")
    told = json.loads(kubectl(place, *asked, "-o", "json", code=2))
    assert (told["result"], told["steps"][-1]["cause"]) == ("UNREACHABLE", "FIREWALL_RULE")
    assert told["steps"][-2]["rule"] == "no-way-out (DENY at priority 0, VPC_FIREWALL_RULE)"
    assert "both find the path broken" in told["meaning"]
    assert "revision was not found" not in kubectl(place, *asked[:-1], "nobody-00001", code=1)
    # What was made for it is gone again.
    made, gone = (place.count(f"networkmanagement.connectivitytests.{verb}") for verb in ("create", "delete"))
    assert made == gone == 3


def test_a_report_tells_the_story_with_what_was_seen(place: Place, tmp_path: Path) -> None:
    place.apply()
    place.ready()
    name, page = ("path", "-n", place.namespace), place.operators[0].page
    told = kubectl(place, "report", *name, "--page", page, "--requests-per-minute", "600")
    assert "- Connector staging-connector: Absent." in told
    assert "- Egress: Denied, by" in told
    assert "deny-all-egress" in told
    assert "| firewall rule allow-vpc-connector-to-redis (made) |" in told
    assert "| redisPing | Succeeded |" in told
    assert "requests without Redis" in told
    file = tmp_path / "report.html"
    kubectl(place, "report", *name, "--page", page, "-o", str(file))
    html = file.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "src=" not in html  # all of it is in the one file
    assert "does not answer" in kubectl(place, "report", *name, "--page", "http://127.0.0.1:1", code=1)


def test_what_cannot_be_probed_is_told_at_once(place: Place) -> None:
    assert "there is no RedisConnectivity none" in kubectl(place, "probe", "none", "-n", place.namespace, code=1)
    place.apply(suspend=True)
    place.says("Ready", "Unknown", "Suspended")
    assert "is suspended" in kubectl(place, "probe", "path", "-n", place.namespace, code=1)
