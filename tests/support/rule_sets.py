"""Random firewalls as Google's JSON has them: VPC rules and policies of every kind, few values so that they meet.

One seed makes one firewall, always the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

PROJECT: Final = "acme"
NETWORK: Final = "net"
REGIONS: Final = ("us-central1", "europe-west1")
ACCOUNTS: Final = ("x@p.iam", "y@p.iam")
VM_TAGS: Final = ("a", "b")
#: Tags of the machines of two connectors.
CONNECTOR_TAGS: Final = (("vpc-connector", "conn-one"), ("vpc-connector", "conn-two"))
_TAGS: Final = (*VM_TAGS, "vpc-connector", "conn-one", "nobody")
_SENDERS: Final = (
    "10.2.0.0/28", "10.2.0.0/29", "10.2.0.2/32", "10.2.0.8/30", "10.2.0.13/32", "10.3.0.0/28", "10.3.0.2/31",
    "10.2.0.0/15", "10.4.0.0/27", "10.4.0.0/26", "10.0.0.0/8", "0.0.0.0/0",
)  # fmt: skip
_RECEIVERS: Final = (
    "10.0.0.0/24", "10.0.0.2/32", "10.0.0.2/31", "10.0.1.0/25", "10.0.1.130/32", "10.9.0.0/29", "10.9.0.3/32",
    "10.0.0.0/8", "0.0.0.0/0",
)  # fmt: skip
_LAYER4: Final = (
    ("all", ()),
    ("tcp", ()),
    ("6", ("6379",)),
    ("tcp", ("1-100", "6379")),
    ("tcp", ("6000-6379",)),
    ("tcp", ("6380-7000", "22")),
    ("udp", ()),
    ("17", ("6379",)),
    ("icmp", ()),
)
_KINDS: Final = ("HIERARCHY", "HIERARCHY", "SYSTEM", "NETWORK", "NETWORK_REGIONAL")
_ACTIONS: Final = ("allow", "allow", "deny", "deny", "deny", "goto_next", "goto_next")
_OPAQUE: Final = ("destFqdns", "srcRegionCodes", "srcThreatIntelligences", "destAddressGroups")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A firewall: resources of compute.firewalls, policies by name as the lab takes them, and the enforcement order."""

    rules: tuple[Json, ...]
    policies: tuple[tuple[str, Json], ...]
    enforcement_order: str


def _some(chance: random.Random, values: tuple[str, ...], most: int = 2) -> list[str]:
    return chance.sample(values, chance.randint(0, most))


def _layer4(chance: random.Random, protocol_field: str) -> list[Json]:
    return [
        {protocol_field: protocol, **({"ports": list(ports)} if ports else {})}
        for protocol, ports in chance.sample(_LAYER4, chance.randint(1, 2))
    ]


def _vpc_rule(chance: random.Random, name: str) -> Json:
    ingress, by_account = chance.random() < 0.55, chance.random() < 0.25
    body: Json = {
        "name": name,
        "direction": "INGRESS" if ingress else "EGRESS",
        "priority": chance.choice((0, 900, 1000, 1000, 1001, 65535)),
        "allowed" if chance.random() < 0.55 else "denied": _layer4(chance, "IPProtocol"),
        "disabled": chance.random() < 0.08,
        "sourceRanges": _some(chance, _SENDERS) if ingress or chance.random() < 0.2 else [],
        "destinationRanges": _some(chance, _RECEIVERS) if not ingress or chance.random() < 0.2 else [],
    }
    if by_account:
        body["targetServiceAccounts"] = _some(chance, ACCOUNTS)
        body["sourceServiceAccounts"] = _some(chance, ACCOUNTS) if ingress else []
    else:
        body["targetTags"] = _some(chance, _TAGS)
        body["sourceTags"] = _some(chance, _TAGS) if ingress else []
    if chance.random() < 0.04:
        v6 = ["fd00::/8"]
        side = "sourceRanges" if ingress else "destinationRanges"
        body |= {"sourceRanges": [], "destinationRanges": [], side: v6}
    return {field: value for field, value in body.items() if value != []}


def _policy_rule(chance: random.Random, priority: int) -> Json:
    ingress = chance.random() < 0.5
    match: Json = {"layer4Configs": _layer4(chance, "ipProtocol")}
    if sources := _some(chance, _SENDERS):
        match["srcIpRanges"] = sources
    if destinations := _some(chance, _RECEIVERS):
        match["destIpRanges"] = destinations
    if chance.random() < 0.1:
        match[chance.choice(_OPAQUE)] = ["something"]
    rule: Json = {
        "priority": priority,
        "action": "apply_security_profile_group" if chance.random() < 0.03 else chance.choice(_ACTIONS),
        "direction": "INGRESS" if ingress else "EGRESS",
        "match": match,
        "disabled": chance.random() < 0.08,
    }
    if chance.random() < 0.15:
        rule["targetServiceAccounts"] = _some(chance, ACCOUNTS)
    if chance.random() < 0.15:
        other = chance.choice((NETWORK, "another"))
        rule["targetResources"] = [f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/{other}"]
    return rule


def _policy(chance: random.Random) -> Json:
    kind = chance.choice(_KINDS)
    priorities = sorted(chance.sample(range(1, 50), chance.randint(1, 4)), key=lambda _: chance.random())
    body: Json = {
        "type": kind,
        "priority": chance.randint(1, 9),
        "rules": [_policy_rule(chance, priority) for priority in priorities],
    }
    if kind == "NETWORK_REGIONAL":
        body["region"] = chance.choice((REGIONS[0], REGIONS[0], REGIONS[1]))
    return body


def random_rule_set(seed: int) -> RuleSet:
    """The firewall of a seed."""
    chance = random.Random(seed)
    return RuleSet(
        rules=tuple(_vpc_rule(chance, f"r{number}") for number in range(chance.randint(0, 10))),
        policies=tuple((f"p{number}", _policy(chance)) for number in range(chance.randint(0, 5))),
        enforcement_order=chance.choice(("AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL")),
    )
