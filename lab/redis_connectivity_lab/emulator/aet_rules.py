"""The firewall rules that Google makes for a connector in a standalone VPC or a host project.

Serverless VPC Access docs, table of firewall rules: priorities, ranges and ports are from there. The names are
`aet-REGION-CONNECTOR-SUFFIX`, the region without hyphens and the connector's hyphens doubled.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Final

from redis_connectivity_lab.emulator.call import COMPUTE
from redis_connectivity_lab.emulator.ids import Ids, Json, now
from redis_connectivity_lab.topology import NetworkId

__all__ = ["connector_tags", "rules_for"]

_INFRASTRUCTURE: Final = ["35.199.224.0/19"]
_HEALTH_CHECKS: Final = ["35.191.0.0/16", "35.191.192.0/18", "130.211.0.0/22"]
_CONTROL: Final = [
    {"IPProtocol": "tcp", "ports": ["667"]},
    {"IPProtocol": "udp", "ports": ["665-666"]},
    {"IPProtocol": "icmp"},
]
#: "All other ports": what _CONTROL leaves.
_OTHERS: Final = [
    {"IPProtocol": "tcp", "ports": ["1-666", "668-65535"]},
    {"IPProtocol": "udp", "ports": ["1-664", "667-65535"]},
]
_ANY: Final = [{"IPProtocol": "tcp"}, {"IPProtocol": "udp"}, {"IPProtocol": "icmp"}]


def connector_tags(region: str, name: str) -> tuple[str, str]:
    """The network tags of a connector's machines: the common one, and its own (the region keeps its hyphens)."""
    return "vpc-connector", f"vpc-connector-{region}-{name}"


def rules_for(region: str, name: str, network: NetworkId, block: IPv4Network, ids: Ids) -> Iterator[Json]:
    """The six rules of a connector, as complete firewall resources."""
    own_tag = connector_tags(region, name)[1]
    prefix = f"aet-{region.replace('-', '')}-{name.replace('-', '--')}"
    target = {"targetTags": [own_tag]}
    table: tuple[tuple[str, str, int, Json], ...] = (
        (
            "hcfw",
            "INGRESS",
            100,
            {"allowed": [_CONTROL[0]], "sourceRanges": _HEALTH_CHECKS, **target},
        ),
        ("rsgfw", "INGRESS", 100, {"allowed": _CONTROL, "sourceRanges": _INFRASTRUCTURE, **target}),
        ("earfw", "EGRESS", 100, {"allowed": _CONTROL, "destinationRanges": _INFRASTRUCTURE, **target}),
        ("egrfw", "EGRESS", 100, {"denied": _OTHERS, "destinationRanges": _INFRASTRUCTURE, **target}),
        ("sbntfw", "INGRESS", 1000, {"allowed": _ANY, "sourceRanges": [str(block)]}),
        ("tagfw", "INGRESS", 1000, {"allowed": _ANY, "sourceTags": [own_tag]}),
    )
    for suffix, direction, priority, rest in table:
        rule_name = f"{prefix}-{suffix}"
        yield {
            "creationTimestamp": now(),
            "direction": direction,
            "disabled": False,
            "id": ids.numeric(),
            "kind": "compute#firewall",
            "logConfig": {"enable": False},
            "name": rule_name,
            "network": f"{COMPUTE}projects/{network.project}/global/networks/{network.name}",
            "priority": priority,
            "selfLink": f"{COMPUTE}projects/{network.project}/global/firewalls/{rule_name}",
            **rest,
        }
