"""What a connector in a service project needs in the host project, where Google makes no rules for it.

In its own project's network, and in a host project, Google opens a connector's way to its own infrastructure. For a
connector in a service project these rules are the users' to make, and without them its machines never get healthy.
They are shared by all connectors of the network, so the operator tells what is missing and how to make it, and makes
none itself. Source: Google's page on connecting to a Shared VPC network, "Service projects".
"""

from __future__ import annotations

from ipaddress import IPv4Network

from redis_connectivity.api.limits import FIREWALL_PRIORITY_DEFAULT
from redis_connectivity.core.cloudvalues import Direction, FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import layer4_text
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.questions import firewall_at_connector, sites_of
from redis_connectivity.core.reachability import BlockedControl, blocked_control_traffic
from redis_connectivity.core.sources import of_connector

__all__ = ["missing_service_rules"]


def missing_service_rules(desired: Desired, observed: Observed, source: IPv4Network | None) -> str:
    """What is denied between the connector and Google's infrastructure, with the commands that allow it; or nothing.

    `source` is the connector's range. What cannot be told for certain counts as allowed.
    """
    if not desired.is_shared_vpc or source is None or isinstance(observed.rules, Unseen):
        return ""
    (site,) = sites_of(desired, [of_connector(desired.region, desired.connector.name, source)])
    blocked = blocked_control_traffic(site, firewall_at_connector(observed, observed.rules))
    if not blocked:
        return ""
    return (
        f"Google makes no firewall rules for a connector in a service project, and"
        f" {', '.join(one.rule.name for one in blocked)} is missing (or too weak) in host project"
        f" {desired.network.project}: the connector cannot be reached by Google's infrastructure. Make it there:"
        f" {'; '.join(map(_command, blocked))}."
    )


def _command(blocked: BlockedControl) -> str:
    """Gcloud's command for the rule, with a priority that beats what denies now."""
    rule = blocked.rule
    priority = FIREWALL_PRIORITY_DEFAULT
    if blocked.by.rule is not None and blocked.by.priority > 0:
        priority = min(priority, blocked.by.priority - 1)
    side = "source" if rule.direction is Direction.INGRESS else "destination"
    ranges = rule.source_ranges or rule.destination_ranges
    return (
        f"gcloud compute firewall-rules create {rule.name} --project={rule.network.project}"
        f" --network={rule.network.name} --direction={rule.direction} --action=ALLOW --rules={_rules(rule)}"
        f" --{side}-ranges={','.join(sorted(ranges))} --target-tags={','.join(sorted(rule.target_tags))}"
        f" --priority={priority}"
    )


def _rules(rule: FirewallRule) -> str:
    return ",".join(layer4_text([one]) for one in sorted(rule.layer4))
