"""How scenes use the cluster itself to break a path; `scenes` gives them names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from redis_connectivity.api.base import API_VERSION
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.wound import Wound

__all__ = ["conflict", "policy_forbids"]

_NAME: Final = "another-network"
_OLDER: Final = "older"
#: How old the other resource must be.
_SECONDS: Final = 2.0


def policy_forbids(site: Site) -> Wound:
    """Whoever keeps the cluster allows the namespace another network only."""
    policy = {
        "apiVersion": API_VERSION,
        "kind": "RedisConnectivityPolicy",
        "metadata": {"name": _NAME},
        "spec": {"namespaces": [site.env.namespace], "networks": ["another-vpc"]},
    }
    site.cluster("apply", "-f", "-", stdin=json.dumps(policy))

    def still() -> bool:
        return bool(site.cluster("get", "redisconnectivitypolicies", _NAME, "-o", "name", "--ignore-not-found").strip())

    return Wound(
        f"made policy {_NAME}, which allows namespace {site.env.namespace} network another-vpc only",
        "Ready turns False and names the policy; traffic still passes",
        still,
        lambda: _allow(site),
    )


def conflict(site: Site) -> Wound:
    """Another resource, older than the environment's, declares the same connector on another range."""
    env = site.env
    older = env.manifest(site.cloud.url)
    older["metadata"]["name"] = _OLDER
    older["spec"]["connector"] = {"name": env.connector, "ipCidrRange": "10.2.9.0/28"}
    site.cluster("apply", "-f", "-", stdin=json.dumps(older))
    # Who is older is a question of whole seconds.
    wait_until(lambda: _age(site) >= _SECONDS, deadline=30, describe="the other resource to be some seconds old")
    site.redeclare()

    def still() -> bool:
        return bool(site.cluster("get", "rconn", _OLDER, "-n", env.namespace, "-o", "name", "--ignore-not-found"))

    return Wound(
        f"another resource, {_OLDER}, declares connector {env.connector} on 10.2.9.0/28, and is the older one",
        "ConnectorReady turns False and names both",
        still,
        lambda: _forget(site),
    )


def _age(site: Site) -> float:
    template = "jsonpath={.metadata.creationTimestamp}"
    made = site.cluster("get", "rconn", _OLDER, "-n", site.env.namespace, "-o", template)
    return (datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds()


def _forget(site: Site) -> None:
    site.cluster("delete", "rconn", _OLDER, "-n", site.env.namespace, "--timeout=90s")


def _allow(site: Site) -> None:
    site.cluster("delete", "redisconnectivitypolicies", _NAME)
