"""Scenes about firewall rules and policies."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab.scene import Scene
from redis_connectivity_lab.scene_acts import deny, rule_changed, rule_deleted
from redis_connectivity_lab.scene_network_acts import declared, policy_deny
from redis_connectivity_lab.scene_shared_acts import contended, rule_uncertain
from redis_connectivity_lab.worlds import PRODUCTION, STAGING

__all__ = ["FIREWALL"]

#: A range that nothing of the lab's is in.
ELSEWHERE: Final = "192.168.77.7/32"
_WRONG_PORT: Final = "6380"
_OVERTAKES: Final = "the operator's rule moves in front of the deny, to priority 99"
_UNBEATABLE: Final = "FirewallReady turns False and names the deny, which only its owner can lift"

_BY_DIRECTION: Final = {STAGING.word: Code.INGRESS_DENIED, PRODUCTION.word: Code.EGRESS_DENIED}

FIREWALL: Final = (
    Scene("rule-deleted", "somebody deletes the operator's rule", rule_deleted, Code.RULE_MISSING),
    Scene(
        "rule-narrowed",
        "somebody narrows the operator's rule to one other address",
        rule_changed(lambda env: {env.ranges_field: [ELSEWHERE]}),
        Code.RULE_NARROWED,
    ),
    Scene(
        "rule-disabled",
        "somebody disables the operator's rule",
        rule_changed(lambda _: {"disabled": True}),
        Code.RULE_DISABLED,
    ),
    Scene(
        "rule-port-changed",
        "somebody changes the port of the operator's rule",
        rule_changed(lambda _: {"allowed": [{"IPProtocol": "tcp", "ports": [_WRONG_PORT]}]}),
        Code.RULE_CHANGED,
    ),
    Scene(
        "drift-contended",
        "another tool undoes each repair of the operator's rule",
        contended,
        Code.DRIFT_CONTENDED,
        names=Reason.DRIFT_CONTENDED,
        earlier=Code.RULE_NARROWED,
        cut=True,
    ),
    Scene(
        "rule-uncertain",
        "a policy denies by a name, which rules alone cannot tell, and no prober can be asked",
        rule_uncertain,
        Code.RULE_UNCERTAIN,
        (STAGING,),
        Reason.FIREWALL_UNCERTAIN,
    ),
    Scene(
        "deny-in-front",
        "another team puts a stronger deny in front of the operator's rule",
        deny("lockdown", 100, _OVERTAKES, beatable=True),
        _BY_DIRECTION,
        drift=False,
    ),
    Scene(
        "egress-denied",
        "a deny of all egress that no VPC firewall rule can beat (priority 0)",
        deny("no-way-out", 0, _UNBEATABLE, beatable=False),
        Code.EGRESS_DENIED,
        (PRODUCTION,),
        Reason.FIREWALL_DENY_UNBEATABLE,
        cut=True,
    ),
    Scene(
        "ingress-denied",
        "a deny of all ingress that no VPC firewall rule can beat (priority 0)",
        deny("no-way-in", 0, _UNBEATABLE, beatable=False),
        Code.INGRESS_DENIED,
        (STAGING,),
        Reason.FIREWALL_DENY_UNBEATABLE,
        cut=True,
    ),
    Scene(
        "hierarchical-deny",
        "a firewall policy of the organisation denies the path",
        policy_deny,
        Code.DENIED_BY_POLICY,
        names=Reason.FIREWALL_DENY_UNBEATABLE,
        cut=True,
    ),
    Scene(
        "rule-forbidden",
        "the spec forbids the ingress rule that the path needs",
        declared(
            "declared firewall.ingress: Never",
            "FirewallReady names the deny, and what forbids the rule",
            lambda _: {"firewall": {"ingress": "Never"}},
        ),
        Code.RULE_FORBIDDEN,
        (STAGING,),
        Reason.FIREWALL_RULE_FORBIDDEN,
        cut=True,
    ),
)
