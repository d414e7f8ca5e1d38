"""Probes from Cloud Run: the operator deploys the prober, asks it, and takes it away with the last that needs it."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.operator_process import PROBER_IMAGE, OperatorProcess
from redis_connectivity_lab.shipped import google_role, operator_granted
from redis_connectivity_lab.stack import Lab
from support.commands import Commands
from support.hardened import REGION
from support.place import EGRESS, INGRESS, Place, grant_operator_namespace

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PROBE = {"from": "CloudRun", "interval": "2s", "timeout": "1s"}
#: Seconds: a container must start, on a machine that does much else.
DEADLINE = 120.0


def api(place: Place, path: str = "", body: Any = None, method: str = "GET") -> Any:
    """Cloud Run's API, as somebody who is not the operator."""
    url = f"{place.world.google}/v2/projects/{place.world.project}/locations/{REGION}/services{path}"
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def services(place: Place) -> list[dict[str, Any]]:
    """What is deployed, those that are on their way out left out."""
    return list(api(place).get("services", []))


def names(place: Place) -> list[str]:
    return [one["name"].rpartition("/")[2] for one in services(place)]


def proven(place: Place, name: str = "path", deadline: float = DEADLINE) -> None:
    place.says("Ready", "True", "PathProven", name=name, deadline=deadline)


@pytest.fixture
def own(lab: Lab) -> Iterator[Place]:
    """A place with an operator of its own; the shared one rests."""
    lab.operator.stop()
    namespace = f"run-{secrets.token_hex(3)}"
    home = grant_operator_namespace(lab)
    operator = lab.new_operator(identity=namespace, NAMESPACE=home, NAMESPACES=namespace)
    operator.start()
    made = Place.make(lab, (operator,), namespace=namespace, operator_namespace=home)
    try:
        yield made
        made.assert_unhurt()
    finally:
        for one in made.operators:
            one.kill()
        made.clear()
        lab.control_plane.purge_namespace(home)


def replace_operator(place: Place, **settings: str) -> None:
    """Stop the operator, and start one with other settings in its stead."""
    place.stop_operator()
    old = place.operators[0]
    successor: OperatorProcess = place.lab.new_operator(
        identity=f"{place.namespace}-{secrets.token_hex(2)}",
        NAMESPACE=place.operator_namespace,
        NAMESPACES=place.namespace,
        **settings,
    )
    assert successor.identity != old.identity
    place.operators = (successor,)
    place.start_operator()


def test_the_path_is_proven_by_a_prober_that_the_operator_deployed(
    place: Place, commands: Commands, kubeconfig: str, tmp_path: Path
) -> None:
    file = tmp_path / "path.yaml"
    file.write_text(json.dumps(place.world.resource(place.namespace, probe=PROBE)), encoding="utf-8")
    planned = ("plan", str(file), "--kubeconfig", kubeconfig)
    before = commands.run(*planned, code=2)
    place.apply(probe=PROBE)
    proven(place)
    deployed = place.status()["prober"]["service"].rpartition("/")[2]
    assert f"then + create Cloud Run service {deployed}, because spec.probe.from is CloudRun" in before
    after = commands.run(*planned)
    assert f"ok Prober: Cloud Run service {deployed} serves." in after
    assert "Nothing would change now." in after
    file.write_text(json.dumps(place.world.resource(place.namespace)), encoding="utf-8")
    given_up = commands.run(*planned, code=2)
    assert f"- delete Cloud Run service {deployed}, unless another resource needs it" in given_up
    (service,) = services(place)
    access = service["template"]["vpcAccess"]
    assert access["connector"].endswith(f"/connectors/{place.world.connector}")
    assert access["egress"] == "PRIVATE_RANGES_ONLY"
    assert service["template"]["containers"][0] | {"ports": [], "resources": {}} == {
        "image": PROBER_IMAGE,
        "args": ["prober"],
        "ports": [],
        "resources": {},
    }
    prober = place.status()["prober"]
    assert prober == {
        "service": service["name"],
        "state": "Ready",
        "image": PROBER_IMAGE,
        "url": service["uri"],
    }
    assert place.status()["probe"]["origin"] == "Prober"
    # The prober is one process of the lab, and answers the operator alone.
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{service['uri']}/healthz", timeout=30)

    # A cut rule is noticed by it, and healed.
    mark = place.mark()
    for rule in (INGRESS, EGRESS):
        place.world.control.delete("firewalls", place.world.project, rule)
    place.until(lambda: len(place.world.own_rules()) == 2, "the rules to come back")
    proven(place)
    # At rest nothing is written, and the service is looked at rarely.
    assert [one["method"] for one in place.written(since=mark) if one["method"].startswith("run.")] == []

    place.delete()
    place.until(lambda: names(place) == [], "the prober to go")
    assert place.is_clean()
    # First the prober, then the connector that it left by.
    kinds = ("run.services.delete", "vpcaccess.connectors.delete")
    assert [one["method"] for one in place.written() if one["method"] in kinds] == list(kinds)


