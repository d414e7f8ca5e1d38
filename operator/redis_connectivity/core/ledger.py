"""What the operator itself did for one resource, as frozen values that are kept outside of its status.

A connector can carry no marker, so its ownership is the record of our own create call: written before the call and
confirmed after it. Writes in flight stand here with their request ids, so that a restart resumes them and starts none
twice. The last applied form of each rule tells drift (somebody changed it) from news (the spec changed).
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AppliedRule",
    "ClaimState",
    "ConnectorClaim",
    "ConnectorFailure",
    "ConnectorOperation",
    "ConnectorTrouble",
    "DriftRecord",
    "Ledger",
    "PendingRuleWrite",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClaimState(enum.StrEnum):
    """How sure a claim on a connector is."""

    #: Written before the create call; if the connector exists after a crash, it is ours.
    INTENDED = "Intended"
    #: The create call was answered.
    CONFIRMED = "Confirmed"


class ConnectorOperation(_Record):
    """A connector operation in flight. `name` is empty until Google has answered the call."""

    kind: Literal["create", "patch", "delete"]
    name: str = ""
    started: float


class ConnectorFailure(_Record):
    """A create that failed: with which spec, how often in a row, when, and what Google's operation told."""

    spec_digest: str
    attempts: int
    at: float
    code: int
    message: str
    terminal: bool


class ConnectorTrouble(_Record):
    """A change or deletion that failed: what, how often in a row, when, and what Google's operation told."""

    kind: Literal["patch", "delete"]
    spec_digest: str
    attempts: int
    at: float
    message: str


class ConnectorClaim(_Record):
    """Our claim on a connector by its full name."""

    connector: str
    state: ClaimState


class PendingRuleWrite(_Record):
    """A firewall write in flight. The same `request_id` makes Google answer with the same operation."""

    kind: Literal["insert", "update", "delete"]
    request_id: str
    digest: str
    started: float


class AppliedRule(_Record):
    """A rule as we last left it, field by field as text (the words that drift entries use), and Google's id for it."""

    direction: Literal["INGRESS", "EGRESS"]
    id: str
    fields: dict[str, str]


class DriftRecord(_Record):
    """One change by somebody else."""

    kind: Literal["FirewallRule", "Connector"]
    name: str
    field: str
    before: str
    after: str
    seen: float
    repaired: float | None = None


class Ledger(_Record):
    """Everything recorded for one resource."""

    project: str = ""
    claim: ConnectorClaim | None = None
    operation: ConnectorOperation | None = None
    failure: ConnectorFailure | None = None
    trouble: ConnectorTrouble | None = None
    applied: dict[str, AppliedRule] = {}
    pending: dict[str, PendingRuleWrite] = {}
    drift: Annotated[tuple[DriftRecord, ...], Field(max_length=10)] = ()
