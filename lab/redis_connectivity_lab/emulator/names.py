"""Names, links and ranges: how callers write them, and what Compute makes of them."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from typing import Final

from redis_connectivity_lab.emulator.errors import ApiError, invalid_field, required_field
from redis_connectivity_lab.topology import NetworkId

__all__ = ["RFC1035", "check_name", "network_of", "parse_network", "range_of", "short_name"]

#: Compute API: names of networks, subnetworks, rules and network tags.
RFC1035: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")

_NETWORK = re.compile(
    r"(?:https://(?:www|compute)\.googleapis\.com/compute/(?:v1|beta)/)?(?:projects/(?P<project>[^/]+)/)?"
    r"global/networks/(?P<name>[^/]+)"
)


def check_name(name: object, field: str = "resource.name") -> str:
    """A Compute name; raises the API's 400."""
    if not name:
        raise required_field(field)
    if not isinstance(name, str) or not RFC1035.fullmatch(name):
        raise invalid_field(field, name, f"Must be a match of regex '(?:{RFC1035.pattern})'")
    return name


def parse_network(link: str, project: str) -> NetworkId | None:
    """A network's full or partial URL, or None when the text is none."""
    match = _NETWORK.fullmatch(link)
    if match is None:
        return None
    return NetworkId(match["project"] or project, match["name"])


def network_of(link: str, project: str, field: str = "resource.network") -> NetworkId:
    """A network's full or partial URL; raises Compute's 400 for what is none."""
    network = parse_network(link, project)
    if network is None:
        raise invalid_field(field, link, "The URL is malformed.")
    return network


def short_name(link: str) -> str:
    """The last part of a link."""
    return link.rsplit("/", 1)[-1]


def range_of(text: str, field: str) -> IPv4Network:
    """An IPv4 range in CIDR form; raises Compute's 400."""
    try:
        parsed = ip_network(text)
    except ValueError as error:
        raise _bad_range(text, field) from error
    if not isinstance(parsed, IPv4Network) or "/" not in text:
        raise _bad_range(text, field)
    return parsed


def _bad_range(text: str, field: str) -> ApiError:
    return invalid_field(field, text, "Must be a CIDR address range that is contained in the RFC standards.")
