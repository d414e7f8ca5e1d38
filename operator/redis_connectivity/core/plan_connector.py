"""The connector's part of a plan: its verdict, the write it needs, and the range its traffic comes from."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import ConnectorManagement, DriftPolicy
from redis_connectivity.core.actions import CreateConnector, DeleteConnector, PatchConnector
from redis_connectivity.core.cloudvalues import Connector, ConnectorState
from redis_connectivity.core.connector_compare import cannot_shrink, immutable_difference
from redis_connectivity.core.connector_ledger import owns, rework_wait
from redis_connectivity.core.connector_plan import ConnectorPlan
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import ABSENT, EXISTS, Difference
from redis_connectivity.core.ledger import ClaimState, ConnectorFailure, Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.overlaps import range_conflict
from redis_connectivity.core.plan_replacement import plan_replacement, with_retiring
from redis_connectivity.core.shared_vpc import missing_service_rules
from redis_connectivity.core.sharing import conflict_with_an_older, conflict_with_any
from redis_connectivity.core.sources import Source, of_connector
from redis_connectivity.core.subnets import range_of
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.timing import CONNECTOR_OPERATION_LIMIT, operation_poll_delay, recreate_delay
from redis_connectivity.core.verdict import bad, good, unknown, unseen

__all__ = ["plan_connector"]

#: States that end by themselves.
_UNDER_WAY = frozenset({ConnectorState.CREATING, ConnectorState.UPDATING, ConnectorState.DELETING})


def plan_connector(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    """The connector's plan. The network is there; `absorb_operation` has been called."""
    declared = range_of(desired, observed, desired.connector.subnet)
    plan = _plan(desired, observed, declared, ledger, now)
    plan = with_retiring(desired, observed, ledger, plan, now)
    creates = any(isinstance(action, CreateConnector) for action in plan.actions)
    if creates or plan.verdict.ok:
        missing = missing_service_rules(desired, observed, declared)
        if missing:
            # Made without them, a connector ends in ERROR after minutes.
            actions = () if creates else plan.actions
            return replace(plan, verdict=bad(Reason.SHARED_VPC_RULES_MISSING, missing, stalled=True), actions=actions)
    return plan


def _plan(
    desired: Desired, observed: Observed, declared: IPv4Network | None, ledger: Ledger, now: float
) -> ConnectorPlan:
    want = desired.connector
    if want.management is ConnectorManagement.NONE:
        sources = _sources(desired, want.name, want.ip_cidr_range or declared)
        message = f"Connector {want.name} is not looked at (management: None); rules are made for its declared range."
        return ConnectorPlan(good(Reason.CONNECTOR_NOT_MANAGED, message), sources=sources, usable=bool(sources))
    connector = observed.connector
    if isinstance(connector, Unseen):
        return ConnectorPlan(unseen(connector))
    if connector is None:
        return _absent(desired, observed, ledger, now)
    return _present(desired, connector, observed, ledger, now)


def _sources(desired: Desired, name: str, range_: IPv4Network | None) -> tuple[Source, ...]:
    return (of_connector(desired.region, name, range_),) if range_ is not None else ()


def _unheard(desired: Desired, connector: Connector, observed: Observed) -> str:
    """With whom this resource, which did not make the connector, disagrees about what it is not."""
    want = desired.connector
    if want.management is not ConnectorManagement.MANAGED:
        return ""
    as_declared = (
        connector.machine_type in ("", want.machine_type)
        and connector.min_instances >= (want.min_instances or 0)
        and connector.max_instances >= (want.max_instances or 0)
    )
    return "" if as_declared else conflict_with_any(desired, observed)


