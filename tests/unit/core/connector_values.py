"""Specs and clouds for the tests of the connector's part of a plan."""

from ipaddress import IPv4Network
from typing import Any

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    Network,
    NetworkRef,
    Subnetwork,
)
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.observed import Observed

PROJECT, HOST, REGION = "acme-staging", "acme-host", "us-central1"
OWNER = ResourceId("cluster", "ns", "path", "uid-1")


def desired(connector: dict[str, Any] | None = None, **more: Any) -> Desired:
    spec: dict[str, Any] = {
        "environment": "staging",
        "projectId": PROJECT,
        "region": REGION,
        "redis": {"vm": {"host": "10.128.0.5"}},
        **more,
    }
    if "directVpcEgress" not in more:
        spec["connector"] = connector or {"ipCidrRange": "10.2.0.0/28"}
    return resolve(OWNER, RedisConnectivitySpec.model_validate(spec))


def network(project: str = PROJECT) -> NetworkRef:
    return NetworkRef(project, "staging-vpc")


def subnet(name: str, cidr: str, project: str = PROJECT, **more: Any) -> Subnetwork:
    return Subnetwork(project, REGION, name, network(project), IPv4Network(cidr), **more)


def connector(name: str = "staging-connector", cidr: str | None = "10.2.0.0/28", **more: Any) -> Connector:
    fields: dict[str, Any] = {
        "project": PROJECT,
        "region": REGION,
        "name": name,
        "state": ConnectorState.READY,
        "network": "staging-vpc" if cidr else "",
        "ip_cidr_range": IPv4Network(cidr) if cidr else None,
        "machine_type": "e2-micro",
        "min_instances": 2,
        "max_instances": 3,
    }
    return Connector(**{**fields, **more})


def observed(*connectors: Connector, name: str = "staging-connector", **more: Any) -> Observed:
    """A project with these connectors, of which one is the resource's."""
    fields: dict[str, Any] = {
        "network": Network(network()),
        "connector": next((one for one in connectors if one.name == name), None),
        "redis": None,
        "rules": (),
        "connectors": connectors,
    }
    return Observed(**{**fields, **more})


def rule(name: str, direction: Direction, ranges: set[str], **more: Any) -> FirewallRule:
    side = "source_ranges" if direction is Direction.INGRESS else "destination_ranges"
    fields: dict[str, Any] = {
        "network": network(),
        "name": name,
        "direction": direction,
        "action": Action.ALLOW,
        "priority": 1000,
        "layer4": frozenset({Layer4("all")}),
        side: frozenset(ranges),
    }
    return FirewallRule(**{**fields, **more})
