"""Firewall policies in the analyser: Google's order, goto_next, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from redis_connectivity.core.cloudvalues import FirewallPolicyRule, NetworkRef, PolicyKind
from redis_connectivity.core.reachability import Answer, DeciderKind, DoubtKind, Firewall, Judgement, Unread
from redis_connectivity.core.reachability.firewall import AFTER_CLASSIC_FIREWALL, BEFORE_CLASSIC_FIREWALL
from unit.core.reachability_values import (
    ALLOW,
    DENY,
    EGRESS,
    GLOBAL,
    GOTO_NEXT,
    HIERARCHY,
    INGRESS,
    INSPECT,
    NETWORK,
    REGIONAL,
    SENDER,
    SYSTEM,
    VM,
    flow,
    policy,
    policy_rule,
    rule,
)


def by(judgement: Judgement) -> tuple[Answer, str]:
    assert judgement.by is not None
    return judgement.answer, judgement.by.name


def missing(judgement: Judgement) -> list[str]:
    assert judgement.answer is Answer.UNKNOWN
    return [doubt.missing for doubt in judgement.doubts]


EVERY_STAGE = (
    policy(HIERARCHY, policy_rule(9, DENY), name="org"),
    policy(HIERARCHY, policy_rule(1, DENY), name="folder"),
    policy(SYSTEM, policy_rule(1, DENY), name="system"),
    policy(GLOBAL, policy_rule(1, DENY), name="global"),
    policy(REGIONAL, policy_rule(1, DENY), name="regional"),
)
VPC = rule("vpc", DENY, 0)


def order(enforcement: str) -> list[str]:
    """Who denies when everybody does, then when the first no longer does, and so on."""
    policies, rules, found = list(EVERY_STAGE), [VPC], []
    while True:
        judged = Firewall(rules, tuple(policies), enforcement, tuple(policies)).judge(EGRESS, flow())
        if judged.allowed:
            return found
        assert judged.by is not None
        found.append(judged.by.name)
        policies = [one for one in policies if one.name != judged.by.name]
        rules = [one for one in rules if one.name != judged.by.name]


def test_the_default_order() -> None:
    assert order(AFTER_CLASSIC_FIREWALL) == ["org", "folder", "system", "vpc", "global", "regional"]


def test_the_other_order_asks_network_policies_before_vpc_rules() -> None:
    assert order(BEFORE_CLASSIC_FIREWALL) == ["org", "folder", "system", "global", "regional", "vpc"]


@pytest.mark.parametrize(
    ("kind", "enforcement", "beatable"),
    [
        (HIERARCHY, AFTER_CLASSIC_FIREWALL, False),
        (SYSTEM, AFTER_CLASSIC_FIREWALL, False),
        (GLOBAL, AFTER_CLASSIC_FIREWALL, True),
        (REGIONAL, AFTER_CLASSIC_FIREWALL, True),
        (GLOBAL, BEFORE_CLASSIC_FIREWALL, False),
        (REGIONAL, BEFORE_CLASSIC_FIREWALL, False),
    ],
)
def test_whether_a_vpc_rule_can_beat_a_policy(kind: PolicyKind, enforcement: str, beatable: bool) -> None:
    policies = (policy(kind, policy_rule(1, DENY)),)
    denied = Firewall((), policies, enforcement, policies).judge(EGRESS, flow())
    assert denied.by is not None
    assert denied.by.beatable is beatable
    with_allow = Firewall([rule("ours", ALLOW, 1)], policies, enforcement, policies).judge(EGRESS, flow())
    assert with_allow.allowed is beatable


def test_a_vpc_deny_at_priority_0_is_unbeatable_and_at_1_is_not() -> None:
    for priority in (0, 1):
        judged = Firewall([rule("lock", DENY, priority)]).judge(EGRESS, flow())
        assert judged.by is not None
        assert judged.by.beatable is (priority > 0)


def test_within_a_policy_the_smaller_number_comes_first() -> None:
    one = policy(HIERARCHY, policy_rule(20, DENY), policy_rule(10, ALLOW))
    judged = Firewall((), (one,)).judge(EGRESS, flow())
    assert (judged.answer, judged.by and judged.by.priority) == (Answer.ALLOWED, 10)


def test_goto_next_leaves_the_policy_for_the_next_stage() -> None:
    org = policy(HIERARCHY, policy_rule(1, GOTO_NEXT, destination_ranges="10.128.0.0/9"), policy_rule(2, DENY))
    assert by(Firewall([rule("ours", ALLOW)], (org,)).judge(EGRESS, flow())) == (Answer.ALLOWED, "ours")
    folder = policy(HIERARCHY, policy_rule(1, DENY), name="folder")
    assert by(Firewall([rule("ours", ALLOW)], (org, folder)).judge(EGRESS, flow())) == (Answer.DENIED, "folder")


def test_goto_next_for_a_part_of_the_range() -> None:
    org = policy(HIERARCHY, policy_rule(1, GOTO_NEXT, source_ranges="10.2.0.0/29"), policy_rule(2, DENY))
    judged = Firewall([rule("ours", ALLOW)], (org,)).judge(EGRESS, flow())
    assert judged.answer is Answer.DENIED
    assert judged.parts[0].sources == (IPv4Network("10.2.0.8/29"),)
    assert judged.answer_at(IPv4Address("10.2.0.7"), IPv4Address("10.128.0.5"), 6379) is Answer.ALLOWED


def test_a_policy_without_a_match_goes_on_to_the_next_stage() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, protocol="udp"))
    assert by(Firewall([rule("ours", ALLOW)], (org,)).judge(EGRESS, flow()))[1] == "ours"


def test_an_early_allow_ends_the_evaluation() -> None:
    org = policy(HIERARCHY, policy_rule(1, ALLOW), name="org")
    assert by(Firewall([rule("lock", DENY, 0)], (org,)).judge(EGRESS, flow())) == (Answer.ALLOWED, "org")


@pytest.mark.parametrize(
    "harmless",
    [
        policy_rule(1, DENY, disabled=True),
        policy_rule(1, DENY, INGRESS),
        policy_rule(1, DENY, protocol="udp"),
        policy_rule(1, DENY, protocol="tcp", ports=((80, 80),)),
        policy_rule(1, DENY, networks=(NetworkRef("acme-staging", "default"),)),
        policy_rule(1, DENY, source_ranges="10.3.0.0/16"),
        policy_rule(1, DENY, destination_ranges="::/0"),
        policy_rule(1, DENY, target_service_accounts="run@acme.iam"),
        policy_rule(1, DENY, target_secure_tags="tagValues/1"),
    ],
)
def test_policy_rules_that_do_not_match(harmless: FirewallPolicyRule) -> None:
    """Accounts and secure tags cannot select a connector."""
    assert Firewall((), (policy(HIERARCHY, harmless),)).judge(EGRESS, flow()).allowed


def test_a_rule_for_this_network_matches() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, networks=(NETWORK,)))
    assert not Firewall((), (org,)).judge(EGRESS, flow()).allowed


def test_the_decider_of_a_policy_says_which_rule() -> None:
    one = replace(policy_rule(7, DENY), name="no-databases")
    judged = Firewall((), (policy(HIERARCHY, one, name="guard"),)).judge(EGRESS, flow())
    assert judged.by is not None
    assert judged.by.kind is DeciderKind.HIERARCHICAL_POLICY
    assert str(judged.by) == "hierarchical firewall policy guard, rule 'no-databases' (priority 7)"


# --- what cannot be told


@pytest.mark.parametrize("opaque", ["destFqdns", "destThreatIntelligences", "destAddressGroups", "srcSecureTags"])
def test_a_match_that_cannot_be_judged_leaves_the_answer_open(opaque: str) -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, opaque=opaque))
    judged = Firewall((), (org,)).judge(EGRESS, flow())
    assert missing(judged) == [opaque]
    assert judged.doubts[0].kind is DoubtKind.MATCH
    assert judged.otherwise is Answer.ALLOWED


def test_an_earlier_rule_that_decides_leaves_no_doubt() -> None:
    org = policy(HIERARCHY, policy_rule(1, ALLOW), policy_rule(2, DENY, opaque="destFqdns"))
    assert Firewall((), (org,)).judge(EGRESS, flow()).allowed


def test_a_match_in_doubt_that_would_decide_the_same_leaves_no_doubt() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, opaque="destFqdns"), policy_rule(2, DENY), name="org")
    assert by(Firewall((), (org,)).judge(EGRESS, flow())) == (Answer.DENIED, "org")


def test_a_match_in_doubt_is_bounded_by_what_is_known_of_it() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, protocol="udp", opaque="destFqdns"))
    assert Firewall((), (org,)).judge(EGRESS, flow()).allowed
    org = policy(HIERARCHY, policy_rule(1, DENY, opaque="destFqdns", source_ranges="10.2.0.0/29"))
    judged = Firewall((), (org,)).judge(EGRESS, flow())
    assert judged.answer_at(IPv4Address("10.2.0.8"), IPv4Address("10.128.0.5"), 6379) is Answer.ALLOWED
    assert judged.answer_at(IPv4Address("10.2.0.7"), IPv4Address("10.128.0.5"), 6379) is Answer.UNKNOWN


def test_ranges_beside_a_match_in_doubt_on_the_same_side_are_in_doubt_too() -> None:
    """Whether they add up or narrow each other depends on the kind of match."""
    org = policy(HIERARCHY, policy_rule(1, DENY, opaque="destFqdns", destination_ranges="192.0.2.0/24"))
    assert missing(Firewall((), (org,)).judge(EGRESS, flow())) == ["destFqdns"]


def test_goto_next_in_doubt_follows_both_ways() -> None:
    doubtful = policy_rule(1, GOTO_NEXT, opaque="destFqdns")
    both_deny = policy(HIERARCHY, doubtful, policy_rule(2, DENY))
    lock = rule("lock", DENY)
    assert Firewall([lock], (both_deny,)).judge(EGRESS, flow()).answer is Answer.DENIED
    assert missing(Firewall((), (both_deny,)).judge(EGRESS, flow())) == ["destFqdns"]
    one_allows = policy(HIERARCHY, doubtful, policy_rule(2, ALLOW))
    assert missing(Firewall([lock], (one_allows,)).judge(EGRESS, flow())) == ["destFqdns"]
    assert Firewall((), (one_allows,)).judge(EGRESS, flow()).allowed


def test_an_inspection_is_neither_an_allow_nor_a_deny() -> None:
    org = policy(HIERARCHY, policy_rule(1, INSPECT))
    judged = Firewall([rule("lock", DENY)], (org,)).judge(EGRESS, flow())
    assert judged.answer is judged.otherwise is Answer.UNKNOWN
    assert [doubt.kind for doubt in judged.doubts] == [DoubtKind.INSPECTION]
    assert "inspection" in str(judged.doubts[0])


def test_a_denied_part_denies_whatever_is_in_doubt_elsewhere() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY, source_ranges="10.2.0.0/32"), policy_rule(2, DENY, opaque="x"))
    judged = Firewall((), (org,)).judge(EGRESS, flow())
    assert judged.answer is Answer.DENIED
    assert [part.answer for part in judged.parts] == [Answer.DENIED, Answer.UNKNOWN]


def test_unread_policies_leave_all_open_and_name_the_permission() -> None:
    unread = Unread("compute.networks.getEffectiveFirewalls", "grant it")
    judged = Firewall([rule("lock", DENY, 0)], unread, regional=unread).judge(EGRESS, flow())
    assert missing(judged) == ["compute.networks.getEffectiveFirewalls"]
    assert judged.doubts[0].kind is DoubtKind.PERMISSION
    assert judged.otherwise is Answer.DENIED


def test_unread_regional_policies_leave_open_what_no_earlier_stage_decides() -> None:
    unread = Unread("compute.networks.getRegionEffectiveFirewalls")
    org = policy(HIERARCHY, policy_rule(1, DENY), name="org")
    assert by(Firewall((), (org,), regional=unread).judge(EGRESS, flow())) == (Answer.DENIED, "org")
    judged = Firewall([rule("ours", ALLOW)], (), regional=unread).judge(EGRESS, flow())
    assert missing(judged) == ["compute.networks.getRegionEffectiveFirewalls"]


def test_each_direction_is_judged_by_the_policies_of_its_own_region() -> None:
    here = policy(REGIONAL, policy_rule(1, DENY), policy_rule(2, DENY, INGRESS), name="here")
    there = policy(REGIONAL, policy_rule(1, ALLOW, INGRESS), name="there")
    firewall = Firewall((), (), regional=(here,), at_receiver=(there,))
    assert by(firewall.judge(EGRESS, flow())) == (Answer.DENIED, "here")
    assert by(firewall.judge(INGRESS, flow())) == (Answer.ALLOWED, "there")
    # Without any there, the implied rule decides; without another region, those here do for both.
    assert Firewall((), (), regional=(here,), at_receiver=()).judge(INGRESS, flow()).answer is Answer.DENIED
    assert by(Firewall((), (), regional=(here,)).judge(INGRESS, flow())) == (Answer.DENIED, "here")


def test_unread_policies_of_the_receivers_region_leave_ingress_open_only() -> None:
    unread = Unread("compute.networks.getRegionEffectiveFirewalls")
    firewall = Firewall([rule("ours", ALLOW), rule("in", ALLOW, 1000, INGRESS)], (), at_receiver=unread)
    assert firewall.judge(EGRESS, flow()).allowed
    assert missing(firewall.judge(INGRESS, flow())) == ["compute.networks.getRegionEffectiveFirewalls"]


def test_the_regional_answer_stands_in_for_the_global_one() -> None:
    org = policy(HIERARCHY, policy_rule(1, DENY), name="org")
    judged = Firewall((), Unread("compute.networks.getEffectiveFirewalls"), regional=(org,)).judge(EGRESS, flow())
    assert by(judged) == (Answer.DENIED, "org")


def test_a_target_account_that_is_not_known_leaves_the_answer_open() -> None:
    unknown = flow(replace(VM, service_accounts=None))
    rules = [rule("ours", ALLOW, 1000, INGRESS), rule("lock", DENY, 900, INGRESS, target_service_accounts="x@p.iam")]
    judged = Firewall(rules).judge(INGRESS, unknown)
    assert missing(judged) == ["targetServiceAccounts"]
    assert Firewall(rules).denies_in_the_way(INGRESS, unknown) == (rules[1],)
    assert Firewall(rules).judge(INGRESS, flow()).allowed


def test_secure_tags_of_a_target_that_are_not_known_leave_the_answer_open() -> None:
    guard = policy(HIERARCHY, policy_rule(1, DENY, INGRESS, target_secure_tags="tagValues/1"))
    ours = rule("ours", ALLOW, 1000, INGRESS)
    assert missing(Firewall([ours], (guard,)).judge(INGRESS, flow())) == ["targetSecureTags"]
    known = flow(replace(VM, secure_tags=frozenset({"tagValues/2"})))
    assert Firewall([ours], (guard,)).judge(INGRESS, known).allowed


def test_a_revisions_tags_as_a_source_are_undefined() -> None:
    """Direct VPC egress: Google does not say what a source tag does there."""
    revision = replace(SENDER, tags=frozenset({"chat"}), tags_as_source=False)
    by_tag = rule("by-tag", ALLOW, 1000, INGRESS, source_tags="chat")
    judged = Firewall([by_tag]).judge(INGRESS, flow(sender=revision))
    assert missing(judged) == ["sourceTags of Direct VPC egress"]
    assert judged.otherwise is Answer.DENIED
    egress = rule("lock", DENY, target_tags="chat")
    assert not Firewall([egress]).judge(EGRESS, flow(sender=revision)).allowed


def test_a_network_named_by_its_projects_number_may_be_this_one() -> None:
    guard = policy(HIERARCHY, policy_rule(1, DENY, networks=(NetworkRef("123456789", "staging-vpc"),)))
    assert missing(Firewall((), (guard,)).judge(EGRESS, flow())) == ["targetResources by project number"]
