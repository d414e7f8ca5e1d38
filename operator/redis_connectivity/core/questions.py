"""What to ask the reachability analyser about one resource, from what is declared and what was observed."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from itertools import product

from redis_connectivity.api.spec import RuleMode
from redis_connectivity.core.actions import CloudAction, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.cloudvalues import FirewallPolicy, FirewallRule, Network, Subnetwork
from redis_connectivity.core.desired import Desired, VmWant
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.pscvalues import ConnectionStatus
from redis_connectivity.core.reachability import (
    ConnectorSite,
    DirectPeering,
    Firewall,
    Flow,
    Policies,
    PrivateServiceAccess,
    PrivateServiceConnect,
    PscConnection,
    Question,
    Receiver,
    Route,
    Side,
    SubnetRoute,
    Unread,
    with_google_rules,
)
from redis_connectivity.core.sources import Source
from redis_connectivity.core.targets import Destination, Ingress, Reach, look_at, profile_of

__all__ = [
    "EFFECTIVE_FIREWALLS",
    "REGION_EFFECTIVE_FIREWALLS",
    "firewall_at_connector",
    "firewall_of",
    "flows_of",
    "is_on_subnet",
    "question_of",
    "route_of",
    "rules_after",
    "rules_in_force",
    "sites_of",
    "target_region",
]

#: Permissions for networks.getEffectiveFirewalls and its regional sister.
EFFECTIVE_FIREWALLS = "compute.networks.getEffectiveFirewalls"
REGION_EFFECTIVE_FIREWALLS = "compute.networks.getRegionEffectiveFirewalls"
#: What a list of subnetworks takes.
_LIST_SUBNETWORKS = "compute.subnetworks.list"


def flows_of(desired: Desired, sources: Iterable[Source], destinations: Iterable[Destination]) -> tuple[Flow, ...]:
    """A flow from each source to each destination, in their order."""
    target = desired.target
    side = _side(desired)
    tags = target.tags if isinstance(target, VmWant) else frozenset()
    accounts = target.service_accounts if isinstance(target, VmWant) else frozenset()
    return tuple(
        Flow(
            desired.network,
            source.sender,
            # A machine that is declared by its tags has accounts, too; which, is not known.
            Receiver(IPv4Network(one.address), one.ports, side, tags=tags, service_accounts=accounts or None),
        )
        for source, one in product(sources, destinations)
    )


def is_on_subnet(desired: Desired) -> bool:
    """Whether Redis runs on a machine of the network whose address is declared, and with it its subnet and region."""
    return bool(_machine_addresses(desired))


def target_region(desired: Desired, subnetworks: Iterable[Subnetwork]) -> str:
    """The region of the machine that Redis runs on, by the subnet of its address; empty where that is not known.

    Ingress rules of firewall policies are those of the machine's region, wherever the traffic comes from.
    """
    addresses = _machine_addresses(desired)
    subnets = (one for one in subnetworks if one.network == desired.network)
    return next((one.region for one in subnets if any(each in one.ip_cidr_range for each in addresses)), "")


def _machine_addresses(desired: Desired) -> tuple[IPv4Address, ...]:
    if _side(desired) is not Side.VPC:
        return ()
    target = look_at(desired.target, None, desired.network)
    return tuple(one.address for one in target.destinations) if target is not None else ()


def _side(desired: Desired) -> Side:
    """What stands at an endpoint only the user knows; who asks for an ingress rule says that machines do."""
    match profile_of(desired.target).ingress:
        case Ingress.NEVER:
            return Side.MANAGED
        case Ingress.AT_MACHINES:
            return Side.VPC
        case Ingress.BY_ADDRESS:
            return Side.VPC if desired.firewall.ingress is RuleMode.ALWAYS else Side.UNKNOWN


def firewall_of(observed: Observed, rules: Iterable[FirewallRule]) -> Firewall:
    """These VPC rules among the policies that were observed, for traffic to the target."""
    at_target: Policies | None = None
    if isinstance(observed.target_region_policies, Unseen) and isinstance(observed.subnetworks, Unseen):
        at_target = Unread(_LIST_SUBNETWORKS, observed.subnetworks.message)
    elif observed.target_region_policies is not None:
        at_target = _policies(observed.target_region_policies, REGION_EFFECTIVE_FIREWALLS)
    return _firewall(observed, rules, at_target)


def firewall_at_connector(observed: Observed, rules: Iterable[FirewallRule]) -> Firewall:
    """The same for traffic to the connector's own machines, which stand in the path's region."""
    return _firewall(observed, rules, None)


def _firewall(observed: Observed, rules: Iterable[FirewallRule], at_receiver: Policies | None) -> Firewall:
    return Firewall(
        rules,
        _policies(observed.policies, EFFECTIVE_FIREWALLS),
        getattr(observed.network, "enforcement_order", "AFTER_CLASSIC_FIREWALL"),
        _policies(observed.regional_policies, REGION_EFFECTIVE_FIREWALLS),
        at_receiver,
    )


def _policies(seen: tuple[FirewallPolicy, ...] | Unseen, permission: str) -> Policies:
    return Unread(permission, seen.message) if isinstance(seen, Unseen) else seen


def sites_of(desired: Desired, sources: Iterable[Source]) -> tuple[ConnectorSite, ...]:
    """The connectors' places, for the rules that Google makes around them."""
    own = not desired.is_shared_vpc
    return tuple(
        ConnectorSite(desired.region, source.connector, desired.network, source.range, own_network=own)
        for source in sources
        if source.connector
    )


