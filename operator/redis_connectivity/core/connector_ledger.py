"""What the ledger knows of connectors: claims, the operation in flight, failures and when to try again."""

from __future__ import annotations

from typing import Literal

from redis_connectivity.core.cloudvalues import ConnectorState
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import (
    ClaimState,
    ConnectorFailure,
    ConnectorOperation,
    ConnectorTrouble,
    Ledger,
)
from redis_connectivity.core.lineage import claiming, connector_named, giving_up, short_name
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.timing import rework_delay

__all__ = ["absorb_operation", "owns", "rework_wait"]

#: google.rpc.Code.INVALID_ARGUMENT: how a create operation tells a range conflict.
_INVALID_ARGUMENT = 3


def owns(desired: Desired, ledger: Ledger) -> bool:
    """Whether the ledger holds our own creation of this connector."""
    return ledger.claim is not None and ledger.claim.connector == desired.connector_path


def absorb_operation(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> Ledger:
    """The ledger after what is known of the connector operation in flight. Pure bookkeeping, no decision."""
    operation = ledger.operation
    if operation is None:
        return ledger
    result = observed.operation
    path = operation.connector or desired.connector_path
    if not operation.name:
        return _absorb_unanswered(observed, ledger, operation, path)
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
        return ledger.model_copy(update={"operation": None, "failure": None, **_confirmed(path, ledger)})
    if result.code:
        trouble = _trouble(desired, ledger, operation, result.message, now)
        return ledger.model_copy(update={"operation": None, "trouble": trouble})
    if operation.kind == "delete":
        return ledger.model_copy(update={"operation": None, "trouble": None, **giving_up(ledger, path)})
    return ledger.model_copy(update={"operation": None, "trouble": None})


#: States that end by themselves, and tell that the call happened.
_UNDER_WAY = {
    "create": ConnectorState.CREATING,
    "patch": ConnectorState.UPDATING,
    "delete": ConnectorState.DELETING,
}


def _absorb_unanswered(observed: Observed, ledger: Ledger, operation: ConnectorOperation, path: str) -> Ledger:
    """A call whose answer was lost (a crash, a cut connection): what is there now tells whether it happened."""
    if isinstance(observed.connector, Unseen):
        return ledger
    connector = connector_named(observed, short_name(path))
    if connector is None:
        gone = giving_up(ledger, path) if operation.kind != "create" else {}
        return ledger.model_copy(update={"operation": None, **gone})
    confirmed = _confirmed(path, ledger) if operation.kind == "create" else {}
    if connector.state is _UNDER_WAY[operation.kind]:
        # Since when it has been so is worth keeping.
        return ledger.model_copy(update=confirmed)
    return ledger.model_copy(update={"operation": None, **confirmed})


def _confirmed(path: str, ledger: Ledger) -> dict[str, object]:
    """A connector that is there is ours for certain."""
    return claiming(ledger, path, ClaimState.CONFIRMED)


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
    return ConnectorTrouble(
        kind=operation.kind,
        spec_digest=digest,
        attempts=attempts,
        at=now,
        message=message,
        connector=operation.connector,
    )


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
    name = short_name(trouble.connector) or desired.connector.name
    message = (
        f"{doing} connector {name} failed (attempt {trouble.attempts}): {trouble.message}"
        f" It is tried again after a back-off of {rework_delay(trouble.attempts):.0f} s."
    )
    return message, left
