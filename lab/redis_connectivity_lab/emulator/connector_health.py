"""Whether a connector in a service project gets healthy: there Google makes no rules, and those in the host decide.

Source: Google's page on connecting to a Shared VPC network (the rules that one must create for service projects), and
the text people quote when they are missing.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Final

from redis_connectivity_lab.dataplane.compile import compile_topology
from redis_connectivity_lab.dataplane.verdict import verdict
from redis_connectivity_lab.emulator.aet_rules import connector_tags
from redis_connectivity_lab.emulator.store import Project
from redis_connectivity_lab.emulator.topology_view import rule_of
from redis_connectivity_lab.topology import Host, HostKind, NetworkId, Topology

__all__ = ["UNHEALTHY", "gets_healthy"]

UNHEALTHY: Final = (
    "An internal error occurred: VPC Access connector failed to get healthy. Please check GCE quotas, logs and org "
    "policies and recreate."
)
_PORT: Final = 667
#: One address of each of Google's ranges.
_CONTROL: Final = IPv4Address("35.199.224.1")
_HEALTH_CHECKS: Final = (IPv4Address("35.191.0.1"), IPv4Address("35.191.192.1"), IPv4Address("130.211.0.1"))


def gets_healthy(host_project: Project, network: NetworkId, region: str, name: str, block: IPv4Network) -> bool:
    """Whether Google's infrastructure and the connector reach each other by the host project's rules."""
    own = Host("connector", HostKind.CONNECTOR, network, block.network_address + 2, block, connector_tags(region, name))
    google = [_outside(network, address) for address in (_CONTROL, *_HEALTH_CHECKS)]
    rules = [rule_of(host_project.id, body) for body in host_project.firewalls.values()]
    networks = compile_topology(
        Topology(
            networks=frozenset({network}),
            hosts=frozenset({own, *google}),
            rules=frozenset(rules),
        )
    )
    inwards = all(verdict(networks, one.id, own.address, _PORT).allowed for one in google)
    return inwards and verdict(networks, own.id, _CONTROL, _PORT).allowed


def _outside(network: NetworkId, address: IPv4Address) -> Host:
    return Host(str(address), HostKind.MANAGED, network, address, IPv4Network(address))
