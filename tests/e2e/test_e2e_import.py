"""There and back: what `import` writes for paths made by hand is applied, and nothing happens in the cloud."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from redis_connectivity.api.base import API_VERSION, POLICY_KIND
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import Lab
from support.commands import Commands
from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def make_path_by_hand(place: Place) -> None:
    """A connector and rules, as a person made them with gcloud."""
    control, project = place.world.control, place.world.project
    control.put(*place.connector_key, network="staging-vpc", ipCidrRange="10.2.0.0/28", machineType="e2-standard-4")
    redis: dict[str, Any] = {"network": "staging-vpc", "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}]}
    control.put(
        "firewalls",
        project,
        "redis-in",
        direction="INGRESS",
        priority=800,
        sourceRanges=["10.2.0.0/28"],
        targetTags=["redis-instance"],
        **redis,
    )
    control.put(
        "firewalls",
        project,
        "redis-out",
        direction="EGRESS",
        priority=800,
        destinationRanges=["10.128.0.0/9"],
        targetTags=["vpc-connector"],
        **redis,
    )


def import_(place: Place, commands: Commands, folder: Path, *more: str) -> list[Path]:
    """Import as somebody who may read all of the project, VMs included; the operator may not."""
    control, project = place.world.control, place.world.project
    control.allow(project, {"*": ["compute.*", "vpcaccess.*", "redis.*", "memorystore.*", "run.*"]})
    try:
        commands.run(
            "import",
            *("--project", project, "--region", REGION, "--namespace", place.namespace),
            *("-o", str(folder), *more),
        )
    finally:
        control.allow(project, None)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("place", ["vm", "memorystore"], indirect=True)
def test_an_imported_path_is_applied_and_nothing_is_written(place: Place, commands: Commands, tmp_path: Path) -> None:
    make_path_by_hand(place)
    (file,) = import_(place, commands, tmp_path / "out")
    before = place.world.rules()
    assert "Nothing would change now." in commands.run("plan", str(file))

    body = yaml.safe_load(file.read_text(encoding="utf-8"))
    # Proven with traffic from behind the connector, which an import cannot know of.
    body["spec"]["probe"] = {"proberUrl": place.world.prober_url, "interval": "2s", "timeout": "1s"}
    place.lab.apply(body)
    name = body["metadata"]["name"]
    place.ready(name)
    assert place.says("Ready", "True", "PathProven", name=name)
    place.polls(3)
    place.delete(name)

    assert place.written() == []
    assert place.world.rules() == before
    assert place.world.connectors() == ["staging-connector"]


def test_a_closed_path_stays_closed_until_somebody_says_otherwise(
    place: Place, commands: Commands, tmp_path: Path
) -> None:
    make_path_by_hand(place)
    place.world.control.delete("firewalls", place.world.project, "redis-out")
    (file,) = import_(place, commands, tmp_path / "out")
    assert "# The path is broken." in file.read_text(encoding="utf-8")
    place.lab.kubectl("apply", "-f", str(file))
    name = file.stem
    place.says("FirewallReady", "False", "FirewallRuleForbidden", name=name)
    assert place.written() == []

    place.lab.kubectl(
        *("patch", "rconn", name, "-n", place.namespace, "--type=merge"),
        *("-p", json.dumps({"spec": {"firewall": {"egress": "Auto"}}})),
    )
    place.says("FirewallReady", "True", "FirewallOpen", name=name)
    assert set(place.world.own_rules()) == {EGRESS}


def test_adoption_does_what_the_file_says(place: Place, commands: Commands, tmp_path: Path) -> None:
    make_path_by_hand(place)
    (file,) = import_(place, commands, tmp_path / "out", "--adopt")
    text = file.read_text(encoding="utf-8")
    assert "# Applying this would update firewall rule redis-in" in text
    place.lab.kubectl("apply", "-f", str(file))
    place.until(lambda: set(place.world.own_rules()) == {"redis-in"}, "the rule to be adopted")
    place.polls(3)
    assert {one["method"] for one in place.written()} == {"compute.firewalls.update"}
    assert len(place.written()) == 1


# --- the plan of what lives in a cluster


def test_what_the_operator_made_plans_to_nothing(
    place: Place, commands: Commands, kubeconfig: str, tmp_path: Path
) -> None:
    place.apply()
    place.ready()
    file = tmp_path / "path.yaml"
    file.write_text(json.dumps(place.world.resource(place.namespace)), encoding="utf-8")
    known = ("--kubeconfig", kubeconfig)
    told = json.loads(commands.run("plan", str(file), *known, "-o", "json"))
    (one,) = told["resources"]
    assert (one["ownership"], one["changes"]) == ("Known", False)
    assert one["path"]["after"] == "True"
    # Without the cluster it cannot be known whose the rules are, and that is said.
    blind = json.loads(commands.run("plan", str(file), "-o", "json", code=2))
    assert blind["resources"][0]["ownership"] == "NoCluster"
    assert any(f"{INGRESS}" in note or f"{EGRESS}" in note for note in blind["resources"][0]["notes"])


def test_who_may_not_read_ledgers_still_gets_a_plan(
    place: Place, operator: OperatorProcess, commands: Commands, lab: Lab, tmp_path: Path
) -> None:
    """A developer: may read resources of the namespace, and neither kube-system nor the operator's namespace."""
    place.apply()
    place.ready()
    lab.kubectl("create", "serviceaccount", "developer", "-n", place.namespace)
    role = ("--verb=get,list", "--resource=redisconnectivities.redisconnectivity.io", "-n", place.namespace)
    lab.kubectl("create", "role", "developer", *role)
    account = f"--serviceaccount={place.namespace}:developer"
    lab.kubectl("create", "rolebinding", "developer", "--role=developer", account, "-n", place.namespace)
    mine = lab.control_plane.service_account_kubeconfig(place.namespace, "developer")
    file = tmp_path / "path.yaml"
    file.write_text(json.dumps(place.world.resource(place.namespace)), encoding="utf-8")

    told = json.loads(commands.run("plan", str(file), "--kubeconfig", str(mine), "-o", "json"))
    (one,) = told["resources"]
    assert (one["ownership"], one["changes"]) == ("LedgerUnread", False)
    assert any("The ledger cannot be read" in note and "counts as its own" in note for note in one["notes"])
    assert any("right to list redisconnectivitypolicies" in note for note in one["notes"])
    assert operator.alive


