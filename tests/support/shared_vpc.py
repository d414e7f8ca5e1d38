"""A Shared VPC: the network is a host project's, Redis and perhaps the connector are in a service project."""

from dataclasses import dataclass, field
from typing import Any

from support.hardened import REGION, Hardened

__all__ = ["SERVICE_RULES", "SharedVpc"]

_CONTROL = [
    {"IPProtocol": "tcp", "ports": ["667"]},
    {"IPProtocol": "udp", "ports": ["665-666"]},
    {"IPProtocol": "icmp"},
]
#: What Google's page says to make in the host project for connectors in service projects.
SERVICE_RULES: dict[str, dict[str, Any]] = {
    "serverless-to-vpc-connector": {
        "direction": "INGRESS",
        "allowed": _CONTROL,
        "sourceRanges": ["35.199.224.0/19"],
    },
    "vpc-connector-to-serverless": {
        "direction": "EGRESS",
        "allowed": _CONTROL,
        "destinationRanges": ["35.199.224.0/19"],
    },
    "vpc-connector-health-checks": {
        "direction": "INGRESS",
        "allowed": _CONTROL[:1],
        "sourceRanges": ["35.191.0.0/16", "35.191.192.0/18", "130.211.0.0/22"],
    },
}


@dataclass
class SharedVpc(Hardened):
    """`in_host` says in which of the two projects the connector is. The Redis VM is the host project's."""

    in_host: bool = False
    host_project: str = field(init=False)

    def __post_init__(self) -> None:
        self.host_project = f"host-{self.project}"

    @property
    def rules_project(self) -> str:
        return self.host_project

    @property
    def connector_project(self) -> str:
        return self.host_project if self.in_host else self.project

    @property
    def host_id(self) -> str:
        return f"projects/{self.host_project}/zones/{REGION}-a/instances/redis-vm"

    def build(self) -> "SharedVpc":
        control, host = self.control, self.host_project
        control.project(host)
        control.project(self.project)
        control.put("networks", host, self.network)
        self.deny("deny-all-ingress", "INGRESS")
        self.deny("deny-all-egress", "EGRESS")
        control.put("subnetworks", host, REGION, "redis", network=self.network, ipCidrRange="10.128.0.0/20")
        control.put("subnetworks", host, REGION, "conn", network=self.network, ipCidrRange="10.8.0.0/28")
        control.put(
            "instances",
            host,
            f"{REGION}-a",
            "redis-vm",
            network=self.network,
            address=self.host,
            tags=["redis-instance"],
            redisPort=6379,
        )
        path = f"projects/{self.connector_project}/locations/{REGION}/connectors/{self.connector}"
        control.put("services", self.project, REGION, "prober", connector=path)
        return self

    def make_service_rules(self) -> None:
        for name, one in SERVICE_RULES.items():
            self.control.put(
                "firewalls",
                self.host_project,
                name,
                network=self.network,
                targetTags=["vpc-connector"],
                priority=800,
                **one,
            )

    def resource(self, namespace: str, name: str = "path", **spec: Any) -> dict[str, Any]:
        placed: dict[str, Any] = {"subnet": {"name": "conn"}}
        if self.in_host:
            placed["projectId"] = self.host_project
        network = {"name": self.network, "hostProjectId": self.host_project}
        return super().resource(namespace, name, **{"network": network, "connector": placed, **spec})
