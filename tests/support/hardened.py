"""A project on a hardened network with a Redis in it, and the resource that opens the path."""

import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

from redis_connectivity_lab.emulator import ControlClient

__all__ = ["ABROAD", "REGION", "Hardened"]

REGION = "us-central1"
#: Another region.
ABROAD = "europe-west1"


@dataclass
class Hardened:
    """One project with network, denies of all ingress and egress at priority 900, a Redis, and a prober service.

    `memorystore` decides the kind of target. Addresses are the same in every project: projects do not share networks.
    """

    control: ControlClient
    google: str
    memorystore: bool = False
    project: str = field(default_factory=lambda: f"p-{secrets.token_hex(4)}")
    hardened: bool = True
    #: Of the machine that Redis runs on; connector and prober are in REGION.
    machine_region: str = REGION

    @property
    def network(self) -> str:
        return "staging-vpc"

    @property
    def connector(self) -> str:
        return "staging-connector"

    @property
    def rules_project(self) -> str:
        """Where network and firewall rules are."""
        return self.project

    @property
    def connector_project(self) -> str:
        return self.project

    @property
    def host(self) -> str:
        return "10.129.0.3" if self.memorystore else "10.128.0.5"

    @property
    def host_id(self) -> str:
        """The data plane's name for the machine that Redis runs on."""
        if self.memorystore:
            return f"projects/{self.project}/locations/{REGION}/instances/cache"
        return f"projects/{self.project}/zones/{self.machine_region}-a/instances/redis-vm"

    @property
    def prober_url(self) -> str:
        return f"{self.google}/_run/{self.project}/{REGION}/prober"

    def build(self) -> "Hardened":
        control, project = self.control, self.project
        control.project(project)
        control.put("networks", project, self.network)
        if self.hardened:
            self.deny("deny-all-ingress", "INGRESS")
            self.deny("deny-all-egress", "EGRESS")
        if self.memorystore:
            control.put("redis", project, REGION, "cache", network=self.network, host=self.host)
        else:
            subnet: dict[str, Any] = {"network": self.network, "ipCidrRange": "10.128.0.0/20"}
            control.put("subnetworks", project, self.machine_region, "redis", **subnet)
            control.put(
                "instances",
                project,
                f"{self.machine_region}-a",
                "redis-vm",
                network=self.network,
                address=self.host,
                tags=["redis-instance"],
                redisPort=6379,
            )
        path = f"projects/{project}/locations/{REGION}/connectors/{self.connector}"
        control.put("services", project, REGION, "prober", connector=path)
        return self

    def deny(self, name: str, direction: str, priority: int = 900) -> None:
        ranges: dict[str, Any] = {
            "sourceRanges" if direction == "INGRESS" else "destinationRanges": ["0.0.0.0/0"],
            "priority": priority,
        }
        self.control.put(
            "firewalls",
            self.rules_project,
            name,
            network=self.network,
            direction=direction,
            denied=[{"IPProtocol": "all"}],
            **ranges,
        )

    def resource(self, namespace: str, name: str = "path", **spec: Any) -> dict[str, Any]:
        """The resource; `spec` replaces whole top-level fields."""
        redis = {"memorystore": {"instance": "cache"}} if self.memorystore else {"vm": {"host": self.host}}
        whole: dict[str, Any] = {
            "environment": "staging",
            "projectId": self.project,
            "region": REGION,
            "connector": {"ipCidrRange": "10.2.0.0/28"},
            "redis": redis,
            "probe": {"proberUrl": self.prober_url, "interval": "2s", "timeout": "1s"},
        }
        return {
            "apiVersion": "redisconnectivity.io/v1alpha1",
            "kind": "RedisConnectivity",
            "metadata": {"name": name, "namespace": namespace},
            "spec": copy.deepcopy(whole | spec),
        }

    # --- what the emulated cloud holds

    def rules(self) -> dict[str, dict[str, Any]]:
        """Rules of people, by name: Google's own for a connector are left out."""
        found = self.control.list("firewalls", self.rules_project)
        return {one["name"]: one for one in found if not one["name"].startswith("aet-")}

    def own_rules(self) -> dict[str, dict[str, Any]]:
        return {name: one for name, one in self.rules().items() if "redisconnectivity.io" in one.get("description", "")}

    def connectors(self) -> list[str]:
        return [one["name"].rsplit("/", 1)[-1] for one in self.control.list("connectors", self.connector_project)]

    def calls(self, method: str, *, since: int = 0) -> list[dict[str, Any]]:
        """The calls of a method that took effect, or may have (status 0: the answer was lost)."""
        return [
            one
            for one in self.control.audit(project=self.project, method=method, since=since)
            if one["status"] in (0, 200)
        ]
