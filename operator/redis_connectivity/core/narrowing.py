"""Make before break: a path that moves to another Redis keeps its old way open until the new one has answered.

Changing the spec is the consent to what a rule then no longer allows. But where traffic is proven to flow, the rule
first allows both, and closes the old way once Redis at the new place answers through the connector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from redis_connectivity.api.spec import DisruptionPolicy
from redis_connectivity.core.cloudvalues import FirewallRule
from redis_connectivity.core.coverage import covers
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import rule_fields
from redis_connectivity.core.ledger import Ledger

__all__ = ["Step", "next_step", "union"]


@dataclass(frozen=True, slots=True)
class Step:
    """The rule to have now. `waiting` says why it is more than the spec declares, and for what."""

    rule: FirewallRule
    waiting: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether it allows the old way, too."""
        return bool(self.waiting)


def next_step(
    desired: Desired, wanted: FirewallRule, existing: FirewallRule, ledger: Ledger, *, target: str, answering: str
) -> Step:
    """The rule on the way from what there is to what is wanted.

    `target` is the declared address and port; `answering` that from which the last probe through the connector got an
    answer, empty when it got none.
    """
    if desired.disruption_policy is DisruptionPolicy.ALLOW or answering == target:
        return Step(wanted)
    wide = ledger.widened.get(existing.name)
    if wide is None or not covers(wide, wanted):
        ours = ledger.applied.get(existing.name)
        # Only what we wrote ourselves is worth keeping: that somebody else opened more is drift.
        if not answering or ours is None or ours.fields != rule_fields(existing) or covers(wanted, existing):
            return Step(wanted)
        wide = union(existing, wanted)
        if wide is None:
            return Step(wanted)
    waiting = (
        f"Rule {existing.name} still allows what was declared before, because traffic flows there; that is closed once"
        f" Redis at {target} answers through the connector. spec.disruptionPolicy: Allow closes it now."
    )
    return Step(_shaped_like(wanted, wide), waiting)


def union(one: FirewallRule, other: FirewallRule) -> FirewallRule | None:
    """A rule that allows what both allow; None where one rule cannot say that."""
    by_tags = (bool(one.target_tags), bool(other.target_tags))
    if by_tags[0] != by_tags[1] or bool(one.target_service_accounts) != bool(other.target_service_accounts):
        return None
    wide = replace(
        other,
        layer4=one.layer4 | other.layer4,
        source_ranges=one.source_ranges | other.source_ranges,
        destination_ranges=one.destination_ranges | other.destination_ranges,
        target_tags=one.target_tags | other.target_tags,
        target_service_accounts=one.target_service_accounts | other.target_service_accounts,
    )
    return wide if covers(wide, one) and covers(wide, other) else None


def _shaped_like(rule: FirewallRule, wide: FirewallRule) -> FirewallRule:
    """The rule with what the wide one allows; priority, logging and marker stay its own."""
    return replace(
        rule,
        layer4=wide.layer4,
        source_ranges=wide.source_ranges,
        destination_ranges=wide.destination_ranges,
        target_tags=wide.target_tags,
        target_service_accounts=wide.target_service_accounts,
    )
