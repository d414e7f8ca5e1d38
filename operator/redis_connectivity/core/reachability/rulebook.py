"""VPC firewall rules by what they apply to, so that a flow meets only those that may concern it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from redis_connectivity.core.cloudvalues import Action, Direction, FirewallRule, NetworkRef
from redis_connectivity.core.reachability.clauses import Clause, ports_of, rule_clauses
from redis_connectivity.core.reachability.values import Flow

__all__ = ["RuleBook", "candidates"]

_NOTHING = frozenset[str]()


class _Page:
    """The rules of one network and direction, by their place in the order of strength."""

    def __init__(self) -> None:
        self.rules: list[FirewallRule] = []
        self.for_all: list[int] = []
        self.by_tag: dict[str, list[int]] = {}
        self.by_account: dict[str, list[int]] = {}
        self.source_tags: set[str] = set()
        self.source_accounts: set[str] = set()
        #: Clauses of rules that are the same for every flow that meets them, by place and protocol.
        self._ready: dict[tuple[int, str], tuple[Clause, ...]] = {}

    def add(self, rule: FirewallRule) -> None:
        number = len(self.rules)
        self.rules.append(rule)
        for tag in rule.target_tags:
            self.by_tag.setdefault(tag, []).append(number)
        for account in rule.target_service_accounts:
            self.by_account.setdefault(account, []).append(number)
        if not rule.target_tags and not rule.target_service_accounts:
            self.for_all.append(number)
        self.source_tags |= rule.source_tags
        self.source_accounts |= rule.source_service_accounts

    def clauses(self, number: int, flow: Flow) -> Iterable[Clause]:
        """The clauses of a rule whose target is met."""
        rule = self.rules[number]
        if rule.source_tags or rule.source_service_accounts or rule.target_service_accounts:
            return rule_clauses(rule, flow)
        key = (number, flow.protocol)
        ready = self._ready.get(key)
        if ready is None:
            ready = self._ready[key] = tuple(rule_clauses(rule, flow))
        return ready


class RuleBook:
    """Rules in order of strength: a smaller priority first, at equal ones the denies."""

    def __init__(self, rules: Iterable[FirewallRule]) -> None:
        self._pages: dict[tuple[NetworkRef, Direction], _Page] = {}
        for rule in sorted(rules, key=lambda one: (one.priority, one.action is Action.ALLOW, one.name)):
            if not rule.disabled:
                self._pages.setdefault((rule.network, rule.direction), _Page()).add(rule)

    def clauses_for(self, direction: Direction, flow: Flow) -> Iterator[Clause]:
        """The clauses of the rules whose target the machine judged at is, or may be, strongest first."""
        page = self._pages.get((flow.network, direction))
        if page is None:
            return
        at = flow.sender if direction is Direction.EGRESS else flow.receiver
        numbers = set(page.for_all)
        for tag in at.tags:
            numbers.update(page.by_tag.get(tag, ()))
        if at.service_accounts is None:
            numbers.update(chain.from_iterable(page.by_account.values()))
        else:
            for account in at.service_accounts:
                numbers.update(page.by_account.get(account, ()))
        for number in sorted(numbers):
            yield from page.clauses(number, flow)

    def kind_of(self, direction: Direction, flow: Flow) -> tuple[object, ...]:
        """What of the flow's sender and receiver any rule looks at: flows that share it meet the same clauses."""
        page = self._pages.get((flow.network, direction))
        if page is None:
            return ()
        at = flow.sender if direction is Direction.EGRESS else flow.receiver
        target = (
            frozenset(tag for tag in at.tags if tag in page.by_tag),
            _known(at.service_accounts, page.by_account.keys()),
        )
        if direction is Direction.EGRESS:
            return target
        sender = flow.sender
        by_tag = sender.tags & page.source_tags
        accounts = _known(sender.service_accounts, page.source_accounts)
        return (*target, by_tag, by_tag and sender.tags_as_source, accounts)


def _known(accounts: frozenset[str] | None, used: Iterable[str]) -> frozenset[str] | None:
    """Those of the accounts that rules use; None where they are not known and that matters."""
    if accounts is None:
        return None if used else _NOTHING
    return accounts.intersection(used)


def candidates(rules: Iterable[FirewallRule], flows: Iterable[Flow]) -> tuple[FirewallRule, ...]:
    """The rules that may matter to any of the flows, by one pass over all of them.

    What is left out matches none of the flows, whatever their addresses; what is kept may match.
    """
    wanted = tuple(flows)
    return tuple(rule for rule in rules if not rule.disabled and any(_may_match(rule, flow) for flow in wanted))


def _may_match(rule: FirewallRule, flow: Flow) -> bool:
    if rule.network != flow.network:
        return False
    at = flow.sender if rule.direction is Direction.EGRESS else flow.receiver
    if rule.target_tags and not rule.target_service_accounts and at.tags.isdisjoint(rule.target_tags):
        return False
    first, last = flow.receiver.ports
    return any(low <= last and high >= first for low, high in ports_of(rule.layer4, flow.protocol))
