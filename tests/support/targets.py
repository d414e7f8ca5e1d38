"""Hardened networks with a Redis of each kind in them."""

from dataclasses import dataclass
from typing import Any, Final

from redis_connectivity.api.limits import NODE_PORTS
from support.hardened import REGION, Hardened

__all__ = ["ALL_TARGETS", "NODE_PORT", "Targeted"]

#: Every kind of target, each in the forms that behave differently.
ALL_TARGETS: Final = (
    "memorystore",
    "memorystore-private-service-access",
    "cluster",
    "valkey",
    "valkey-without-cluster-mode",
    "vm-with-tags",
    "vm-with-service-account",
    "endpoint",
)
NODE_PORT: Final = 11000
FIRST, SECOND = "10.129.0.4", "10.129.0.5"
VM_HOST, ENDPOINT_HOST = "10.128.0.5", "10.128.0.9"


@dataclass
class Targeted(Hardened):
    """A project whose connector somebody made already, so that packets can be sent before the resource is there."""

    target: str = "memorystore"

    @property
    def account(self) -> str:
        return f"redis@{self.project}.iam.gserviceaccount.com"

    @property
    def connector_id(self) -> str:
        """The data plane's name for the connector."""
        return f"projects/{self.project}/locations/{REGION}/connectors/{self.connector}"

    def build(self) -> "Targeted":
        control, project = self.control, self.project
        control.project(project)
        peering = {"name": "servicenetworking-googleapis-com", "state": "ACTIVE"}
        more = {"peerings": [peering]} if self.target.endswith("service-access") else {}
        control.put("networks", project, self.network, **more)
        control.put("subnetworks", project, REGION, "redis", network=self.network, ipCidrRange="10.128.0.0/20")
        self.deny("deny-all-ingress", "INGRESS")
        self.deny("deny-all-egress", "EGRESS")
        control.put("connectors", project, REGION, self.connector, network=self.network, ipCidrRange="10.2.0.0/28")
        control.put("services", project, REGION, "prober", connector=self.connector_id)
        self.put_redis()
        return self

    def put_redis(self) -> None:
        control, project = self.control, self.project
        match self.target:
            case "memorystore":
                control.put("redis", project, REGION, "cache", network=self.network, host=FIRST)
            case "memorystore-private-service-access":
                mode = "PRIVATE_SERVICE_ACCESS"
                control.put("redis", project, REGION, "cache", network=self.network, host=FIRST, connectMode=mode)
            case "cluster":
                fields: dict[str, Any] = {"network": self.network, "shardCount": 3, "addresses": [FIRST, SECOND]}
                control.put("clusters", project, REGION, "cache", **fields)
            case "valkey" | "valkey-without-cluster-mode":
                mode = "CLUSTER" if self.target == "valkey" else "CLUSTER_DISABLED"
                fields = {"network": self.network, "mode": mode, "addresses": [FIRST, SECOND]}
                control.put("valkeys", project, REGION, "cache", **fields)
            case "vm-with-tags":
                self._machine(VM_HOST, tags=["redis-instance"])
            case "vm-with-service-account":
                self._machine(VM_HOST, serviceAccount=self.account)
            case "endpoint":
                # Like a load balancer that passes packets on as they are: what answers has the endpoint's address.
                self._machine(ENDPOINT_HOST)
            case other:
                raise ValueError(other)

    def _machine(self, address: str, **fields: Any) -> None:
        zone = f"{REGION}-a"
        fields = {"network": self.network, "address": address, "redisPort": 6379, **fields}
        self.control.put("instances", self.project, zone, "redis-vm", **fields)

    @property
    def kind(self) -> str:
        """`status.redis.kind`."""
        words = {"memorystore": "Memorystore", "cluster": "Cluster", "valkey": "Valkey", "vm": "VM"}
        return words.get(self.target.partition("-")[0], "Endpoint")

    @property
    def must_reach(self) -> list[tuple[str, int]]:
        """Where a Redis answers, the one that clients know first."""
        match self.kind, self.target:
            case "Cluster", _:
                return [(FIRST, 6379), (SECOND, NODE_PORT), (SECOND, NODE_PORT + 2)]
            case _, "valkey":
                return [(FIRST, 6379), (SECOND, NODE_PORT)]
            case "Valkey", _:
                return [(FIRST, 6379), (SECOND, 6379)]
            case "Memorystore", _:
                return [(FIRST, 6379)]
            case "VM", _:
                return [(VM_HOST, 6379)]
        return [(ENDPOINT_HOST, 6379)]

    @property
    def ports(self) -> list[str]:
        """Ports of the egress rule, as Google writes them."""
        first, last = NODE_PORTS
        return ["6379", f"{first}-{last}"] if self.kind in ("Cluster", "Valkey") else ["6379"]

    @property
    def ingress(self) -> dict[str, list[str]] | None:
        """What the ingress rule applies to; None where none can apply."""
        match self.target:
            case "vm-with-tags":
                return {"targetTags": ["redis-instance"]}
            case "vm-with-service-account":
                return {"targetServiceAccounts": [self.account]}
            case "endpoint":
                return {"destinationRanges": [f"{ENDPOINT_HOST}/32"]}
        return None

    def resource(self, namespace: str, name: str = "path", **spec: Any) -> dict[str, Any]:
        """The resource that opens the path."""
        targets: dict[str, dict[str, Any]] = {
            "Memorystore": {"memorystore": {"instance": "cache"}},
            "Cluster": {"cluster": {"name": "cache"}},
            "Valkey": {"valkey": {"instance": "cache"}},
            "VM": {"vm": {"host": VM_HOST}},
            "Endpoint": {"endpoint": {"host": ENDPOINT_HOST}},
        }
        redis = targets[self.kind]
        if self.target == "vm-with-service-account":
            redis["vm"]["targetServiceAccounts"] = [self.account]
        more: dict[str, Any] = {"redis": redis}
        if self.kind == "Endpoint":
            more["firewall"] = {"ingress": "Always"}
        return super().resource(namespace, name, **(more | spec))
