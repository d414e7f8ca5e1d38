"""The plan for a resource that is being deleted: what it made goes, what it adopted is given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import ConnectorManagement, DeletionPolicy
from redis_connectivity.core.actions import CloudAction, DeleteConnector
from redis_connectivity.core.adoption import connector_is_adopted, give_up, released
from redis_connectivity.core.cloudvalues import Connector, ConnectorState
from redis_connectivity.core.connector_compare import same_placement
from redis_connectivity.core.connector_ledger import absorb_operation, owns, rework_wait
from redis_connectivity.core.consent import who_is_cut_off
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.lineage import connector_named, settle, short_name
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan_firewall import own_rules
from redis_connectivity.core.timing import operation_poll_delay
from redis_connectivity.core.verdict import Verdict, bad, unseen

__all__ = ["DeletionPlan", "make_deletion_plan"]


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What is left to do before the finalizer may go; `done` when nothing is."""

    actions: tuple[CloudAction, ...]
    ledger: Ledger
    done: bool
    verdict: Verdict
    due_in: float | None = None
    #: Key of the resource that takes over the connector, because it uses it too.
    heir: str | None = None
    #: What was let go of and stays in the cloud, for an Event.
    released: str = ""


def make_deletion_plan(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> DeletionPlan:
    """The plan for a resource that is being deleted: rules first, then the connector, each only if it is ours."""
    if desired.deletion_policy is DeletionPolicy.RETAIN:
        return DeletionPlan((), ledger, done=True, verdict=bad(Reason.DELETING, "Retained as deletionPolicy says."))
    if desired.direct is None:
        desired, observed = settle(desired, observed, ledger)
        ledger = absorb_operation(desired, observed, ledger, now)
    if isinstance(observed.rules, Unseen):
        return DeletionPlan((), ledger, done=False, verdict=unseen(observed.rules))
    rules = own_rules(desired.owner.uid, desired.owner.cluster, observed.rules, ledger)
    writes = tuple(
        (rule, action)
        for rule in rules
        if (action := give_up(rule, ledger, desired.deletion_policy, "the resource is being deleted")) is not None
    )
    if writes:
        return DeletionPlan(
            tuple(action for _, action in writes),
            ledger,
            done=False,
            verdict=bad(Reason.DELETING, f"Giving up firewall rules {', '.join(rule.name for rule, _ in writes)}."),
        )
    # Those released stay listed as adopted until the ledger goes, so that the end can tell of them.
    ledger = ledger.model_copy(update={"applied": {}, "pending": {}})
    managed = desired.direct is None and desired.connector.management is ConnectorManagement.MANAGED
    ours = _own_connectors(desired, ledger) if managed else ()
    if not ours:
        verdict = bad(Reason.DELETING, "Nothing of ours is left.")
        return DeletionPlan((), ledger, done=True, verdict=verdict, released=released(desired, observed, ledger))
    plan = _delete_connectors(desired, observed, ledger, ours, now)
    return replace(plan, released=released(desired, observed, ledger)) if plan.done else plan


def _own_connectors(desired: Desired, ledger: Ledger) -> tuple[str, ...]:
    """Names of the connectors that go with the resource: those it had replaced, and the one in use."""
    replaced = tuple(short_name(one.connector) for one in ledger.retiring)
    in_use = owns(desired, ledger) and not connector_is_adopted(desired, ledger)
    return (*replaced, desired.connector.name) if in_use else replaced


def _heir(observed: Observed, connectors: Sequence[Connector]) -> str | None:
    """Who takes over: one that wants the same, else one that uses a connector that was replaced."""
    others = (
        one.key
        for one in observed.connector_sharers
        for connector in connectors
        if same_placement(one.want, connector, one.network_project)
    )
    return next(iter((*observed.connector_users, *others)), None)


def _delete_connectors(
    desired: Desired, observed: Observed, ledger: Ledger, ours: tuple[str, ...], now: float
) -> DeletionPlan:
    if isinstance(observed.connector, Unseen):
        return DeletionPlan((), ledger, done=False, verdict=unseen(observed.connector))
    # One after the other: the ledger knows one operation at a time.
    there = [one for name in ours if (one := connector_named(observed, name)) is not None]
    connector = there[0] if there else None
    if connector is None and ledger.operation is None:
        cleared = ledger.model_copy(update={"claim": None, "retiring": ()})
        return DeletionPlan((), cleared, done=True, verdict=bad(Reason.DELETING, "Nothing of ours is left."))
    heir = _heir(observed, there)
    if heir is not None:
        message = f"Connector {desired.connector.name} stays: {heir} uses it too, and takes it over."
        return DeletionPlan((), ledger, done=True, verdict=bad(Reason.DELETING, message), heir=heir)
    waiting = connector is None or connector.state in (
        ConnectorState.CREATING,
        ConnectorState.DELETING,
        ConnectorState.UPDATING,
    )
    if waiting or ledger.operation is not None or connector is None:
        message = f"Waiting for Google to finish with connector {connector.name if connector else ours[0]}."
        due = operation_poll_delay(now - ledger.operation.started) if ledger.operation else None
        return DeletionPlan((), ledger, done=False, verdict=bad(Reason.DELETING, message), due_in=due)
    retry = rework_wait(desired, ledger, "delete", now)
    if retry is not None:
        return DeletionPlan((), ledger, done=False, verdict=bad(Reason.REJECTED_BY_GOOGLE, retry[0]), due_in=retry[1])
    cut_off = who_is_cut_off(desired, connector, observed)
    if cut_off:
        return DeletionPlan((), ledger, done=False, verdict=bad(Reason.CONSENT_REQUIRED, cut_off))
    return DeletionPlan(
        (DeleteConnector(connector, "the resource is being deleted"),),
        ledger,
        done=False,
        verdict=bad(Reason.DELETING, f"Removing connector {connector.name}."),
    )
