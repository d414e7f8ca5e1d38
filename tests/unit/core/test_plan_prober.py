"""The prober that the operator deploys: its name, whose it is, and what is done about each state it can be in."""

from dataclasses import replace
from typing import Any

import pytest
from connector_values import PROJECT, REGION, desired

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.ledger import ProberRecord
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.plan_prober import CreateProber, ProberPlan, UpdateProber, plan_prober
from redis_connectivity.core.prober import ProberSetup, is_ours, labels_of, prober_path, prober_there, service_of
from redis_connectivity.core.runvalues import Rollout, RunService, WayOut
from redis_connectivity.core.verdict import Verdict, good, unknown

IMAGE = "gcr.io/acme/operator:1.0"
SETUP = ProberSetup(IMAGE)
CLOUD_RUN = {"probe": {"from": "CloudRun"}}
WANT = service_of(desired(**CLOUD_RUN), SETUP)
THERE = replace(WANT, uri="https://prober.run.app", rollout=Rollout.SUCCEEDED, serves=True)
RECORD = ProberRecord(service=WANT.full_name)
ENTRY = good(Reason.CONNECTOR_READY, "READY")
NOW = 1000.0


def planned(
    seen: RunService | Unseen | None, *, entry: Verdict = ENTRY, want: RunService = WANT, **record: Any
) -> ProberPlan:
    return plan_prober(want, "cluster", seen, entry, RECORD.model_copy(update=record), NOW)


def test_the_name_is_that_of_the_way_and_the_cluster() -> None:
    path = prober_path(desired(**CLOUD_RUN))
    prefix, name = path.rsplit("/", 1)
    assert prefix == f"projects/{PROJECT}/locations/{REGION}/services"
    assert name.startswith("redis-connectivity-prober-")
    assert len(name) < 50
    same = desired(**CLOUD_RUN, redis={"vm": {"host": "10.128.0.6"}})
    assert prober_path(same) == path
    others = [
        desired({"name": "other", "ipCidrRange": "10.2.0.0/28"}, **CLOUD_RUN),
        desired(**CLOUD_RUN, directVpcEgress={"subnet": "run"}),
        desired(**CLOUD_RUN, directVpcEgress={"subnet": "run", "tags": ["a"]}),
        desired(**CLOUD_RUN, directVpcEgress={"subnet": "else"}),
        replace(desired(**CLOUD_RUN), owner=replace(desired().owner, cluster="another")),
    ]
    assert len({path, *(prober_path(one) for one in others)}) == len(others) + 1


def test_the_name_stays_when_another_connector_takes_over() -> None:
    path = desired(**CLOUD_RUN)
    moved = replace(path, entry=replace(path.connector, name="staging-co-123456"))
    assert prober_path(moved) == prober_path(path)
    assert service_of(moved, SETUP).way.connector.endswith("/staging-co-123456")


def test_the_way_is_the_path_s() -> None:
    assert WANT.way == WayOut(f"projects/{PROJECT}/locations/{REGION}/connectors/staging-connector")
    network = {"name": "shared", "hostProjectId": "acme-host"}
    direct = desired(**CLOUD_RUN, network=network, directVpcEgress={"subnet": "run", "tags": ["a"]})
    assert service_of(direct, SETUP).way == WayOut(
        network="projects/acme-host/global/networks/shared",
        subnetwork=f"projects/acme-host/regions/{REGION}/subnetworks/run",
        tags=frozenset({"a"}),
    )


def test_a_prober_is_known_by_its_mark_and_its_way_whatever_cluster_made_it() -> None:
    want = desired(**CLOUD_RUN)
    theirs = replace(THERE, name="redis-connectivity-prober-theirs", labels=frozenset(labels_of("another").items()))
    chat = replace(THERE, name="chat")
    going = replace(THERE, deleting=True)
    elsewhere = replace(THERE, way=WayOut(f"projects/{PROJECT}/locations/{REGION}/connectors/other"))
    assert prober_there(want, (chat, going, elsewhere)) is None
    assert prober_there(want, (chat, theirs, elsewhere)) == theirs
    host = replace(THERE, way=WayOut(f"projects/acme-host/locations/{REGION}/connectors/staging-connector"))
    assert prober_there(want, (host,)) is None
    numbered = replace(THERE, way=WayOut(f"projects/1234567/locations/{REGION}/connectors/staging-connector"))
    assert prober_there(want, (numbered,)) == numbered
    # Google may write a connector by its name alone.
    short = replace(THERE, way=WayOut("staging-connector"))
    assert prober_there(want, (short,)) == short
    by_subnet = desired(**CLOUD_RUN, directVpcEgress={"subnet": "run", "tags": ["a"]})
    direct = service_of(by_subnet, SETUP)
    assert prober_there(by_subnet, (THERE, direct)) == direct
    assert prober_there(desired(**CLOUD_RUN, directVpcEgress={"subnet": "run"}), (direct,)) is None


def test_the_targets_that_it_is_given_are_arguments_of_its_container() -> None:
    given = ProberSetup(IMAGE, allow=("10.128.0.0/20", "10.64.0.0/24"))
    want = service_of(desired(**CLOUD_RUN), given)
    assert want.args == ("prober", "--allow", "10.128.0.0/20", "--allow", "10.64.0.0/24")
    assert WANT.args == ("prober",)
    action = planned(THERE, want=want).action
    assert isinstance(action, UpdateProber)
    assert "its settings" in action.why


