"""What policies forbid, case by case: refused by the API server, and held back by the operator, in the same words."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from redis_connectivity.api.base import API_VERSION, KIND, POLICY_KIND
from redis_connectivity.api.conditions import ConditionType
from redis_connectivity.api.policy import RedisConnectivityPolicySpec
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.guardrails import Policy, verdict_on, violations
from redis_connectivity.core.statusbuild import conditions_only
from redis_connectivity_lab.controlplane.rest import ApiError
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import PROJECT_ROOT, Lab
from support.place import INGRESS, Place
from support.waiting import wait_until

Body = dict[str, Any]

SPEC: Body = {
    "environment": "staging",
    "projectId": "acme-staging",
    "region": "us-central1",
    "connector": {"ipCidrRange": "10.2.0.0/28"},
    "redis": {"vm": {"host": "10.128.0.5"}},
    "probe": {"proberUrl": "http://127.0.0.1:9", "interval": "1h"},
}
ON_SUBNET: Body = {"connector": {"subnet": {"name": "connector-a"}}}
ON_HOST: Body = {**ON_SUBNET, "network": {"name": "shared", "hostProjectId": "acme-host"}}
DIRECT: Body = {"connector": None, "directVpcEgress": {"subnet": "run-a", "tags": ["chat"]}}
ON_MEMORYSTORE: Body = {"redis": {"memorystore": {"instance": "chat-cache"}}}


def connecting_as(account: str) -> Body:
    return {"redis": {"cluster": {"name": "chat"}, "auth": {"iam": {"serviceAccount": account}}}}


@dataclass(frozen=True)
class Case:
    """One policy, one resource, and what is said about it; nothing when it is allowed."""

    name: str
    limits: Mapping[str, object]
    said: str = ""
    changes: Mapping[str, object] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return f"policy-{self.name}"

    @property
    def policy(self) -> Body:
        """About the case's own namespace, unless the case is about which ones it is about."""
        spec = {"namespaces": [self.namespace], **self.limits}
        return {"apiVersion": API_VERSION, "kind": POLICY_KIND, "metadata": {"name": self.name}, "spec": spec}

    @property
    def spec(self) -> Body:
        return {name: value for name, value in {**SPEC, **self.changes}.items() if value is not None}

    @property
    def sentence(self) -> str:
        what, allowed = self.said.split(";")
        return (
            f"RedisConnectivityPolicy {self.name} does not allow {what} in namespace {self.namespace};"
            f" allowed: {allowed}. Choose what is allowed, or have the policy changed."
        )


