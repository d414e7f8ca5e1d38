"""Direct VPC egress: the subnet is the source, the revision's tags are what an egress rule can be aimed at."""

from typing import Any

import pytest
from connector_values import HOST, desired, network, observed, rule, subnet
from pydantic import ValidationError

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.actions import DeleteRule, InsertRule
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Network
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import applied_form
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.plan_deletion import make_deletion_plan
from redis_connectivity.core.statusbuild import StatusInput, build_status
from redis_connectivity.reconcile.observer import interests

DENY_OUT = rule("deny-out", Direction.EGRESS, {"0.0.0.0/0"}, action=Action.DENY, priority=900)


def direct(*tags: str, **more: Any) -> Desired:
    given = {"subnet": "run", "tags": list(tags)}
    return desired(directVpcEgress=given, **more)


def seen(*rules: FirewallRule, cidr: str = "10.20.0.0/24", **more: Any) -> Observed:
    return observed(rules=rules, subnetworks=(subnet("run", cidr),), **more)


def plan(want: Desired, what: Observed) -> Plan:
    return make_plan(want, what, Ledger(), 0.0)


def test_the_whole_subnet_is_the_source_and_no_tag_is() -> None:
    made = plan(direct("chat"), seen())
    (insert,) = made.actions
    assert isinstance(insert, InsertRule)
    assert insert.rule.source_ranges == {"10.20.0.0/24"}
    assert insert.rule.source_tags == frozenset()
    assert insert.rule.target_tags == {"redis-instance"}
    assert made.connector.ok
    assert made.connector.reason is Reason.DIRECT_VPC_EGRESS


def test_an_egress_rule_is_aimed_at_the_revisions_tags() -> None:
    made = plan(direct("chat", "web"), seen(DENY_OUT))
    egress = next(one.rule for one in made.actions if isinstance(one, InsertRule) and one.rule.destination_ranges)
    assert egress.direction is Direction.EGRESS
    assert egress.target_tags == {"chat", "web"}
    assert egress.priority == 899


def test_without_tags_nothing_is_opened_for_the_whole_network() -> None:
    made = plan(direct(), seen(DENY_OUT))
    assert [one.rule.direction for one in made.actions if isinstance(one, InsertRule)] == [Direction.INGRESS]
    assert made.firewall.reason is Reason.FIREWALL_NOT_AIMED
    assert made.firewall.stalled
    assert "deny-out" in made.firewall.message
    assert "spec.directVpcEgress.tags" in made.firewall.message


def test_without_tags_and_without_a_deny_nothing_is_missing() -> None:
    made = plan(direct(), seen())
    assert [type(one) for one in made.actions] == [InsertRule]
    assert made.firewall.reason is Reason.FIREWALL_APPLYING


def test_when_the_tags_go_the_egress_rule_goes() -> None:
    with_tags = plan(direct("chat"), seen(DENY_OUT))
    rules = [one.rule for one in with_tags.actions if isinstance(one, InsertRule)]
    ledger = Ledger(applied={one.name: applied_form(one) for one in rules})
    made = make_plan(direct(), seen(DENY_OUT, *rules), ledger, 0.0)
    assert [(type(one), one.rule.direction) for one in made.actions if isinstance(one, DeleteRule)] == [
        (DeleteRule, Direction.EGRESS)
    ]


def test_a_source_tag_of_an_ingress_deny_is_no_certain_deny() -> None:
    """Google calls the effect of a revision's tag as source undefined: nothing is built on it, nor against it."""
    deny = rule("deny-tag", Direction.INGRESS, set(), action=Action.DENY, priority=10, source_tags=frozenset({"chat"}))
    made = plan(direct("chat"), seen(deny))
    assert made.firewall.reason is not Reason.FIREWALL_DENY_UNBEATABLE


@pytest.mark.parametrize(
    ("cidr", "ok"),
    [
        ("10.20.0.0/26", True),
        ("10.20.0.0/27", False),
        ("100.64.0.0/24", True),
        ("240.0.0.0/24", True),
        ("198.18.0.0/24", False),
        ("8.8.8.0/24", False),
    ],
)
def test_which_subnets_will_do(cidr: str, ok: bool) -> None:
    made = plan(direct("chat"), seen(cidr=cidr))
    assert made.network.ok is ok
    if not ok:
        assert made.network.reason is Reason.SUBNET_UNSUITABLE
        assert cidr in made.network.message
        assert made.actions == ()


def test_another_subnet_moves_the_rules() -> None:
    want = direct("chat")
    rules = [one.rule for one in plan(want, seen()).actions if isinstance(one, InsertRule)]
    ledger = Ledger(applied={one.name: applied_form(one) for one in rules})
    moved = make_plan(want, seen(*rules, cidr="10.30.0.0/24"), ledger, 0.0)
    (update,) = moved.actions
    assert update.summary.endswith("(sourceRanges)")


def test_in_a_shared_vpc_the_subnet_is_the_hosts() -> None:
    want = direct("chat", network={"name": "staging-vpc", "hostProjectId": HOST})
    there = observed(network=Network(network(HOST)), subnetworks=(subnet("run", "10.20.0.0/24", HOST),), connectors=())
    (insert,) = plan(want, there).actions
    assert isinstance(insert, InsertRule)
    assert insert.rule.network.project == HOST


def test_nothing_of_connectors_is_read_or_told() -> None:
    want = direct("chat")
    assert not any("connectors" in str(key) for key in interests(want))
    what = seen()
    status = build_status(StatusInput(want, what, plan(want, what), None, 1, RedisConnectivityStatus(), 0.0))
    assert status.connector is None
    with pytest.raises(LookupError, match="has no connector"):
        _ = want.connector


def test_deletion_takes_the_rules_and_looks_for_no_connector() -> None:
    want = direct("chat")
    rules = [one.rule for one in plan(want, seen()).actions if isinstance(one, InsertRule)]
    assert [type(one) for one in make_deletion_plan(want, seen(*rules), Ledger(), 0.0).actions] == [DeleteRule]
    assert make_deletion_plan(want, seen(), Ledger(), 0.0).done


def test_always_without_tags_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"needs directVpcEgress\.tags"):
        direct(firewall={"egress": "Always"})
