"""What is: everything that one plan looks at, read before and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.cloudvalues import (
    Connector,
    FirewallPolicy,
    FirewallRule,
    Network,
    RedisInstance,
    Subnetwork,
)

__all__ = ["Observed", "OperationResult", "Unseen"]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be read, and why. `message` says what to do about it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class OperationResult:
    """How the operation in the ledger stands. `code` is a google.rpc.Code, 0 for success."""

    done: bool
    code: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """Google Cloud as last read, for one resource. None means: read, and absent.

    `rules` holds every rule of the project (names are unique in a project, across networks); `subnetworks` those of
    the network; `connectors` the others of the region, for overlaps.
    """

    network: Network | Unseen | None
    connector: Connector | Unseen | None
    redis: RedisInstance | Unseen | None
    rules: tuple[FirewallRule, ...] | Unseen
    policies: tuple[FirewallPolicy, ...] | Unseen = ()
    subnetworks: tuple[Subnetwork, ...] | Unseen = ()
    connectors: tuple[Connector, ...] = ()
    operation: OperationResult | None = None
    #: Other resources of this cluster that use the same connector and are not being deleted.
    connector_users: tuple[str, ...] = field(default=())
    #: Names of rules that other resources of ours are creating right now; no list shows them yet.
    names_being_taken: frozenset[str] = frozenset()
