"""The rights that the project ships are enough, and not one of them is too many.

What one life of an operator asked for is compared with what is listed, both ways. Then each right of the cluster is
taken away alone, and the operator must be seen to miss it; unit/cloud/test_cloud_permissions.py does that for Google's.
"""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from redis_connectivity_lab.controlplane import AuditEntry
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.shipped import MANIFESTS, google_role
from redis_connectivity_lab.stack import OPERATOR_NAMESPACE, Lab
from support.hardened import REGION
from support.place import INGRESS, Place
from support.shared_vpc import SharedVpc

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

TIMINGS = Timings(firewall=0.1, connector_create=0.4, connector_update=0.3, connector_delete=0.3)
GOOGLE_ROLES = ("role", "role-read-only", "role-host-project", "role-service-project")
ACCOUNT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:redis-connectivity"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind of object, in a namespace or in all of them, on one name or on all of them."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}.{self.group or 'core'}{'/' + self.name if self.name else ''}{where}"


def shipped_rights() -> frozenset[Right]:
    """What manifests/base/rbac.yaml grants."""
    found = set()
    for body in yaml.safe_load_all((MANIFESTS / "base" / "rbac.yaml").read_text(encoding="utf-8")):
        if body["kind"] in ("ClusterRole", "Role"):
            namespace = body["metadata"].get("namespace", "")
            found |= {
                Right(group, resource, verb, namespace, name)
                for rule in body["rules"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
                for name in rule.get("resourceNames", [""])
            }
    return frozenset(found)


def right_of(entry: AuditEntry) -> Right:
    """The right that a request asks for, in the shipped form: a namespace only where a Role grants it."""
    resource = f"{entry.resource}/{entry.subresource}" if entry.subresource else entry.resource
    own = entry.namespace if entry.namespace == OPERATOR_NAMESPACE else ""
    name = entry.name if (entry.group, entry.resource) == ("", "namespaces") else ""
    return Right(entry.group, resource, entry.verb, "" if name else own, name)


def asked(entries: list[AuditEntry]) -> frozenset[Right]:
    """All rights that requests for resources asked for; everybody may look at what kinds there are."""
    found = {right_of(one) for one in entries if one.resource}
    # A server-side apply that makes an object asks for create as well, in the same request.
    made = {
        Right(one.group, one.resource, "create", right_of(one).namespace)
        for one in entries
        if one.verb == "patch" and one.code == 201
    }
    return frozenset(found | made)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(TIMINGS, settings={"POLL_INTERVAL": "0.5", "RELIST_INTERVAL": "5"}) as running:
        yield running


@dataclass(frozen=True)
class Life:
    """All that was asked for from an operator's start to its end, of Google by the role that it ran under."""

    google: dict[str, list[dict[str, Any]]]
    kubernetes: list[AuditEntry]


ABSENT: dict[str, dict[str, Any]] = {
    "instance": {"memorystore": {"instance": "absent"}},
    "cluster": {"cluster": {"name": "absent"}},
    "valkey": {"valkey": {"instance": "absent"}},
}


def live(place: Place) -> None:
    """From nothing, through what people do and break, to nothing; then look for every kind of managed Redis."""
    place.apply()
    place.ready()
    place.world.control.delete("firewalls", place.world.rules_project, INGRESS)
    place.until(lambda: INGRESS in place.world.own_rules(), "a deleted rule to be made again")
    place.ready()
    place.break_rule(priority=999)
    place.until(lambda: place.world.rules()[INGRESS]["priority"] != 999, "a changed rule to be repaired")
    place.ready()
    connector = place.world.resource(place.namespace)["spec"]["connector"]
    place.apply(connector={**connector, "maxInstances": 5})
    place.until(lambda: place.connector()["maxInstances"] == 5, "the connector to grow")
    place.ready()
    place.delete()
    place.until(place.is_clean, "nothing to be left")
    look(place)


def watched(place: Place) -> dict[str, Any]:
    """Nothing but looking: no rule, no connector of ours, no repair."""
    connector = place.world.resource(place.namespace)["spec"]["connector"]
    return {
        "connector": {**connector, "management": "Observed"},
        "firewall": {"ingress": "Never", "egress": "Never"},
        "driftPolicy": "Report",
    }


def look(place: Place) -> None:
    """Watch what is not ours to change, and what is not there."""
    for name, redis in ABSENT.items():
        place.apply(name, **watched(place), redis=redis)
    for name in ABSENT:
        place.says("RedisReady", "False", "RedisNotFound", name=name)
        place.delete(name)


def watch(place: Place) -> None:
    """A path that others keep."""
    place.apply(**watched(place))
    place.ready()
    place.delete()
    look(place)
    assert place.written() == []


def probed_from_cloud_run(place: Place) -> None:
    """The operator deploys the prober, puts it right when somebody edits it, and takes it away."""
    place.apply(probe={"from": "CloudRun", "interval": "2s", "timeout": "1s"})
    place.says("Ready", "True", "PathProven", deadline=240)
    deployed = place.status()["prober"]
    container = {"image": "gcr.io/eve/other", "args": ["prober"]}
    edit = urllib.request.Request(
        f"{place.world.google}/v2/{deployed['service']}?updateMask=template",
        data=json.dumps({"template": {"containers": [container]}}).encode(),
        headers={"Authorization": "Bearer eve"},
        method="PATCH",
    )
    urllib.request.urlopen(edit, timeout=30).close()
    place.until(
        lambda: place.world.calls("run.services.patch")[-1]["principal"] == "anonymous",
        "the operator to put it right",
        240,
    )
    place.says("Ready", "True", "PathProven", deadline=240)
    place.delete()
    place.until(place.is_clean, "nothing to be left", 120)


@pytest.fixture(scope="module")
def life(lab: Lab) -> Life:
    audit = lab.control_plane.audit
    mark = audit.mark()
    lab.operator.start()
    control = lab.cloud.control
    whole = Place.make(lab, (lab.operator,))
    idle = Place.make(lab, (lab.operator,), hardened=False)
    foreign = {"network": idle.world.network, "ipCidrRange": "10.2.0.0/28"}
    control.put("connectors", idle.world.project, REGION, idle.world.connector, **foreign)
    shared = Place.make(lab, (lab.operator,), kind=SharedVpc)
    assert isinstance(shared.world, SharedVpc)
    shared.world.make_service_rules()
    projects = {
        "role": whole.world.project,
        "role-read-only": idle.world.project,
        "role-host-project": shared.world.host_project,
        "role-service-project": shared.world.project,
    }
    for role, project in projects.items():
        control.allow(project, {"anonymous": sorted(google_role(role))})
    probing = Place.make(lab, (lab.operator,))
    projects["role-prober"] = probing.world.project
    control.tokens({"eve": "eve@example.com"})
    granted = {"anonymous": sorted(google_role("role") | google_role("role-prober")), "eve@example.com": ["run.*"]}
    control.allow(probing.world.project, granted)
    for place, lives in ((whole, live), (idle, watch), (shared, live), (probing, probed_from_cloud_run)):
        lives(place)
        place.assert_unhurt()
    google = {role: control.audit(project=project, principal="anonymous") for role, project in projects.items()}
    lab.operator.stop()
    for place in (whole, idle, shared, probing):
        place.clear()
    return Life(google, [one for one in audit.entries(mark) if one.user == ACCOUNT])


def test_the_role_for_probers_grants_what_they_need_and_no_more(life: Life) -> None:
    used = {permission for one in life.google["role-prober"] for permission in one["permissions"]}
    beside = google_role("role-prober")
    assert {one for one in used if one.startswith("run.")} == beside
    assert used <= beside | google_role("role")
    assert {
        (one["method"], one["status"]) for one in life.google["role-prober"] if one["status"] in (401, 403)
    } == set()


@pytest.mark.parametrize("role", GOOGLE_ROLES)
def test_a_google_role_is_enough(life: Life, role: str) -> None:
    refused = {(one["method"], *one["permissions"]) for one in life.google[role] if one["status"] in (401, 403)}
    assert refused == set()


@pytest.mark.parametrize("role", GOOGLE_ROLES)
def test_a_google_role_grants_nothing_that_is_not_used(life: Life, role: str) -> None:
    used = {permission for one in life.google[role] for permission in one["permissions"]}
    assert google_role(role) - used == set(), f"listed in manifests/gcp/{role}.yaml, and not used"
    assert used - google_role(role) == set(), f"used, and not listed in manifests/gcp/{role}.yaml"


def test_the_cluster_roles_are_enough(life: Life) -> None:
    assert {str(right_of(one)) for one in life.kubernetes if one.code in (401, 403)} == set()


def test_the_cluster_roles_grant_nothing_that_is_not_used(life: Life) -> None:
    used = asked(life.kubernetes)
    assert {str(one) for one in shipped_rights() - used} == set(), "in manifests/base/rbac.yaml, and not used"
    assert {str(one) for one in used - shipped_rights()} == set(), "used, and not in manifests/base/rbac.yaml"


def test_nothing_but_the_shipped_roles_allowed_it(life: Life) -> None:
    # Then taking a verb out of the file takes it from the operator.
    reasons = {one.reason for one in life.kubernetes if one.resource}
    assert {one.split(" to ")[0] for one in reasons} == {
        'RBAC: allowed by ClusterRoleBinding "redis-connectivity" of ClusterRole "redis-connectivity"',
        f'RBAC: allowed by RoleBinding "redis-connectivity/{OPERATOR_NAMESPACE}" of Role "redis-connectivity"',
    }


# --- the right to read one Secret, which whoever owns it gives

SAMPLE = MANIFESTS / "samples" / "redis-auth.yaml"


def sample_rights() -> frozenset[Right]:
    """What the Role of the sample grants, in the namespace that it is installed in."""
    _, role, _ = yaml.safe_load_all(SAMPLE.read_text(encoding="utf-8"))
    return frozenset(
        Right(group, resource, verb, name=name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule["resourceNames"]
    )


def test_the_sample_role_for_a_secret_is_what_it_takes_and_no_more(lab: Lab) -> None:
    audit = lab.control_plane.audit
    lab.operator.start()
    place = Place.make(lab, (lab.operator,))

    def asked_since(mark: int) -> list[AuditEntry]:
        secrets = [one for one in audit.entries(mark) if one.user == ACCOUNT and one.resource == "secrets"]
        assert {one.namespace for one in secrets} <= {place.namespace}
        return secrets

    def declare(secret: str) -> None:
        place.apply(redis={"vm": {"host": place.world.host}, "auth": {"secretRef": {"name": secret}}})

    def rights(entries: list[AuditEntry]) -> set[Right]:
        return {Right(one.group, one.resource, one.verb, name=one.name) for one in entries}

    try:
        # Without it the operator misses exactly what the sample grants.
        place.world.control.patch(
            "instances", place.world.project, f"{REGION}-a", "redis-vm", redisPassword="change-me"
        )
        secret, role, binding = SAMPLE.read_text(encoding="utf-8").split("\n---\n")
        # The server has a password, and no users of its own.
        lab.kubectl("apply", "-n", place.namespace, "-f", "-", stdin=secret.replace("  username: probe\n", ""))
        mark = audit.mark()
        declare("redis-auth")
        place.says("Reachable", "Unknown", "SecretForbidden")
        refused = asked_since(mark)
        assert rights(refused) == sample_rights()
        assert {one.code for one in refused} == {403}

        # With it the path is proven, and nothing else has allowed it.
        lab.kubectl("apply", "-n", place.namespace, "-f", "-", stdin=f"{role}\n---\n{binding}")
        mark = audit.mark()
        place.ready()
        allowed = [one for one in asked_since(mark) if one.code == 200]
        assert rights(allowed) == sample_rights()
        name = "redis-connectivity-reads-redis-auth"
        assert {one.reason.split(" to ")[0] for one in allowed} == {
            f'RBAC: allowed by RoleBinding "{name}/{place.namespace}" of Role "{name}"'
        }

        # It is for that one Secret, and for no other of the namespace.
        mark = audit.mark()
        declare("another")
        place.says("Reachable", "Unknown", "SecretForbidden")
        # The last look at the first one may have been on its way.
        assert {(one.name, one.code) for one in asked_since(mark) if one.name != "redis-auth"} == {("another", 403)}
    finally:
        lab.operator.stop()
        place.clear()


# --- without one right

#: Asked for when an operator starts, and then no more.
AT_START = ("namespaces", "leases create", "leases get", "watch")


def roles(without: Right | None = None) -> str:
    """The shipped roles and bindings, less one right."""
    bodies = list(yaml.safe_load_all((MANIFESTS / "base" / "rbac.yaml").read_text(encoding="utf-8")))
    for body in bodies:
        scope = body["metadata"].get("namespace", "")
        for rule in body.get("rules", ()):
            rule["verbs"] = [verb for verb in rule["verbs"] if without is None or not _is(without, scope, rule, verb)]
        if "rules" in body:
            body["rules"] = [rule for rule in body["rules"] if rule["verbs"]]
    return yaml.safe_dump_all(bodies)


def _is(right: Right, scope: str, rule: dict[str, Any], verb: str) -> bool:
    same = (right.namespace, right.verb) == (scope, verb)
    return same and right.group in rule["apiGroups"] and right.resource in rule["resources"]


@pytest.fixture(scope="module")
def poor(lab: Lab, life: Life) -> Iterator[Place]:
    """A place to live in, after the life that had all rights."""
    place = Place.make(lab, (lab.operator,))
    lab.operator.start()
    yield place
    lab.kubectl("apply", "-f", "-", stdin=roles())
    lab.operator.stop()
    place.clear()


@pytest.mark.parametrize("right", sorted(shipped_rights()), ids=str)
def test_an_operator_without_one_right_misses_it(poor: Place, right: Right) -> None:
    lab, audit = poor.lab, poor.lab.control_plane.audit
    at_start = any(all(word in str(right) for word in words.split()) for words in AT_START)
    if at_start:
        lab.operator.stop()
        lab.kubectl("delete", "lease", "redis-connectivity", "-n", OPERATOR_NAMESPACE)
    lab.kubectl("apply", "-f", "-", stdin=roles(without=right))
    mark = audit.mark()
    if at_start:
        lab.operator.start(wait=False)
    poor.apply()
    deleted = False

    def refused() -> list[AuditEntry]:
        nonlocal deleted
        found = [one for one in audit.entries(mark) if one.user == ACCOUNT and one.code == 403]
        if not found and not deleted and lab.condition(poor.namespace, "path", "Ready").get("status") == "True":
            poor.delete(wait=False)
            deleted = True
        return found

    seen = {right_of(one) for one in poor.until(refused, f"the operator to miss {right}", 120)}
    assert {(one.group, one.resource) for one in seen} == {(right.group, right.resource)}
    poor.until(lambda: "orbidden" in lab.operator.log.read_text(encoding="utf-8"), "the operator to say so", 60)

    # With the right given back, the operator goes on where it was; one that could not start is started again.
    lab.kubectl("apply", "-f", "-", stdin=roles())
    if at_start:
        lab.operator.stop()
        lab.operator.start()
    lab.kubectl("delete", "rconn", "path", "-n", poor.namespace, "--wait=false", "--ignore-not-found")
    poor.gone(deadline=120)
    poor.until(poor.is_clean, "nothing to be left", 60)
