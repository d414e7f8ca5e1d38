"""The firewall rules that a connector itself lives by: Google's own `aet-*` ones, and those a Shared VPC must have.

Source: Serverless VPC Access docs, "Firewall rules for connectors" (the table for connectors in a standalone VPC or the
host project) and "Configure connectors in the Shared VPC service projects" (the rules to create by hand). Public
sources contradict each other on whether Google's rules are listed, so they are added where a list lacks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from redis_connectivity.api.limits import (
    CONNECTOR_HEALTH_CHECK_RANGES,
    CONNECTOR_INFRASTRUCTURE_RANGE,
    CONNECTOR_TAG,
    connector_tag,
)
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4, NetworkRef
from redis_connectivity.core.reachability.firewall import Firewall
from redis_connectivity.core.reachability.values import Answer, Decider, DeciderKind, Flow, Receiver, Sender, Side

__all__ = [
    "GOOGLE_RULE_PREFIX",
    "BlockedControl",
    "ConnectorSite",
    "blocked_control_traffic",
    "google_rules",
    "google_rules_for",
    "service_project_rules",
    "with_google_rules",
]

GOOGLE_RULE_PREFIX = "aet-"
_CONTROL = frozenset({Layer4("tcp", ((667, 667),)), Layer4("udp", ((665, 666),)), Layer4("icmp")})
_OTHERS = frozenset({Layer4("tcp", ((1, 666), (668, 65535))), Layer4("udp", ((1, 664), (667, 65535)))})
_HEALTH = frozenset({Layer4("tcp", ((667, 667),))})
_ANY = frozenset({Layer4("tcp"), Layer4("udp"), Layer4("icmp")})
_ICMP_PORTS = (0, 0)


@dataclass(frozen=True, slots=True)
class ConnectorSite:
    """Where a connector stands. `own_network`: the network is of its own project, or it is in the host project."""

    region: str
    name: str
    network: NetworkRef
    range: IPv4Network
    own_network: bool = True

    @property
    def tag(self) -> str:
        """The network tag that only this connector's machines carry."""
        return connector_tag(self.region, self.name)

    @property
    def tags(self) -> frozenset[str]:
        """All network tags of its machines."""
        return frozenset({CONNECTOR_TAG, self.tag})

    @property
    def rule_prefix(self) -> str:
        """What the names of Google's rules for it begin with: region without hyphens, its own hyphens doubled."""
        return f"{GOOGLE_RULE_PREFIX}{self.region.replace('-', '')}-{self.name.replace('-', '--')}-"


def google_rules(site: ConnectorSite) -> tuple[FirewallRule, ...]:
    """The rules that Google makes for a connector on a network of its own project; none for others."""
    if not site.own_network:
        return ()
    own = frozenset({site.tag})
    infrastructure, health = (
        frozenset({str(CONNECTOR_INFRASTRUCTURE_RANGE)}),
        frozenset(map(str, CONNECTOR_HEALTH_CHECK_RANGES)),
    )

    def made(
        suffix: str,
        direction: Direction,
        action: Action,
        priority: int,
        layer4: frozenset[Layer4],
        *,
        sources: frozenset[str] = frozenset(),
        destinations: frozenset[str] = frozenset(),
        source_tags: frozenset[str] = frozenset(),
        target_tags: frozenset[str] = own,
    ) -> FirewallRule:
        return FirewallRule(
            site.network,
            f"{site.rule_prefix}{suffix}",
            direction,
            action,
            priority,
            layer4,
            source_ranges=sources,
            destination_ranges=destinations,
            source_tags=source_tags,
            target_tags=target_tags,
        )

    to_it, from_it, everyone = Direction.INGRESS, Direction.EGRESS, frozenset[str]()
    return (
        made("hcfw", to_it, Action.ALLOW, 100, _HEALTH, sources=health),
        made("rsgfw", to_it, Action.ALLOW, 100, _CONTROL, sources=infrastructure),
        made("earfw", from_it, Action.ALLOW, 100, _CONTROL, destinations=infrastructure),
        made("egrfw", from_it, Action.DENY, 100, _OTHERS, destinations=infrastructure),
        made("sbntfw", to_it, Action.ALLOW, 1000, _ANY, sources=frozenset({str(site.range)}), target_tags=everyone),
        made("tagfw", to_it, Action.ALLOW, 1000, _ANY, source_tags=own, target_tags=everyone),
    )


def google_rules_for(site: ConnectorSite, rules: Iterable[FirewallRule]) -> tuple[FirewallRule, ...]:
    """Google's rules for a connector as far as `rules` lacks them: all of them, or none."""
    if any(rule.name.startswith(site.rule_prefix) for rule in rules):
        return ()
    return google_rules(site)


