"""Each cause by example, which of two comes first, and that the chain is total and deterministic."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from diagnosis_cases import INGRESS, NETWORK, NOW, SUBNET, Path, deny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.api.diagnosis import HopVerdict
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.cloudvalues import (
    ConnectorState,
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    Layer4,
    Network,
    NetworkRef,
    Peering,
    PolicyAction,
    PolicyKind,
    RedisInstanceState,
    Subnetwork,
)
from redis_connectivity.core.conflict import Conflict
from redis_connectivity.core.diagnosis import CATALOGUE, Finding, find_cause, tell, walk
from redis_connectivity.core.diagnosis.answerchecks import ANSWERED, NO_ANSWER, PROBER_TROUBLE, REPEATED
from redis_connectivity.core.diagnosis.entry import COMMON_FACTS, fill
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import ConnectorFailure
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.probing import path_changed
from redis_connectivity.core.pscvalues import (
    Authorization,
    ConnectionRole,
    ConnectionStatus,
    PscConnection,
    PscState,
    RedisCluster,
    ValkeyInstance,
)
from redis_connectivity.core.statusbuild import StatusInput, build_status, conditions_only, has_news
from redis_connectivity.core.verdict import bad, unknown
from redis_connectivity.probes.model import FailureCode

EGRESS = "allow-vpc-connector-egress-to-redis"


def cause(path: Path) -> Finding:
    found = find_cause(path.case)
    assert found is not None
    told = tell(found, None, "2026-01-01T00:00:00Z")  # every fact that the texts want is there
    assert "{" not in told.summary + told.remedy
    assert told.evidence
    return found


def policy(direction: Direction, **more: Any) -> FirewallPolicy:
    rule = FirewallPolicyRule(10, PolicyAction.DENY, direction, frozenset({Layer4("all")}), **more)
    return FirewallPolicy(PolicyKind.HIERARCHY, "1", "org-baseline", (rule,))


def failed(path: Path, code: int, message: str, *, terminal: bool = False) -> Path:
    failure = ConnectorFailure(
        spec_digest=path.desired.connector.digest, attempts=1, at=NOW, code=code, message=message, terminal=terminal
    )
    return path.remember(failure=failure)


HEALTHY = "Failed to get healthy. Please check GCE quotas, logs and org policies and recreate."
CONFLICT = "Invalid IP CIDR range was provided. It conflicts with an existing subnetwork."
OTHER = NetworkRef("acme-staging", "other-vpc")


def memorystore(**fields: Any) -> Path:
    path = Path(memorystore=True)
    assert path.observed.redis is not None
    assert not isinstance(path.observed.redis, Unseen)
    return path.see(redis=replace(path.observed.redis, **fields))


EXAMPLES = {
    "the name of another environment's network": (
        lambda: Path(spec={"network": {"name": "production-vpc"}}).see(network=None),
        Code.WRONG_NETWORK,
    ),
    "a slip in the network's name": (
        lambda: Path(spec={"network": {"name": "othervpc"}}).see(
            network=None, network_names=frozenset({"other-vpc", "x"})
        ),
        Code.WRONG_NETWORK,
    ),
    "no network": (lambda: Path().see(network=None, network_names=frozenset({"x"})), Code.NETWORK_MISSING),
    "no subnet": (
        lambda: Path(spec={"connector": {"subnet": {"name": "conn"}}}),
        Code.SUBNET_MISSING,
    ),
    "a subnet of another region": (
        lambda: Path(spec={"connector": {"subnet": {"name": "conn"}}}).see(
            subnetworks=(replace(SUBNET, name="conn", region="europe-west1"),)
        ),
        Code.WRONG_REGION,
    ),
    "an instance of another region": (
        lambda: Path(memorystore=True).see(redis=None, redis_elsewhere=("europe-west1",)),
        Code.WRONG_REGION,
    ),
    "a connector of another region": (
        lambda: Path(spec={"connector": {"ipCidrRange": "10.2.0.0/28", "management": "Observed"}}).see(
            connector=None, connector_elsewhere=("europe-west1",)
        ),
        Code.WRONG_REGION,
    ),
    "a subnet too wide": (
        lambda: Path(spec={"connector": {"subnet": {"name": "conn"}}}).see(
            subnetworks=(
                Subnetwork("acme-staging", "us-central1", "conn", NETWORK, IPv4Network("10.9.0.0/24"), "PRIVATE"),
            )
        ),
        Code.SUBNET_UNSUITABLE,
    ),
    "an older resource has the connector at another place": (
        lambda: Path().see(
            conflict=Conflict(ResourceId("cluster", "ns", "older", "uid-0"), "It is declared by ns/older.")
        ),
        Code.CONFLICT,
    ),
    "our connector was deleted": (lambda: Path().see(connector=None), Code.CONNECTOR_MISSING),
    "a connector that is only observed is not there": (
        lambda: Path(spec={"connector": {"ipCidrRange": "10.2.0.0/28", "management": "Observed"}}).see(connector=None),
        Code.CONNECTOR_MISSING,
    ),
    "a connector on another network": (
        lambda: Path().connector(network="other-vpc"),
        Code.CONNECTOR_WRONG_NETWORK,
    ),
    "a range that a subnet has": (
        lambda: (
            Path()
            .remember(claim=None)
            .see(
                connector=None,
                subnetworks=(replace(SUBNET, ip_cidr_range=IPv4Network("10.2.0.0/24")),),
            )
        ),
        Code.RANGE_OVERLAP,
    ),
    "a conflict that only the operation told": (
        lambda: failed(Path(), 3, CONFLICT, terminal=True).see(connector=None),
        Code.CONNECTOR_CONFLICT,
    ),
    "a conflict, the dead connector still there": (
        lambda: failed(Path(), 3, CONFLICT, terminal=True).connector(state=ConnectorState.ERROR),
        Code.CONNECTOR_CONFLICT,
    ),
    "a creation that failed": (lambda: failed(Path(), 13, HEALTHY).see(connector=None), Code.CONNECTOR_CREATION_FAILED),
    "a creation that failed behind a deny of health checks": (
        lambda: (
            failed(Path(), 13, HEALTHY)
            .connector(state=ConnectorState.ERROR)
            .add(deny("no-667", Direction.INGRESS, 50, source_ranges=frozenset({"35.191.0.0/16"})))
        ),
        Code.CONNECTOR_RULES_SHADOWED,
    ),
    "an organisation's deny of health checks": (
        lambda: (
            Path()
            .connector(state=ConnectorState.ERROR)
            .see(policies=(policy(Direction.INGRESS, source_ranges=frozenset({"130.211.0.0/22"})),))
        ),
        Code.CONNECTOR_RULES_SHADOWED,
    ),
    "a connector in ERROR": (lambda: Path().connector(state=ConnectorState.ERROR), Code.CONNECTOR_ERROR),
    "a connector that somebody deletes": (
        lambda: Path().connector(state=ConnectorState.DELETING),
        Code.CONNECTOR_NOT_READY,
    ),
    "a connector with another range": (
        lambda: Path().connector(ip_cidr_range=IPv4Network("10.3.0.0/28")),
        Code.CONNECTOR_DIFFERS,
    ),
    "no instance": (lambda: Path(memorystore=True).see(redis=None), Code.REDIS_MISSING),
    "an instance in maintenance": (lambda: memorystore(state=RedisInstanceState.MAINTENANCE), Code.REDIS_NOT_READY),
    "an instance of another network": (lambda: memorystore(authorized_network=OTHER), Code.REDIS_WRONG_NETWORK),
    "no peering": (
        lambda: Path(memorystore=True).see(network=Network(NETWORK)),
        Code.PEERING_MISSING,
    ),
    "private service access without its peering": (
        lambda: memorystore(connect_mode="PRIVATE_SERVICE_ACCESS"),
        Code.PEERING_MISSING,
    ),
    "a peering that is not active": (
        lambda: Path(memorystore=True).see(
            network=Network(NETWORK, peerings=(Peering("redis-peer-1", "g", "INACTIVE"),))
        ),
        Code.PEERING_MISSING,
    ),
    "a VM of another network, and silence": (
        lambda: (
            Path()
            .see(subnetworks=(Subnetwork("acme-staging", "us-central1", "s", OTHER, IPv4Network("10.128.0.0/20")),))
            .probed("ConnectTimeout")
        ),
        Code.REDIS_WRONG_NETWORK,
    ),
    "Cloud Run's own range, and silence": (
        lambda: (
            Path(spec={"redis": {"vm": {"host": "172.17.0.9"}}, "firewall": {"egress": "Never"}})
            .rule(EGRESS)
            .rule("deny-out")
            .probed("ConnectTimeout")
        ),
        Code.RANGE_OVERLAP,
    ),
    "the rule was deleted": (lambda: Path().rule(), Code.RULE_MISSING),
    "the egress rule was deleted": (lambda: Path(memorystore=True).rule(EGRESS), Code.RULE_MISSING),
    "the rule was disabled": (lambda: Path().rule(disabled=True), Code.RULE_DISABLED),
    "the rule was narrowed": (
        lambda: Path().rule(source_ranges=frozenset({"192.168.0.1/32"})),
        Code.RULE_NARROWED,
    ),
    "the rule's tags were changed": (lambda: Path().rule(target_tags=frozenset({"other"})), Code.RULE_NARROWED),
    "the rule was widened": (
        lambda: Path().rule(source_ranges=frozenset({"10.0.0.0/8"})),
        Code.RULE_CHANGED,
    ),
    "the rule's port was changed": (
        lambda: Path().rule(layer4=frozenset({Layer4("tcp", ((6380, 6380),))})),
        Code.RULE_CHANGED,
    ),
    "the rule was narrowed, and drift is only reported": (
        lambda: Path(spec={"driftPolicy": "Report"}).rule(source_ranges=frozenset({"192.168.0.1/32"})),
        Code.RULE_NARROWED,
    ),
    "a rule that the spec forbids": (lambda: Path(spec={"firewall": {"ingress": "Never"}}), Code.RULE_FORBIDDEN),
    "an organisation's deny": (
        lambda: Path().see(policies=(policy(Direction.INGRESS, source_ranges=frozenset({"10.0.0.0/8"})),)),
        Code.DENIED_BY_POLICY,
    ),
    "an organisation's deny of egress": (
        lambda: Path(memorystore=True).see(
            policies=(policy(Direction.EGRESS, destination_ranges=frozenset({"10.0.0.0/8"})),)
        ),
        Code.DENIED_BY_POLICY,
    ),
    "a name in a policy, and no prober to tell": (
        lambda: Path().see(policies=(policy(Direction.EGRESS, opaque=frozenset({"destFqdns"})),)).probed("ProberFault"),
        Code.RULE_UNCERTAIN,
    ),
    "a deny of ingress moved in front": (
        lambda: Path().add(deny("lockdown", Direction.INGRESS, 100)),
        Code.INGRESS_DENIED,
    ),
    "a deny of egress moved in front": (
        lambda: Path(memorystore=True).add(deny("lockdown", Direction.EGRESS, 200)),
        Code.EGRESS_DENIED,
    ),
    "a deny of egress that nothing beats": (
        lambda: Path(memorystore=True).add(deny("no-way-out", Direction.EGRESS, 0)),
        Code.EGRESS_DENIED,
    ),
    "a deny that the fixed priority does not beat": (
        lambda: Path(spec={"firewall": {"priority": 1000}}),
        Code.EGRESS_DENIED,
    ),
    "a permission for the rules": (
        lambda: Path().see(rules=Unseen(Reason.PERMISSION_DENIED, "Grant compute.firewalls.list.")),
        Code.PERMISSION_MISSING,
    ),
    "credentials": (lambda: Path().see(network=Unseen(Reason.UNAUTHENTICATED, "who?")), Code.CREDENTIALS_REFUSED),
    "an API": (lambda: Path().see(connector=Unseen(Reason.API_DISABLED, "Enable it.")), Code.API_DISABLED),
    "the project": (lambda: Path().see(network=Unseen(Reason.PROJECT_NOT_FOUND, "gone")), Code.PROJECT_MISSING),
    "a quota": (lambda: Path().see(rules=Unseen(Reason.QUOTA_EXHAUSTED, "used up")), Code.QUOTA_EXHAUSTED),
    "Google's own trouble": (lambda: Path().see(rules=Unseen(Reason.CLOUD_UNAVAILABLE, "503")), Code.CLOUD_UNAVAILABLE),
    "the prober": (lambda: Path().probed("ProberUnavailable"), Code.PROBER_UNAVAILABLE),
    "silence that nothing explains": (lambda: Path().probed("ConnectTimeout"), Code.PATH_TIMES_OUT),
    "no route": (lambda: Path().probed("NetworkUnreachable"), Code.NO_ROUTE),
    **{
        f"Redis answers {code}": (lambda code=code: Path().probed(code), expected)
        for code, expected in (ANSWERED | REPEATED).items()
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_cause_is_found(name: str) -> None:
    make, code = EXAMPLES[name]
    assert cause(make()).code is code


@pytest.mark.parametrize(
    ("spec", "seen", "role"),
    [
        ({"cluster": {"name": "chat"}}, RedisCluster, "roles/redis.dbConnectionUser"),
        ({"valkey": {"instance": "chat"}}, ValkeyInstance, "roles/memorystore.dbConnectionUser"),
    ],
)
@pytest.mark.parametrize("code", ["WrongPassword", "AuthenticationRequired"])
def test_where_iam_decides_the_evidence_names_the_role(spec: Any, seen: Any, role: str, code: str) -> None:
    path = Path(spec={"redis": spec}).probed(code)

    def told(authorization: Authorization) -> str:
        psc = PscConnection("10.9.0.4", 6379, ConnectionRole.DISCOVERY, ConnectionStatus.ACTIVE, NETWORK)
        redis = seen("acme-staging", "us-central1", "chat", PscState.ACTIVE, connections=(psc,))
        return " ".join(cause(path.see(redis=replace(redis, authorization=authorization))).evidence)

    assert f"must have {role} in project acme-staging" in told(Authorization.IAM_AUTH)
    assert "roles/" not in told(Authorization.TOKEN_AUTH)


def test_a_healthy_path_has_no_cause() -> None:
    for path in (Path(), Path(memorystore=True)):
        assert find_cause(path.case) is None
        assert {hop.verdict for hop in walk(path.case)} == {HopVerdict.ALLOWED}


#: Codes that need parts of the project that are not there yet have no example; every other one has.
WITHOUT_EXAMPLE = {
    Code.DRIFT_CONTENDED,
    Code.NOT_ALLOWED_BY_POLICY,
    Code.OPERATION_FAILED,
    Code.PSC_CONNECTION_LOST,
    Code.SHARED_VPC_RULES_MISSING,
}


def test_every_code_has_an_entry_and_an_example() -> None:
    assert set(CATALOGUE) == set(Code)
    assert {code for _, code in EXAMPLES.values()} | WITHOUT_EXAMPLE == set(Code)


def test_every_failure_of_a_probe_is_known_to_the_chain() -> None:
    known = set(ANSWERED) | set(REPEATED) | set(NO_ANSWER) | PROBER_TROUBLE
    assert known == {code.value for code in FailureCode}


def test_a_policy_that_forbids_is_a_cause() -> None:
    verdict = bad(Reason.NOT_ALLOWED_BY_POLICY, "Policy p allows network x only.")
    status = conditions_only(built(Path()), {ConditionType.READY: verdict}, 1, NOW)
    assert status.diagnosis is not None
    assert status.diagnosis.code is Code.NOT_ALLOWED_BY_POLICY
    assert status.diagnosis.evidence == ["Policy p allows network x only."]
    resting = conditions_only(status, {ConditionType.READY: unknown(Reason.SUSPENDED, "At rest.")}, 1, NOW)
    assert resting.diagnosis is None


#: Reasons of hops that are no cause: good ones, and what is on its way.
NO_CAUSE = {
    Reason.PENDING,
    Reason.AS_DECLARED,
    Reason.EARLIER_HOP_NOT_READY,
    Reason.NETWORK_FOUND,
    Reason.CONNECTOR_READY,
    Reason.CONNECTOR_NOT_OURS,
    Reason.CONNECTOR_NOT_MANAGED,
    Reason.CONNECTOR_UPDATING,
    Reason.CONNECTOR_REPLACING,
    Reason.CONNECTOR_RETIREMENT_WAITING,
    Reason.DIRECT_VPC_EGRESS,
    Reason.REDIS_DECLARED,
    Reason.REDIS_FOUND,
    Reason.FIREWALL_OPEN,
    Reason.FIREWALL_NOT_JUDGED,
}


#: Which hop a reason is for, by how its name begins.
HOMES = {"NETWORK": "network", "SUBNET": "network", "CONNECTOR": "connector", "SHARED": "connector", "REDIS": "redis"}
BAD = [
    (HOMES[one.name.split("_")[0]], one)
    for one in Reason
    if one.name.split("_")[0] in HOMES and one not in NO_CAUSE and not one.name.endswith(("CREATING", "DELETING"))
]


@pytest.mark.parametrize(("hop", "reason"), BAD)
def test_a_hop_that_is_bad_has_a_cause(hop: str, reason: Reason) -> None:
    """A reason that somebody adds is told to the chain, too."""
    path = Path(memorystore=True)
    plan = replace(path.case.plan, **{hop: bad(reason, "It is bad.")})
    found = find_cause(replace(path.case, plan=plan))
    assert found is not None
    assert tell(found, None, "").evidence


def test_a_refused_change_is_a_failed_operation() -> None:
    path = Path().rule()
    plan = path.case.plan
    refused = plan.with_failure(plan.actions[0], bad(Reason.REJECTED_BY_GOOGLE, "Could not create it: no."))
    found = find_cause(replace(path.case, plan=refused))
    assert found is not None
    assert found.code is Code.OPERATION_FAILED
    assert "Could not create it: no." in found.evidence[0]


# --- what the evidence says


def test_the_evidence_names_the_deny_and_whose_it_is() -> None:
    rule = deny("lockdown", Direction.INGRESS, 100, description="Security team, ask #sec")
    found = cause(Path().add(rule))
    assert "rule lockdown (priority 100), which is somebody else's (Security team, ask #sec)" in found.evidence[0]
    assert "lockdown" in tell(found, None, "").summary


def test_the_evidence_tells_before_and_after() -> None:
    found = cause(Path().rule(disabled=True))
    assert found.evidence[0] == f"Rule {INGRESS}: disabled was false, found true."


def test_the_evidence_carries_what_the_operation_told() -> None:
    path = failed(Path(), 3, CONFLICT, terminal=True).see(connector=None)
    assert CONFLICT in cause(path).evidence[0] + cause(path).evidence[1]


def test_the_near_network_is_named() -> None:
    found = cause(Path(spec={"network": {"name": "production-vpc"}}).see(network=None))
    assert found.facts["near"] == "staging-vpc"
    assert "Set spec.network.name to staging-vpc" in tell(found, None, "").remedy


def test_silence_after_success_hints_at_a_small_connector() -> None:
    (told, hint) = cause(Path().probed("ConnectTimeout")).evidence
    assert "ConnectTimeout" in told
    assert "may be saturated" in hint
    assert len(cause(Path().connector(machine_type="e2-standard-4").probed("ConnectTimeout")).evidence) == 2 - 1


# --- order


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (lambda: Path().see(network=None, network_names=frozenset(), connector=None), Code.NETWORK_MISSING),
        (lambda: Path().connector(state=ConnectorState.ERROR).rule(), Code.CONNECTOR_ERROR),
        (lambda: memorystore(state=RedisInstanceState.REPAIRING).rule(EGRESS), Code.REDIS_NOT_READY),
        (lambda: Path().rule().probed("ConnectTimeout"), Code.RULE_MISSING),
        # Redis answered, so what cannot be read is not what keeps it from working.
        (
            lambda: Path().see(rules=Unseen(Reason.PERMISSION_DENIED, "Grant it.")).probed("ConnectionRefused"),
            Code.REDIS_STOPPED,
        ),
        # Silence may well be in the rules that nobody may read.
        (
            lambda: Path().see(rules=Unseen(Reason.PERMISSION_DENIED, "Grant it.")).probed("ConnectTimeout"),
            Code.PERMISSION_MISSING,
        ),
        (lambda: Path().see(rules=Unseen(Reason.CLOUD_UNAVAILABLE, "503")).probed("Loading"), Code.REDIS_LOADING),
    ],
)
def test_an_earlier_cause_wins(path: Any, code: Code) -> None:
    assert cause(path()).code is code


def test_a_deny_of_health_checks_is_no_cause_while_the_connector_works() -> None:
    rule = deny("no-667", Direction.INGRESS, 50, source_ranges=frozenset({"35.191.0.0/16"}))
    assert find_cause(Path().add(rule).case) is None


def test_silence_right_after_a_change_proves_nothing() -> None:
    path = Path().probed("ConnectTimeout")
    assert path.probe is not None
    path.probe = path_changed(path.probe)
    assert find_cause(path.case) is None
    path.probed("ConnectTimeout", times=1)
    assert find_cause(path.case) is None
    path.probed("ConnectTimeout", times=1)
    assert cause(path).code is Code.PATH_TIMES_OUT


def test_a_rule_that_is_about_to_be_forbidden_is_a_cause_while_it_is_still_there() -> None:
    """The spec says Never, the rule from before still opens the way in, and the way out is being repaired."""
    path = Path()
    path.spec = {"firewall": {"ingress": "Never"}}
    path.rule(EGRESS).rule("deny-out")
    assert cause(path).code is Code.RULE_FORBIDDEN


def test_a_priority_that_is_about_to_be_too_weak_is_a_cause_while_the_earlier_rule_is_still_there() -> None:
    path = Path()
    path.spec = {"firewall": {"priority": 1000}}
    path.rule(EGRESS).rule("deny-out")
    assert path.case.plan.firewall.reason is Reason.FIREWALL_SHADOWED
    assert cause(path).code is Code.INGRESS_DENIED


def uncertain() -> Path:
    return Path().see(policies=(policy(Direction.EGRESS, opaque=frozenset({"destFqdns"})),))


def ready(path: Path) -> tuple[str, str, str]:
    told = next(one for one in built(path).conditions if one.type is ConditionType.READY)
    return told.status, told.reason, told.message


def test_a_rule_in_doubt_is_what_ready_names_where_no_prober_answers() -> None:
    path = uncertain().probed("ProberUnavailable")
    status, reason, message = ready(path)
    assert (status, reason) == ("Unknown", Reason.FIREWALL_UNCERTAIN)
    # What is in doubt, and why nobody can tell: both are there to be mended.
    assert "org-baseline, rule (priority 10) matches by destFqdns" in message
    assert "The prober could not be asked: it ended with ProberUnavailable" in message
    assert cause(path).code is Code.RULE_UNCERTAIN


def test_without_a_doubt_the_prober_is_what_ready_names() -> None:
    for path in (Path(), Path(spec={"redis": {"endpoint": {"host": "cache.example.com", "port": 6379}}})):
        path.probed("ProberUnavailable")
        assert ready(path)[1] == Reason.PROBER_UNAVAILABLE
        assert cause(path).code is Code.PROBER_UNAVAILABLE


def test_a_doubt_is_no_cause_before_a_probe_could_settle_it() -> None:
    path = uncertain()
    path.probe = None
    assert find_cause(path.case) is None
    assert ready(path)[1] == Reason.PENDING
    path.probed("ConnectionRefused", times=1)
    assert find_cause(path.case) is None
    # Redis' own answer proves that the rule in doubt lets packets through.
    path.probed("ConnectionRefused", times=1)
    assert cause(path).code is Code.REDIS_STOPPED
    path.probed(times=1)
    assert ready(path)[:2] == ("True", Reason.PATH_PROVEN)


def test_a_doubt_is_a_cause_at_once_where_nobody_probes() -> None:
    path = uncertain()
    path.probe = None
    found = find_cause(replace(path.case, probed=False))
    assert found is not None
    assert found.code is Code.RULE_UNCERTAIN


def test_what_does_not_cross_the_connector_proves_nothing() -> None:
    assert find_cause(Path().probed("ConnectionRefused", origin="Operator").case) is None


def test_what_the_operator_does_as_planned_is_no_cause() -> None:
    new = Path().remember(applied={}, claim=None)
    assert isinstance(new.observed.rules, tuple)
    new.see(connector=None, rules=tuple(rule for rule in new.observed.rules if rule.name.startswith("deny")))
    new.probe = None
    assert new.case.plan.actions
    assert find_cause(new.case) is None


# --- texts


def test_texts_want_no_fact_that_has_no_name() -> None:
    for entry in CATALOGUE.values():
        for text in (*entry.commands, entry.summary, entry.remedy):
            assert fill(text, dict.fromkeys(entry.facts | COMMON_FACTS | {"rule", "instance", "deny"}, "X"))


def test_what_a_fact_holds_is_not_a_template() -> None:
    assert fill("{a} {b}", {"a": "{b}", "b": "c"}) == "{b} c"


# --- status


def built(
    path: Path, previous: RedisConnectivityStatus | None = None, *, generation: int = 1
) -> RedisConnectivityStatus:
    case = path.case
    return build_status(
        StatusInput(
            desired=case.desired,
            observed=case.observed,
            plan=case.plan,
            probe=case.probe,
            generation=generation,
            previous=previous or RedisConnectivityStatus(),
            now=NOW,
        )
    )


def test_a_cause_stands_until_the_path_is_proven_again() -> None:
    path = Path()
    broken = built(Path().rule())
    assert broken.diagnosis is not None
    path.probed("ConnectTimeout")
    assert path.probe is not None
    path.probe = path_changed(path.probe)
    mended = built(path, broken)
    assert mended.diagnosis == broken.diagnosis
    assert built(path, broken, generation=2).diagnosis is None
    assert built(path.probed(), mended).diagnosis is None


def test_a_cause_keeps_the_time_of_its_first_sight_and_is_news_once() -> None:
    first = built(Path().probed("ConnectionRefused"))
    assert first.diagnosis is not None
    assert has_news(RedisConnectivityStatus(), first)
    again = built(Path().probed("ConnectionRefused", times=7), first)
    assert again.diagnosis == first.diagnosis
    assert not has_news(first, again)


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_chain_is_total_and_deterministic(data: st.DataObject) -> None:
    """Whatever two causes come together: one answer, the same each time, with texts; none exactly when Ready allows."""
    first, second = (data.draw(st.sampled_from(sorted(EXAMPLES))) for _ in range(2))
    one, other = EXAMPLES[first][0](), EXAMPLES[second][0]()
    take = data.draw(st.sets(st.sampled_from(["network", "connector", "redis", "rules", "policies", "subnetworks"])))
    one.see(**{name: getattr(other.observed, name) for name in take})
    if data.draw(st.booleans()):
        one.probe = other.probe
    if data.draw(st.booleans()):
        one.ledger = other.ledger
    status, again = built(one), built(one)
    assert status == again
    ready = next(c for c in status.conditions if c.type is ConditionType.READY)
    if ready.status == "True":
        assert status.diagnosis is None
    if status.diagnosis is not None:
        assert status.diagnosis.code in CATALOGUE
        assert status.diagnosis.evidence
    stalled = next(c for c in status.conditions if c.type is ConditionType.STALLED)
    if stalled.status == "True":
        assert status.diagnosis is not None, ready.message
    names = [hop.name for hop in status.path]
    assert len(set(names)) == len(names) == (5 if one.memorystore else 6)