def test_a_pipeline_asks_the_prober_that_is_deployed(
    place: Place, commands: Commands, kubeconfig: str, tmp_path: Path
) -> None:
    """Without a cluster it is known by its label and by its way."""
    file = tmp_path / "path.yaml"
    file.write_text(json.dumps(place.world.resource(place.namespace, probe=PROBE)), encoding="utf-8")
    assert "no prober on this way serves yet" in commands.run("verify", str(file), code=2)
    place.apply(probe=PROBE)
    proven(place)
    mark = place.mark()
    (told,) = json.loads(commands.run("verify", str(file), "-o", "json"))["resources"]
    outcomes = {step["name"]: step["outcome"] for step in told["steps"]}
    assert (outcomes["tcp"], outcomes["redisPing"]) == ("Passed", "Passed")
    place.lab.cloud.stop_redis(place.world.host_id)
    assert "ConnectionRefused" in commands.run("verify", str(file), code=2)
    place.lab.cloud.start_redis(place.world.host_id)
    known = ("verify", str(file), "--kubeconfig", kubeconfig, "--wait", "30")
    assert "works" in commands.run(*known)
    everything = frozenset().union(*operator_granted().values())
    place.world.control.allow(place.world.project, {ANONYMOUS: sorted(everything - {"run.routes.invoke"})})
    assert "needs run.routes.invoke there" in commands.run("verify", str(file), code=1)
    assert place.written(since=mark) == []


def test_what_cuts_the_path_for_good_is_told_by_the_prober(place: Place) -> None:
    place.apply(probe={**PROBE, "failureThreshold": 1})
    proven(place)
    place.lab.cloud.stop_redis(place.world.host_id)
    place.says("Reachable", "False", "ProbeFailed")
    place.lab.cloud.start_redis(place.world.host_id)
    proven(place)


def test_two_resources_share_one_prober_and_the_last_one_takes_it_away(place: Place) -> None:
    for name in ("path", "second"):
        place.apply(name, probe=PROBE)
    for name in ("path", "second"):
        proven(place, name)
    assert len(names(place)) == 1
    assert place.count("run.services.create") == 1
    place.delete("path")
    proven(place, "second")
    assert len(names(place)) == 1
    # The other one is content with the operator's own probes, and needs it no more.
    place.apply("second", probe={"from": "Operator", "interval": "2s", "timeout": "1s"})
    place.until(lambda: names(place) == [], "the prober to go")
    place.until(lambda: place.status("second").get("prober") is None, "the status to forget it")
    assert "spec.probe.from" in place.says("Reachable", "Unknown", "NotProbed", name="second")
    place.delete("second")


def test_a_service_that_somebody_deletes_or_edits_is_put_right(place: Place) -> None:
    place.apply(probe=PROBE)
    proven(place)
    (before,) = services(place)
    api(place, f"/{before['name'].rpartition('/')[2]}", method="DELETE")
    place.until(
        lambda: [one["uid"] for one in services(place)] not in ([], [before["uid"]]), "another service", deadline=90
    )
    proven(place)
    template = services(place)[0]["template"]
    container = {"image": "us-docker.pkg.dev/eve/images/other:1", "args": ["prober"]}
    changed = {"template": {"containers": [container], "vpcAccess": template["vpcAccess"]}}
    api(place, f"/{names(place)[0]}?updateMask=template", changed, "PATCH")
    place.until(
        lambda: [one["template"]["containers"][0]["image"] for one in services(place)] == [PROBER_IMAGE],
        "the image to be put right",
        deadline=90,
    )
    proven(place)