LONG = [f"n{number:02}-{'x' * 59}" for number in range(64)]
CASES = [
    Case("environment", {"environments": ["dev", "test-*"]}, "environment staging (spec.environment);dev, test-*"),
    Case("project", {"projects": ["acme-dev"]}, "project acme-staging (spec.projectId);acme-dev"),
    Case(
        "project-part",
        {"projects": ["acme", "acme-stag", "*-dev"]},
        "project acme-staging (spec.projectId);acme, acme-stag, *-dev",
    ),
    Case("no-project", {"projects": []}, "project acme-staging (spec.projectId);none"),
    Case("default-network", {"networks": ["shared-vpc"]}, "network staging-vpc (spec.network.name);shared-vpc"),
    Case(
        "network",
        {"networks": ["staging-*"]},
        "network shared-vpc (spec.network.name);staging-*",
        {"network": {"name": "shared-vpc"}},
    ),
    Case(
        "range",
        {"sources": {"ranges": ["10.3.0.0/16", "10.2.0.16/28"]}},
        "range 10.2.0.0/28 (spec.connector.ipCidrRange);10.3.0.0/16, 10.2.0.16/28",
    ),
    Case(
        "range-is-wider",
        {"sources": {"ranges": ["10.2.0.0/29"]}},
        "range 10.2.0.0/28 (spec.connector.ipCidrRange);10.2.0.0/29",
    ),
    Case(
        "no-range",
        {"sources": {"subnets": ["connector-*"]}},
        "range 10.2.0.0/28 (spec.connector.ipCidrRange);none",
    ),
    Case(
        "subnet",
        {"sources": {"subnets": ["connector-b"]}},
        "subnet connector-a (spec.connector.subnet.name);connector-b",
        ON_SUBNET,
    ),
    Case(
        "no-subnet",
        {"sources": {"ranges": ["10.0.0.0/8"]}},
        "subnet connector-a (spec.connector.subnet.name);none",
        ON_SUBNET,
    ),
    Case(
        "direct-subnet",
        {"sources": {"subnets": ["run-b"]}},
        "subnet run-a (spec.directVpcEgress.subnet);run-b",
        DIRECT,
    ),
    Case(
        "no-direct-subnet",
        {"sources": {"ranges": ["10.0.0.0/8"]}},
        "subnet run-a (spec.directVpcEgress.subnet);none",
        DIRECT,
    ),
    Case(
        "address",
        {"targets": {"ranges": ["10.129.0.0/20", "10.128.0.4/32"]}},
        "address 10.128.0.5 (spec.redis.vm.host);10.129.0.0/20, 10.128.0.4/32",
    ),
    Case(
        "every-namespace",
        {"namespaces": ["policy-every-n*", "x"], "projects": []},
        "project acme-staging (spec.projectId);none",
    ),
    Case(
        "host-project",
        {"projects": ["acme-staging"]},
        "project acme-shared (spec.network.hostProjectId);acme-staging",
        {
            "network": {"name": "shared-vpc", "hostProjectId": "acme-shared"},
            "connector": {"ipCidrRange": "10.2.0.0/28", "projectId": "acme-shared"},
        },
    ),
    Case(
        "account",
        {"projects": ["acme-staging"]},
        "project acme-prod (spec.redis.auth.iam.serviceAccount);acme-staging",
        connecting_as("chat@acme-prod.iam.gserviceaccount.com"),
    ),
    Case(
        "account-that-is-named-like-another-project",
        {"projects": ["acme-*"]},
        "project evil-corp (spec.redis.auth.iam.serviceAccount);acme-*",
        connecting_as("acme-gserviceaccount.com@evil-corp.iam.gserviceaccount.com"),
    ),
    Case(
        "account-of-a-domain-within-a-domain",
        {"projects": ["acme-staging"]},
        "project acme-staging.iam.gserviceaccount.com (spec.redis.auth.iam.serviceAccount);acme-staging",
        connecting_as("chat@acme-staging.iam.gserviceaccount.com.iam.gserviceaccount.com"),
    ),
    Case(
        "default-account",
        {"projects": ["acme-staging"]},
        "project developer.gserviceaccount.com (spec.redis.auth.iam.serviceAccount);acme-staging",
        connecting_as("123-compute@developer.gserviceaccount.com"),
    ),
    Case(
        "default-account-under-a-glob",
        {"projects": ["acme-staging", "dev*", "*"]},
        "project developer.gserviceaccount.com (spec.redis.auth.iam.serviceAccount);acme-staging, dev*, *",
        connecting_as("123-compute@developer.gserviceaccount.com"),
    ),
    Case(
        "endpoint",
        {"targets": {"ranges": ["10.129.0.0/20"]}},
        "address 10.128.0.5 (spec.redis.endpoint.host);10.129.0.0/20",
        {"redis": {"endpoint": {"host": "10.128.0.5"}}},
    ),
    Case(
        "endpoint-name",
        {"targets": {"ranges": ["10.0.0.0/8"]}},
        "address redis.example.com (spec.redis.endpoint.host);10.0.0.0/8",
        {"redis": {"endpoint": {"host": "redis.example.com"}}},
    ),
    # A message that names all that is allowed, at its longest.
    Case(
        "longest",
        {"networks": LONG},
        f"network staging-vpc (spec.network.name);{', '.join(LONG)}",
    ),
    Case(
        "host-project-on-subnet",
        {"projects": ["acme-staging"]},
        "project acme-host (spec.network.hostProjectId);acme-staging",
        ON_HOST,
    ),
    # --- allowed
    Case("ok-host-project", {"projects": ["acme-*"]}, changes=ON_HOST),
    Case("ok-exact", {"environments": ["staging"], "projects": ["acme-staging"], "networks": ["staging-vpc"]}),
    Case("ok-glob", {"environments": ["st*g"], "projects": ["*"], "networks": ["*-vpc"]}),
    Case("ok-range", {"sources": {"ranges": ["10.2.0.0/24"]}, "targets": {"ranges": ["10.128.0.5/32"]}}),
    Case("ok-direct", {"sources": {"subnets": ["run-*"]}}, changes=DIRECT),
    Case("ok-subnet", {"sources": {"subnets": ["connector-*"]}}, changes=ON_SUBNET),
    Case(
        "ok-endpoint",
        {"targets": {"ranges": ["10.128.0.0/20"]}},
        changes={"redis": {"endpoint": {"host": "10.128.0.5"}}},
    ),
    Case(
        "ok-account",
        {"projects": ["acme-staging"]},
        changes=connecting_as("chat@acme-staging.iam.gserviceaccount.com"),
    ),
    Case("ok-managed", {"targets": {"ranges": []}}, changes=ON_MEMORYSTORE),
    Case("ok-elsewhere", {"namespaces": ["policy-ok-else", "policy-ok-elsewhere-*"], "projects": []}),
    Case("ok-except", {"namespaces": ["policy-ok-exc*"], "exceptNamespaces": ["*-except"], "projects": []}),
]
REFUSED = [case for case in CASES if case.said]
ALLOWED = [case for case in CASES if not case.said]