def with_google_rules(site: ConnectorSite, rules: Iterable[FirewallRule]) -> tuple[FirewallRule, ...]:
    """The rules, and those that Google made for the connector where the list does not show them."""
    known = tuple(rules)
    return (*known, *google_rules_for(site, known))


def service_project_rules(site: ConnectorSite) -> tuple[FirewallRule, ...]:
    """What has to be created by hand in the host project for connectors of service projects.

    The docs' fourth rule, which lets connectors into everything, is left out: the operator's own rule is the narrow
    form of it.
    """
    common = frozenset({CONNECTOR_TAG})
    infrastructure = frozenset({str(CONNECTOR_INFRASTRUCTURE_RANGE)})
    return (
        FirewallRule(
            site.network,
            "serverless-to-vpc-connector",
            Direction.INGRESS,
            Action.ALLOW,
            1000,
            _CONTROL,
            source_ranges=infrastructure,
            target_tags=common,
        ),
        FirewallRule(
            site.network,
            "vpc-connector-to-serverless",
            Direction.EGRESS,
            Action.ALLOW,
            1000,
            _CONTROL,
            destination_ranges=infrastructure,
            target_tags=common,
        ),
        FirewallRule(
            site.network,
            "vpc-connector-health-checks",
            Direction.INGRESS,
            Action.ALLOW,
            1000,
            _HEALTH,
            source_ranges=frozenset(map(str, CONNECTOR_HEALTH_CHECK_RANGES)),
            target_tags=common,
        ),
    )


@dataclass(frozen=True, slots=True)
class BlockedControl:
    """Traffic that the connector cannot live without and that something denies.

    `rule` is the one that ought to allow it: Google's own, shadowed by what stands before it, or, in a Shared VPC, one
    that has to be created in the host project. `missing`: there is no such rule, the implied one denies.
    """

    what: str
    direction: Direction
    by: Decider
    rule: FirewallRule
    missing: bool

    def __str__(self) -> str:
        if self.missing:
            return (
                f"{self.what} is denied by {self.by}: rule {self.rule.name} is missing in {self.rule.network.project}"
            )
        return f"{self.what} is denied by {self.by}, which comes before rule {self.rule.name}"


def blocked_control_traffic(site: ConnectorSite, firewall: Firewall) -> tuple[BlockedControl, ...]:
    """The connector's own traffic that is denied for certain, each kind once with what denies it.

    `firewall` holds the rules of the network, with Google's (see `with_google_rules`).
    """
    found: list[BlockedControl] = []
    for what, direction, flows, rule in _control_traffic(site):
        judged = (firewall.judge(direction, flow) for flow in flows)
        by = next((one.by for one in judged if one.answer is Answer.DENIED and one.by is not None), None)
        if by is not None:
            found.append(BlockedControl(what, direction, by, rule, missing=by.kind is DeciderKind.IMPLIED))
    return tuple(found)


def _control_traffic(site: ConnectorSite) -> tuple[tuple[str, Direction, tuple[Flow, ...], FirewallRule], ...]:
    """Each kind of traffic: what it is, its direction, its flows, and the rule that ought to allow it."""
    if site.own_network:
        health_rule, from_rule, to_rule, *_ = google_rules(site)
    else:
        from_rule, to_rule, health_rule = service_project_rules(site)
    kinds = (("tcp", (667, 667)), ("udp", (665, 666)), ("icmp", _ICMP_PORTS))

    def machines(ports: tuple[int, int]) -> Receiver:
        nothing = frozenset[str]()  # neither accounts nor secure tags of the user's
        return Receiver(site.range, ports, Side.VPC, site.tags, nothing, nothing)

    health = tuple(Flow(site.network, Sender(source), machines((667, 667))) for source in CONNECTOR_HEALTH_CHECK_RANGES)
    arriving = tuple(
        Flow(site.network, Sender(CONNECTOR_INFRASTRUCTURE_RANGE), machines(ports), protocol)
        for protocol, ports in kinds
    )
    leaving = tuple(
        Flow(
            site.network,
            Sender(site.range, site.tags),
            Receiver(CONNECTOR_INFRASTRUCTURE_RANGE, ports, Side.MANAGED),
            protocol,
        )
        for protocol, ports in kinds
    )
    return (
        ("Google's health check of the connector (tcp:667)", Direction.INGRESS, health, health_rule),
        ("Traffic from Google's serverless infrastructure to the connector", Direction.INGRESS, arriving, from_rule),
        ("Traffic from the connector to Google's serverless infrastructure", Direction.EGRESS, leaving, to_rule),
    )