def test_a_target_that_it_was_not_given_is_refused(own: Place) -> None:
    own.apply(probe=PROBE)
    proven(own)
    replace_operator(own, PROBER_ALLOW="10.99.0.0/16,10.98.0.0/16")
    refusal = own.says("Reachable", "Unknown", "ProberUnavailable", deadline=DEADLINE)
    assert "10.128.0.5 is in none of the allowed ranges: 10.99.0.0/16, 10.98.0.0/16" in refusal
    replace_operator(own, PROBER_ALLOW="10.128.0.0/20")
    proven(own)
    (service,) = services(own)
    assert service["template"]["containers"][0]["args"] == ["prober", "--allow", "10.128.0.0/20"]


def test_another_image_upgrades_it_and_a_missing_one_is_told(own: Place) -> None:
    own.apply(probe=PROBE)
    proven(own)
    (before,) = services(own)
    newer = PROBER_IMAGE.replace("1.0", "1.1")
    replace_operator(own, PROBER_IMAGE=newer)
    own.until(
        lambda: own.status().get("prober", {}).get("image") == newer and own.status()["prober"]["state"] == "Ready",
        "the upgrade",
        deadline=DEADLINE,
    )
    proven(own)
    (after,) = services(own)
    assert after["uid"] == before["uid"]
    assert after["template"]["containers"][0]["image"] == newer
    # One that is in no registry leaves what serves in service, and is told.
    gone = PROBER_IMAGE.replace("1.0", "gone")
    own.world.control.project(own.world.project, missingImages=[gone])
    replace_operator(own, PROBER_IMAGE=gone)
    own.until(lambda: own.status().get("prober", {}).get("state") == "Failed", "the failure", deadline=DEADLINE)
    assert f"Image '{gone}' not found" in own.status()["prober"]["message"]
    assert "Check that the image" in own.says("Reachable", "True", "ProbeSucceeded")
    # Once it is there, the deployment is tried again by itself.
    own.world.control.project(own.world.project, missingImages=[])
    own.until(lambda: own.status().get("prober", {}).get("state") == "Ready", "the next try", deadline=DEADLINE)
    proven(own)
    # Without the setting there is nothing to deploy, and that is told too.
    replace_operator(own, PROBER_IMAGE="")
    assert "--prober-image" in own.says("Reachable", "Unknown", "ProberUnavailable")
    own.delete()
    assert names(own) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_it_is_created_makes_no_second_one(own: Place, when: str) -> None:
    control, operator = own.world.control, own.operators[0]
    method = {"before": "run.services.create", "after": "run.services.get"}[when]
    # The call is on its way, or has just been answered, when the operator dies.
    control.fault(method, "delay", delay=5.0, count=1, project=own.world.project)
    own.apply(probe=PROBE)
    if when == "before":
        own.until(lambda: own.ledger().get("prober"), "the intent in the ledger")
    else:
        own.until(lambda: names(own), "the service")
    operator.kill()
    own.start_operator()
    proven(own)
    assert len(names(own)) == 1
    assert own.count("run.services.create") == 1
    own.delete()
    assert names(own) == []


def test_a_foreign_service_of_that_name_is_left_alone(own: Place) -> None:
    own.apply(probe=PROBE)
    proven(own)
    (service,) = services(own)
    name = service["name"].rpartition("/")[2]
    # The same name again, made by somebody else: the operator cannot have made what has not its label.
    own.stop_operator()
    api(own, f"/{name}?updateMask=labels", {"labels": {"team": "eve"}, "template": service["template"]}, "PATCH")
    own.start_operator()
    mark = own.mark()
    told = own.says("Reachable", "Unknown", "ProberUnavailable")
    assert "belongs to somebody else" in told
    assert own.status()["diagnosis"]["code"] == "ProberUnavailable"
    own.delete()
    assert names(own) == [name]
    assert [one for one in own.written(since=mark) if one["method"].startswith("run.")] == []


