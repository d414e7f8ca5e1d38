"""What vpcaccess demands of a connector.

Sources: Google's page on connecting to a VPC network (placement, /28, scaling bounds); the API description (states,
throughput, defaults); texts from terraform-provider-google#13915 (ID pattern), pulumi-google-native#358 (name) and
magic-modules (both bounds together, growing only).
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

from redis_connectivity_lab.emulator.errors import invalid_argument
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["MACHINE_TYPES", "check_id", "normalise", "patched"]

_ID: Final = re.compile(r"[a-z][-a-z0-9]{0,23}[a-z0-9]")
_BARE_NAME: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
MACHINE_TYPES: Final = ("f1-micro", "e2-micro", "e2-standard-4")
_MUTABLE: Final = ("machineType", "minInstances", "maxInstances")
_SCALING: Final = {"minInstances", "maxInstances"}


def check_id(connector_id: str) -> str:
    """The connector's id from the query."""
    if not _ID.fullmatch(connector_id):
        raise invalid_argument("Connector ID must follow the pattern ^[a-z][-a-z0-9]{0,23}[a-z0-9]$.")
    return connector_id


def normalise(body: Json) -> Json:
    """A parsed connector as the API keeps it, without name and state."""
    if body.get("name"):
        raise invalid_argument("Connector name must not be set.")
    connector = {
        key: value for key, value in body.items() if key not in {"name", "state", "connectedProjects"} and value
    }
    _check_placement(connector)
    machine = connector.setdefault("machineType", "e2-micro")
    if machine not in MACHINE_TYPES:
        raise invalid_argument(f"Machine type {machine} is not supported. Use one of {', '.join(MACHINE_TYPES)}.")
    _set_scaling(connector)
    return connector


def _check_placement(connector: Json) -> None:
    by_range = "network" in connector or "ipCidrRange" in connector
    if by_range == ("subnet" in connector):
        raise invalid_argument("Exactly one of network with ip_cidr_range, and subnet, must be specified.")
    if by_range:
        if not connector.get("network") or not connector.get("ipCidrRange"):
            raise invalid_argument("Both network and ip_cidr_range must be specified when no subnet is.")
        _check_bare_name("network", connector["network"])
        text = connector["ipCidrRange"]
        try:
            block = ip_network(text)
        except ValueError as error:
            raise invalid_argument(f"Invalid IP CIDR range: {text}.") from error
        if block.version != 4 or block.prefixlen != 28:
            raise invalid_argument(f"Invalid IP CIDR range: {text}. The range must have a prefix length of 28.")
    else:
        name = connector["subnet"].get("name", "")
        if not name:
            raise invalid_argument("The subnet name must be specified.")
        _check_bare_name("subnet.name", name)


def _check_bare_name(field: str, name: str) -> None:
    if not _BARE_NAME.fullmatch(name):
        raise invalid_argument(f"Invalid {field}: {name}. It must be a name, not a URL.")


def _set_scaling(connector: Json) -> None:
    """Instances win over throughput; each is derived from the other, a hundred Mbps an instance."""
    bounds = (("min", 200, 2, 9, 200, 900), ("max", 300, 3, 10, 300, 1000))
    for bound, default, low, high, slow, fast in bounds:
        instances = connector.get(f"{bound}Instances")
        throughput = connector.get(f"{bound}Throughput")
        if instances is None:
            throughput = default if throughput is None else throughput
            if throughput % 100 or not slow <= throughput <= fast:
                raise invalid_argument(f"The {bound} throughput must be a multiple of 100 from {slow} to {fast}.")
            instances = throughput // 100
        _check_bound(bound, instances, low, high)
        connector[f"{bound}Instances"] = instances
        connector[f"{bound}Throughput"] = instances * 100
    if connector["minInstances"] >= connector["maxInstances"]:
        raise invalid_argument(
            "The minimum amount of instances underlying the connector must be less than the maximum amount."
        )


def _check_bound(bound: str, instances: int, low: int, high: int) -> None:
    word = {"min": "minimum", "max": "maximum"}[bound]
    if instances < low:
        raise invalid_argument(f"The {word} amount of instances underlying the connector must be at least {low}")
    if instances > high:
        raise invalid_argument(f"The {word} amount of instances underlying the connector must be at most {high}")


def patched(old: Json, patch: Json, mask: list[str]) -> Json:
    """The connector after a patch; raises for what cannot be changed in place.

    Without a mask every modifiable field of the body counts (API description).
    """
    paths = mask or [field for field in _MUTABLE if field in patch]
    if fixed := [path for path in paths if path not in _MUTABLE]:
        raise invalid_argument(f"Field {fixed[0]} cannot be updated. Mutable fields: {', '.join(_MUTABLE)}.")
    scaling = _SCALING & set(paths)
    if len(scaling) == 1:
        raise invalid_argument("min_instances and max_instances must be updated together.")
    new = dict(old)
    for path in paths:
        if path not in patch:
            raise invalid_argument(f"Field {path} is in the update mask but not in the connector.")
        new[path] = patch[path]
    if new["machineType"] not in MACHINE_TYPES:
        raise invalid_argument(f"Machine type {new['machineType']} is not supported.")
    for field in sorted(scaling):
        if new[field] < old[field]:
            raise invalid_argument(f"{field} can only be increased, from {old[field]}; it was set to {new[field]}.")
        new.pop(f"{field[:3]}Throughput", None)
    _set_scaling(new)
    return new
