"""What people break, one thing at a time, and the operator that heals it, names it, or leaves it alone."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from redis_connectivity_lab.asking import ask_prober
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import Lab
from support.hardened import ABROAD, REGION, Hardened
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

INGRESS = "allow-vpc-connector-to-redis"
EGRESS = "allow-vpc-connector-egress-to-redis"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    timings = Timings(firewall=0.1, connector_create=0.4, connector_update=0.3, connector_delete=0.3)
    with Lab(timings, settings={"POLL_INTERVAL": "0.5"}) as running:
        running.operator.start()
        yield running


@dataclass
class Path:
    """One resource on its own hardened project."""

    lab: Lab
    world: Hardened
    namespace: str

    def apply(self, **spec: Any) -> None:
        self.lab.apply(self.world.resource(self.namespace, **spec))

    def ready(self) -> None:
        self.lab.wait_condition(self.namespace, "path", "Ready", deadline=40)
        self.lab.wait_condition(self.namespace, "path", "InSync", deadline=20)

    def is_(self, kind: str, status: str, reason: str, deadline: float = 90) -> str:
        return str(self.lab.wait_condition(self.namespace, "path", kind, status, reason, deadline)["message"])

    def status(self) -> dict[str, Any]:
        return dict((self.lab.get(self.namespace, "path") or {}).get("status", {}))

    def break_rule(self, name: str = INGRESS, **fields: Any) -> None:
        self.world.control.patch("firewalls", self.world.project, name, **fields)

    def until(self, predicate: Callable[[], Any], what: str, deadline: float = 60) -> Any:
        return wait_until(
            predicate,
            deadline=deadline,
            describe=lambda: f"{what}; status {self.status()}; {self.lab.operator.log_tail(20)}",
        )

    def fail_creation(self, code: int, message: str) -> None:
        """Let the next creation of a connector end in error."""
        fault: dict[str, Any] = {"code": code, "message": message, "count": 1}
        self.world.control.fault("vpcaccess.connectors.create", "fail_operation", project=self.world.project, **fault)

    def ping(self) -> str:
        """OK, or how PING failed, from behind the connector."""
        answer = ask_prober(self.world.prober_url, self.world.host)
        return "OK" if answer.failure is None else answer.failure.code.value


@pytest.fixture(params=["vm"])
def path(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Path]:
    namespace = f"heal-{secrets.token_hex(3)}"
    lab.control_plane.create_namespace(namespace)
    world = Hardened(
        lab.cloud.control,
        lab.cloud.url,
        memorystore=request.param == "memorystore",
        machine_region=ABROAD if request.param == "abroad" else REGION,
    ).build()
    pid = lab.operator.pid
    try:
        yield Path(lab, world, namespace)
        assert lab.operator.alive, lab.operator.log_tail()
        assert lab.operator.pid == pid
        faults = [one for one in lab.operator.records() if one.get("event") == "fault"]
        assert faults == []
    finally:
        lab.cloud.control.clear_faults()
        lab.control_plane.purge_namespace(namespace)
        lab.cloud.control.remove_project(world.project)


both = pytest.mark.parametrize("path", ["vm", "memorystore"], indirect=True)


@both
def test_a_users_way_from_apply_to_delete(path: Path) -> None:
    path.apply()
    kubectl = path.lab.kubectl
    kubectl("wait", "rconn/path", "-n", path.namespace, "--for=condition=Ready", "--timeout=40s")
    header, row = kubectl("get", "rconn", "-n", path.namespace).splitlines()
    assert header.split() == ["NAME", "ENVIRONMENT", "NETWORK", "CONNECTOR", "REDIS", "REACHABLE", "READY", "AGE"]
    assert row.split()[:7] == [
        "path", "staging", "staging-vpc", "staging-connector", path.world.host, "True", "True",
    ]  # fmt: skip
    assert path.ping() == "OK"
    described = kubectl("describe", "rconn", "path", "-n", path.namespace)
    assert "FirewallRuleCreated" in described
    assert path.status()["probe"]["crossesConnector"] is True
    own = path.world.own_rules()
    assert set(own) == ({EGRESS} if path.world.memorystore else {EGRESS, INGRESS})
    for rule in own.values():
        assert rule["logConfig"] == {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}
        assert rule["priority"] == 899
    kubectl("delete", "rconn", "path", "-n", path.namespace, "--timeout=30s")
    assert path.world.own_rules() == {}
    assert path.world.connectors() == []


BREAKAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "narrowed": ("sourceRanges", {"sourceRanges": ["192.0.2.1/32"]}),
    "another port": ("protocols", {"allowed": [{"IPProtocol": "tcp", "ports": ["6380"]}]}),
    "weaker": ("priority", {"priority": 2000}),
    "disabled": ("disabled", {"disabled": True}),
    "other tags": ("targetTags", {"targetTags": ["web"]}),
    "not logged": ("logConfig", {"logConfig": None}),
    "marker stripped": ("description", {"description": "mine now"}),
}


def test_what_is_changed_in_a_rule_is_changed_back_and_told(path: Path) -> None:
    path.apply()
    path.ready()
    before = path.world.own_rules()[INGRESS]
    for what, (field, change) in BREAKAGES.items():
        path.break_rule(**change)

        def healed(fields: tuple[str, ...] = (*change, "description")) -> bool:
            now = path.world.rules().get(INGRESS, {})
            return all(now.get(name) == before.get(name) for name in fields)

        path.until(healed, f"{what} to be healed")

        def told(field: str = field) -> bool:
            drift = path.status().get("drift", [])
            return any(one["field"] == field and one["name"] == INGRESS and "repaired" in one for one in drift)

        path.until(told, f"{what} to be told as drift of {field}")
    path.ready()
    assert path.ping() == "OK"
    assert sorted(path.world.own_rules()) == [EGRESS, INGRESS]
    assert len(path.world.calls("compute.firewalls.insert")) == 2


@both
def test_a_deleted_rule_comes_back(path: Path) -> None:
    path.apply()
    path.ready()
    name = EGRESS if path.world.memorystore else INGRESS
    path.world.control.delete("firewalls", path.world.project, name)
    path.until(lambda: name in path.world.own_rules(), "the rule to come back")
    path.ready()
    assert path.ping() == "OK"


def test_a_stronger_deny_is_outdone_until_it_cannot_be(path: Path) -> None:
    path.apply()
    path.ready()
    path.world.deny("deny-more", "INGRESS", priority=500)
    path.until(lambda: path.world.rules()[INGRESS]["priority"] == 499, "the rule to outdo the deny")
    path.ready()
    path.world.deny("deny-more", "INGRESS", priority=0)
    message = path.is_("FirewallReady", "False", "FirewallDenyUnbeatable")
    assert "deny-more" in message
    path.is_("Stalled", "True", "FirewallDenyUnbeatable")
    path.world.control.delete("firewalls", path.world.project, "deny-more")
    path.ready()


def corporate_deny(direction: str = "EGRESS") -> list[dict[str, Any]]:
    """A rule of a policy that denies the path to Redis."""
    match = {"destIpRanges": ["10.128.0.0/16"], "layer4Configs": [{"ipProtocol": "tcp"}]}
    return [{"priority": 10, "action": "deny", "direction": direction, "match": match}]


@pytest.mark.parametrize("direction", ["EGRESS", "INGRESS"])
def test_a_hierarchical_deny_cuts_real_packets_and_is_named(path: Path, direction: str) -> None:
    path.apply()
    path.ready()
    rules = corporate_deny(direction)
    path.world.control.put(
        "policies", path.world.project, "corp", type="HIERARCHY", shortName="corp-policy", rules=rules
    )
    path.is_("Reachable", "False", "ProbeFailed")
    assert "corp-policy" in path.is_("FirewallReady", "False", "FirewallDenyUnbeatable")
    path.world.control.delete("policies", path.world.project, "corp")
    path.ready()


def test_a_deny_of_the_regions_own_policies_is_named(path: Path) -> None:
    """They come from a call of their own."""
    fields = {"region": REGION, "rules": corporate_deny(), "shortName": "google-system"}
    path.world.control.put("policies", path.world.project, "system", type="SYSTEM", **fields)
    path.apply()
    message = path.is_("FirewallReady", "False", "FirewallDenyUnbeatable")
    assert "system firewall policy google-system, rule (priority 10)" in message


@pytest.mark.parametrize("path", ["abroad"], indirect=True)
def test_a_deny_where_the_machine_stands_cuts_real_packets_and_is_named(path: Path) -> None:
    """The connector is in one region, the machine in another: ingress is for the policies there to decide."""
    path.apply()
    path.ready()
    fields: dict[str, Any] = {"type": "SYSTEM", "rules": corporate_deny("INGRESS")}
    # The same in the connector's region is about other machines.
    path.world.control.put("policies", path.world.project, "here", region=REGION, shortName="google-here", **fields)
    path.world.control.put("policies", path.world.project, "there", region=ABROAD, shortName="google-there", **fields)
    path.is_("Reachable", "False", "ProbeFailed")
    message = path.is_("FirewallReady", "False", "FirewallDenyUnbeatable")
    assert "system firewall policy google-there, rule (priority 10)" in message
    path.world.control.delete("policies", path.world.project, "there")
    path.ready()


def test_without_permission_for_the_regions_policies_the_path_is_proven_all_the_same(path: Path) -> None:
    control = path.world.control
    rest = ["*.list", "*.get", "*.wait", "vpcaccess.*", "compute.firewalls.*", "compute.subnetworks.*"]
    networks = ["compute.networks.getEffectiveFirewalls", "compute.networks.updatePolicy"]
    control.allow(path.world.project, {"*": [*rest, *networks]})
    path.apply()
    message = path.is_("FirewallReady", "Unknown", "PermissionDenied", deadline=60)
    assert "compute.networks.getRegionEffectiveFirewalls" in message
    path.ready()
    path.is_("Ready", "True", "PathProven")
    path.is_("Reconciling", "False", "Settled")
    # It is no error to be tried again and again: the poll is slow, and a refusal makes it slower.
    method = "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls"
    polls = len(control.audit(project=path.world.project, method="compute.firewalls.list"))
    path.until(
        lambda: len(control.audit(project=path.world.project, method="compute.firewalls.list")) >= polls + 10,
        "ten polls of rules",
        deadline=60,
    )
    assert len(control.audit(project=path.world.project, method=method)) <= 3
    control.allow(path.world.project, None)


def test_foreign_rules_and_copies_of_ours_are_left_alone(path: Path) -> None:
    path.apply()
    path.ready()
    own = path.world.own_rules()[INGRESS]
    copy = {
        name: own[name] for name in ("direction", "priority", "allowed", "sourceRanges", "targetTags", "description")
    }
    path.world.control.put("firewalls", path.world.project, "a-copy", network=path.world.network, **copy)
    path.break_rule(priority=3000)
    path.until(lambda: path.world.rules()[INGRESS]["priority"] == 899, "ours to be healed")
    path.lab.kubectl("delete", "rconn", "path", "-n", path.namespace, "--timeout=30s")
    assert sorted(path.world.rules()) == ["a-copy", "deny-all-egress", "deny-all-ingress"]
    touched = {
        one["resource"].rsplit("/", 1)[-1] for one in path.world.control.audit(project=path.world.project, kind="write")
    }
    assert not touched & {"a-copy", "deny-all-egress", "deny-all-ingress"}


def test_report_changes_nothing_and_says_so_and_remediate_then_heals(path: Path) -> None:
    path.apply(driftPolicy="Report")
    path.ready()
    path.break_rule(sourceRanges=["192.0.2.1/32"])
    message = path.is_("InSync", "False", "DriftReported")
    assert "sourceRanges was 10.2.0.0/28, found 192.0.2.1/32" in message
    path.is_("FirewallReady", "False", "FirewallRuleMissing")
    assert path.world.calls("compute.firewalls.update") == []
    path.apply(driftPolicy="Remediate")
    path.ready()
    assert path.world.rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28"]


def test_suspended_nothing_is_repaired_and_resumed_it_is(path: Path) -> None:
    path.apply()
    path.ready()
    path.apply(suspend=True)
    path.is_("Ready", "Unknown", "Suspended")
    path.break_rule(priority=3000)
    path.apply(suspend=False)
    path.until(lambda: path.world.rules()[INGRESS]["priority"] == 899, "the repair after the suspension")
    path.ready()


def test_retained_everything_stays(path: Path) -> None:
    path.apply(deletionPolicy="Retain")
    path.ready()
    path.lab.kubectl("delete", "rconn", "path", "-n", path.namespace, "--timeout=30s")
    assert sorted(path.world.own_rules()) == [EGRESS, INGRESS]
    assert path.world.connectors() == ["staging-connector"]


def test_the_annotation_asks_for_a_look_at_once(path: Path) -> None:
    path.apply()
    path.ready()
    path.lab.kubectl("annotate", "rconn", "path", "-n", path.namespace, "redisconnectivity.io/reconcile-at=now-1")
    path.until(lambda: path.status().get("lastHandledReconcileAt") == "now-1", "the request to be served")


def test_the_spec_is_followed_in_place(path: Path) -> None:
    path.apply()
    path.ready()
    path.apply(
        firewall={"priority": 700, "logging": "DISABLED"},
        connector={"ipCidrRange": "10.2.0.0/28", "maxInstances": 6, "machineType": "e2-standard-4"},
    )
    path.until(lambda: path.world.rules()[INGRESS]["priority"] == 700, "the new priority")

    def grown() -> bool:
        (connector,) = path.world.control.list("connectors", path.world.project)
        return (connector["maxInstances"], connector["machineType"]) == (6, "e2-standard-4")

    path.until(grown, "the connector to grow")
    path.ready()
    assert path.world.rules()[INGRESS]["logConfig"]["enable"] is False
    assert path.status()["drift"] == [] if "drift" in path.status() else True


def test_a_network_that_is_missing_is_waited_for(path: Path) -> None:
    control, project = path.world.control, path.world.project
    path.apply(network={"name": "late-vpc"})
    assert "late-vpc" in path.is_("NetworkReady", "False", "NetworkNotFound")
    assert path.world.calls("vpcaccess.connectors.create") == []
    control.put("networks", project, "late-vpc")
    path.is_("ConnectorReady", "True", "ConnectorReady", deadline=40)


def test_a_connector_on_a_subnet(path: Path) -> None:
    control, project = path.world.control, path.world.project
    path.apply(connector={"subnet": {"name": "connector"}})
    path.is_("NetworkReady", "False", "SubnetNotFound")
    control.put("subnetworks", project, REGION, "connector", network="staging-vpc", ipCidrRange="10.9.0.0/28")
    path.ready()
    assert path.world.rules()[INGRESS]["sourceRanges"] == ["10.9.0.0/28"]
    assert path.ping() == "OK"


def test_a_range_conflict_that_only_the_operation_tells_waits_for_the_spec(path: Path) -> None:
    fault = {
        "code": 3,
        "message": "Operation failed: Invalid IP CIDR range was provided. It conflicts with an existing subnetwork.",
    }
    path.world.control.fault(
        "vpcaccess.connectors.create", "fail_operation", project=path.world.project, count=1, **fault
    )
    path.apply()
    assert "conflicts with an existing subnetwork" in path.is_("ConnectorReady", "False", "ConnectorRangeConflict")
    path.until(lambda: path.world.connectors() == [], "the dead connector to be removed")
    path.is_("Stalled", "True", "ConnectorRangeConflict")
    assert len(path.world.calls("vpcaccess.connectors.create")) == 1
    path.apply(connector={"ipCidrRange": "10.7.0.0/28"})
    path.ready()
    assert len(path.world.calls("vpcaccess.connectors.create")) == 2


def test_a_creation_that_failed_backs_off_and_says_what_the_operation_told(path: Path) -> None:
    fault = {"code": 13, "message": "VPC Access connector failed to get healthy."}
    path.world.control.fault(
        "vpcaccess.connectors.create", "fail_operation", project=path.world.project, count=1, **fault
    )
    path.apply()
    message = path.is_("ConnectorReady", "False", "ConnectorCreationFailed")
    assert "failed to get healthy" in message
    assert "serverless-vpc-access-images" in message
    path.until(lambda: path.world.connectors() == [], "the dead connector to be removed")
    assert len(path.world.calls("vpcaccess.connectors.create")) == 1


def test_a_connector_of_ours_that_dies_is_made_anew(path: Path) -> None:
    path.apply()
    path.ready()
    path.world.control.patch("connectors", path.world.project, REGION, "staging-connector", state="ERROR")
    path.until(lambda: len(path.world.calls("vpcaccess.connectors.delete")) == 1, "the dead connector to be removed")
    path.ready()
    assert len(path.world.calls("vpcaccess.connectors.create")) == 2


def test_a_connector_deleted_by_somebody_comes_back(path: Path) -> None:
    path.apply()
    path.ready()
    path.world.control.delete("connectors", path.world.project, REGION, "staging-connector")
    path.until(lambda: path.world.connectors() == ["staging-connector"], "the connector to come back")
    path.ready()
    assert any(one["kind"] == "Connector" and one["field"] == "exists" for one in path.status()["drift"])


@pytest.mark.parametrize("path", ["memorystore"], indirect=True)
def test_memorystore_in_every_state(path: Path) -> None:
    control, project = path.world.control, path.world.project
    control.delete("redis", project, REGION, "cache")
    path.apply()
    path.is_("RedisReady", "False", "RedisNotFound")
    control.put("redis", project, REGION, "cache", network="staging-vpc", host=path.world.host)
    path.ready()
    control.patch("redis", project, REGION, "cache", state="MAINTENANCE")
    assert "MAINTENANCE" in path.is_("RedisReady", "False", "RedisNotReady")
    control.patch("redis", project, REGION, "cache", state="READY")
    path.ready()
    control.put("networks", project, "other-vpc")
    control.patch("redis", project, REGION, "cache", authorizedNetwork=f"projects/{project}/global/networks/other-vpc")
    assert "other-vpc" in path.is_("RedisReady", "False", "RedisWrongNetwork")


def test_a_stopped_redis_is_noticed_and_its_return_too(path: Path) -> None:
    path.apply()
    path.ready()
    path.lab.cloud.stop_redis(path.world.host_id)
    assert "refused" in path.is_("Reachable", "False", "ProbeFailed").lower()
    path.is_("Ready", "False", "ProbeFailed")
    path.lab.cloud.start_redis(path.world.host_id)
    path.ready()


def test_a_missing_permission_is_named_and_its_return_heals(path: Path) -> None:
    everything_else = ["*.list", "*.get", "*.wait", "vpcaccess.*", "compute.networks.*", "compute.subnetworks.*"]
    path.world.control.allow(path.world.project, {"*": everything_else})
    path.apply()
    assert "compute.firewalls.create" in path.is_("FirewallReady", "False", "PermissionDenied")
    path.world.control.allow(path.world.project, None)
    path.ready()


@pytest.mark.parametrize(("status", "count"), [(429, 1), (500, 2), (503, 2)])
@pytest.mark.parametrize(
    "method", ["vpcaccess.connectors.create", "compute.firewalls.insert", "compute.globalOperations.wait"]
)
def test_a_fault_at_a_write_is_outlived_without_a_double(path: Path, method: str, status: int, count: int) -> None:
    path.world.control.fault(method, "status", project=path.world.project, status=status, count=count)
    path.apply()
    # A quota refills with the next minute, and is not asked before.
    path.lab.wait_condition(path.namespace, "path", "Ready", deadline=110)
    assert path.world.connectors() == ["staging-connector"]
    assert sorted(path.world.own_rules()) == [EGRESS, INGRESS]


@pytest.mark.parametrize("method", ["vpcaccess.connectors.create", "compute.firewalls.insert"])
def test_a_lost_answer_makes_no_double(path: Path, method: str) -> None:
    path.world.control.fault(method, "drop_answer", project=path.world.project, count=1)
    path.apply()
    path.lab.wait_condition(path.namespace, "path", "Ready", deadline=60)
    assert path.world.connectors() == ["staging-connector"]
    assert len(path.world.calls("vpcaccess.connectors.create")) == 1
    assert sorted(path.world.own_rules()) == [EGRESS, INGRESS]


def test_a_stalled_operation_is_waited_for(path: Path) -> None:
    fault = path.world.control.fault("vpcaccess.connectors.create", "stall_operation", project=path.world.project)
    path.apply()
    path.is_("ConnectorReady", "False", "ConnectorCreating")
    path.world.control.remove_fault(fault)
    path.ready()
    assert len(path.world.calls("vpcaccess.connectors.create")) == 1


def is_slow(line: str) -> bool:
    return line.startswith("redis_connectivity_poll_slowdown_ratio{") and float(line.rsplit(maxsplit=1)[-1]) > 1


def test_a_quota_that_is_used_up_slows_that_project_and_nobody_else(path: Path) -> None:
    path.apply()
    path.ready()
    other = Hardened(path.lab.cloud.control, path.lab.cloud.url).build()
    try:
        path.lab.apply(other.resource(path.namespace, name="other"))
        path.lab.wait_condition(path.namespace, "other", "Ready", deadline=40)
        control = path.world.control
        control.fault(
            "compute.firewalls.list", "status", project=path.world.project, status=403, reason="rateLimitExceeded"
        )
        mark = max(int(one["seq"]) for one in control.audit())

        def lists(world: Hardened) -> int:
            return len(control.audit(since=mark, project=world.project, method="compute.firewalls.list"))

        wait_until(lambda: lists(other) >= 10, deadline=30, describe="the other project to be polled as ever")
        assert lists(path.world) <= 3
        slowed = {line.split('"')[1] for line in path.lab.operator.metrics().splitlines() if is_slow(line)}
        assert path.world.project in slowed
        assert other.project not in slowed
    finally:
        path.lab.cloud.control.clear_faults()
        path.lab.kubectl("delete", "rconn", "other", "-n", path.namespace, "--timeout=30s")
        path.lab.cloud.control.remove_project(other.project)


def test_a_shared_connector_is_handed_over_and_goes_with_its_last_user(path: Path) -> None:
    path.apply()
    path.ready()
    path.lab.apply(path.world.resource(path.namespace, name="second"))
    path.lab.wait_condition(path.namespace, "second", "Ready", deadline=40)
    assert len(path.world.own_rules()) == 4
    path.lab.kubectl("delete", "rconn", "path", "-n", path.namespace, "--timeout=30s")
    assert path.world.connectors() == ["staging-connector"]
    assert len(path.world.own_rules()) == 2
    path.lab.kubectl("delete", "rconn", "second", "-n", path.namespace, "--timeout=30s")
    assert path.world.connectors() == []
    assert path.world.own_rules() == {}


def test_on_a_plain_network_memorystore_needs_no_rule(lab: Lab) -> None:
    namespace = f"plain-{secrets.token_hex(3)}"
    lab.control_plane.create_namespace(namespace)
    world = Hardened(lab.cloud.control, lab.cloud.url, memorystore=True, hardened=False).build()
    try:
        lab.apply(world.resource(namespace))
        lab.wait_condition(namespace, "path", "Ready", deadline=40)
        assert "nothing denies" in lab.condition(namespace, "path", "FirewallReady")["message"]
        assert world.own_rules() == {}
    finally:
        lab.control_plane.purge_namespace(namespace)
        lab.cloud.control.remove_project(world.project)


def test_the_api_server_crashes_and_the_operator_goes_on(path: Path) -> None:
    path.apply()
    path.ready()
    path.lab.control_plane.restart_apiserver(crash=True)
    path.break_rule(priority=3000)
    path.until(lambda: path.world.rules()[INGRESS]["priority"] == 899, "the repair", deadline=60)
    path.lab.kubectl("delete", "rconn", "path", "-n", path.namespace, "--timeout=60s")
    assert path.world.own_rules() == {}
