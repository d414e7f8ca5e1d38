"""Compute's messages to frozen values and back: pure, normalised, tolerant of what Google may add.

Reading works on the raw protobuf messages rather than on the proto-plus wrappers: the same fields at a tenth of the
cost, which counts when a thousand rules are read every few seconds. They are typed `Any` for want of stubs.

Normalised means: protocols in lower case, ports as pairs, ranges with a prefix length and without host bits, networks
as `NetworkRef`, and what Google documents as default written out (no range at all means 0.0.0.0/0; see the
`sourceRanges` and `destinationRanges` fields of compute.v1 Firewall), so that equality is sameness of effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network, ip_network
from typing import Any

from google.cloud import compute_v1

from redis_connectivity.cloud.operations import ComputeOperation
from redis_connectivity.core.cloudvalues import (
    Action,
    Direction,
    FirewallRule,
    Layer4,
    Machine,
    Network,
    NetworkRef,
    Peering,
    Subnetwork,
)

__all__ = [
    "cidrs",
    "compute_operation",
    "firewall_from_google",
    "firewall_to_google",
    "layer4_from_google",
    "machine_from_google",
    "network_from_google",
    "network_ref",
    "normalised",
    "ports_from_google",
    "ports_to_google",
    "subnetwork_from_google",
]

DEFAULT_PRIORITY = 1000
EVERYWHERE = "0.0.0.0/0"
_NETWORK = re.compile(r"(?:^|/)projects/([^/]+)/global/networks/([^/]+)/?$")


def network_ref(text: str, project: str) -> NetworkRef:
    """The network a URL, a path or a bare name means; `project` is used where the text names none."""
    found = _NETWORK.search(text)
    if found:
        return NetworkRef(found.group(1), found.group(2))
    return NetworkRef(project, text.rstrip("/").rpartition("/")[2])


def cidr(text: str) -> str:
    """A range in the one spelling used here; text that is no IP range stays as it is, for a human to see."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        return text.strip()


def cidrs(texts: Iterable[str]) -> frozenset[str]:
    """Ranges as a set, each normalised."""
    return frozenset(cidr(text) for text in texts)


