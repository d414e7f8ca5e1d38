"""A path at rest and what can be done to it, for tests of the diagnosis."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.actions import InsertRule
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    Network,
    NetworkRef,
    Peering,
    RedisInstance,
    RedisInstanceState,
    Subnetwork,
)
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.diagnosis import Case
from redis_connectivity.core.drift import applied_form
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.plan import make_plan
from redis_connectivity.core.probing import ProbeMemory, ProbeResult, record

__all__ = ["INGRESS", "NETWORK", "NOW", "SUBNET", "Path", "deny"]

OWNER = ResourceId("cluster", "ns", "path", "uid-1")
NETWORK = NetworkRef("acme-staging", "staging-vpc")
SUBNET = Subnetwork("acme-staging", "us-central1", "redis", NETWORK, IPv4Network("10.128.0.0/20"))
INGRESS = "allow-vpc-connector-to-redis"
NOW = 1_000_000.0


def deny(name: str, direction: Direction, priority: int, **more: Any) -> FirewallRule:
    """A deny of everything."""
    ranges = frozenset({"0.0.0.0/0"})
    fields: dict[str, Any] = {"source_ranges": ranges} if direction is Direction.INGRESS else {}
    fields |= {"destination_ranges": ranges} if direction is Direction.EGRESS else {}
    return FirewallRule(
        NETWORK, name, direction, Action.DENY, priority, frozenset({Layer4("all")}), **{**fields, **more}
    )


@dataclass
class Path:
    """Starts healthy on a hardened network: connector of our own, rules in force, PING answered."""

    memorystore: bool = False
    spec: dict[str, Any] = field(default_factory=dict)
    observed: Observed = field(init=False)
    ledger: Ledger = field(init=False)
    probe: ProbeMemory | None = field(init=False)

    def __post_init__(self) -> None:
        redis = RedisInstance(
            "acme-staging",
            "us-central1",
            "cache",
            RedisInstanceState.READY,
            host="10.129.0.3",
            port=6379,
            authorized_network=NETWORK,
        )
        self.observed = Observed(
            network=Network(NETWORK, peerings=(Peering("redis-peer-1", "google", "ACTIVE"),)),
            connector=Connector(
                "acme-staging",
                "us-central1",
                "staging-connector",
                ConnectorState.READY,
                network="staging-vpc",
                ip_cidr_range=IPv4Network("10.2.0.0/28"),
                machine_type="e2-micro",
                min_instances=2,
                max_instances=3,
            ),
            redis=redis if self.memorystore else None,
            rules=(deny("deny-in", Direction.INGRESS, 900), deny("deny-out", Direction.EGRESS, 900)),
            subnetworks=(SUBNET,),
            network_names=frozenset({"staging-vpc", "other-vpc"}),
        )
        self.ledger = Ledger(
            project="acme-staging",
            claim=ConnectorClaim(connector=self.desired.connector_path, state=ClaimState.CONFIRMED),
        )
        plan = make_plan(self.desired, self.observed, self.ledger, NOW)
        for number, action in enumerate(plan.actions):
            assert isinstance(action, InsertRule), action
            rule = replace(action.rule, id=str(number))
            self.observed = replace(self.observed, rules=(*self.observed.rules, rule))
            applied = {**self.ledger.applied, rule.name: applied_form(rule)}
            self.ledger = self.ledger.model_copy(update={"applied": applied})
        self.probe = None
        self.probed()

    @property
    def desired(self) -> Desired:
        redis = {"memorystore": {"instance": "cache"}} if self.memorystore else {"vm": {"host": "10.128.0.5"}}
        spec = {
            "environment": "staging",
            "projectId": "acme-staging",
            "region": "us-central1",
            "connector": {"ipCidrRange": "10.2.0.0/28"},
            "redis": redis,
            **self.spec,
        }
        return resolve(OWNER, RedisConnectivitySpec.model_validate(spec))

    @property
    def case(self) -> Case:
        plan = make_plan(self.desired, self.observed, self.ledger, NOW)
        return Case(self.desired, self.observed, plan, self.probe)

    def see(self, **fields: Any) -> "Path":
        """Something of the cloud is otherwise."""
        self.observed = replace(self.observed, **fields)
        return self

    def connector(self, **fields: Any) -> "Path":
        assert isinstance(self.observed.connector, Connector)
        return self.see(connector=replace(self.observed.connector, **fields))

    def rule(self, name: str = INGRESS, **fields: Any) -> "Path":
        """The operator's rule is otherwise; without fields it is gone."""
        assert isinstance(self.observed.rules, tuple)
        kept = [rule for rule in self.observed.rules if rule.name != name]
        mine = [replace(rule, **fields) for rule in self.observed.rules if rule.name == name and fields]
        return self.see(rules=(*kept, *mine))

    def add(self, *rules: FirewallRule) -> "Path":
        assert isinstance(self.observed.rules, tuple)
        return self.see(rules=(*self.observed.rules, *rules))

    def remember(self, **fields: Any) -> "Path":
        self.ledger = self.ledger.model_copy(update=fields)
        return self

    def probed(self, code: str = "", times: int = 2, **fields: Any) -> "Path":
        """Probes that end with a code, or with PONG."""
        for _ in range(times):
            result = ProbeResult(
                at=NOW,
                ok=not code,
                origin=fields.get("origin", "Prober"),
                target="redis:6379",
                seconds=None if code else 0.001,
                step="tcp" if code else "",
                code=code,
                message=f"it ended with {code}" if code else "",
                conclusive=not code.startswith("Prober"),
            )
            self.probe = record(self.probe, result, failure_threshold=2, success_threshold=1)
        return self