def rules_in_force(
    desired: Desired, observed: Observed, sources: Iterable[Source]
) -> tuple[FirewallRule, ...] | Unseen:
    """All VPC rules of the project, with Google's own for the connector where the list does not show them."""
    if isinstance(observed.rules, Unseen):
        return observed.rules
    rules = observed.rules
    for site in sites_of(desired, sources):
        rules = with_google_rules(site, rules)
    return rules


def rules_after(rules: Iterable[FirewallRule], actions: Iterable[CloudAction]) -> tuple[FirewallRule, ...]:
    """The rules as they will be once these actions are done."""
    by_name = {rule.name: rule for rule in rules}
    for action in actions:
        match action:
            case InsertRule(rule=rule) | UpdateRule(rule=rule):
                by_name[rule.name] = rule
            case DeleteRule(rule=rule):
                by_name.pop(rule.name, None)
            case _:
                pass  # about a connector
    return tuple(by_name.values())


def question_of(
    desired: Desired,
    observed: Observed,
    rules: Iterable[FirewallRule],
    source: Source,
    destinations: Iterable[Destination],
) -> Question:
    """The whole path of a resource, from one source, among these VPC rules (see `rules_in_force` and `rules_after`).

    `destinations` must not be empty; the first is the main one.
    """
    flows = flows_of(desired, (source,), destinations)
    return Question(
        desired.network,
        flows[0].sender,
        tuple(flow.receiver for flow in flows),
        firewall_of(observed, rules),
        route_of(desired, observed),
    )


def route_of(desired: Desired, observed: Observed) -> Route | None:
    """How packets get to the target; None where nothing is known about the target."""
    seen = observed.redis
    target = look_at(desired.target, None if isinstance(seen, Unseen) else seen, desired.network)
    if target is None:
        return None
    match target.profile.reach:
        case Reach.NETWORK:
            subnets = observed.subnetworks
            return SubnetRoute(Unread(_LIST_SUBNETWORKS, subnets.message) if isinstance(subnets, Unseen) else subnets)
        case Reach.PEERING:
            peerings = observed.network.peerings if isinstance(observed.network, Network) else None
            return DirectPeering(peerings) if target.direct_peering else PrivateServiceAccess(peerings)
        case Reach.PSC:
            return PrivateServiceConnect(
                desired.network,
                tuple(
                    PscConnection(address, _psc_status(one.status), desired.network)
                    for one in target.endpoints
                    for address in {destination.address for destination in one.destinations}
                ),
            )


def _psc_status(status: ConnectionStatus) -> str:
    return "" if status is ConnectionStatus.UNSPECIFIED else status.value