def resource(name: str, case: Case) -> Body:
    metadata = {"name": name, "namespace": case.namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": case.spec}


# --- the core


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_core_says_it(case: Case) -> None:
    policy = Policy(case.name, RedisConnectivityPolicySpec.model_validate(case.policy["spec"]))
    found = violations([policy], case.namespace, RedisConnectivitySpec.model_validate(case.spec))
    assert [one.message for one in found] == ([case.sentence] if case.said else [])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_status_can_tell_it(case: Case) -> None:
    policy = Policy(case.name, RedisConnectivityPolicySpec.model_validate(case.policy["spec"]))
    verdict = verdict_on(violations([policy], case.namespace, RedisConnectivitySpec.model_validate(case.spec)))
    assert verdict is not None
    status = conditions_only(RedisConnectivityStatus(), {ConditionType.READY: verdict}, 1, 0.0)
    assert status.diagnosis is not None
    assert status.diagnosis.evidence[0][:1000] == verdict.message[:1000]


def test_all_policies_must_allow_it_and_each_says_what_it_does_not() -> None:
    policies = [
        Policy(name, RedisConnectivityPolicySpec.model_validate({"namespaces": ["*"], **limits}))
        for name, limits in (
            ("b", {"projects": ["other"], "environments": ["dev"]}),
            ("a", {"projects": ["acme-*"]}),
            ("c", {"sources": {"ranges": []}}),
        )
    ]
    found = violations(policies, "team", RedisConnectivitySpec.model_validate(SPEC))
    assert [(one.policy, one.message.split("allow ")[1].split()[0]) for one in found] == [
        ("b", "environment"),
        ("b", "project"),
        ("c", "range"),
    ]


def test_nothing_is_allowed_by_a_policy_that_cannot_be_read() -> None:
    found = violations([Policy("odd", None, "spec.x: unknown")], "any", RedisConnectivitySpec.model_validate(SPEC))
    assert [one.message for one in found] == [
        "RedisConnectivityPolicy odd cannot be read: spec.x: unknown. Have it mended."
    ]


# --- a policy's own form

BAD_POLICIES: dict[str, tuple[Body, str]] = {
    "nothing": ({"namespaces": ["a"]}, "a policy lists at least one of environments, projects, networks, sources"),
    "nobody": ({"namespaces": [], "projects": ["a"]}, "spec.namespaces"),
    "no-namespaces": ({"projects": ["a"]}, "spec.namespaces"),
    "regex": ({"namespaces": ["team.*"], "projects": ["a"]}, "'*' for the rest"),
    "upper": ({"namespaces": ["Team"], "projects": ["a"]}, "'*' for the rest"),
    "negation": ({"namespaces": ["!team"], "projects": ["a"]}, "'*' for the rest"),
    "question": ({"namespaces": ["a"], "networks": ["a?"]}, "'*' for the rest"),
    "empty": ({"namespaces": ["a"], "environments": [""]}, "'*' for the rest"),
    "twice": ({"namespaces": ["a"], "projects": ["a", "a"]}, "spec.projects"),
    "no-sources": ({"namespaces": ["a"], "sources": {}}, "sources lists ranges, subnets or both"),
    "no-targets": ({"namespaces": ["a"], "targets": {}}, "spec.targets.ranges"),
    "anybody": ({"namespaces": ["a"], "sources": {"ranges": ["0.0.0.0/0"]}}, "must be private (RFC 1918)"),
    "public": ({"namespaces": ["a"], "sources": {"ranges": ["8.8.8.0/24"]}}, "must be private (RFC 1918)"),
    "wider": ({"namespaces": ["a"], "sources": {"ranges": ["10.0.0.0/7"]}}, "must be private (RFC 1918)"),
    "host-bits": ({"namespaces": ["a"], "sources": {"ranges": ["10.2.0.1/16"]}}, "the network's first address"),
    "ipv6": ({"namespaces": ["a"], "sources": {"ranges": ["fd00::/8"]}}, "must be an IPv4 range"),
    "words": ({"namespaces": ["a"], "targets": {"ranges": ["anywhere"]}}, "must be an IPv4 range"),
    "everywhere": ({"namespaces": ["a"], "targets": {"ranges": ["0.0.0.0/0"]}}, "is wider than a /16"),
    "wide-public": ({"namespaces": ["a"], "targets": {"ranges": ["34.0.0.0/15"]}}, "is wider than a /16"),
    "selector": ({"namespaces": {"matchLabels": {"a": "b"}}, "projects": ["a"]}, "spec.namespaces"),
    "too-many": ({"namespaces": ["a"], "projects": [f"p{number}" for number in range(65)]}, "spec.projects"),
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_the_models_refuse_a_bad_policy(name: str) -> None:
    with pytest.raises(ValidationError):
        RedisConnectivityPolicySpec.model_validate(BAD_POLICIES[name][0])


# --- the API server and the operator


@dataclass(frozen=True)
class House:
    """An operator that saw each case's resource before the case's policy came."""

    lab: Lab

    def conditions(self, case: Case) -> dict[str, Body]:
        body = self.lab.get(case.namespace, "before") or {}
        return {one["type"]: one for one in body.get("status", {}).get("conditions", [])}

    def try_to_create(self, case: Case) -> str:
        """What the API server says to a resource now; nothing when it takes it."""
        path = f"/apis/{API_VERSION}/namespaces/{case.namespace}/redisconnectivities?dryRun=All"
        try:
            self.lab.control_plane.client.call("POST", path, resource("after", case))
        except ApiError as error:
            return str(json.loads(error.body)["message"])
        return ""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    timings = Timings(firewall=0.1, connector_create=0.4, connector_update=0.3, connector_delete=0.3)
    with Lab(timings, settings={"POLL_INTERVAL": "0.5"}) as running:
        running.operator.start()
        yield running


@pytest.fixture(scope="module")
def house(lab: Lab) -> House:
    made = House(lab)
    for case in CASES:
        lab.control_plane.create_namespace(case.namespace)
        lab.apply(resource("before", case))
    for case in CASES:
        wait_until(
            lambda case=case: made.conditions(case).get("Ready", {}).get("reason") == "ProjectNotFound",
            deadline=40,
            describe=lambda case=case: f"{case.name} to be looked at; {made.conditions(case)}",
        )
    lab.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([case.policy for case in CASES]))
    return made


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_both_gates_say_it(house: House, case: Case) -> None:
    # The API server hears of a policy a moment after it was stored.
    told = wait_until(lambda: house.try_to_create(case), deadline=20, describe=f"the API server to refuse {case.name}")
    assert told.endswith(case.sentence)

    found = wait_until(
        lambda: now if (now := house.conditions(case))["Ready"]["reason"] == "NotAllowedByPolicy" else None,
        deadline=30,
        describe=lambda: f"the operator to hold {case.name} back; {house.conditions(case)}",
    )
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["message"].startswith(case.sentence)
    assert (found["Stalled"]["status"], found["Stalled"]["reason"]) == ("True", "NotAllowedByPolicy")
    assert found["Reachable"]["status"] == "Unknown"


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ALLOWED, ids=lambda case: case.name)
def test_both_gates_let_it_through(house: House, case: Case) -> None:
    # What was applied last is in force by now, and so is this one.
    wait_until(lambda: house.try_to_create(REFUSED[-1]), deadline=20, describe="the API server to know the policies")
    assert house.try_to_create(case) == ""
    assert house.conditions(case)["Ready"]["reason"] == "ProjectNotFound"


