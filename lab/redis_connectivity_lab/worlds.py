"""The demo's cloud: two environments on hardened networks, as security teams make them, and a resource for each.

* staging: Redis on a VM. Its connector exists already, made by somebody else, as in the outage that this project was
  born from: connector READY, Redis running, and every connection times out.
* production: Memorystore. Nothing is there yet but network and instance; the operator makes the connector too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from redis_connectivity_lab.emulator.control_client import ControlClient

__all__ = [
    "DENY_PRIORITY",
    "ENVIRONMENTS",
    "FOREIGN_RULE",
    "PRODUCTION",
    "REGION",
    "SOMEBODY",
    "STAGING",
    "Environment",
    "environment_of",
    "seed",
]

REGION: Final = "us-central1"
#: Of the security team's denies: stronger than Google's own allows for a connector, which have 1000.
DENY_PRIORITY: Final = 900
#: Harmless, and nobody's business but the monitoring team's.
FOREIGN_RULE: Final = "monitoring-allow-ssh"
#: Who breaks things in the console, in the emulator's audit log.
SOMEBODY: Final = "somebody@example.com"


@dataclass(frozen=True, slots=True)
class Environment:
    """One of the demo's environments.

    Attributes:
        word: Its name, which names network, project and namespace too.
        resource: The resource's name.
        connector: The connector's name, as the operator would choose it.
        connector_range: The connector's /28.
        redis: `spec.redis`.
        target: Redis' address.
        host_id: The machine that Redis runs on, as the data plane names it.
        ours: Whether the operator makes the connector.
        opening: Direction of the rule without which the path is shut: a VM is guarded at its own door (ingress), no
            rule can apply on Google's side of a peering, so there only the connector's egress counts.
    """

    word: str
    resource: str
    connector: str
    connector_range: str
    redis: dict[str, Any]
    target: str
    host_id: str
    ours: bool
    opening: Literal["INGRESS", "EGRESS"]

    @property
    def title(self) -> str:
        """The path in words."""
        return f"{self.word}: Cloud Run → VPC connector → {'Redis on a VM' if 'vm' in self.redis else 'Memorystore'}"

    @property
    def ranges_field(self) -> Literal["sourceRanges", "destinationRanges"]:
        """The field of the opening rule that says whose traffic it is for."""
        return "sourceRanges" if self.opening == "INGRESS" else "destinationRanges"

    @property
    def project(self) -> str:
        """The Google Cloud project."""
        return f"acme-{self.word}"

    @property
    def network(self) -> str:
        """The VPC network."""
        return f"{self.word}-vpc"

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace of the resource."""
        return self.word

    @property
    def connector_path(self) -> str:
        """The connector's full name."""
        return f"projects/{self.project}/locations/{REGION}/connectors/{self.connector}"

    def prober_url(self, google: str) -> str:
        """Where the prober on the emulated Cloud Run answers."""
        return f"{google}/_run/{self.project}/{REGION}/prober"

    def manifest(self, google: str) -> dict[str, Any]:
        """The resource that opens the path."""
        return {
            "apiVersion": "redisconnectivity.io/v1alpha1",
            "kind": "RedisConnectivity",
            "metadata": {"name": self.resource, "namespace": self.namespace},
            "spec": {
                "environment": self.word,
                "projectId": self.project,
                "region": REGION,
                "connector": {"ipCidrRange": self.connector_range},
                "redis": self.redis,
                "probe": {"proberUrl": self.prober_url(google), "interval": "2s", "timeout": "1s"},
            },
        }

    def manifest_yaml(self, google: str) -> str:
        """The resource as a user writes it."""
        return yaml.safe_dump(self.manifest(google), sort_keys=False)


STAGING: Final = Environment(
    word="staging",
    resource="sessions",
    connector="staging-connector",
    connector_range="10.2.0.0/28",
    redis={"vm": {"host": "10.128.0.5", "port": 6379, "targetTags": ["redis-instance"]}},
    target="10.128.0.5",
    host_id=f"projects/acme-staging/zones/{REGION}-a/instances/redis-vm",
    ours=False,
    opening="INGRESS",
)
PRODUCTION: Final = Environment(
    word="production",
    resource="chat",
    connector="production-conn",
    connector_range="10.3.0.0/28",
    redis={"memorystore": {"instance": "chat-cache"}},
    target="10.129.0.3",
    host_id=f"projects/acme-production/locations/{REGION}/instances/chat-cache",
    ours=True,
    opening="EGRESS",
)
ENVIRONMENTS: Final = (STAGING, PRODUCTION)


def environment_of(word: str) -> Environment:
    """An environment by its word; raises KeyError."""
    return {env.word: env for env in ENVIRONMENTS}[word]


def seed(control: ControlClient) -> None:
    """Put both environments into the emulated cloud, at once."""
    for env in ENVIRONMENTS:
        control.project(env.project)
        control.put("networks", env.project, env.network)
        for name, direction, field in (
            ("security-deny-all-ingress", "INGRESS", "sourceRanges"),
            ("security-deny-all-egress", "EGRESS", "destinationRanges"),
        ):
            control.put(
                "firewalls",
                env.project,
                name,
                actor="security@example.com",
                network=env.network,
                direction=direction,
                priority=DENY_PRIORITY,
                denied=[{"IPProtocol": "all"}],
                **{field: ["0.0.0.0/0"]},
            )
        control.put(
            "firewalls",
            env.project,
            FOREIGN_RULE,
            actor="monitoring@example.com",
            network=env.network,
            direction="INGRESS",
            priority=800,
            allowed=[{"IPProtocol": "tcp", "ports": ["22"]}],
            sourceRanges=["10.200.0.0/24"],
        )
        control.put("services", env.project, REGION, "prober", connector=env.connector_path)
    control.put("subnetworks", STAGING.project, REGION, "redis", network=STAGING.network, ipCidrRange="10.128.0.0/20")
    control.put(
        "instances",
        STAGING.project,
        f"{REGION}-a",
        "redis-vm",
        network=STAGING.network,
        address=STAGING.target,
        tags=["redis-instance"],
        redisPort=6379,
    )
    control.put(
        "connectors",
        STAGING.project,
        REGION,
        STAGING.connector,
        actor="terraform@example.com",
        network=STAGING.network,
        ipCidrRange=STAGING.connector_range,
        minInstances=2,
        maxInstances=3,
        machineType="e2-micro",
    )
    control.put(
        "redis",
        PRODUCTION.project,
        REGION,
        "chat-cache",
        network=PRODUCTION.network,
        host=PRODUCTION.target,
        reservedIpRange="10.129.0.0/29",
    )