def test_the_account_is_an_e_mail_or_a_name_in_the_project() -> None:
    for given, email in (
        ("", ""),
        ("prober", f"prober@{PROJECT}.iam.gserviceaccount.com"),
        ("p@other.iam.gserviceaccount.com", "p@other.iam.gserviceaccount.com"),
    ):
        assert service_of(desired(**CLOUD_RUN), ProberSetup(IMAGE, given)).service_account == email


def test_it_is_made_once_the_way_is_there() -> None:
    waiting = planned(None, entry=unknown(Reason.CONNECTOR_CREATING, "…"))
    assert (waiting.action, waiting.url, waiting.trouble) == (None, "", "")
    plan = planned(None)
    assert plan.action == CreateProber(WANT, "spec.probe.from is CloudRun")
    assert plan.verdict.reason is Reason.PENDING


def test_what_was_just_begun_is_not_begun_again() -> None:
    plan = planned(None, attempts=1, at=NOW - 1)
    assert plan.action is None
    assert plan.due_in is not None
    assert 0 < plan.due_in <= 5
    assert planned(None, attempts=1, at=NOW - 6).action is not None


def test_a_refusal_is_told_until_it_is_tried_again() -> None:
    plan = planned(None, attempts=3, at=NOW - 1, trouble="Grant run.services.create.")
    assert plan.action is None
    assert plan.verdict == unknown(Reason.PROBER_UNAVAILABLE, "Grant run.services.create.")
    assert plan.trouble
    assert planned(None, attempts=3, at=NOW - 400, trouble="Grant it.").action is not None


def test_at_rest_nothing_is_done() -> None:
    plan = planned(THERE)
    assert (plan.action, plan.due_in, plan.trouble, plan.url) == (None, None, "", THERE.uri)


def test_google_s_own_additions_are_no_difference() -> None:
    account = "123-compute@developer.gserviceaccount.com"
    labels = THERE.labels | {("cloud.googleapis.com/location", REGION)}
    number = replace(THERE.way, connector=THERE.way.connector.replace(PROJECT, "123456789012"))
    assert planned(replace(THERE, service_account=account, labels=labels, way=number)).action is None


DIFFERENCES = {
    "image": {"image": "gcr.io/acme/operator:0.9"},
    "arguments": {"args": ("run",)},
    "connector": {"way": WayOut("projects/p/locations/r/connectors/old")},
    "way": {"way": WayOut(network="n", subnetwork="s")},
    "tags": {"way": replace(WANT.way, tags=frozenset({"x"}))},
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_differs_is_put_right_while_it_goes_on_serving(what: str) -> None:
    plan = planned(replace(THERE, **DIFFERENCES[what]))
    assert isinstance(plan.action, UpdateProber)
    assert plan.action.service == WANT
    assert plan.url == THERE.uri


def test_another_account_is_put_right_where_one_is_declared() -> None:
    want = replace(WANT, service_account="prober@acme.iam.gserviceaccount.com")
    assert isinstance(planned(THERE, want=want).action, UpdateProber)


def test_it_is_asked_about_while_it_is_deployed() -> None:
    new = replace(THERE, rollout=Rollout.UNDER_WAY, serves=False, uri="")
    plan = planned(new, attempts=1, at=NOW - 20)
    assert (plan.action, plan.url, plan.due_in) == (None, "", 2.0)
    assert plan.verdict.reason is Reason.PENDING
    assert planned(replace(THERE, rollout=Rollout.UNDER_WAY)).url == THERE.uri


def test_a_failed_deployment_is_told_and_tried_again() -> None:
    failed = replace(THERE, rollout=Rollout.FAILED, serves=False, uri="", message="Image 'x' not found.")
    plan = planned(failed, attempts=2, at=NOW - 1)
    assert plan.action is None
    assert plan.verdict.reason is Reason.PROBER_UNAVAILABLE
    assert "Image 'x' not found." in plan.trouble
    assert IMAGE in plan.trouble
    again = planned(failed, attempts=2, at=NOW - 60).action
    assert isinstance(again, UpdateProber)
    # An unchanged template would make no revision.
    assert again.service.attempt == 1
    # What served before goes on.
    assert planned(replace(failed, serves=True, uri=THERE.uri)).url == THERE.uri


def test_one_that_is_on_its_way_out_is_waited_for() -> None:
    plan = planned(replace(THERE, deleting=True))
    assert (plan.action, plan.url) == (None, "")
    assert plan.due_in is not None


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        (frozenset(), "somebody else"),
        (frozenset({("redis-connectivity-cluster", "other")}), "the operator of the cluster other"),
    ],
)
def test_a_foreign_one_is_left_alone(labels: frozenset[tuple[str, str]], whose: str) -> None:
    plan = planned(replace(THERE, labels=labels, image="gcr.io/eve/other"))
    assert (plan.action, plan.url) == (None, "")
    assert plan.verdict.reason is Reason.PROBER_UNAVAILABLE
    assert f"belongs to {whose}" in plan.trouble


def test_what_cannot_be_read_is_told() -> None:
    plan = planned(Unseen(Reason.PERMISSION_DENIED, "Grant run.services.list."))
    assert plan.action is None
    assert "Grant run.services.list." in plan.verdict.message


def test_the_marker_is_a_label_that_google_takes() -> None:
    uid = "37e73e75-3a41-4011-bd02-1da337fc4267"
    ((key, value),) = labels_of(uid).items()
    assert value == uid
    assert len(key) <= 63
    assert is_ours(replace(THERE, labels=frozenset({(key, value)})), uid)
    assert not is_ours(THERE, uid)
