"""`plan FILE…` against the emulated Google Cloud: what it shows, and the exit code that scripts go by."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cli.main import app
from redis_connectivity.core.cloudvalues import Direction
from redis_connectivity.core.guardrails import policy_of, violations
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


def spec_of(document: dict[str, Any]) -> RedisConnectivitySpec:
    return RedisConnectivitySpec.model_validate(document["spec"])


ON_VM = variant(redis={"vm": {"host": "10.128.0.5"}})


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant(), seed=1) as running:
        running.control.project(PROJECT)
        running.control.put("networks", PROJECT, NETWORK)
        yield running.control


def plan(
    google: ControlClient,
    folder: Path,
    *documents: dict[str, Any],
    url: str = "",
    options: tuple[str, ...] = (),
    stdin: str | None = None,
    **env: str,
) -> Result:
    files = []
    for number, document in enumerate(documents):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(yaml.safe_dump(document), encoding="utf-8")
    endpoints = {f"REDIS_CONNECTIVITY_{one}_ENDPOINT": url or google.url for one in ("COMPUTE", "VPCACCESS", "REDIS")}
    env = {**endpoints, "REDIS_CONNECTIVITY_CREDENTIALS": "anonymous", "COLUMNS": "300", **env}
    done = CliRunner().invoke(app, ["plan", *options, *map(str, files)], env=env, input=stdin)
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


# --- risk, and what becomes of the path


def hardened(google: ControlClient) -> None:
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


def as_json(google: ControlClient, folder: Path, *documents: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    done = plan(google, folder, *documents, options=("-o", "json"))
    told = json.loads(done.stdout)
    assert told["exitCode"] == done.exit_code
    return done.exit_code, told


def test_what_follows_is_told_too_with_its_risk_and_the_path_afterwards(google: ControlClient, tmp_path: Path) -> None:
    hardened(google)
    done = plan(google, tmp_path, ON_VM)

    assert done.exit_code == 2
    assert "then + create firewall rule allow-vpc-connector-egress-to-redis (EGRESS, priority 899)" in done.stdout
    assert "risk: none: it allows, and takes nothing away" in done.stdout
    assert "Path now: broken, after this: open" in done.stdout
    assert "broken → open  Connector: Connector staging-connector is READY" in done.stdout
    assert "No cluster was asked, so this is planned as a new resource" in done.stdout


def test_what_stays_broken_is_named_with_its_remedy(google: ControlClient, tmp_path: Path) -> None:
    hardened(google)
    done = plan(google, tmp_path, variant(redis={"vm": {"host": "10.128.0.5"}}, firewall={"ingress": "Never"}))

    assert "Path now: broken, after this: broken" in done.stdout
    assert "Not open then: Ingress: Ingress to Redis is denied by rule deny-ingress (priority 900)" in done.stdout
    assert "Set it to Auto, or allow the traffic yourself. (FirewallRuleForbidden)" in done.stdout


def test_a_narrowing_is_named_as_what_it_is(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    google.put(
        "firewalls",
        PROJECT,
        RULE,
        network=NETWORK,
        direction="INGRESS",
        priority=1000,
        allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}],
        sourceRanges=["10.2.0.0/28", "10.9.0.0/24"],
        targetTags=["redis-instance"],
        logConfig={"enable": True, "metadata": "INCLUDE_ALL_METADATA"},
        description=Marker(OWNER, Direction.INGRESS, RULE).description(),
    )
    done = plan(google, tmp_path, ON_VM)

    assert "risk: takes connectivity away: it no longer allows from 10.9.0.0/24" in done.stdout


def test_json_has_it_all(google: ControlClient, tmp_path: Path) -> None:
    hardened(google)
    code, told = as_json(google, tmp_path, ON_VM)

    assert (code, told["differences"], told["complete"], told["skipped"]) == (2, True, True, [])
    (one,) = told["resources"]
    assert (one["namespace"], one["name"], one["ownership"], one["risk"]) == ("staging", "chat", "NoCluster", "None")
    assert [(action["round"], action["action"]) for action in one["actions"]] == [
        (0, "CreateConnector"),
        (1, "InsertRule"),
        (1, "InsertRule"),
    ]
    assert all(action["why"] and action["risk"]["message"] for action in one["actions"])
    assert (one["path"]["before"], one["path"]["after"]) == ("False", "True")
    assert one["path"]["notOpenThen"] == []
    hops = {hop["hop"]: (hop["before"]["status"], hop["after"]["status"]) for hop in one["path"]["hops"]}
    assert hops["Connector"] == ("False", "True")
    assert hops["Egress"] == hops["Ingress"] == ("Unknown", "True")


def test_json_names_what_could_not_be_read(google: ControlClient, tmp_path: Path) -> None:
    google.allow(PROJECT, {"*": ["compute.firewalls.*", "vpcaccess.*", "redis.*"]})
    code, told = as_json(google, tmp_path, ON_VM)

    assert (code, told["complete"]) == (1, False)
    unread = {one["what"]: one for one in told["resources"][0]["unreadable"]}
    assert unread["network"]["reason"] == "PermissionDenied"
    assert "Grant compute.networks.list" in unread["network"]["message"]


def test_other_kinds_are_skipped_with_a_note_and_lists_are_opened(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    several = {"apiVersion": "v1", "kind": "List", "items": [service, MEMORYSTORE]}
    code, told = as_json(google, tmp_path, service, several)
    done = plan(google, tmp_path, service, several)

    assert code == done.exit_code == 0
    assert [one["what"] for one in told["skipped"]] == ["Service web", "Service web"]
    assert told["resources"][0]["source"].endswith("1.yaml (document 1, item 2)")
    assert done.stderr.count("Skipped ") == 2
    assert "Skipped" not in done.stdout


def test_standard_input_is_a_file_too(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    documents = yaml.safe_dump_all([MEMORYSTORE, variant("other", environment="dev")])
    done = plan(google, tmp_path, options=("-",), stdin=documents)

    assert "staging/chat  (standard input (document 1))" in done.stdout
    assert "staging/other  (standard input (document 2))" in done.stdout


def test_every_invalid_document_is_told_at_once(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, variant(region="us"), variant("second", projectId="x"))

    assert done.exit_code == 1
    assert "chat is not valid" in done.stderr
    assert "second is not valid" in done.stderr


def test_a_suspended_resource_changes_nothing(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, variant(suspend=True))

    assert done.exit_code == 0
    assert "Suspended: nothing is done until spec.suspend is false" in done.stdout
    assert "+ create connector staging-connector" in done.stdout


# --- policies


def policy(name: str, **limits: object) -> dict[str, Any]:
    spec = {"namespaces": ["staging"], **limits}
    api_version = "redisconnectivity.io/v1alpha1"
    return {"apiVersion": api_version, "kind": "RedisConnectivityPolicy", "metadata": {"name": name}, "spec": spec}


def test_what_a_policy_among_the_files_forbids_is_told_in_the_operators_words(
    google: ControlClient, tmp_path: Path
) -> None:
    forbids = policy("other-project", projects=["acme-other"])
    done = plan(google, tmp_path, MEMORYSTORE, forbids)

    assert done.exit_code == 1
    (refusal,) = violations([policy_of("other-project", forbids)], "staging", spec_of(MEMORYSTORE))
    assert f"not allowed {refusal.message}" in done.stdout
    assert "Nothing is changed in the cloud until then. Were it allowed, this would be:" in done.stdout
    assert "+ create connector staging-connector" in done.stdout
    assert "Skipped" not in done.stderr


def test_json_tells_what_is_not_allowed_by_which_policy(google: ControlClient, tmp_path: Path) -> None:
    ranges = policy("ranges", sources={"ranges": ["10.9.0.0/16"]})
    code, told = as_json(google, tmp_path, MEMORYSTORE, ranges, policy("projects", projects=[]))

    assert code == 1
    (one,) = told["resources"]
    assert (one["changes"], told["differences"]) == (False, False)
    assert [refused["policy"] for refused in one["notAllowed"]] == ["projects", "ranges"]
    assert "(spec.connector.ipCidrRange)" in one["notAllowed"][1]["message"]


def test_a_policy_that_allows_it_or_is_about_others_changes_nothing(google: ControlClient, tmp_path: Path) -> None:
    allows = policy("allows", projects=["acme-*"], networks=[NETWORK])
    code, told = as_json(google, tmp_path, MEMORYSTORE, allows, policy("others", namespaces=["prod-*"], projects=[]))

    assert code == 2
    assert told["resources"][0]["notAllowed"] == []
    # The cluster may have more of them, and was not asked.
    assert any("only policies among the files count" in note for note in told["resources"][0]["notes"])


def test_what_is_not_allowed_is_not_there_for_the_next_one(google: ControlClient, tmp_path: Path) -> None:
    """The operator makes nothing for the first one, so the second one's range is free."""
    clash = variant("clash", connector={"name": "second-connector", "ipCidrRange": "10.2.0.0/28"})
    clash["metadata"]["namespace"] = "elsewhere"
    _, told = as_json(google, tmp_path, policy("none", projects=[]), MEMORYSTORE, clash)

    first, second = told["resources"]
    assert first["notAllowed"]
    assert not second["notAllowed"]
    assert [one["action"] for one in second["actions"]][:1] == ["CreateConnector"]


