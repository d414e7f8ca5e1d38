"""Effective firewall policies as frozen values, in the order in which Google evaluates them.

Source: compute.v1 NetworksGetEffectiveFirewallsResponse and FirewallPolicyRule. What this version cannot judge offline
(names, places, threat lists, address groups, secure tags of senders, inspection) is named in `opaque`: the judgement
then has to be "unknown", never "passes".
"""

from __future__ import annotations

from typing import Any

from redis_connectivity.cloud.translate import cidrs, layer4_from_google, network_ref
from redis_connectivity.core.cloudvalues import (
    Direction,
    FirewallPolicy,
    FirewallPolicyRule,
    PolicyAction,
    PolicyKind,
)

__all__ = ["policies_from_google"]

#: Match fields that need knowledge from elsewhere, under the names the REST API gives them.
_OPAQUE_MATCHES = {
    "src_fqdns": "srcFqdns",
    "dest_fqdns": "destFqdns",
    "src_region_codes": "srcRegionCodes",
    "dest_region_codes": "destRegionCodes",
    "src_threat_intelligences": "srcThreatIntelligences",
    "dest_threat_intelligences": "destThreatIntelligences",
    "src_address_groups": "srcAddressGroups",
    "dest_address_groups": "destAddressGroups",
    "src_network_context": "srcNetworkContext",
    "dest_network_context": "destNetworkContext",
    "src_network_type": "srcNetworkType",
    "dest_network_type": "destNetworkType",
    "src_networks": "srcNetworks",
    "src_secure_tags": "srcSecureTags",
}


def policies_from_google(policies: Any, project: str) -> tuple[FirewallPolicy, ...]:  # noqa: ANN401  (no stubs)
    """The policies of one getEffectiveFirewalls answer.

    Args:
        policies: The raw `firewall_policys` (sic) of the answer, in its order, which is that of evaluation.
        project: The network's project.
    """
    return tuple(_policy(pb, project) for pb in policies)


def _policy(pb: Any, project: str) -> FirewallPolicy:  # noqa: ANN401  (raw protobuf, no stubs)
    # Google evaluates by priority; the order within the list is not promised.
    rules = sorted((_rule(rule, project) for rule in pb.rules), key=lambda rule: rule.priority)
    return FirewallPolicy(
        kind=_kind(pb.type_),
        name=pb.name,
        # The regional answer has no shortName.
        short_name=getattr(pb, "short_name", "") or pb.display_name,
        rules=tuple(rules),
        priority=pb.priority if pb.HasField("priority") else None,
    )


def _kind(text: str) -> PolicyKind:
    if text == "NETWORK":
        return PolicyKind.NETWORK
    if text == "NETWORK_REGIONAL":
        return PolicyKind.NETWORK_REGIONAL
    if text.startswith("SYSTEM"):
        return PolicyKind.SYSTEM
    # HIERARCHY, and UNSPECIFIED or a word to come: taken for what nobody can outrank, which errs on the safe side.
    return PolicyKind.HIERARCHY


def _rule(pb: Any, project: str) -> FirewallPolicyRule:  # noqa: ANN401  (raw protobuf, no stubs)
    opaque = _opaque(pb)
    action = _action(pb.action)
    if action is None:
        opaque.add(f"action:{pb.action}")
        action = PolicyAction.APPLY_SECURITY_PROFILE_GROUP
    return FirewallPolicyRule(
        priority=pb.priority,
        action=action,
        direction=Direction(pb.direction or "INGRESS"),
        layer4=frozenset(
            layer4_from_google(config.ip_protocol or "all", config.ports) for config in pb.match.layer4_configs
        ),
        source_ranges=cidrs(pb.match.src_ip_ranges),
        destination_ranges=cidrs(pb.match.dest_ip_ranges),
        target_networks=frozenset(network_ref(url, project) for url in pb.target_resources),
        target_service_accounts=frozenset(pb.target_service_accounts),
        target_secure_tags=frozenset(tag.name for tag in pb.target_secure_tags),
        opaque=frozenset(opaque),
        disabled=pb.disabled,
        name=pb.rule_name,
    )


def _action(text: str) -> PolicyAction | None:
    try:
        return PolicyAction(text)
    except ValueError:
        return None


def _opaque(pb: Any) -> set[str]:  # noqa: ANN401  (raw protobuf, no stubs)
    # getattr with a default: the older client versions this project supports lack the newest fields.
    found = {name for field, name in _OPAQUE_MATCHES.items() if getattr(pb.match, field, None)}
    if getattr(pb, "target_forwarding_rules", None):
        found.add("targetForwardingRules")
    if getattr(pb, "target_type", "") not in ("", "INSTANCES"):
        found.add(f"targetType:{pb.target_type}")
    return found
