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
from redis_connectivity.core.conflict import Conflict
from redis_connectivity.core.desired import ConnectorWant
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.runvalues import RunService

__all__ = ["Observed", "OperationResult", "Sharer", "Unseen"]


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
class Sharer:
    """Another resource of this cluster that manages the same connector and is not being deleted.

    `successor` is the name under which it would have the connector replaced; `older` than the resource in question.
    """

    key: str
    want: ConnectorWant
    network_project: str
    successor: str
    older: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """Google Cloud as last read, for one resource. None means: read, and absent.

    `rules` holds every rule of the network's project (names are unique in a project, across networks); `subnetworks`
    those of that project; `connectors` the others of the region in the connector's project, for overlaps.
    """

    network: Network | Unseen | None
    connector: Connector | Unseen | None
    redis: RedisInstance | RedisCluster | ValkeyInstance | Unseen | None
    rules: tuple[FirewallRule, ...] | Unseen
    policies: tuple[FirewallPolicy, ...] | Unseen = ()
    #: Those of the region (system and regional network policies), from a call and with a permission of their own.
    regional_policies: tuple[FirewallPolicy, ...] | Unseen = ()
    #: The same of the region that the target's machine stands in; None where that is the path's own, or no subnet's.
    #: Unseen, too, where subnetworks are, and with them where it stands.
    target_region_policies: tuple[FirewallPolicy, ...] | Unseen | None = None
    subnetworks: tuple[Subnetwork, ...] | Unseen = ()
    connectors: tuple[Connector, ...] = ()
    operation: OperationResult | None = None
    #: The same resources as `connector_users`, with what they declare, oldest first.
    connector_sharers: tuple[Sharer, ...] = field(default=())
    #: Other resources of this cluster that use the same connector and are not being deleted.
    connector_users: tuple[str, ...] = field(default=())
    #: The resource of this cluster that has a claim on the connector, if another one has.
    connector_claimed_by: str = ""
    #: The older resource that this one must give way to, if there is one.
    conflict: Conflict | None = None
    #: Address and port from which the last probe through the connector got an answer; empty when it got none.
    answering: str = ""
    #: Names of rules that other resources of ours are creating right now; no list shows them yet.
    names_being_taken: frozenset[str] = frozenset()
    #: Names of all networks of the network's project, for a hint where the declared one is none of them.
    network_names: frozenset[str] = frozenset()
    #: Cloud Run services of the path's project and region; none where the operator deploys no prober: then it has no
    #: right to list them.
    run_services: tuple[RunService, ...] = ()
    #: Other regions where a connector of the declared name is known, from what others look at.
    connector_elsewhere: tuple[str, ...] = ()
    #: Until when (monotonic) what is in here is believed although it cannot be read now; None where all can be.
    believed_until: float | None = None
    #: Other regions that have a managed Redis of the declared kind and name; looked for where there is none in its own.
    redis_elsewhere: tuple[str, ...] = ()

    @property
    def unread_policies(self) -> Unseen | None:
        """Why not all firewall policies are known; None where they are."""
        parts = (self.policies, self.regional_policies, self.target_region_policies)
        return next((one for one in parts if isinstance(one, Unseen)), None)
