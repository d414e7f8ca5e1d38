"""What rule of ours a direction of the path needs: whether one at all, its name, its priority, its fields."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from redis_connectivity.api.limits import FIREWALL_PRIORITY_DEFAULT
from redis_connectivity.api.spec import FirewallLogging, RuleMode
from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, Layer4
from redis_connectivity.core.desired import Desired, EndpointWant
from redis_connectivity.core.identity import Marker
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.reachability import Firewall, Flow
from redis_connectivity.core.targets import Ingress, profile_of

__all__ = ["RuleWant", "free_name", "is_wanted"]

_INGRESS_NOT_JUDGED = (
    "Ingress is not judged: what answers at an endpoint is not known. If machines of this network do, as behind an"
    " internal load balancer, set spec.firewall.ingress to Always."
)


@dataclass(frozen=True, slots=True)
class RuleWant:
    """The rule that opens all flows in one direction. `aimed_at`: the tags of those who send, for egress."""

    desired: Desired
    direction: Direction
    flows: tuple[Flow, ...]
    aimed_at: frozenset[str]

    def rule(self, name: str, priority: int) -> FirewallRule:
        """The rule, with a name and a priority."""
        logging = self.desired.firewall.logging
        receiver = self.flows[0].receiver
        ports = tuple(sorted({flow.receiver.ports for flow in self.flows}))
        egress = self.direction is Direction.EGRESS
        by_address = egress or isinstance(self.desired.target, EndpointWant)
        return FirewallRule(
            network=self.desired.network,
            name=name,
            direction=self.direction,
            action=Action.ALLOW,
            priority=priority,
            layer4=frozenset({Layer4("tcp", ports)}),
            source_ranges=frozenset() if egress else frozenset(str(flow.sender.range) for flow in self.flows),
            destination_ranges=frozenset(str(flow.receiver.addresses) for flow in self.flows)
            if by_address
            else frozenset(),
            target_tags=self.aimed_at if egress else receiver.tags,
            target_service_accounts=frozenset() if egress else receiver.service_accounts or frozenset(),
            logging=None if logging is FirewallLogging.DISABLED else logging.value,
            description=Marker(self.desired.owner, self.direction, name).description(),
        )

    def priority(self, others: Firewall) -> int:
        """The spec's; else the default, or one stronger than a deny in the way (a tie goes to the deny)."""
        if self.desired.firewall.priority is not None:
            return self.desired.firewall.priority
        denies = {rule.priority for flow in self.flows for rule in others.denies_in_the_way(self.direction, flow)}
        return min([FIREWALL_PRIORITY_DEFAULT, *(priority - 1 for priority in denies if priority > 0)])


def is_wanted(
    desired: Desired, direction: Direction, mine: Sequence[FirewallRule], *, denied: bool
) -> tuple[bool, str]:
    """Whether a rule of ours is wanted, and a sentence for status where that may surprise."""
    if direction is Direction.INGRESS:
        mode = desired.firewall.ingress
        match profile_of(desired.target).ingress:
            case Ingress.NEVER:
                note = "No ingress rule: a managed Redis sits in Google's own network, where none of yours can apply."
                return False, note if mode is RuleMode.ALWAYS else ""
            case Ingress.AT_MACHINES:
                return mode is not RuleMode.NEVER, ""
            case Ingress.BY_ADDRESS:
                return mode is RuleMode.ALWAYS, _INGRESS_NOT_JUDGED if mode is RuleMode.AUTO else ""
    mode = desired.firewall.egress
    if mode is RuleMode.AUTO:
        if not denied and not mine:
            return False, "No egress rule is needed: nothing denies the connector's way out."
        return True, ""
    return mode is RuleMode.ALWAYS, ""


def free_name(preferred: tuple[str, str], names: AbstractSet[str], ledger: Ledger) -> str:
    """The first name that nobody has; one that a write in flight of ours uses comes before all others."""
    for name in preferred:
        if name in ledger.pending and ledger.pending[name].kind == "insert":
            return name
    for name in preferred:
        if name not in names:
            return name
    number = 2
    while f"{preferred[1]}-{number}" in names:
        number += 1
    return f"{preferred[1]}-{number}"
