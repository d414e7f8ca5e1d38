"""How the firewall stands: open, not yet, denied by what, or not to be told."""

from __future__ import annotations

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RuleMode
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.cloudvalues import Direction, FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.questions import firewall_of
from redis_connectivity.core.reachability import Decider, DoubtKind, Flow
from redis_connectivity.core.verdict import Verdict, bad, good, unknown

__all__ = ["firewall_verdict"]


def firewall_verdict(
    desired: Desired,
    flows: tuple[Flow, ...],
    observed: Observed,
    mine: tuple[FirewallRule, ...],
    foreign: tuple[FirewallRule, ...],
    wanted: tuple[FirewallRule, ...],
    actions: tuple[CloudAction, ...],
    notes: tuple[str, ...],
) -> Verdict:
    """Whether the rules let the flows through, or which decision stands in the way.

    `mine` are in force, `wanted` will be once `actions` are carried out; `foreign` are all others that matter.
    """
    # First what cannot work even when everything of ours is in force, then what is not in force yet.
    aimed = firewall_of(observed, (*foreign, *wanted))
    for direction in (Direction.EGRESS, Direction.INGRESS):
        for flow in flows:
            blocker = aimed.judge(direction, flow).blocker
            if blocker is not None:
                return _denied(desired, direction, blocker)
    if actions:
        return bad(
            Reason.FIREWALL_APPLYING,
            "; ".join(f"{action.summary}, because {action.why}" for action in actions),
        )
    actual = firewall_of(observed, (*foreign, *mine))
    judgements = [(actual.judge(way, flow), flow) for way in (Direction.EGRESS, Direction.INGRESS) for flow in flows]
    for judgement, flow in judgements:
        if judgement.blocker is not None:
            way = judgement.direction.capitalize()
            message = f"{way} to {flow.receiver.where} is denied by {judgement.blocker}."
            return bad(Reason.FIREWALL_RULE_MISSING, message)
    text = _open_text(flows)
    text = " ".join([text, *notes])
    doubts = dict.fromkeys(doubt for judgement, _ in judgements for doubt in judgement.doubts)
    if not doubts:
        return good(Reason.FIREWALL_OPEN, text)
    unread = observed.unread_policies
    if unread is not None and any(doubt.kind is DoubtKind.PERMISSION for doubt in doubts):
        return unknown(unread.reason, f"{text} But firewall policies are unknown: {unread.message}")
    why = "; ".join(map(str, doubts))
    return unknown(Reason.FIREWALL_UNCERTAIN, f"{text} But a rule may decide otherwise: {why}.")


def _open_text(flows: tuple[Flow, ...]) -> str:
    """What is open, such as: tcp:6379 from 10.2.0.0/28 to 10.128.0.5 is allowed in both directions."""
    by_address: dict[str, list[str]] = {}
    for flow in flows:
        first, last = flow.receiver.ports
        shown = str(first) if first == last else f"{first}-{last}"
        by_address.setdefault(str(flow.receiver.addresses.network_address), []).append(shown)
    by_ports: dict[str, list[str]] = {}
    for address, many in by_address.items():
        by_ports.setdefault(",".join(many), []).append(address)
    source = flows[0].sender.range
    parts = [f"tcp:{ports} from {source} to {' and '.join(there)}" for ports, there in by_ports.items()]
    return f"{' and '.join(parts)} is allowed in both directions."


def _denied(desired: Desired, direction: Direction, by: Decider) -> Verdict:
    way_out = "Egress from the connector" if desired.direct is None else f"Egress from subnet {desired.direct.subnet}"
    side = "Ingress to Redis" if direction is Direction.INGRESS else way_out
    mode = desired.firewall.ingress if direction is Direction.INGRESS else desired.firewall.egress
    if mode is RuleMode.NEVER:
        message = (
            f"{side} is denied by {by}, and spec.firewall.{direction.lower()}: Never forbids a rule that would allow"
            " it. Set it to Auto, or allow the traffic yourself."
        )
        return bad(Reason.FIREWALL_RULE_FORBIDDEN, message, stalled=True)
    if not by.beatable:
        message = (
            f"{side} is denied by {by}, which no VPC firewall rule can beat. Whoever owns it must allow the traffic"
            " there, or make it weaker."
        )
        return bad(Reason.FIREWALL_DENY_UNBEATABLE, message, stalled=True)
    if direction is Direction.EGRESS and desired.direct is not None and not desired.direct.tags:
        message = (
            f"{side} is denied by {by}, and without a network tag a rule would open the way for every machine of the"
            " network. Give the Cloud Run revision a tag of its own, and name it in spec.directVpcEgress.tags."
        )
        return bad(Reason.FIREWALL_NOT_AIMED, message, stalled=True)
    message = (
        f"{side} is denied by {by}, which is at least as strong as spec.firewall.priority"
        f" {desired.firewall.priority}. Use a smaller number, or leave the priority out."
    )
    return bad(Reason.FIREWALL_SHADOWED, message, stalled=True)
