"""What one allow rule opens compared with another. Strict: where it cannot be told, it is not covered."""

from __future__ import annotations

from redis_connectivity.core.cloudvalues import Action, FirewallRule
from redis_connectivity.core.rulecover import lost

__all__ = ["covers", "equivalent"]


def covers(wide: FirewallRule, narrow: FirewallRule) -> bool:
    """Whether `wide` allows everything that `narrow` allows. Priorities are not looked at."""
    return not lost(narrow, wide)


def equivalent(one: FirewallRule, other: FirewallRule) -> bool:
    """Whether two allow rules that are in force allow the same."""
    enabled = not (one.disabled or other.disabled) and one.action is other.action is Action.ALLOW
    return enabled and covers(one, other) and covers(other, one)