def _stuck(connector: Connector, ledger: Ledger, now: float) -> ConnectorPlan | None:
    """What to say when Google has been at it for too long; None as long as that is not so, or not known."""
    operation = ledger.operation
    if operation is None or now - operation.started <= CONNECTOR_OPERATION_LIMIT:
        return None
    minutes = int((now - operation.started) // 60)
    named = f" ({operation.name})" if operation.name else ""
    message = (
        f"Connector {connector.name} has been {connector.state} since {rfc3339(operation.started)}, for {minutes}"
        f" minutes; Google gives such an operation{named} 20. Look at the project's audit log and Google Cloud's status"
        " page. If it does not end, delete the connector by hand (it is made again), or ask Google's support."
    )
    return ConnectorPlan(bad(Reason.CONNECTOR_STUCK, message), due_in=operation_poll_delay(now - operation.started))


def _absent(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    want = desired.connector
    if want.management is ConnectorManagement.OBSERVED:
        message = (
            f"There is no connector {want.name} in {want.project}/{desired.region}."
            " Create it, or set spec.connector.management to Managed."
        )
        return ConnectorPlan(bad(Reason.CONNECTOR_NOT_FOUND, message))
    if ledger.operation is not None:
        return ConnectorPlan(
            bad(Reason.CONNECTOR_CREATING, f"Connector {want.name} is about to appear."),
            due_in=operation_poll_delay(now - ledger.operation.started),
        )
    failure = ledger.failure
    if failure is not None and failure.spec_digest == want.digest:
        waiting = _failed_before(desired, failure, now)
        if waiting is not None:
            return waiting
    conflict = range_conflict(desired, observed)
    if conflict:
        return ConnectorPlan(bad(Reason.CONNECTOR_RANGE_CONFLICT, conflict, stalled=True))
    if ledger.claim is None:
        disagreement = conflict_with_an_older(desired, observed)
        if disagreement:
            return ConnectorPlan(bad(Reason.CONNECTOR_CONFLICT, disagreement, stalled=True))
    lost = owns(desired, ledger) and ledger.claim is not None and ledger.claim.state is ClaimState.CONFIRMED
    retried = failure is not None and failure.spec_digest == want.digest
    differences = (Difference("Connector", want.name, EXISTS, "present", ABSENT),) if lost and not retried else ()
    if differences and desired.drift_policy is DriftPolicy.REPORT:
        message = f"Connector {want.name} was deleted by somebody else; driftPolicy: Report leaves it so."
        return ConnectorPlan(bad(Reason.CONNECTOR_NOT_FOUND, message), differences=differences)
    why = "it was deleted by somebody else" if differences else "it does not exist"
    action = CreateConnector(
        connector=desired.connector_path,
        want=want,
        network=desired.network.name if want.ip_cidr_range else "",
        subnet_project=desired.network.project if want.subnet else "",
        why=why,
    )
    return ConnectorPlan(
        bad(Reason.CONNECTOR_CREATING, f"Connector {want.name} is being created, because {why}."),
        actions=(action,),
        differences=differences,
    )


def _failed_before(desired: Desired, failure: ConnectorFailure, now: float) -> ConnectorPlan | None:
    """The wait after a failed creation, or None when it is time to try again."""
    name = desired.connector.name
    if failure.terminal:
        message = (
            f"Google refused to create connector {name}: {failure.message} Nothing is tried until the spec changes:"
            " set spec.connector.ipCidrRange to a free /28."
        )
        return ConnectorPlan(bad(Reason.CONNECTOR_RANGE_CONFLICT, message, stalled=True))
    left = failure.at + recreate_delay(failure.attempts) - now
    if left <= 0:
        return None
    message = (
        f"Creating connector {name} failed (attempt {failure.attempts}): {failure.message}"
        f" {_remedy(failure)} It is tried again after a back-off of {recreate_delay(failure.attempts):.0f} s."
    )
    return ConnectorPlan(bad(Reason.CONNECTOR_CREATION_FAILED, message), due_in=left)


def _remedy(failure: ConnectorFailure) -> str:
    if "Service Agent" in failure.message or "editor role" in failure.message:
        return "Give the service agent named there its role back (roles/vpcaccess.serviceAgent)."
    if "get healthy" in failure.message:
        return (
            "Check, in this order: an organisation policy on trusted images (serverless-vpc-access-images), denies of"
            " tcp:667 from Google's health checks, Compute quotas."
        )
    return "See the operation's text for the cause."


def _present(desired: Desired, connector: Connector, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    ours = owns(desired, ledger)
    sources = _sources(
        desired, connector.name, connector.ip_cidr_range or range_of(desired, observed, connector.subnet)
    )
    # Without an operation of ours, the shared view's own polls tell when the state changes.
    poll = operation_poll_delay(now - ledger.operation.started) if ledger.operation else None
    name = connector.name
    if connector.state in _UNDER_WAY and (stuck := _stuck(connector, ledger, now)) is not None:
        usable = connector.state is ConnectorState.UPDATING and bool(sources)
        return replace(stuck, sources=sources, usable=usable)
    match connector.state:
        case ConnectorState.CREATING:
            message = f"Connector {name} is being created by Google; this takes a few minutes."
            return ConnectorPlan(bad(Reason.CONNECTOR_CREATING, message), sources=sources, due_in=poll)
        case ConnectorState.DELETING:
            message = f"Connector {name} is being deleted; it is made again after that."
            return ConnectorPlan(bad(Reason.CONNECTOR_DELETING, message), due_in=poll)
        case ConnectorState.ERROR:
            return _in_error(desired, connector, ledger, now, ours=ours)
        case ConnectorState.UPDATING:
            message = f"Connector {name} is being changed in place; it goes on carrying traffic."
            verdict = good(Reason.CONNECTOR_UPDATING, message)
            return ConnectorPlan(verdict, sources=sources, usable=bool(sources), due_in=poll)
        case ConnectorState.READY:
            if ledger.operation is not None and ledger.operation.kind != "create":
                message = f"Connector {name}: a {ledger.operation.kind} is under way."
                verdict = good(Reason.CONNECTOR_UPDATING, message)
                return ConnectorPlan(verdict, sources=sources, usable=bool(sources), due_in=poll)
            return _compare(desired, connector, observed, sources, ledger, now, ours=ours)
        case _:
            message = f"Connector {name} is in a state that Google does not specify."
            return ConnectorPlan(unknown(Reason.CONNECTOR_ERROR, message), due_in=poll)


def _in_error(desired: Desired, connector: Connector, ledger: Ledger, now: float, *, ours: bool) -> ConnectorPlan:
    told = f" Its operation told: {ledger.failure.message}" if ledger.failure else ""
    if not ours or desired.connector.management is not ConnectorManagement.MANAGED:
        message = (
            f"Connector {connector.name} is in state ERROR and was not made by this resource, so it is left alone."
            " A connector never recovers from ERROR: delete it, and it is made again."
        )
        return ConnectorPlan(bad(Reason.CONNECTOR_ERROR, message))
    waiting = rework_wait(desired, ledger, "delete", now)
    if waiting is not None:
        return ConnectorPlan(bad(Reason.CONNECTOR_ERROR, waiting[0]), due_in=waiting[1])
    why = "it is in state ERROR, from which a connector never recovers"
    return ConnectorPlan(
        bad(Reason.CONNECTOR_ERROR, f"Connector {connector.name} is in state ERROR and is removed.{told}"),
        actions=(DeleteConnector(connector, why),),
    )


def _compare(
    desired: Desired,
    connector: Connector,
    observed: Observed,
    sources: tuple[Source, ...],
    ledger: Ledger,
    now: float,
    *,
    ours: bool,
) -> ConnectorPlan:
    want = desired.connector
    wrong = immutable_difference(desired, connector)
    if wrong is not None:
        reason, text = wrong
        if ours and want.management is ConnectorManagement.MANAGED:
            replaced = plan_replacement(desired, connector, observed, ledger, text, now)
            if replaced is not None:
                return replace(replaced, sources=sources, usable=bool(sources))
        if not ours:
            conflict = conflict_with_any(desired, observed)
            if conflict:
                verdict = bad(Reason.CONNECTOR_CONFLICT, f"{text} {conflict}", stalled=True)
                return ConnectorPlan(verdict, sources=sources, usable=bool(sources))
            text += " It was not made by this resource, so it is left as it is."
            reason = Reason.CONNECTOR_FOREIGN_DIFFERS if reason is Reason.CONNECTOR_IMMUTABLE_FIELD else reason
        # Rules go on following the connector that really carries the traffic.
        usable = bool(sources) and reason is not Reason.CONNECTOR_WRONG_NETWORK
        return ConnectorPlan(bad(reason, text, stalled=True), sources=sources, usable=usable)
    usable = bool(sources)
    if not ours or want.management is not ConnectorManagement.MANAGED:
        message = f"Connector {connector.name} is READY. It was not made by this resource: it is used, never changed."
        conflict = _unheard(desired, connector, observed)
        return ConnectorPlan(
            good(Reason.CONNECTOR_NOT_OURS, message),
            blocked=conflict,
            blocked_reason=Reason.CONNECTOR_CONFLICT,
            sources=sources,
            usable=usable,
        )
    machine = want.machine_type if connector.machine_type not in ("", want.machine_type) else None
    low = max(want.min_instances or 0, connector.min_instances)
    high = max(want.max_instances or 0, connector.max_instances)
    counts = (low, high) if (low, high) != (connector.min_instances, connector.max_instances) else None
    blocked = cannot_shrink(desired, connector)
    if blocked:
        replaced = plan_replacement(desired, connector, observed, ledger, blocked, now)
        if replaced is not None and replaced.actions:
            return replace(replaced, sources=sources, usable=usable)
        blocked = replaced.verdict.message if replaced is not None else blocked
    ready = good(
        Reason.CONNECTOR_READY,
        f"Connector {connector.name} is READY with range {sources[0].range if sources else None}.",
    )
    if machine is None and counts is None:
        return ConnectorPlan(ready, blocked=blocked, sources=sources, usable=usable)
    waiting = rework_wait(desired, ledger, "patch", now)
    if waiting is not None:
        # What is there goes on carrying traffic; only the change waits.
        blocked = " ".join(text for text in (waiting[0], blocked) if text)
        return ConnectorPlan(ready, blocked=blocked, sources=sources, usable=usable, due_in=waiting[1])
    patch = PatchConnector(connector, machine, counts, "it differs from the spec in fields that can change in place")
    return ConnectorPlan(ready, actions=(patch,), blocked=blocked, sources=sources, usable=usable)