def test_a_policy_that_is_not_valid_is_bad_input(google: ControlClient, tmp_path: Path) -> None:
    done = plan(google, tmp_path, MEMORYSTORE, policy("bad", targets={"ranges": ["10.0.0.0"]}))

    assert done.exit_code == 1
    assert "1.yaml (document 1): RedisConnectivityPolicy bad is not valid: spec.targets.ranges" in done.stderr


def test_what_one_file_makes_the_next_one_finds(google: ControlClient, tmp_path: Path) -> None:
    clash = variant("clash", connector={"name": "second-connector", "ipCidrRange": "10.2.0.0/28"})
    shares = variant("shares", redis={"vm": {"host": "10.128.0.6"}})
    _, told = as_json(google, tmp_path, ON_VM, clash, shares)

    first, second, third = told["resources"]
    assert [one["action"] for one in first["actions"]] == ["CreateConnector", "InsertRule"]
    assert second["actions"] == []
    assert second["path"]["notOpenThen"][0]["reason"] == "ConnectorRangeConflict"
    (insert,) = third["actions"]
    # The connector is the first one's then, and the plain name of the rule is taken.
    assert insert["action"] == "InsertRule"
    assert f"{RULE}-" in insert["summary"]


def test_rules_of_a_namesake_are_pointed_out(google: ControlClient, tmp_path: Path) -> None:
    in_place(google)
    real = ResourceId("cluster-uid", "staging", "chat", "uid-1")
    google.put(
        "firewalls",
        PROJECT,
        RULE,
        network=NETWORK,
        direction="INGRESS",
        priority=1000,
        allowed=[{"IPProtocol": "tcp", "ports": ["6379"]}],
        sourceRanges=["10.2.0.0/28"],
        description=Marker(real, Direction.INGRESS, RULE).description(),
    )
    done = plan(google, tmp_path, ON_VM)

    assert f"{RULE}: marked as made for a resource staging/chat" in done.stdout


