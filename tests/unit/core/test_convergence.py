"""From any state of the cloud, plans come to rest, touch nothing foreign, and delete only what is ours."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.actions import (
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    Network,
    NetworkRef,
)
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.drift import applied_form
from redis_connectivity.core.identity import Marker, ResourceId
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, ConnectorOperation, Ledger
from redis_connectivity.core.observed import Observed, OperationResult
from redis_connectivity.core.plan import make_plan
from redis_connectivity.core.plan_deletion import make_deletion_plan
from redis_connectivity.core.questions import flows_of
from redis_connectivity.core.reachability import Firewall
from redis_connectivity.core.sources import of_connector

OWNER = ResourceId("cluster", "ns", "path", "uid-1")
OTHER = ResourceId("cluster", "ns", "other", "uid-2")
NETWORK = NetworkRef("acme-staging", "staging-vpc")
RANGE = IPv4Network("10.2.0.0/28")


def desired(**more: object) -> Desired:
    spec = {
        "environment": "staging",
        "projectId": "acme-staging",
        "region": "us-central1",
        "connector": {"ipCidrRange": str(RANGE)},
        "redis": {"vm": {"host": "10.128.0.5"}},
        **more,
    }
    return resolve(OWNER, RedisConnectivitySpec.model_validate(spec))


@dataclass
class Cloud:
    """Google Cloud, as simple as it can be: operations are done by the next look."""

    rules: dict[str, FirewallRule]
    connector: Connector | None
    number: int = 0

    def observed(self, ledger: Ledger) -> Observed:
        return Observed(
            network=Network(NETWORK),
            connector=self.connector,
            redis=None,
            rules=tuple(self.rules.values()),
            operation=OperationResult(done=True) if ledger.operation and ledger.operation.name else None,
        )

    def settle(self) -> None:
        """What was being created or deleted is, by the next look."""
        if self.connector is None:
            return
        if self.connector.state in (ConnectorState.CREATING, ConnectorState.UPDATING):
            self.connector = replace(self.connector, state=ConnectorState.READY)
        elif self.connector.state is ConnectorState.DELETING:
            self.connector = None

    def do(self, action: object, ledger: Ledger) -> Ledger:
        self.number += 1
        match action:
            case InsertRule(rule=rule) | UpdateRule(rule=rule):
                written = replace(rule, id=self.rules[rule.name].id if rule.name in self.rules else str(self.number))
                self.rules[rule.name] = written
                return ledger.model_copy(update={"applied": {**ledger.applied, rule.name: applied_form(written)}})
            case DeleteRule(rule=rule):
                del self.rules[rule.name]
                kept = {name: one for name, one in ledger.applied.items() if name != rule.name}
                return ledger.model_copy(update={"applied": kept})
            case CreateConnector(connector=path, want=want):
                low, high = want.create_counts
                self.connector = connector(ConnectorState.CREATING, machine_type=want.machine_type, low=low, high=high)
                claim = ConnectorClaim(connector=path, state=ClaimState.CONFIRMED)
                return ledger.model_copy(update={"claim": claim, "operation": operation("create", self.number)})
            case PatchConnector(connector=before, machine_type=machine, counts=counts):
                low, high = counts or (before.min_instances, before.max_instances)
                self.connector = replace(
                    before,
                    state=ConnectorState.UPDATING,
                    machine_type=machine or before.machine_type,
                    min_instances=low,
                    max_instances=high,
                )
                return ledger.model_copy(update={"operation": operation("patch", self.number)})
            case DeleteConnector(connector=before):
                self.connector = replace(before, state=ConnectorState.DELETING)
                return ledger.model_copy(update={"operation": operation("delete", self.number)})
        raise AssertionError(f"an action that nobody knows: {action}")


def operation(kind: str, number: int) -> ConnectorOperation:
    return ConnectorOperation.model_validate({"kind": kind, "name": f"op-{number}", "started": 0.0})


def connector(
    state: ConnectorState = ConnectorState.READY, *, machine_type: str = "e2-micro", low: int = 2, high: int = 3
) -> Connector:
    return Connector(
        "acme-staging",
        "us-central1",
        "staging-connector",
        state,
        network="staging-vpc",
        ip_cidr_range=RANGE,
        machine_type=machine_type,
        min_instances=low,
        max_instances=high,
    )


def run(want: Desired, cloud: Cloud, ledger: Ledger, rounds: int = 12) -> Ledger:
    """Plan and apply until nothing is left to do; more rounds than that are a loop."""
    for number in range(rounds):
        plan = make_plan(want, cloud.observed(ledger), ledger, float(number))
        if plan.ledger == ledger and not plan.actions and ledger.operation is None:
            return ledger
        ledger = plan.ledger
        for action in plan.actions:
            ledger = cloud.do(action, ledger)
        cloud.settle()
    raise AssertionError(f"no rest after {rounds} rounds: {plan.actions}, {ledger}")


names = st.sampled_from(["allow-vpc-connector-to-redis", "allow-vpc-connector-egress-to-redis", "a", "b", "deny"])
ranges = st.frozensets(st.sampled_from(["0.0.0.0/0", "10.2.0.0/28", "10.128.0.0/9", "192.0.2.1/32"]), min_size=1)


@st.composite
def some_rule(draw: st.DrawFn, name: str) -> FirewallRule:
    """A rule that may be foreign, ours, or a copy of ours; whole or changed in any field."""
    direction = draw(st.sampled_from(list(Direction)))
    owner = draw(st.sampled_from([None, OWNER, OTHER]))
    marker_name = draw(st.sampled_from([name, "somewhere-else"]))
    description = Marker(owner, direction, marker_name).description() if owner else draw(st.sampled_from(["", "mine"]))
    ours = owner is OWNER and marker_name == name
    span = draw(ranges)
    return FirewallRule(
        network=NETWORK,
        name=name,
        direction=direction,
        action=Action.ALLOW if ours else draw(st.sampled_from(list(Action))),
        priority=draw(st.sampled_from([0, 1, 500, 899, 1000, 65535])),
        layer4=frozenset({draw(st.sampled_from([Layer4("tcp", ((6379, 6379),)), Layer4("tcp"), Layer4("all")]))}),
        source_ranges=span if direction is Direction.INGRESS else frozenset(),
        destination_ranges=span if direction is Direction.EGRESS else frozenset(),
        target_tags=draw(st.sampled_from([frozenset(), frozenset({"redis-instance"}), frozenset({"web"})])),
        disabled=draw(st.booleans()),
        description=description,
        id=draw(st.sampled_from(["1", "2", "3"])),
    )


@st.composite
def clouds(draw: st.DrawFn) -> Cloud:
    rules = {name: draw(some_rule(name)) for name in draw(st.sets(names))}
    present = draw(st.booleans())
    return Cloud(
        rules,
        connector(draw(st.sampled_from([ConnectorState.READY, ConnectorState.CREATING]))) if present else None,
        10,
    )


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """A ledger as a crash may have left it."""
    claim = draw(st.sampled_from([None, *ClaimState]))
    kind = draw(st.sampled_from([None, "create", "delete"]))
    return Ledger(
        claim=ConnectorClaim(connector=desired().connector_path, state=claim) if claim else None,
        operation=ConnectorOperation.model_validate({"kind": kind, "started": 0.0}) if kind and claim else None,
    )


def foreign(rules: dict[str, FirewallRule]) -> dict[str, FirewallRule]:
    """Rules that are not ours: no marker of ours under their own name."""
    mine = f"uid={OWNER.uid} "
    return {
        name: one
        for name, one in rules.items()
        if mine not in one.description or f"rule={name}]" not in one.description
    }


@settings(deadline=None, max_examples=300)
@given(clouds(), ledgers())
def test_it_comes_to_rest_and_touches_nothing_foreign(cloud: Cloud, ledger: Ledger) -> None:
    want = desired()
    before = foreign(cloud.rules)
    ledger = run(want, cloud, ledger)
    assert foreign(cloud.rules) == before
    plan = make_plan(want, cloud.observed(ledger), ledger, 99.0)
    assert plan == make_plan(want, cloud.observed(ledger), ledger, 99.0)
    assert plan.ledger == ledger
    if plan.firewall.ok:
        assert plan.target is not None
        (flow,) = flows_of(want, [of_connector("us-central1", "staging-connector", RANGE)], plan.target.destinations)
        for direction in Direction:
            assert Firewall(cloud.rules.values()).judge(direction, flow).allowed


@settings(deadline=None, max_examples=200)
@given(clouds(), ledgers(), st.booleans())
def test_deletion_from_any_state_leaves_only_what_is_foreign(cloud: Cloud, ledger: Ledger, built: bool) -> None:
    want = desired()
    before = foreign(cloud.rules)
    if built:
        ledger = run(want, cloud, ledger)
    had_claim = ledger.claim is not None
    for number in range(12):
        plan = make_deletion_plan(want, cloud.observed(ledger), ledger, float(number))
        ledger = plan.ledger
        if plan.done:
            break
        for action in plan.actions:
            ledger = cloud.do(action, ledger)
        cloud.settle()
    assert plan.done
    assert cloud.rules == before
    if built and ledger.claim is None and plan.heir is None:
        assert cloud.connector is None or not had_claim
