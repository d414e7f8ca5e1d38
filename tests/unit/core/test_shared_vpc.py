"""Shared VPC: where each thing is looked for and made, and what people must have made in the host project."""

from dataclasses import replace
from typing import Any

import pytest
from connector_values import HOST, OWNER, PROJECT, connector, desired, network, observed, rule, subnet

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.actions import CreateConnector, InsertRule
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Network, PolicyKind
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import make_plan
from redis_connectivity.reconcile.observer import interests
from unit.core.reachability_values import policy, policy_rule

IN_HOST = {"name": "staging-vpc", "hostProjectId": HOST}
ON_SUBNET = {"subnet": {"name": "conn"}}
TAG = frozenset({"vpc-connector"})
SERVICE_RULES = tuple(
    rule(name, direction, ranges, network=network(HOST), target_tags=TAG)
    for name, direction, ranges in (
        ("serverless-to-vpc-connector", Direction.INGRESS, {"35.199.224.0/19"}),
        ("vpc-connector-to-serverless", Direction.EGRESS, {"35.199.224.0/19"}),
        ("vpc-connector-health-checks", Direction.INGRESS, {"35.191.0.0/16", "35.191.192.0/18", "130.211.0.0/22"}),
    )
)


def seen(*connectors: Any, rules: tuple[FirewallRule, ...] = SERVICE_RULES, **more: Any) -> Observed:
    given = {
        "network": Network(network(HOST)),
        "subnetworks": (subnet("conn", "10.8.0.0/28", HOST),),
        "rules": rules,
        **more,
    }
    return observed(*connectors, **given)


def test_everything_of_the_network_is_read_in_the_host_project() -> None:
    keys = {str(key) for key in interests(desired(ON_SUBNET, network=IN_HOST))}
    assert keys == {
        f"firewalls({HOST})",
        f"networks({HOST})",
        f"subnetworks({HOST})",
        f"effective_policies({HOST}/staging-vpc)",
        f"region_policies({HOST}/us-central1/staging-vpc)",
        f"connectors({PROJECT}/us-central1)",
    }
    in_host = desired({"ipCidrRange": "10.2.0.0/28", "projectId": HOST}, network=IN_HOST)
    assert f"connectors({HOST}/us-central1)" in {str(key) for key in interests(in_host)}


def test_a_connector_in_the_service_project_is_made_on_the_hosts_subnet() -> None:
    plan = make_plan(desired(ON_SUBNET, network=IN_HOST), seen(), Ledger(), 0.0)
    (create,) = plan.actions
    assert isinstance(create, CreateConnector)
    assert create.connector == f"projects/{PROJECT}/locations/us-central1/connectors/staging-connector"
    assert (create.want.subnet, create.subnet_project, create.network) == ("conn", HOST, "")


def test_rules_are_made_in_the_host_project() -> None:
    want = desired(ON_SUBNET, network=IN_HOST)
    there = connector(cidr=None, subnet="conn", subnet_project=HOST)
    ledger = Ledger(claim=ConnectorClaim(connector=want.connector_path, state=ClaimState.CONFIRMED))
    plan = make_plan(want, seen(there), ledger, 0.0)
    assert plan.connector.reason is Reason.CONNECTOR_READY
    (insert,) = plan.actions
    assert isinstance(insert, InsertRule)
    assert insert.rule.network == network(HOST)
    assert insert.rule.source_ranges == {"10.8.0.0/28"}
    assert (plan.ledger.project, plan.ledger.host_project) == (PROJECT, HOST)


def test_a_subnet_of_the_same_name_in_the_service_project_is_another_one() -> None:
    there = connector(cidr=None, subnet="conn", subnet_project=PROJECT)
    plan = make_plan(desired(ON_SUBNET, network=IN_HOST), seen(there), Ledger(), 0.0)
    assert plan.connector.reason is Reason.CONNECTOR_FOREIGN_DIFFERS


@pytest.mark.parametrize("missing", SERVICE_RULES[:1] + SERVICE_RULES[2:], ids=lambda one: one.name)
def test_without_the_service_rules_nothing_is_made_and_the_command_is_told(missing: FirewallRule) -> None:
    rules = tuple(one for one in SERVICE_RULES if one is not missing)
    plan = make_plan(desired(ON_SUBNET, network=IN_HOST), seen(rules=rules), Ledger(), 0.0)
    assert plan.actions == ()
    assert plan.connector.reason is Reason.SHARED_VPC_RULES_MISSING
    assert plan.connector.stalled
    assert f"gcloud compute firewall-rules create {missing.name} --project={HOST}" in plan.connector.message
    others = [one.name for one in SERVICE_RULES if one is not missing]
    assert not any(name in plan.connector.message for name in others)


def test_the_command_beats_the_deny_that_stands_in_the_way() -> None:
    deny = rule("deny", Direction.EGRESS, {"0.0.0.0/0"}, network=network(HOST), action=Action.DENY, priority=900)
    weak = tuple(replace(one, priority=900) for one in SERVICE_RULES)
    plan = make_plan(desired(ON_SUBNET, network=IN_HOST), seen(rules=(*weak, deny)), Ledger(), 0.0)
    assert "vpc-connector-to-serverless is missing (or too weak) in host" in plan.connector.message
    assert plan.connector.message.endswith("--target-tags=vpc-connector --priority=899.")


def test_a_connector_that_lost_its_service_rules_is_named_and_its_own_rules_stay() -> None:
    want = desired(ON_SUBNET, network=IN_HOST)
    there = connector(cidr=None, subnet="conn", subnet_project=HOST)
    ledger = Ledger(claim=ConnectorClaim(connector=want.connector_path, state=ClaimState.CONFIRMED))
    plan = make_plan(want, seen(there, rules=()), ledger, 0.0)
    assert plan.connector.reason is Reason.SHARED_VPC_RULES_MISSING
    assert [type(one) for one in plan.actions] == [InsertRule]


@pytest.mark.parametrize(("where", "held"), [("regional_policies", True), ("target_region_policies", False)])
def test_policies_of_the_machines_region_are_not_about_the_connector(where: str, held: bool) -> None:
    guard = policy(PolicyKind.SYSTEM, policy_rule(10, Action.DENY, Direction.INGRESS), name="guard")
    seen_so = seen(**{"target_region_policies": (), where: (guard,)})
    plan = make_plan(desired(ON_SUBNET, network=IN_HOST), seen_so, Ledger(), 0.0)
    assert (plan.connector.reason is Reason.SHARED_VPC_RULES_MISSING) is held


def test_what_cannot_be_read_is_no_reason_to_hold_back() -> None:
    unread = Unseen(Reason.PERMISSION_DENIED, "no")
    plan = make_plan(
        desired(ON_SUBNET, network=IN_HOST), seen(policies=unread, regional_policies=unread, rules=()), Ledger(), 0.0
    )
    assert [type(one) for one in plan.actions] == [CreateConnector]


def test_in_the_host_project_google_makes_the_rules() -> None:
    want = desired({"ipCidrRange": "10.2.0.0/28", "projectId": HOST}, network=IN_HOST)
    assert want.connector_path == f"projects/{HOST}/locations/us-central1/connectors/staging-connector"
    assert want.owner == OWNER
    plan = make_plan(want, seen(rules=()), Ledger(), 0.0)
    assert [type(one) for one in plan.actions] == [CreateConnector]
