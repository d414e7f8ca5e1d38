"""What the page says about a resource: the first broken hop, and how the path as a whole stands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.web.view import HopState, path_view, summary

GOOD = {
    "Ready": ("True", "PathProven"),
    "NetworkReady": ("True", "NetworkFound"),
    "ConnectorReady": ("True", "ConnectorReady"),
    "RedisReady": ("True", "RedisFound"),
    "FirewallReady": ("True", "FirewallOpen"),
    "Reachable": ("True", "ProbeSucceeded"),
}


def body(probe: dict[str, Any] | None = None, **conditions: tuple[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "staging", "name": "chat"},
        "spec": {"environment": "staging", "projectId": "acme", "region": "us-central1"},
        "status": {
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": f"{reason}.", "lastTransitionTime": "t"}
                for kind, (status, reason) in {**GOOD, **conditions}.items()
            ],
            "connector": {"name": "staging-connector"},
            "redis": {"host": "10.0.0.3", "port": 6379},
            "firewallRules": [{"name": "allow-vpc-connector-to-redis"}],
            "probe": {"origin": "Prober", "latencyMilliseconds": 2.1} if probe is None else probe,
        },
    }


def states(given_body: dict[str, Any]) -> list[str]:
    return [hop.state.value for hop in path_view(given_body).hops]


def test_a_proven_path_is_ok_at_every_hop_and_names_what_stands_there() -> None:
    view = path_view(body())
    assert view.state is HopState.OK
    assert [(hop.name, hop.subject, hop.state.value) for hop in view.hops] == [
        ("Cloud Run", "us-central1", "ok"),
        ("Connector", "staging-connector", "ok"),
        ("Firewall", "allow-vpc-connector-to-redis", "ok"),
        ("Redis", "10.0.0.3:6379", "ok"),
    ]


@pytest.mark.parametrize(
    ("condition", "reason", "expected"),
    [
        ("NetworkReady", "NetworkNotFound", ["ok", "broken", "ok", "ok"]),
        ("ConnectorReady", "ConnectorError", ["ok", "broken", "ok", "ok"]),
        ("ConnectorReady", "ConnectorCreating", ["ok", "working", "ok", "ok"]),
        ("FirewallReady", "FirewallDenyUnbeatable", ["ok", "ok", "broken", "ok"]),
        ("FirewallReady", "FirewallApplying", ["ok", "ok", "working", "ok"]),
        ("RedisReady", "RedisNotReady", ["ok", "ok", "ok", "broken"]),
    ],
)
def test_a_condition_that_is_false_breaks_its_own_hop(condition: str, reason: str, expected: list[str]) -> None:
    assert states(body(**{condition: ("False", reason)})) == expected


@pytest.mark.parametrize(("owned", "expected"), [(True, HopState.WORKING), (False, HopState.BROKEN)])
def test_a_connector_that_somebody_else_deletes_is_no_work_of_the_operators(owned: bool, expected: HopState) -> None:
    deleted = ("False", "ConnectorDeleting")
    one = body(ConnectorReady=deleted, Ready=deleted)
    one["status"]["connector"]["owned"] = owned
    view = path_view(one)
    assert (view.state, view.hops[1].state) == (expected, expected)


def test_where_all_looks_right_and_nothing_answers_redis_is_the_broken_hop() -> None:
    seen = path_view(body(Reachable=("False", "ProbeFailed"), Ready=("False", "ProbeFailed")))
    assert [hop.state.value for hop in seen.hops] == ["ok", "ok", "ok", "broken"]
    assert seen.hops[3].reason == "ProbeFailed"
    assert seen.state is HopState.BROKEN


def test_a_probe_that_fails_behind_a_broken_hop_is_not_blamed_on_redis() -> None:
    cut = body(Reachable=("False", "ProbeFailed"), FirewallReady=("False", "FirewallShadowed"))
    assert states(cut) == ["ok", "ok", "broken", "ok"]


@pytest.mark.parametrize(
    ("status", "reason", "last"), [("False", "ProbeFailed", "broken"), ("Unknown", "SecretNotFound", "unknown")]
)
def test_what_rules_cannot_tell_does_not_hide_that_redis_fails(status: str, reason: str, last: str) -> None:
    by_name = body(Reachable=(status, reason), Ready=(status, reason), FirewallReady=("Unknown", "FirewallNotJudged"))
    assert states(by_name) == ["ok", "ok", "unknown", last]
    assert path_view(by_name).hops[3].reason == reason


def test_what_a_policy_forbids_is_no_fault_of_any_hop() -> None:
    forbidden = "NotAllowedByPolicy"
    view = path_view(body(Ready=("False", forbidden), Reachable=("Unknown", forbidden)))
    assert view.state is HopState.BROKEN
    assert [hop.state.value for hop in view.hops] == ["ok"] * 4


def test_a_prober_that_cannot_be_asked_says_nothing_about_redis() -> None:
    assert states(body(Reachable=("Unknown", "ProberUnavailable"))) == ["unknown", "ok", "ok", "ok"]


def test_where_a_rule_is_in_doubt_and_no_prober_can_tell_the_path_ends_at_the_rule() -> None:
    doubt, silent = ("Unknown", "FirewallUncertain"), ("Unknown", "ProberUnavailable")
    assert states(body(Reachable=silent, Ready=doubt, FirewallReady=doubt)) == ["waiting", "ok", "unknown", "ok"]
    by_name = body(Reachable=silent, Ready=silent, FirewallReady=("Unknown", "FirewallNotJudged"))
    assert states(by_name)[0] == "unknown"


def test_what_a_policy_forbids_is_no_hops_fault() -> None:
    held_back = body(Reachable=("Unknown", "NotAllowedByPolicy"), Ready=("False", "NotAllowedByPolicy"))
    assert states(held_back) == ["ok", "ok", "ok", "ok"]
    assert path_view(held_back).state is HopState.BROKEN


def test_without_a_prober_cloud_run_is_not_known() -> None:
    assert states(body({"origin": "Operator"}, Reachable=("Unknown", "OperatorProbeSucceeded")))[0] == "unknown"


def test_a_resource_without_a_status_waits() -> None:
    bare = body()
    del bare["status"]
    assert path_view(bare).state is HopState.WAITING
    assert states(bare) == ["waiting"] * 4


@pytest.mark.parametrize("idle", [{"spec": {"suspend": True}}, {"metadata": {"deletionTimestamp": "t"}}])
def test_nobody_looks_after_what_is_suspended_or_deleted(idle: dict[str, Any]) -> None:
    one = body()
    for part, fields in idle.items():
        one[part].update(fields)
    assert path_view(one).state is HopState.IDLE


@given(
    st.dictionaries(
        st.sampled_from([one.value for one in ConditionType]),
        st.tuples(st.sampled_from(["True", "False", "Unknown"]), st.sampled_from([one.value for one in Reason])),
    )
)
def test_every_combination_has_a_view(conditions: dict[str, tuple[str, str]]) -> None:
    view = path_view(body(**conditions))
    assert len(view.hops) == 4
    assert sum(summary([view]).values()) == 1
    ready = conditions.get("Ready", GOOD["Ready"])
    assert (view.state is HopState.OK) == (ready[0] == "True" and ready[1] not in ("Suspended", "Deleting"))