def test_what_the_clusters_policies_forbid_is_told_as_the_operator_tells_it(
    place: Place, commands: Commands, kubeconfig: str, lab: Lab, tmp_path: Path
) -> None:
    place.apply()
    place.ready()
    name = f"only-{place.namespace}"
    policy = {
        "apiVersion": API_VERSION,
        "kind": POLICY_KIND,
        "metadata": {"name": name},
        "spec": {"namespaces": [place.namespace], "networks": ["another-vpc"]},
    }
    file, wider = tmp_path / "path.yaml", tmp_path / "policy.yaml"
    file.write_text(json.dumps(place.world.resource(place.namespace)), encoding="utf-8")
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    try:
        said = place.says("Ready", "False", "NotAllowedByPolicy")
        told = json.loads(commands.run("plan", str(file), "--kubeconfig", kubeconfig, "-o", "json", code=1))
        (refused,) = told["resources"][0]["notAllowed"]
        assert refused["policy"] == name
        assert said.startswith(refused["message"])
        # The policy as it is about to be counts, and not as it is.
        policy["spec"] = {"namespaces": [place.namespace], "networks": ["*-vpc"]}
        wider.write_text(json.dumps(policy), encoding="utf-8")
        commands.run("plan", str(file), str(wider), "--kubeconfig", kubeconfig)
    finally:
        lab.kubectl("delete", "rconnpolicy", name)
