"""What Compute demands of a firewall rule, and what it fills in.

Sources: Compute API description of `Firewall`; the text "Should not specify both allowed and denied in the same time."
is quoted in forseti-security#3844; `logConfig.metadata` only with `enable` in terraform-provider-google#7220; limits as
google/capirca keeps them.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

from redis_connectivity_lab.emulator.errors import ApiError, invalid_field, required_field
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.names import RFC1035, check_name

__all__ = ["normalise"]

_PROTOCOLS: Final = {"tcp", "udp", "icmp", "esp", "ah", "ipip", "sctp", "all"}
_WITH_PORTS: Final = {"tcp", "udp", "sctp", "6", "17", "132"}
_PORTS: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_ACCOUNT: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LIMITS: Final = {
    "sourceTags": 30,
    "targetTags": 70,
    "sourceServiceAccounts": 10,
    "targetServiceAccounts": 10,
    "sourceRanges": 256,
    "destinationRanges": 256,
}
_MAX_PORTS: Final = 256
_MAX_DESCRIPTION: Final = 2048
_METADATA: Final = {"INCLUDE_ALL_METADATA", "EXCLUDE_ALL_METADATA"}


def normalise(body: Json) -> Json:
    """The rule as Compute keeps it, without what only the server knows (id, links, times); raises its 400s."""
    rule: Json = {key: value for key, value in body.items() if value not in ([], "", {})}
    # Tags for the Resource Manager are input only; the API never gives them back.
    rule.pop("params", None)
    check_name(rule.get("name"))
    _check_direction(rule)
    _check_action(rule)
    _check_tags_and_accounts(rule)
    _check_ranges(rule)
    _check_log(rule)
    priority = rule.setdefault("priority", 1000)
    if not 0 <= priority <= 65535:
        raise invalid_field("resource.priority", priority, "Must be between 0 and 65535, inclusive")
    rule.setdefault("disabled", False)
    if len(rule.get("description", "")) > _MAX_DESCRIPTION:
        raise invalid_field("resource.description", "…", f"Must be at most {_MAX_DESCRIPTION} characters long")
    return rule


def _check_direction(rule: Json) -> None:
    direction = rule.setdefault("direction", "INGRESS")
    if direction not in {"INGRESS", "EGRESS"}:
        raise invalid_field("resource.direction", direction, "Must be one of INGRESS, EGRESS.")
    if direction == "EGRESS":
        for field in ("sourceTags", "sourceServiceAccounts"):
            if field in rule:
                raise invalid_field(f"resource.{field}", rule[field], "Not allowed for an EGRESS firewall rule.")


def _check_action(rule: Json) -> None:
    if "allowed" in rule and "denied" in rule:
        raise ApiError(400, "Should not specify both allowed and denied in the same time.")
    if "allowed" not in rule and "denied" not in rule:
        raise required_field("resource.allowed")
    field = "allowed" if "allowed" in rule else "denied"
    rule[field] = [_layer4(entry, f"resource.{field}[{index}]") for index, entry in enumerate(rule[field])]
    if sum(len(entry.get("ports", ())) for entry in rule[field]) > _MAX_PORTS:
        raise invalid_field(f"resource.{field}", "…", f"At most {_MAX_PORTS} ports are allowed in a rule.")


def _layer4(entry: Json, path: str) -> Json:
    protocol = str(entry.get("IPProtocol", "")).lower()
    if not protocol:
        raise required_field(f"{path}.IPProtocol")
    if protocol not in _PROTOCOLS and not (protocol.isdigit() and int(protocol) <= 255):
        raise invalid_field(f"{path}.IPProtocol", entry["IPProtocol"], "Unknown IP protocol.")
    ports = entry.get("ports") or []
    if ports and protocol not in _WITH_PORTS:
        raise invalid_field(
            f"{path}.ports", ports, "Ports may only be specified on rules whose protocol is TCP, UDP or SCTP."
        )
    for index, port in enumerate(ports):
        match = _PORTS.fullmatch(port)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= 65535:
            raise invalid_field(
                f"{path}.ports[{index}]", port, "Must be an integer from 0 to 65535, or a range of those."
            )
    return {"IPProtocol": protocol, "ports": ports} if ports else {"IPProtocol": protocol}


def _check_tags_and_accounts(rule: Json) -> None:
    for field, limit in _LIMITS.items():
        if len(rule.get(field, ())) > limit:
            raise invalid_field(f"resource.{field}", "…", f"At most {limit} are allowed in a rule.")
    tags = [field for field in ("sourceTags", "targetTags") if field in rule]
    accounts = [field for field in ("sourceServiceAccounts", "targetServiceAccounts") if field in rule]
    if tags and accounts:
        raise invalid_field(
            f"resource.{accounts[0]}", rule[accounts[0]], f"Cannot be specified together with {tags[0]}."
        )
    for field in tags:
        for index, tag in enumerate(rule[field]):
            if not RFC1035.fullmatch(tag):
                raise invalid_field(
                    f"resource.{field}[{index}]", tag, f"Must be a match of regex '(?:{RFC1035.pattern})'"
                )
    for field in accounts:
        for index, account in enumerate(rule[field]):
            if not _ACCOUNT.fullmatch(account):
                raise invalid_field(f"resource.{field}[{index}]", account, "Must be a valid service account.")


def _check_ranges(rule: Json) -> None:
    versions = set()
    for field in ("sourceRanges", "destinationRanges"):
        if field not in rule:
            continue
        normal = []
        for index, text in enumerate(rule[field]):
            try:
                parsed = ip_network(text)
            except ValueError as error:
                raise invalid_field(
                    f"resource.{field}[{index}]", text, "Must be a valid CIDR address range."
                ) from error
            versions.add(parsed.version)
            normal.append(str(parsed))
        rule[field] = normal
    if len(versions) > 1:
        raise ApiError(
            400, "Invalid value for field 'resource': IPv4 and IPv6 ranges cannot be mixed in a firewall rule."
        )
    if rule["direction"] == "INGRESS":
        if not any(field in rule for field in ("sourceRanges", "sourceTags", "sourceServiceAccounts")):
            rule["sourceRanges"] = ["::/0" if versions == {6} else "0.0.0.0/0"]
    elif "destinationRanges" not in rule:
        rule["destinationRanges"] = ["::/0" if versions == {6} else "0.0.0.0/0"]


def _check_log(rule: Json) -> None:
    log = rule.get("logConfig", {})
    enabled = log.get("enable", False)
    metadata = log.get("metadata")
    if metadata is not None and metadata not in _METADATA:
        raise invalid_field("resource.logConfig.metadata", metadata, f"Must be one of {', '.join(sorted(_METADATA))}.")
    if metadata is not None and not enabled:
        raise invalid_field("resource.logConfig.metadata", metadata, "Can only be specified if logging is enabled.")
    rule["logConfig"] = (
        {"enable": True, "metadata": metadata or "INCLUDE_ALL_METADATA"} if enabled else {"enable": False}
    )
