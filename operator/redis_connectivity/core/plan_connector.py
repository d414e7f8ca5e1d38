"""The connector's part of a plan: its verdict, the write it needs, and the range its traffic comes from."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import ConnectorManagement, DriftPolicy
from redis_connectivity.core.actions import CloudAction, CreateConnector, DeleteConnector, PatchConnector
from redis_connectivity.core.cloudvalues import Connector, ConnectorState, Subnetwork
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import ABSENT, EXISTS, Difference
from redis_connectivity.core.ledger import (
    ClaimState,
    ConnectorClaim,
    ConnectorFailure,
    ConnectorOperation,
    ConnectorTrouble,
    Ledger,
)
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.timing import operation_poll_delay, recreate_delay, rework_delay
from redis_connectivity.core.verdict import Verdict, bad, good, unknown, unseen

__all__ = ["ConnectorPlan", "absorb_operation", "owns", "plan_connector"]

#: google.rpc.Code.INVALID_ARGUMENT: how a create operation tells a range conflict.
_INVALID_ARGUMENT = 3


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """What to do about the connector.

    `source` is the range traffic comes from, None where it is not known yet; `usable` whether rules for it make sense;
    `due_in` the seconds after which to look again though nothing may have changed.
    """

    verdict: Verdict
    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    blocked: str = ""
    source: IPv4Network | None = None
    usable: bool = False
    due_in: float | None = None


def owns(desired: Desired, ledger: Ledger) -> bool:
    """Whether the ledger holds our own creation of this connector."""
    return ledger.claim is not None and ledger.claim.connector == desired.connector_path


def absorb_operation(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> Ledger:
    """The ledger after what is known of the connector operation in flight. Pure bookkeeping, no decision."""
    operation = ledger.operation
    if operation is None:
        return ledger
    result = observed.operation
    if not operation.name:
        return _absorb_unanswered(desired, observed, ledger)
    if result is None or not result.done:
        return ledger
    if operation.kind == "create":
        if result.code:
            return ledger.model_copy(
                update={
                    "operation": None,
                    "failure": _failure(desired, ledger, result.code, result.message, now),
                }
            )
        claim = ConnectorClaim(connector=desired.connector_path, state=ClaimState.CONFIRMED)
        return ledger.model_copy(update={"operation": None, "claim": claim, "failure": None})
    if result.code:
        trouble = _trouble(desired, ledger, operation, result.message, now)
        return ledger.model_copy(update={"operation": None, "trouble": trouble})
    if operation.kind == "delete":
        return ledger.model_copy(update={"operation": None, "trouble": None, "claim": None})
    return ledger.model_copy(update={"operation": None, "trouble": None})


def _absorb_unanswered(desired: Desired, observed: Observed, ledger: Ledger) -> Ledger:
    """A call whose answer was lost (a crash, a cut connection): what is there now tells whether it happened."""
    if isinstance(observed.connector, Unseen):
        return ledger
    if ledger.operation is not None and ledger.operation.kind == "create":
        if observed.connector is None:
            return ledger.model_copy(update={"operation": None})
        claim = ConnectorClaim(connector=desired.connector_path, state=ClaimState.CONFIRMED)
        return ledger.model_copy(update={"operation": None, "claim": claim})
    gone = observed.connector is None
    return ledger.model_copy(update={"operation": None, "claim": None if gone else ledger.claim})


def _failure(desired: Desired, ledger: Ledger, code: int, message: str, now: float) -> ConnectorFailure:
    digest = desired.connector.digest
    previous = ledger.failure if ledger.failure and ledger.failure.spec_digest == digest else None
    return ConnectorFailure(
        spec_digest=digest,
        attempts=(previous.attempts if previous else 0) + 1,
        at=now,
        code=code,
        message=message,
        terminal=code == _INVALID_ARGUMENT,
    )


def _trouble(
    desired: Desired, ledger: Ledger, operation: ConnectorOperation, message: str, now: float
) -> ConnectorTrouble | None:
    if operation.kind == "create":
        return None
    digest = desired.connector.digest
    previous = ledger.trouble
    again = previous is not None and (previous.kind, previous.spec_digest) == (operation.kind, digest)
    attempts = (previous.attempts if previous is not None and again else 0) + 1
    return ConnectorTrouble(kind=operation.kind, spec_digest=digest, attempts=attempts, at=now, message=message)


def rework_wait(
    desired: Desired, ledger: Ledger, kind: Literal["patch", "delete"], now: float
) -> tuple[str, float] | None:
    """After a change or deletion that failed: a sentence and the seconds until the next try; None: try now."""
    trouble = ledger.trouble
    if trouble is None or (trouble.kind, trouble.spec_digest) != (kind, desired.connector.digest):
        return None
    left = trouble.at + rework_delay(trouble.attempts) - now
    if left <= 0:
        return None
    doing = "Changing" if kind == "patch" else "Deleting"
    message = (
        f"{doing} connector {desired.connector.name} failed (attempt {trouble.attempts}): {trouble.message}"
        f" It is tried again after a back-off of {rework_delay(trouble.attempts):.0f} s."
    )
    return message, left


def plan_connector(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    """The connector's plan. The network is there; `absorb_operation` has been called."""
    want = desired.connector
    subnet = _subnet(desired, observed)
    if want.management is ConnectorManagement.NONE:
        source = want.ip_cidr_range or (subnet.ip_cidr_range if subnet else None)
        message = f"Connector {want.name} is not looked at (management: None); rules are made for its declared range."
        return ConnectorPlan(good(Reason.CONNECTOR_NOT_MANAGED, message), source=source, usable=source is not None)
    connector = observed.connector
    if isinstance(connector, Unseen):
        return ConnectorPlan(unseen(connector))
    if connector is None:
        return _absent(desired, observed, ledger, now)
    return _present(desired, connector, subnet, ledger, now)


