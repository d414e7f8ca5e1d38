"""Acts on what the path leads to: managed Redis and machines that are elsewhere, or gone."""

from __future__ import annotations

from typing import Any, Final

from redis_connectivity_lab.scene_network_acts import OTHER_NETWORK, redeclared
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.worlds import REGION
from redis_connectivity_lab.wound import Wound

__all__ = ["endpoint_lost", "redis_elsewhere", "redis_in_another_region", "vm_elsewhere", "vm_gone"]

_OTHER_RANGE: Final = "10.140.0.0/20"
_OTHER_HOST: Final = "10.140.0.5"


def redis_elsewhere(site: Site) -> Wound:
    """The path is declared to an instance of another network."""
    project, name = site.env.project, "other-cache"
    site.control.put("networks", project, OTHER_NETWORK)
    site.control.put(
        "redis", project, REGION, name, network=OTHER_NETWORK, host="10.150.0.3", reservedIpRange="10.150.0.0/29"
    )

    def undo() -> None:
        site.control.delete("redis", project, REGION, name)
        site.control.delete("networks", project, OTHER_NETWORK)

    spec = {"redis": {"memorystore": {"instance": name}}}
    return redeclared(site, f"declared {name}, an instance of {OTHER_NETWORK}", "RedisReady names both", spec, undo)


def redis_in_another_region(site: Site) -> Wound:
    """The path is declared to an instance that was made in another region."""
    key = ("redis", site.env.project, "europe-west1", "far-cache")
    site.control.put(*key, network=site.env.network, host="10.151.0.3", reservedIpRange="10.151.0.0/29")
    done = "declared far-cache, an instance in europe-west1"
    watch = "RedisReady turns False; the diagnosis names the region"
    spec = {"redis": {"memorystore": {"instance": "far-cache"}}}
    return redeclared(site, done, watch, spec, lambda: site.control.delete(*key))


def endpoint_lost(site: Site) -> Wound:
    """The path is declared to a cluster; somebody has deleted the forwarding rule that leads to its nodes."""
    key = ("clusters", site.env.project, REGION, "chat-cluster")
    site.control.put(*key, network=site.env.network, addresses=["10.129.1.2", "10.129.1.3"])
    (body,) = site.control.list("clusters", site.env.project)
    kept, lost = body["pscConnections"]
    gone = lost | {"pscConnectionStatus": "PSC_CONNECTION_STATUS_NOT_FOUND"}
    site.control.patch(*key, pscConnections=[kept, gone])
    site.cloud.settle()

    def undo() -> None:
        site.control.delete(*key)
        site.cloud.settle()

    return redeclared(
        site,
        "declared cluster chat-cluster, which has lost the endpoint of its nodes",
        "RedisReady turns False: the firewall is not the cause",
        {"redis": {"cluster": {"name": "chat-cluster"}}},
        undo,
    )


def vm_elsewhere(site: Site) -> Wound:
    """The path is declared to a machine of another network."""
    project = site.env.project
    site.control.put("networks", project, OTHER_NETWORK)
    site.control.put("subnetworks", project, REGION, "other", network=OTHER_NETWORK, ipCidrRange=_OTHER_RANGE)
    site.control.put("instances", project, f"{REGION}-a", "other-vm", network=OTHER_NETWORK, address=_OTHER_HOST)

    def undo() -> None:
        site.control.delete("instances", project, f"{REGION}-a", "other-vm")
        site.control.delete("subnetworks", project, REGION, "other")
        site.control.delete("networks", project, OTHER_NETWORK)

    spec = {"redis": {"vm": {"host": _OTHER_HOST, "port": 6379, "targetTags": ["redis-instance"]}}}
    done = f"declared Redis at {_OTHER_HOST}, a machine of network {OTHER_NETWORK}"
    return redeclared(site, done, "Reachable turns False: packets have nowhere to go", spec, undo)


def vm_gone(site: Site) -> Wound:
    """The machine of Redis is gone, and nothing that the operator may read says so."""
    zone, name, env = f"{REGION}-a", "redis-vm", site.env
    site.control.delete("instances", env.project, zone, name)
    site.cloud.settle()

    def undo() -> None:
        fields: dict[str, Any] = {"address": env.target, "tags": ["redis-instance"], "redisPort": 6379}
        site.control.put("instances", env.project, zone, name, network=env.network, **fields)
        site.cloud.settle()

    return Wound(
        f"machine {name} was switched off",
        "Reachable turns False: packets get no answer, and every rule is right",
        lambda: all(one["name"] != name for one in site.control.list("instances", env.project)),
        undo,
    )
