"""What stands in front of the rules that Google makes for a connector's own sake, which no list need show."""

from __future__ import annotations

from redis_connectivity.core.diagnosis.case import Case, owner_of
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.questions import firewall_at_connector, rules_in_force, sites_of
from redis_connectivity.core.reachability import blocked_control_traffic

__all__ = ["shadowing_deny"]


def shadowing_deny(case: Case) -> tuple[str, str] | None:
    """What cuts the connector off from Google, and a sentence about it; None: nothing does, or it is not known."""
    if case.machines is None:
        return None
    rules = rules_in_force(case.desired, case.observed, (case.machines,))
    if isinstance(rules, Unseen):
        return None
    firewall = firewall_at_connector(case.observed, rules)
    sites = sites_of(case.desired, (case.machines,))
    for one in (blocked for site in sites for blocked in blocked_control_traffic(site, firewall)):
        if one.missing:
            continue  # no deny stands there; what is missing in a host project is told by the connector's own verdict
        whose = f" It is {owner_of(one.by.rule)}." if one.by.rule is not None else ""
        return str(one.by), f"{str(one)[:1].upper()}{str(one)[1:]}.{whose}"
    return None
