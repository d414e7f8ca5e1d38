"""What an allow rule lets through that another one does not: whether a change cuts anybody off."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from redis_connectivity.core.cloudvalues import Action, FirewallRule, Layer4
from redis_connectivity.core.drift import layer4_text

__all__ = ["covered_by", "lost"]

#: What a rule without ranges and without another source (or destination) matches.
_ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})

_PORTS = ((0, 65535),)


def lost(before: FirewallRule, after: FirewallRule) -> tuple[str, ...]:
    """What `before` lets through and `after` does not, a phrase each; empty where `after` lets through as much.

    Priorities are not compared: they matter only together with the other rules.
    """
    if before.disabled or before.action is not Action.ALLOW:
        return ()
    same_place = (before.network, before.direction, before.action) == (after.network, after.direction, after.action)
    if after.disabled or not same_place:
        return ("anything",)
    phrases = _fewer("from", _peers(before), _peers(after))
    phrases += _fewer_ranges("to", before.destination_ranges or _ANYWHERE, after.destination_ranges or _ANYWHERE)
    phrases += _fewer_machines(before, after)
    uncovered = [one for one in sorted(before.layer4) if not _layer4_covered(one, after.layer4)]
    if uncovered:
        phrases.append(layer4_text(uncovered))
    return tuple(phrases)


def covered_by(rule: FirewallRule, others: Iterable[FirewallRule]) -> FirewallRule | None:
    """Another rule that is as strong and lets through all that `rule` does; None where there is none."""
    for other in others:
        if (
            other.name != rule.name
            and other.action is Action.ALLOW
            and other.priority <= rule.priority
            and not lost(rule, other)
        ):
            return other
    return None


_Peers = tuple[frozenset[str], frozenset[str]]


def _peers(rule: FirewallRule) -> _Peers:
    """Source ranges, and other words for sources; Google matches any of them."""
    words = {f"tag {one}" for one in rule.source_tags} | {
        f"service account {one}" for one in rule.source_service_accounts
    }
    return rule.source_ranges or (frozenset() if words else _ANYWHERE), frozenset(words)


def _fewer(word: str, before: _Peers, after: _Peers) -> list[str]:
    phrases = _fewer_ranges(word, before[0], after[0])
    # Machines with a tag or an account have addresses too, so a range of everything covers them.
    if before[1] and not after[0] >= _ANYWHERE:
        phrases += [f"{word} {one}" for one in sorted(before[1] - after[1])]
    return phrases


def _fewer_machines(before: FirewallRule, after: FirewallRule) -> list[str]:
    def machines(rule: FirewallRule) -> frozenset[str]:
        return frozenset(f"tag {one}" for one in rule.target_tags) | frozenset(
            f"service account {one}" for one in rule.target_service_accounts
        )

    old, new = machines(before), machines(after)
    if not new:
        return []
    if not old:
        return [f"for machines other than those with {', '.join(sorted(new))}"]
    return [f"for machines with {one}" for one in sorted(old - new)]


def _fewer_ranges(word: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    whole = _collapsed(after)
    return [f"{word} {one}" for one in sorted(before) if not any(_within(one, wide) for wide in whole)]


def _collapsed(ranges: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    parsed = [ip_network(one, strict=False) for one in ranges]
    return [
        *collapse_addresses(one for one in parsed if isinstance(one, IPv4Network)),
        *collapse_addresses(one for one in parsed if isinstance(one, IPv6Network)),
    ]


def _within(text: str, wide: IPv4Network | IPv6Network) -> bool:
    one = ip_network(text, strict=False)
    if isinstance(one, IPv4Network):
        return isinstance(wide, IPv4Network) and one.subnet_of(wide)
    return isinstance(wide, IPv6Network) and one.subnet_of(wide)


def _layer4_covered(one: Layer4, others: Iterable[Layer4]) -> bool:
    spans = sorted(
        span for other in others if other.protocol in ("all", one.protocol) for span in (other.ports or _PORTS)
    )
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return all(any(low <= first and last <= high for low, high in merged) for first, last in (one.ports or _PORTS))