def ports_from_google(ports: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """["6379", "1-2"] as sorted inclusive pairs. What is not a port or a range is a ValueError."""
    pairs = set()
    for text in ports:
        first, _, last = text.partition("-")
        pairs.add((int(first), int(last or first)))
    return tuple(sorted(pairs))


def ports_to_google(pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Pairs as Google writes them."""
    return [str(first) if first == last else f"{first}-{last}" for first, last in pairs]


def layer4_from_google(protocol: str, ports: Iterable[str]) -> Layer4:
    """A protocol with its ports, normalised."""
    return Layer4(protocol.strip().lower(), ports_from_google(ports))


def normalised(rule: FirewallRule) -> FirewallRule:
    """The same rule as it would come back from Google: compare a desired rule in this form."""
    sources = cidrs(rule.source_ranges)
    destinations = cidrs(rule.destination_ranges)
    if rule.direction is Direction.INGRESS and not (sources or rule.source_tags or rule.source_service_accounts):
        sources = frozenset({EVERYWHERE})
    if rule.direction is Direction.EGRESS and not destinations:
        destinations = frozenset({EVERYWHERE})
    return replace(
        rule,
        layer4=frozenset(Layer4(item.protocol.strip().lower(), tuple(sorted(set(item.ports)))) for item in rule.layer4),
        source_ranges=sources,
        destination_ranges=destinations,
    )


def firewall_from_google(pb: Any, project: str) -> FirewallRule:  # noqa: ANN401  (raw protobuf, no stubs)
    """A compute.v1 Firewall as a value.

    Args:
        pb: The raw message (`compute_v1.Firewall.pb(firewall)`).
        project: The project it was asked of, for a network given without one.
    """
    denied = bool(pb.denied)
    entries = pb.denied if denied else pb.allowed
    logging = pb.log_config.metadata or "INCLUDE_ALL_METADATA" if pb.log_config.enable else None
    return normalised(
        FirewallRule(
            network=network_ref(pb.network or "global/networks/default", project),
            name=pb.name,
            direction=Direction(pb.direction or "INGRESS"),
            action=Action.DENY if denied else Action.ALLOW,
            priority=pb.priority if pb.HasField("priority") else DEFAULT_PRIORITY,
            layer4=frozenset(layer4_from_google(entry.I_p_protocol, entry.ports) for entry in entries),
            source_ranges=frozenset(pb.source_ranges),
            destination_ranges=frozenset(pb.destination_ranges),
            source_tags=frozenset(pb.source_tags),
            target_tags=frozenset(pb.target_tags),
            source_service_accounts=frozenset(pb.source_service_accounts),
            target_service_accounts=frozenset(pb.target_service_accounts),
            disabled=pb.disabled,
            logging=logging,
            description=pb.description,
            id=str(pb.id) if pb.HasField("id") else "",
        )
    )


def firewall_to_google(rule: FirewallRule) -> compute_v1.Firewall:
    """A rule as the whole resource, for insert and for update (PUT).

    Every scalar is set, so that none is left to a default. Empty lists do not appear in the JSON at all: in a PUT
    that clears them, because "all fields will be updated, even fields not specified" (firewalls.update). A PATCH
    would keep them, which is why this package never patches a firewall rule.
    """
    firewall = compute_v1.Firewall(
        name=rule.name,
        network=rule.network.path,
        direction=rule.direction.value,
        priority=rule.priority,
        description=rule.description,
        disabled=rule.disabled,
        log_config=compute_v1.FirewallLogConfig(enable=rule.logging is not None),
        source_ranges=sorted(rule.source_ranges),
        destination_ranges=sorted(rule.destination_ranges),
        source_tags=sorted(rule.source_tags),
        target_tags=sorted(rule.target_tags),
        source_service_accounts=sorted(rule.source_service_accounts),
        target_service_accounts=sorted(rule.target_service_accounts),
    )
    if rule.logging is not None:  # Google refuses metadata while logging is off
        firewall.log_config.metadata = rule.logging
    entries = sorted(rule.layer4)
    if rule.action is Action.ALLOW:
        firewall.allowed = [
            compute_v1.Allowed(I_p_protocol=entry.protocol, ports=ports_to_google(entry.ports)) for entry in entries
        ]
    else:
        firewall.denied = [
            compute_v1.Denied(I_p_protocol=entry.protocol, ports=ports_to_google(entry.ports)) for entry in entries
        ]
    return firewall


def network_from_google(pb: Any, project: str) -> Network:  # noqa: ANN401  (raw protobuf, no stubs)
    """A compute.v1 Network as a value."""
    return Network(
        ref=NetworkRef(project, pb.name),
        enforcement_order=pb.network_firewall_policy_enforcement_order or "AFTER_CLASSIC_FIREWALL",
        peerings=tuple(
            sorted(
                (Peering(peering.name, peering.network, peering.state) for peering in pb.peerings),
                key=lambda peering: peering.name,
            )
        ),
    )


def subnetwork_from_google(pb: Any, project: str) -> Subnetwork | None:  # noqa: ANN401  (raw protobuf, no stubs)
    """A compute.v1 Subnetwork as a value; None for one without IPv4 (nothing here can use it)."""
    if not pb.ip_cidr_range:
        return None
    return Subnetwork(
        project=project,
        region=pb.region.rstrip("/").rpartition("/")[2],
        name=pb.name,
        network=network_ref(pb.network, project),
        ip_cidr_range=IPv4Network(pb.ip_cidr_range, strict=False),
        purpose=pb.purpose or "PRIVATE",
    )


def machine_from_google(pb: Any, project: str) -> Machine | None:  # noqa: ANN401  (raw protobuf, no stubs)
    """A compute.v1 Instance as a value; None for one without an IPv4 address in a network."""
    interface = next(iter(pb.network_interfaces), None)
    if interface is None or not interface.network_i_p or not interface.network:
        return None
    return Machine(
        zone=pb.zone.rstrip("/").rpartition("/")[2],
        name=pb.name,
        network=network_ref(interface.network, project),
        address=interface.network_i_p,
        tags=frozenset(pb.tags.items),
        service_accounts=frozenset(account.email for account in pb.service_accounts),
        status=pb.status,
    )


def compute_operation(operation: compute_v1.Operation, project: str) -> ComputeOperation:
    """A compute.v1 Operation as a value."""
    pb = compute_v1.Operation.pb(operation)
    return ComputeOperation(
        project=project,
        name=pb.name,
        status=compute_v1.Operation.Status(pb.status).name,
        target=pb.target_link,
        errors=tuple((error.code, error.message) for error in pb.error.errors),
        http_status=pb.http_error_status_code or None,
    )