def test_a_missing_permission_is_told_and_its_grant_is_noticed(place: Place) -> None:
    control, project = place.world.control, place.world.project
    everything = operator_granted()[ANONYMOUS]
    without = sorted(everything - google_role("role-prober"))
    control.allow(project, {ANONYMOUS: without})
    place.apply(probe=PROBE)
    assert "run.services.list" in place.says("Reachable", "Unknown", "ProberUnavailable")
    assert place.says("ConnectorReady", "True")
    control.allow(project, {ANONYMOUS: [*without, "run.services.list", "run.services.get"]})
    place.until(
        lambda: "run.services.create" in place.lab.condition(place.namespace, "path", "Reachable").get("message", ""),
        "the next one that is missing",
        deadline=DEADLINE,
    )
    assert "create Cloud Run service" in place.says("Ready", "Unknown", "ProberUnavailable")
    control.allow(project, {ANONYMOUS: sorted(everything - {"run.routes.invoke"})})
    place.until(
        lambda: "run.routes.invoke" in place.lab.condition(place.namespace, "path", "Reachable").get("message", ""),
        "the operator to be turned away at the front end",
        deadline=DEADLINE,
    )
    control.allow(project, {ANONYMOUS: sorted(everything)})
    proven(place)


def test_an_api_that_is_off_is_told(place: Place) -> None:
    place.world.control.project(place.world.project, disabledApis=["run"])
    place.apply(probe=PROBE)
    assert "API is not enabled" in place.says("Reachable", "Unknown", "ProberUnavailable")
    place.world.control.project(place.world.project, disabledApis=[])
    proven(place)


def test_direct_vpc_egress_probes_from_its_own_subnet(place: Place) -> None:
    control, world = place.world.control, place.world
    control.put("subnetworks", world.project, REGION, "run", network=world.network, ipCidrRange="10.64.0.0/24")
    way = {"subnet": "run", "tags": ["chat-run"]}
    body = world.resource(place.namespace, probe=PROBE, directVpcEgress=way)
    del body["spec"]["connector"]
    place.lab.apply(body)
    proven(place)
    (service,) = services(place)
    (interface,) = service["template"]["vpcAccess"]["networkInterfaces"]
    assert interface["tags"] == ["chat-run"]
    assert interface["subnetwork"].endswith("/subnetworks/run")
    place.delete()
    place.until(lambda: names(place) == [], "the prober to go")


def may_not_delete(place: Place) -> None:
    """Take the right to remove probers from the operator."""
    kept = sorted(operator_granted()[ANONYMOUS] - {"run.services.delete"})
    place.world.control.allow(place.world.project, {ANONYMOUS: kept})


def test_a_deletion_waits_for_the_prober_and_says_so(place: Place) -> None:
    place.apply(probe=PROBE)
    proven(place)
    may_not_delete(place)
    place.delete(wait=False)
    message = place.says("Ready", "False", "PermissionDenied", deadline=DEADLINE)
    assert "run.services.delete" in message
    # The path is closed meanwhile; the connector that the prober leaves by is there.
    assert not place.world.own_rules()
    assert place.world.connectors() == [place.world.connector]
    place.world.control.allow(place.world.project, None)
    place.gone()
    assert names(place) == []
    assert place.is_clean()


def test_with_retain_nothing_waits_for_a_prober_that_may_not_be_removed(place: Place) -> None:
    place.apply(probe=PROBE, deletionPolicy="Retain")
    proven(place)
    may_not_delete(place)
    place.delete()
    assert len(names(place)) == 1
    place.until(
        lambda: any("delete Cloud Run service" in one for one in place.events("ApplyFailed")), "an Event about it"
    )


def test_who_still_uses_a_connector_that_is_to_be_retired_is_named(place: Place) -> None:
    place.apply(probe=PROBE)
    proven(place)
    (prober,) = services(place)
    vpc_access = prober["template"]["vpcAccess"]
    chat = {"template": {"containers": [{"image": PROBER_IMAGE, "args": ["prober"]}], "vpcAccess": vpc_access}}
    api(place, "?serviceId=chat", chat, "POST")
    place.apply(probe=PROBE, connector={"ipCidrRange": "10.3.0.0/28", "replacement": "Recreate"})
    # The operator's own prober moves by itself, and is not named.
    named = f"(of project {place.world.project} still: chat)"

    def says(word: bool) -> bool:
        told = place.lab.condition(place.namespace, "path", "ConnectorReady")
        waits = told.get("reason") == "ConnectorRetirementWaiting"
        return waits and (named in told["message"]) is word

    place.until(lambda: says(True), f"ConnectorReady to say {named}", DEADLINE)
    api(place, "/chat", method="DELETE")
    place.until(lambda: says(False), "the service that is gone to be named no more", DEADLINE)
