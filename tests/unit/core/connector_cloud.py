"""Google Cloud with any number of connectors, and an operator that may be killed around every write to it."""

from dataclasses import dataclass, field, replace
from typing import Literal

from connector_values import PROJECT, REGION, observed, subnet

from redis_connectivity.core.actions import (
    CloudAction,
    CreateConnector,
    DeleteConnector,
    DeleteRule,
    InsertRule,
    PatchConnector,
    UpdateRule,
)
from redis_connectivity.core.cloudvalues import Connector, ConnectorState, FirewallRule
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import applied_form
from redis_connectivity.core.ledger import ClaimState, ConnectorOperation, Ledger
from redis_connectivity.core.lineage import claiming, short_name
from redis_connectivity.core.observed import Observed, OperationResult, Sharer
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.plan_deletion import make_deletion_plan

#: When the operator is killed: never, before Google hears of a connector's write, or before its answer is written down.
Kill = Literal["never", "before", "after"]


@dataclass
class Cloud:
    """Operations are done by the next look. `fails` are how many creations from now on end in ERROR."""

    connectors: dict[str, Connector] = field(default_factory=dict)
    rules: dict[str, FirewallRule] = field(default_factory=dict)
    sharers: tuple[Sharer, ...] = ()
    fails: int = 0
    failed: bool = False
    now: float = 0.0
    #: Whether a connector that can carry traffic was there at every moment since the first one was.
    carried: bool = True

    def observed(self, ledger: Ledger) -> Observed:
        operation = None
        if ledger.operation is not None and ledger.operation.name:
            failed = ledger.operation.kind == "create" and self.failed
            operation = OperationResult(done=True, code=13 if failed else 0, message="failed to get healthy.")
        return observed(
            *self.connectors.values(),
            rules=tuple(self.rules.values()),
            operation=operation,
            connector_sharers=self.sharers,
            connector_users=tuple(one.key for one in self.sharers),
            subnetworks=(subnet("conn-a", "10.6.0.0/28"), subnet("conn-b", "10.7.0.0/28")),
        )

    def settle(self) -> None:
        """What was under way is done."""
        for name, one in list(self.connectors.items()):
            match one.state:
                case ConnectorState.CREATING:
                    self.failed = self.fails > 0
                    self.fails = max(0, self.fails - 1)
                    state = ConnectorState.ERROR if self.failed else ConnectorState.READY
                    self.connectors[name] = replace(one, state=state)
                case ConnectorState.UPDATING:
                    self.connectors[name] = replace(one, state=ConnectorState.READY)
                case ConnectorState.DELETING:
                    del self.connectors[name]
        self.carried &= any(
            one.state in (ConnectorState.READY, ConnectorState.UPDATING) for one in self.connectors.values()
        )

    def do(self, action: CloudAction, ledger: Ledger, kill: Kill = "never") -> Ledger:
        """One action with the ledger's writes around it, as the applier does it."""
        match action:
            case InsertRule(rule=rule) | UpdateRule(rule=rule):
                self.rules[rule.name] = replace(rule, id=rule.id or rule.name)
                form = applied_form(self.rules[rule.name])
                return ledger.model_copy(update={"applied": {**ledger.applied, rule.name: form}})
            case DeleteRule(rule=rule):
                del self.rules[rule.name]
                kept = {name: one for name, one in ledger.applied.items() if name != rule.name}
                return ledger.model_copy(update={"applied": kept})
            case CreateConnector(connector=path):
                claim = claiming(ledger, path, ClaimState.INTENDED)
                return self._call(action, "create", path, ledger.model_copy(update=claim), kill)
            case PatchConnector(connector=one):
                return self._call(action, "patch", one.full_name, ledger, kill)
            case DeleteConnector(connector=one):
                return self._call(action, "delete", one.full_name, ledger, kill)

    def _call(
        self, action: CloudAction, kind: Literal["create", "patch", "delete"], path: str, ledger: Ledger, kill: Kill
    ) -> Ledger:
        begun = ConnectorOperation(kind=kind, started=self.now, connector=path)
        ledger = ledger.model_copy(update={"operation": begun})
        if kill == "before":
            return ledger
        name = short_name(path)
        match action:
            case CreateConnector(want=want):
                assert name not in self.connectors, f"{name} is made twice"
                low, high = want.create_counts
                self.connectors[name] = Connector(
                    PROJECT,
                    REGION,
                    name,
                    ConnectorState.CREATING,
                    network=action.network,
                    ip_cidr_range=want.ip_cidr_range,
                    subnet=want.subnet or "",
                    subnet_project=action.subnet_project,
                    machine_type=want.machine_type,
                    min_instances=low,
                    max_instances=high,
                )
                self._assert_no_overlap(name)
            case PatchConnector(connector=one, counts=counts, machine_type=machine):
                low, high = counts or (one.min_instances, one.max_instances)
                assert (low, high) >= (one.min_instances, one.max_instances)
                self.connectors[name] = replace(
                    one,
                    state=ConnectorState.UPDATING,
                    min_instances=low,
                    max_instances=high,
                    machine_type=machine or one.machine_type,
                )
            case DeleteConnector(connector=one):
                self.connectors[name] = replace(one, state=ConnectorState.DELETING)
            case _:
                raise AssertionError(f"not about a connector: {action}")
        if kill == "after":
            return ledger
        return ledger.model_copy(update={"operation": begun.model_copy(update={"name": f"op-{self.now}"})})

    def _assert_no_overlap(self, name: str) -> None:
        new = self.connectors[name].ip_cidr_range
        for other in self.connectors.values():
            if other.name != name and new is not None and other.ip_cidr_range is not None:
                assert not new.overlaps(other.ip_cidr_range), f"{name} overlaps {other.name}"

    def step(self, want: Desired, ledger: Ledger, kill: Kill = "never") -> tuple[Plan, Ledger]:
        """One look, and what it asks for."""
        plan = make_plan(want, self.observed(ledger), ledger, self.now)
        ledger = plan.ledger
        for action in plan.actions:
            ledger = self.do(action, ledger, kill)
        self.settle()
        self.now += 4000.0  # longer than any back-off
        return plan, ledger

    def run(self, want: Desired, ledger: Ledger, kills: tuple[Kill, ...] = (), rounds: int = 16) -> tuple[Plan, Ledger]:
        """Step until nothing is left to do; `kills` are for the first steps."""
        for number in range(rounds):
            before = ledger
            plan, ledger = self.step(want, ledger, kills[number] if number < len(kills) else "never")
            self.assert_no_orphan(ledger)
            if plan.ledger == before and not plan.actions and ledger.operation is None:
                return plan, ledger
        raise AssertionError(f"no rest after {rounds} rounds: {plan.actions}, {ledger}")

    def delete(self, want: Desired, ledger: Ledger) -> None:
        for _ in range(16):
            plan = make_deletion_plan(want, self.observed(ledger), ledger, self.now)
            ledger = plan.ledger
            if plan.done:
                return
            for action in plan.actions:
                ledger = self.do(action, ledger)
            self.settle()
            self.now += 4000.0
        raise AssertionError(f"it does not end: {ledger}")

    #: Names of connectors that others made.
    foreign: frozenset[str] = frozenset()

    def assert_no_orphan(self, ledger: Ledger) -> None:
        """Every connector that we made is in our books."""
        known = {short_name(one.connector) for one in (*ledger.retiring, *([ledger.claim] if ledger.claim else []))}
        assert self.connectors.keys() - self.foreign <= known


__all__ = ["Cloud", "Kill"]
