"""What the operator itself did for one resource, as frozen values that are kept outside of its status.

A connector can carry no marker, so its ownership is the record of our own create call: written before the call and
confirmed after it. Writes in flight stand here with their request ids, so that a restart resumes them and starts none
twice. The last applied form of each rule tells drift (somebody changed it) from news (the spec changed).
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from redis_connectivity.core.cloudvalues import FirewallRule

__all__ = [
    "AdoptedConnector",
    "AppliedRule",
    "Baseline",
    "BaselineConnector",
    "BaselineDirection",
    "ClaimState",
    "ConnectorClaim",
    "ConnectorFailure",
    "ConnectorOperation",
    "ConnectorTrouble",
    "Contest",
    "DriftRecord",
    "Ledger",
    "PendingRuleWrite",
    "ProberRecord",
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
    #: Full name of the connector; empty for the one in use.
    connector: str = ""


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
    #: Full name of the connector; empty for the one in use.
    connector: str = ""


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
    #: When we wrote it; 0 where it was only found as wanted.
    at: float = 0.0

    def same(self, other: AppliedRule | None) -> bool:
        """Whether both are the same rule in the same form, whenever it was written."""
        return other is not None and (self.direction, self.id, self.fields) == (other.direction, other.id, other.fields)


class DriftRecord(_Record):
    """One change by somebody else."""

    kind: Literal["FirewallRule", "Connector"]
    name: str
    field: str
    before: str
    after: str
    seen: float
    repaired: float | None = None
    #: When we had last written it; 0 where that is not known.
    written: float = 0.0
    #: Who did it, and when, by the audit log; empty and None where that is not known.
    actor: str = ""
    changed: float | None = None


class Contest(_Record):
    """Repairs of one field that somebody else undid: how often in a row, since when, and for which spec."""

    name: str
    rounds: int
    since: float
    last: float
    generation: int
    #: Whether an Event told of it.
    told: bool = False


class AdoptedConnector(_Record):
    """A connector that somebody else made and we took over: by its full name, as it was then."""

    connector: str
    machine_type: str = ""
    min_instances: int = 0
    max_instances: int = 0


class BaselineConnector(_Record):
    """The connector before our first change. `state` is Google's word, or Absent or Unknown."""

    name: str
    state: str
    ip_cidr_range: str = ""
    machine_type: str = ""
    min_instances: int = 0
    max_instances: int = 0


class BaselineDirection(_Record):
    """What became of one direction before our first change, and what decided so."""

    direction: Literal["INGRESS", "EGRESS"]
    answer: Literal["Allowed", "Denied", "Unknown"]
    by: str


class Baseline(_Record):
    """How the path stood before our first change; written once and never changed."""

    taken: float
    connector: BaselineConnector | None = None
    directions: tuple[BaselineDirection, ...] = ()


class ProberRecord(_Record):
    """The Cloud Run service that probes for the resource, by its full name, and the last write of ours to it.

    `attempts` counts writes of one and the same template (by `digest`) that have not led to a ready service. It is
    recorded before the call; `trouble` is what Google answered, where it refused.
    """

    service: str
    digest: str = ""
    attempts: int = 0
    at: float = 0.0
    trouble: str = ""


class Ledger(_Record):
    """Everything recorded for one resource."""

    project: str = ""
    #: The Shared VPC's host project, where the rules are; empty where that is `project`.
    host_project: str = ""
    claim: ConnectorClaim | None = None
    #: Connectors of ours that were replaced, and are still there.
    retiring: tuple[ConnectorClaim, ...] = ()
    #: Name of the connector in use, where another one has taken the declared one's place.
    current: str = ""
    operation: ConnectorOperation | None = None
    failure: ConnectorFailure | None = None
    trouble: ConnectorTrouble | None = None
    applied: dict[str, AppliedRule] = {}
    pending: dict[str, PendingRuleWrite] = {}
    drift: Annotated[tuple[DriftRecord, ...], Field(max_length=10)] = ()
    #: By object and field, as core/contention.py names them.
    contests: dict[str, Contest] = {}
    baseline: Baseline | None = None
    #: Rules that somebody else made and we took over, by name, as they were right before.
    adopted: dict[str, FirewallRule] = {}
    adopted_connector: AdoptedConnector | None = None
    #: Rules that allow an old way, too, until the new one answers, by name.
    widened: dict[str, FirewallRule] = {}
    prober: ProberRecord | None = None
