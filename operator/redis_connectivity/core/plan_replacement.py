"""Replacing a connector by another, where Google cannot change it in place and the spec consents.

Where the new range allows, the new one is made beside the old one, under another name (`lineage`), and both carry
traffic until people have moved their Cloud Run services and say so: the operator cannot see all who use it. Where
the new one would overlap the old one, there is no such way: the old one has to go first.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import ConnectorReplacement, DisruptionPolicy
from redis_connectivity.core.actions import CreateConnector, DeleteConnector
from redis_connectivity.core.cloudvalues import Connector, ConnectorState
from redis_connectivity.core.connector_ledger import rework_wait
from redis_connectivity.core.connector_plan import ConnectorPlan, RetiringView
from redis_connectivity.core.consent import services_on
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.lineage import called, connector_named, short_name, successor_name
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.overlaps import range_conflict
from redis_connectivity.core.sharing import uses
from redis_connectivity.core.sources import Source, of_connector
from redis_connectivity.core.subnets import range_of
from redis_connectivity.core.timing import operation_poll_delay
from redis_connectivity.core.verdict import bad, good

__all__ = ["plan_replacement", "with_retiring"]

#: States in which a connector carries traffic.
_CARRIES = frozenset({ConnectorState.READY, ConnectorState.UPDATING})


def plan_replacement(
    desired: Desired, connector: Connector, observed: Observed, ledger: Ledger, difference: str, now: float
) -> ConnectorPlan | None:
    """What to do about a connector of ours that cannot become what is declared; None where it is to stay as it is.

    `difference` says in a sentence how it differs. The plan is without sources: the old one's stay as they are.
    """
    if desired.connector.replacement is not ConnectorReplacement.RECREATE:
        return None
    want = desired.connector
    if ledger.adopted_connector is not None and ledger.adopted_connector.connector == connector.full_name:
        return _refused(f"{difference} It was adopted, so it is not replaced: what others made is never deleted.")
    users = [one.key for one in observed.connector_sharers if uses(one, connector, successor_name(desired))]
    if users:
        return _refused(f"{difference} It is not replaced, because {', '.join(users)} uses it as it is.")
    placed = want.ip_cidr_range or range_of(desired, observed, want.subnet)
    there = connector.ip_cidr_range or range_of(desired, observed, connector.subnet)
    if placed is not None and there is not None and not placed.overlaps(there):
        return _beside(desired, connector, observed, placed)
    if desired.disruption_policy is not DisruptionPolicy.ALLOW:
        return _refused(
            f"{difference} With the same addresses there cannot be a new one beside it, so replacing it takes the way"
            " away for some minutes: set spec.disruptionPolicy to Allow to consent, declare another range, or put the"
            " old value back."
        )
    waiting = rework_wait(desired, ledger, "delete", now)
    if waiting is not None:
        return ConnectorPlan(bad(Reason.CONNECTOR_REPLACING, waiting[0]), due_in=waiting[1])
    why = (
        "it differs in what Google cannot change in place, and a new one needs its addresses: who uses it has no way"
        " until that is READY"
    )
    return ConnectorPlan(
        bad(Reason.CONNECTOR_REPLACING, f"{difference} It is deleted and made anew; until then nothing gets through."),
        actions=(DeleteConnector(connector, why),),
    )


def _refused(text: str) -> ConnectorPlan:
    return ConnectorPlan(bad(Reason.CONNECTOR_IMMUTABLE_FIELD, text, stalled=True))


def _beside(desired: Desired, connector: Connector, observed: Observed, placed: IPv4Network) -> ConnectorPlan:
    """Make the new one while the old one goes on."""
    name = successor_name(desired)
    if connector_named(observed, name) is not None:
        return _refused(
            f"Connector {connector.name} is to be replaced by {name}, but there is a connector of that name that this"
            " resource did not make. Delete that one, or declare another range."
        )
    successor = called(desired, name)
    conflict = range_conflict(successor, observed)
    if conflict:
        return ConnectorPlan(bad(Reason.CONNECTOR_RANGE_CONFLICT, conflict, stalled=True))
    want = successor.connector
    create = CreateConnector(
        connector=successor.connector_path,
        want=want,
        network=desired.network.name if want.ip_cidr_range else "",
        subnet_project=desired.network.project if want.subnet else "",
        why=f"connector {connector.name} differs in what Google cannot change in place, and goes on beside it",
    )
    message = (
        f"Connector {name} ({placed}) is made to take the place of {connector.name}, which goes on carrying traffic."
    )
    return ConnectorPlan(good(Reason.CONNECTOR_REPLACING, message), actions=(create,))


def with_retiring(
    desired: Desired, observed: Observed, ledger: Ledger, plan: ConnectorPlan, now: float
) -> ConnectorPlan:
    """The plan with the connectors that were replaced: rules are for their traffic, too, as long as they are there."""
    seen = [connector_named(observed, short_name(one.connector)) for one in ledger.retiring]
    old = [one for one in seen if one is not None]
    if not old:
        return plan
    carrying = [(one, source) for one in old if (source := _source(desired, observed, one)) is not None]
    sources = tuple(source for _, source in carrying)
    if plan.usable:
        plan = replace(plan, sources=(*plan.sources, *sources))
    elif sources:
        plan = _meanwhile(plan, sources, ", ".join(one.name for one, _ in carrying))
    views = []
    for one in old:
        action, waits_for, due_in = _retire(desired, observed, ledger, plan, one, now)
        if action is not None:
            plan = replace(plan, actions=(action,))
        plan = replace(plan, due_in=plan.due_in if due_in is None else due_in)
        range_ = one.ip_cidr_range or range_of(desired, observed, one.subnet)
        views.append(RetiringView(one.name, one.state.value, str(range_ or ""), waits_for))
    waiting = next((view for view in views if view.waits_for and plan.verdict.ok and not plan.actions), None)
    if waiting is not None and plan.verdict.reason is not Reason.CONNECTOR_REPLACING:
        message = f"{plan.verdict.message} It took the place of {waiting.name}. {waiting.waits_for}"
        plan = replace(
            plan,
            verdict=good(Reason.CONNECTOR_RETIREMENT_WAITING, message),
            blocked=plan.blocked or waiting.waits_for,
        )
    return replace(plan, retiring=tuple(views))


def _source(desired: Desired, observed: Observed, connector: Connector) -> Source | None:
    range_ = connector.ip_cidr_range or range_of(desired, observed, connector.subnet)
    if connector.state not in _CARRIES or range_ is None:
        return None
    return of_connector(desired.region, connector.name, range_)


def _meanwhile(plan: ConnectorPlan, sources: tuple[Source, ...], names: str) -> ConnectorPlan:
    """The new one does not carry traffic yet; the old one does."""
    message = f"{plan.verdict.message} Until then {names} goes on carrying traffic."
    busy = plan.verdict.reason in (Reason.CONNECTOR_CREATING, Reason.CONNECTOR_DELETING) and not plan.verdict.stalled
    verdict = good(Reason.CONNECTOR_REPLACING, message) if busy else replace(plan.verdict, message=message)
    return replace(plan, verdict=verdict, sources=sources, usable=True)


def _retire(
    desired: Desired, observed: Observed, ledger: Ledger, plan: ConnectorPlan, old: Connector, now: float
) -> tuple[DeleteConnector | None, str, float | None]:
    """The deletion of a replaced connector, or what it waits for and for how long."""
    if ledger.operation is not None:
        return None, "Waits for Google to finish.", operation_poll_delay(now - ledger.operation.started)
    if plan.actions or old.state not in (ConnectorState.READY, ConnectorState.ERROR):
        return None, "Waits for Google to finish.", None
    waiting = rework_wait(desired, ledger, "delete", now)
    if waiting is not None:
        return None, waiting[0], waiting[1]
    if old.state is ConnectorState.ERROR:
        return DeleteConnector(old, "it is in state ERROR and was replaced"), "", None
    if not plan.verdict.ok:
        return None, f"Connector {old.name} stays until {desired.connector.name} is READY.", None
    users = [one.key for one in observed.connector_sharers if uses(one, old, desired.connector.name)]
    if users:
        return None, f"Connector {old.name} stays, because {', '.join(users)} uses it.", None
    if desired.connector.retire != old.name:
        services = services_on(desired, old, observed)
        still = f" (of project {desired.project} still: {', '.join(services)})" if services else ""
        text = (
            f"{old.name} is still there, and rules are for both: move every Cloud Run service that uses it{still} to"
            f" {desired.connector.name}, then set spec.connector.retire to {old.name} to have it deleted."
        )
        return None, text, None
    return DeleteConnector(old, "it was replaced, and spec.connector.retire consents"), "", None