# --- the prober on Cloud Run

FROM_CLOUD_RUN = variant(probe={"from": "CloudRun"})


def with_run(google: ControlClient, folder: Path, *documents: dict[str, Any], **more: Any) -> Result:
    return plan(google, folder, *documents, REDIS_CONNECTIVITY_RUN_ENDPOINT=google.url, **more)


def test_the_prober_is_told_last_and_once_for_all_that_share_it(google: ControlClient, tmp_path: Path) -> None:
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    other = variant("feed", probe={"from": "CloudRun"})
    done = with_run(google, tmp_path, FROM_CLOUD_RUN, other)
    assert done.exit_code == 2, done.output
    first, second = done.output.split("staging/feed")
    lines = first.splitlines()
    (created,) = [number for number, line in enumerate(lines) if "create Cloud Run service" in line]
    assert lines[created].strip().startswith("then + create Cloud Run service redis-connectivity-prober-")
    assert "because spec.probe.from is CloudRun" in lines[created]
    assert not any("+ create connector" in line for line in lines[created:])
    assert "create Cloud Run service" not in second
    assert "is named after the cluster, which was not asked" in first


def test_json_tells_of_the_prober(google: ControlClient, tmp_path: Path) -> None:
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    done = with_run(google, tmp_path, FROM_CLOUD_RUN, MEMORYSTORE, options=("-o", "json"))
    told = [one["prober"] for one in json.loads(done.stdout)["resources"]]
    assert (told[0]["action"], told[0]["why"]) == ("CreateProber", "spec.probe.from is CloudRun")
    assert told[1] is None


def test_services_that_cannot_be_read_leave_it_unsaid(google: ControlClient, tmp_path: Path) -> None:
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    google.allow(PROJECT, {"anonymous": ["compute.*", "vpcaccess.*", "redis.*"]})
    done = with_run(google, tmp_path, FROM_CLOUD_RUN)
    assert done.exit_code == 1
    assert "unread run services: Google refused run.services.list" in done.output
    assert "Grant run.services.list" in done.output
    assert "create Cloud Run service" not in done.output

    # With all else in place, too, it is not said that nothing would change.
    google.put("connectors", PROJECT, REGION, "staging-connector", network=NETWORK, ipCidrRange="10.2.0.0/28")
    done = with_run(google, tmp_path, FROM_CLOUD_RUN)
    assert done.exit_code == 1
    assert "Nothing would change now." not in done.output
    assert "Nothing can be done now." in done.output


def test_a_suspended_or_a_path_that_is_not_there_deploys_nothing(google: ControlClient, tmp_path: Path) -> None:
    google.put("redis", PROJECT, REGION, "chat-cache", network=NETWORK)
    lost = variant(probe={"from": "CloudRun"}, network={"name": "elsewhere-vpc"})
    done = with_run(google, tmp_path, lost)
    assert done.exit_code == 0, done.output
    assert "Prober: The prober waits for the way that it is to take" in done.output
    resting = variant(probe={"from": "CloudRun"}, suspend=True)
    assert with_run(google, tmp_path, resting).exit_code == 0