def _subnet(desired: Desired, observed: Observed) -> Subnetwork | None:
    if desired.connector.subnet is None or isinstance(observed.subnetworks, Unseen):
        return None
    for one in observed.subnetworks:
        if one.name == desired.connector.subnet and one.region == desired.region:
            return one
    return None


def _absent(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> ConnectorPlan:
    want = desired.connector
    if want.management is ConnectorManagement.OBSERVED:
        message = (
            f"There is no connector {want.name} in {desired.project}/{desired.region}."
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
    conflict = _overlap(desired, observed)
    if conflict:
        message = (
            f"{want.ip_cidr_range} overlaps {conflict} in network {desired.network.name}, and Google would leave the"
            " connector in ERROR. Set spec.connector.ipCidrRange to a free /28."
        )
        return ConnectorPlan(bad(Reason.CONNECTOR_RANGE_CONFLICT, message, stalled=True))
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


def _overlap(desired: Desired, observed: Observed) -> str:
    wanted = desired.connector.ip_cidr_range
    if wanted is None:
        return ""
    if not isinstance(observed.subnetworks, Unseen):
        for subnet in observed.subnetworks:
            if subnet.network == desired.network and subnet.ip_cidr_range.overlaps(wanted):
                return f"subnet {subnet.name} ({subnet.ip_cidr_range})"
    for other in observed.connectors:
        same_network = other.network in (desired.network.name, "") and other.full_name != desired.connector_path
        if same_network and other.ip_cidr_range is not None and other.ip_cidr_range.overlaps(wanted):
            return f"connector {other.name} ({other.ip_cidr_range})"
    return ""


def _present(
    desired: Desired, connector: Connector, subnet: Subnetwork | None, ledger: Ledger, now: float
) -> ConnectorPlan:
    ours = owns(desired, ledger)
    source = connector.ip_cidr_range or (subnet.ip_cidr_range if subnet else None)
    # Without an operation of ours, the shared view's own polls tell when the state changes.
    poll = operation_poll_delay(now - ledger.operation.started) if ledger.operation else None
    name = connector.name
    match connector.state:
        case ConnectorState.CREATING:
            message = f"Connector {name} is being created by Google; this takes a few minutes."
            return ConnectorPlan(bad(Reason.CONNECTOR_CREATING, message), source=source, due_in=poll)
        case ConnectorState.DELETING:
            message = f"Connector {name} is being deleted; it is made again after that."
            return ConnectorPlan(bad(Reason.CONNECTOR_DELETING, message), due_in=poll)
        case ConnectorState.ERROR:
            return _in_error(desired, connector, ledger, now, ours=ours)
        case ConnectorState.UPDATING:
            message = f"Connector {name} is being changed in place; it goes on carrying traffic."
            verdict = good(Reason.CONNECTOR_UPDATING, message)
            return ConnectorPlan(verdict, source=source, usable=source is not None, due_in=poll)
        case ConnectorState.READY:
            if ledger.operation is not None and ledger.operation.kind != "create":
                message = f"Connector {name}: a {ledger.operation.kind} is under way."
                verdict = good(Reason.CONNECTOR_UPDATING, message)
                return ConnectorPlan(verdict, source=source, usable=source is not None, due_in=poll)
            return _compare(desired, connector, source, ledger, now, ours=ours)
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
    desired: Desired, connector: Connector, source: IPv4Network | None, ledger: Ledger, now: float, *, ours: bool
) -> ConnectorPlan:
    want = desired.connector
    wrong = _immutable_difference(desired, connector)
    if wrong is not None:
        reason, text = wrong
        if not ours:
            text += " It was not made by this resource, so it is left as it is."
            reason = Reason.CONNECTOR_FOREIGN_DIFFERS if reason is Reason.CONNECTOR_IMMUTABLE_FIELD else reason
        # Rules go on following the connector that really carries the traffic.
        usable = source is not None and reason is not Reason.CONNECTOR_WRONG_NETWORK
        return ConnectorPlan(bad(reason, text, stalled=True), source=source, usable=usable)
    usable = source is not None
    if not ours or want.management is not ConnectorManagement.MANAGED:
        message = f"Connector {connector.name} is READY. It was not made by this resource: it is used, never changed."
        return ConnectorPlan(good(Reason.CONNECTOR_NOT_OURS, message), source=source, usable=usable)
    machine = want.machine_type if connector.machine_type not in ("", want.machine_type) else None
    low = max(want.min_instances or 0, connector.min_instances)
    high = max(want.max_instances or 0, connector.max_instances)
    counts = (low, high) if (low, high) != (connector.min_instances, connector.max_instances) else None
    blocked = _cannot_shrink(desired, connector)
    ready = good(Reason.CONNECTOR_READY, f"Connector {connector.name} is READY with range {source}.")
    if machine is None and counts is None:
        return ConnectorPlan(ready, blocked=blocked, source=source, usable=usable)
    waiting = rework_wait(desired, ledger, "patch", now)
    if waiting is not None:
        # What is there goes on carrying traffic; only the change waits.
        blocked = " ".join(text for text in (waiting[0], blocked) if text)
        return ConnectorPlan(ready, blocked=blocked, source=source, usable=usable, due_in=waiting[1])
    patch = PatchConnector(connector, machine, counts, "it differs from the spec in fields that can change in place")
    return ConnectorPlan(ready, actions=(patch,), blocked=blocked, source=source, usable=usable)


def _immutable_difference(desired: Desired, connector: Connector) -> tuple[Reason, str] | None:
    want = desired.connector
    if connector.network and connector.network != desired.network.name:
        return (
            Reason.CONNECTOR_WRONG_NETWORK,
            (
                f"Connector {connector.name} is on network {connector.network}, but the spec means"
                f" {desired.network.name}: traffic from Cloud Run enters the wrong network. Name another connector,"
                " or delete this one."
            ),
        )
    declared = f"range {want.ip_cidr_range}" if want.ip_cidr_range else f"subnet {want.subnet}"
    by_range = want.ip_cidr_range is not None and connector.ip_cidr_range not in (None, want.ip_cidr_range)
    by_subnet = bool(want.subnet) and connector.subnet != want.subnet
    moved = want.ip_cidr_range is not None and bool(connector.subnet)
    if by_range or by_subnet or moved:
        actual = f"subnet {connector.subnet}" if connector.subnet else f"range {connector.ip_cidr_range}"
        return (
            Reason.CONNECTOR_IMMUTABLE_FIELD,
            (
                f"Connector {connector.name} has {actual}, the spec declares {declared}, and Google cannot change that"
                " in place. Put the old value back, or delete the connector when its services can bear it."
            ),
        )
    return None


def _cannot_shrink(desired: Desired, connector: Connector) -> str:
    want = desired.connector
    over = [
        f"{field} is {actual}, declared {declared}"
        for field, declared, actual in (
            ("minInstances", want.min_instances, connector.min_instances),
            ("maxInstances", want.max_instances, connector.max_instances),
        )
        if declared is not None and actual > declared
    ]
    if not over:
        return ""
    return f"Connector {connector.name}: {'; '.join(over)}; a connector's counts can only grow in place."
