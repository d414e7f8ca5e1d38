"""What comes of a plan: the same planner, asked again and again about a cloud in which its actions have happened.

Nothing is guessed about the planner, so what is foretold is what the operator would do; what is assumed about Google is
that every operation ends well: a connector becomes READY, a deleted one is gone. Rules that Google itself makes for a
new connector (`aet-*`) are left out: nothing of ours relies on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, assert_never

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
from redis_connectivity.core.ledger import ClaimState, Ledger
from redis_connectivity.core.lineage import claiming, giving_up
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.risk import Risk, assess

__all__ = ["Forecast", "Step", "forecast", "happened"]

#: More rounds than any path needs (delete the connector, create it, make the rules, remove extra ones); the planner
#: comes to rest by its own promise, and this ends the loop if it ever breaks it.
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One action, in which round of planning it comes (0: now), and its risk."""

    round: int
    action: CloudAction
    risk: Risk


@dataclass(frozen=True, slots=True)
class Forecast:
    """The plan made now, all that follows from it, and the cloud and plan at the end.

    `settled` is false when the planner was still at work after the last round.
    """

    now: Plan
    before: Observed
    steps: tuple[Step, ...]
    after: Observed
    then: Plan
    settled: bool

    @property
    def actions(self) -> tuple[CloudAction, ...]:
        """Every action, in order."""
        return tuple(step.action for step in self.steps)


def forecast(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> Forecast:
    """Plan, let it happen, and plan again until there is nothing left to do or only people can go on."""
    before = observed
    first = plan = make_plan(desired, observed, ledger, now)
    steps: list[Step] = []
    for number in range(_ROUNDS):
        seen = observed
        for action in plan.actions:
            rules = () if isinstance(observed.rules, Unseen) else observed.rules
            steps.append(Step(number, action, assess(action, rules)))
            observed = happened(observed, (action,), desired)
        observed = _finished(observed)
        ledger = _recorded(plan.ledger, plan.actions)
        if observed == seen:
            return Forecast(first, before, tuple(steps), observed, plan, settled=True)
        plan = make_plan(desired, observed, ledger, now)
    return Forecast(first, before, tuple(steps), observed, plan, settled=False)


def happened(observed: Observed, actions: Iterable[CloudAction], desired: Desired) -> Observed:
    """The cloud after some actions, as `desired`'s resource sees it; they may be another resource's."""
    for action in actions:
        match action:
            case CreateConnector():
                observed = _with_connector(observed, _created(action), desired)
            case PatchConnector(connector=connector, machine_type=machine, counts=counts):
                low, high = counts or (connector.min_instances, connector.max_instances)
                patched = replace(
                    connector,
                    machine_type=machine or connector.machine_type,
                    min_instances=low,
                    max_instances=high,
                )
                observed = _with_connector(observed, patched, desired)
            case DeleteConnector(connector=connector):
                observed = _without_connector(observed, connector, desired)
            case InsertRule(rule=rule):
                observed = _with_rule(observed, replace(rule, id=rule.id or f"new {rule.name}"), desired)
            case UpdateRule(rule=rule):
                observed = _with_rule(observed, rule, desired)
            case DeleteRule(rule=rule):
                observed = _with_rule(observed, None, desired, name=rule.name, project=rule.network.project)
            case _:
                assert_never(action)
    return observed


def _created(action: CreateConnector) -> Connector:
    _, project, _, region, _, name = action.connector.split("/")
    low, high = action.want.create_counts
    return Connector(
        project=project,
        region=region,
        name=name,
        state=ConnectorState.READY,
        network=action.network,
        ip_cidr_range=action.want.ip_cidr_range,
        subnet=action.want.subnet or "",
        subnet_project=action.subnet_project,
        machine_type=action.want.machine_type,
        min_instances=low,
        max_instances=high,
    )


def _with_connector(observed: Observed, connector: Connector, desired: Desired) -> Observed:
    if (connector.project, connector.region) != (desired.connector.project, desired.region):
        return observed
    others = tuple(one for one in observed.connectors if one.full_name != connector.full_name)
    observed = replace(observed, connectors=(*others, connector))
    if connector.full_name != desired.connector_path or isinstance(observed.connector, Unseen):
        return observed
    return replace(observed, connector=connector, operation=None)


def _without_connector(observed: Observed, connector: Connector, desired: Desired) -> Observed:
    others = tuple(one for one in observed.connectors if one.full_name != connector.full_name)
    observed = replace(observed, connectors=others)
    if connector.full_name != desired.connector_path or isinstance(observed.connector, Unseen):
        return observed
    return replace(observed, connector=None, operation=None)


def _with_rule(
    observed: Observed, rule: FirewallRule | None, desired: Desired, *, name: str = "", project: str = ""
) -> Observed:
    name, project = (rule.name, rule.network.project) if rule is not None else (name, project)
    if isinstance(observed.rules, Unseen) or project != desired.network.project:
        return observed
    kept = tuple(one for one in observed.rules if one.name != name)
    return replace(observed, rules=kept if rule is None else (*kept, rule))


#: What Google is busy with ends well by itself.
_ENDS: Final = {
    ConnectorState.CREATING: ConnectorState.READY,
    ConnectorState.UPDATING: ConnectorState.READY,
}


def _finished(observed: Observed) -> Observed:
    connector = observed.connector
    if not isinstance(connector, Connector):
        return observed
    if connector.state is ConnectorState.DELETING:
        others = tuple(one for one in observed.connectors if one.full_name != connector.full_name)
        return replace(observed, connector=None, connectors=others, operation=None)
    state = _ENDS.get(connector.state)
    return observed if state is None else replace(observed, connector=replace(connector, state=state), operation=None)


def _recorded(ledger: Ledger, actions: Iterable[CloudAction]) -> Ledger:
    """The ledger after the actions, with nothing in flight."""
    applied = dict(ledger.applied)
    for action in actions:
        match action:
            case InsertRule(rule=rule):
                applied[rule.name] = applied_form(replace(rule, id=rule.id or f"new {rule.name}"))
            case UpdateRule(rule=rule):
                applied[rule.name] = applied_form(rule)
            case DeleteRule(rule=rule):
                applied.pop(rule.name, None)
            case CreateConnector(connector=path):
                ledger = ledger.model_copy(update=claiming(ledger, path, ClaimState.CONFIRMED))
            case DeleteConnector(connector=connector):
                ledger = ledger.model_copy(update=giving_up(ledger, connector.full_name))
            case PatchConnector():
                pass
            case _:
                assert_never(action)
    return ledger.model_copy(update={"applied": applied, "operation": None, "pending": {}})