@pytest.mark.lab
@pytest.mark.parametrize("name", BAD_POLICIES)
def test_the_api_server_refuses_a_bad_policy(lab: Lab, name: str) -> None:
    spec, words = BAD_POLICIES[name]
    body = {"apiVersion": API_VERSION, "kind": POLICY_KIND, "metadata": {"name": "bad"}, "spec": spec}
    path = f"/apis/{API_VERSION}/redisconnectivitypolicies?dryRun=All&fieldValidation=Strict"
    with pytest.raises(ApiError) as refused:
        lab.control_plane.client.call("POST", path, body)
    assert words in json.loads(refused.value.body)["message"]


@pytest.fixture
def place(lab: Lab) -> Iterator[Place]:
    made = Place.make(lab, (lab.operator,))
    try:
        yield made
        made.assert_unhurt()
    finally:
        lab.kubectl("delete", "rconnpolicy", made.namespace, "--ignore-not-found")
        made.clear()


def limit(place: Place, **limits: Any) -> None:
    spec = {"namespaces": [place.namespace], **limits}
    body = {"apiVersion": API_VERSION, "kind": POLICY_KIND, "metadata": {"name": place.namespace}, "spec": spec}
    place.lab.kubectl("apply", "-f", "-", stdin=json.dumps(body))


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_policy_that_comes_later_changes_nothing_and_its_change_heals(place: Place) -> None:
    place.apply()
    place.ready()
    limit(place, projects=["another-project"])
    said = place.says("Ready", "False", "NotAllowedByPolicy")
    assert "Nothing is changed in the cloud until then; what was made stays." in said
    assert "redis_connectivity_policy_violations" in place.lab.operator.metrics()
    events = place.lab.kubectl("get", "events", "-n", place.namespace, "-o", "json")
    assert any(one["reason"] == "NotAllowedByPolicy" for one in json.loads(events)["items"])

    # Held back from repairs, too: nothing is written while it is forbidden.
    mark = place.mark()
    place.world.control.delete("firewalls", place.world.project, INGRESS)
    limit(place, projects=["yet-another-project"])
    place.until(lambda: "yet-another" in place.says("Ready", "False", "NotAllowedByPolicy"), "the policy's news")
    assert place.written(since=mark) == []

    limit(place, projects=[place.world.project])
    place.ready()
    assert INGRESS in place.world.own_rules()
    assert f'policy="{place.namespace}"' not in place.lab.operator.metrics()


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_what_a_policy_forbids_may_be_suspended_and_deleted_but_not_moved(place: Place) -> None:
    place.apply()
    place.ready()
    limit(place, sources={"ranges": ["10.9.0.0/16"]})
    place.says("Ready", "False", "NotAllowedByPolicy")
    # It may not get another range that is forbidden, too; any other change is none of the policy's business.
    moved = place.world.resource(place.namespace, connector={"ipCidrRange": "10.2.0.16/28"})
    told = place.lab.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(moved), check=False)
    assert "does not allow range 10.2.0.16/28 (spec.connector.ipCidrRange)" in told
    place.apply(suspend=True)
    place.says("Ready", "Unknown", "Suspended")
    place.apply(suspend=False)
    place.says("Ready", "False", "NotAllowedByPolicy")
    place.delete()
    place.until(place.is_clean, "everything to be removed")


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_the_operator_works_without_the_kind_and_obeys_once_it_is_there(lab: Lab) -> None:
    name = "redisconnectivitypolicies.redisconnectivity.io"
    lab.operator.stop()
    lab.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "redis-connectivity-guardrails")
    lab.kubectl("delete", "crd", name)
    # The list is all that it learns from: kopf looks for kinds at the start only.
    operator = lab.new_operator(f"late-{secrets.token_hex(3)}", RELIST_INTERVAL="5")
    operator.start()
    place = Place.make(lab, (operator,))
    try:
        place.apply()
        place.ready()
        lab.kubectl("apply", "-k", str(PROJECT_ROOT / "crds"))
        lab.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
        place.until(lambda: not lab.kubectl("get", "rconnpolicy", check=False).startswith("Error"), "the kind")
        limit(place, projects=["another-project"])
        place.says("Ready", "False", "NotAllowedByPolicy", deadline=40)
        lab.kubectl("delete", "rconnpolicy", place.namespace)
        place.ready()
        place.assert_unhurt()
    finally:
        operator.stop()
        place.clear()
        lab.kubectl("apply", "-f", str(PROJECT_ROOT / "manifests" / "base" / "guardrails.yaml"))
        lab.operator.start()
