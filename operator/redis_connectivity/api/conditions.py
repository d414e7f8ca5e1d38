"""The closed vocabulary of conditions: their types and every reason they may carry.

Reasons are API: users write alerts and Argo CD health checks against them. A reason is never renamed; a new one gets
its docstring line here first.
"""

from __future__ import annotations

import enum


class ConditionType(enum.StrEnum):
    """Types of conditions on a RedisConnectivity."""

    #: The whole path is as declared, and works as far as it can be proven.
    READY = "Ready"
    #: The VPC network (and the connector's subnet, if it has one) exists.
    NETWORK_READY = "NetworkReady"
    #: The Serverless VPC Access connector is READY and as declared.
    CONNECTOR_READY = "ConnectorReady"
    #: The Redis target exists, is ready, and is on the connector's network.
    REDIS_READY = "RedisReady"
    #: Nothing in the firewalls denies the path, by the rules as last read.
    FIREWALL_READY = "FirewallReady"
    #: What Google Cloud holds is what the resource declares.
    IN_SYNC = "InSync"
    #: The last probes got an answer from Redis.
    REACHABLE = "Reachable"
    #: Nothing more happens until somebody changes something (kstatus).
    STALLED = "Stalled"
    #: Work is under way (kstatus).
    RECONCILING = "Reconciling"


class Reason(enum.StrEnum):
    """Why a condition is as it is."""

    # --- anything
    #: Not looked at yet.
    PENDING = "Pending"
    #: As declared, nothing to do.
    AS_DECLARED = "AsDeclared"
    #: `spec.suspend` is true: nothing is changed, figures are not refreshed.
    SUSPENDED = "Suspended"
    #: The resource is being deleted.
    DELETING = "Deleting"
    #: The spec cannot be read; the API server would normally have refused it.
    INVALID_SPEC = "InvalidSpec"
    #: A RedisConnectivityPolicy forbids what is declared; nothing is changed in the cloud until either changes.
    NOT_ALLOWED_BY_POLICY = "NotAllowedByPolicy"
    #: The record of what the operator made cannot be read; nothing is changed in the cloud until it is mended.
    LEDGER_UNREADABLE = "LedgerUnreadable"
    #: An earlier hop is not ready, so this one was not judged.
    EARLIER_HOP_NOT_READY = "EarlierHopNotReady"
    #: Google refused a read or write for want of a permission, which the message names.
    PERMISSION_DENIED = "PermissionDenied"
    #: Google does not know the caller.
    UNAUTHENTICATED = "Unauthenticated"
    #: A Google API is not enabled in the project.
    API_DISABLED = "APIDisabled"
    #: A quota is used up; it is tried again when it refills.
    QUOTA_EXHAUSTED = "QuotaExhausted"
    #: Google could not be reached, or answered with an error of its own; it is tried again.
    CLOUD_UNAVAILABLE = "CloudUnavailable"
    #: Google refused what was sent, and would refuse it again.
    REJECTED_BY_GOOGLE = "RejectedByGoogle"
    #: The project does not exist, or the caller may not know that it does.
    PROJECT_NOT_FOUND = "ProjectNotFound"

    #: Something would take connectivity away from others; `spec.disruptionPolicy: Allow` consents to it.
    CONSENT_REQUIRED = "ConsentRequired"
    #: An older resource declares something that cannot be true together with this one; the message names both.
    CONFLICT = "Conflict"

    # --- NetworkReady
    #: The network exists.
    NETWORK_FOUND = "NetworkFound"
    #: The network does not exist in the project.
    NETWORK_NOT_FOUND = "NetworkNotFound"
    #: The subnet of the connector or of Direct VPC egress does not exist in the region.
    SUBNET_NOT_FOUND = "SubnetNotFound"
    #: The subnet cannot carry a connector (not a /28, not PRIVATE, or on another network), or Direct VPC egress.
    SUBNET_UNSUITABLE = "SubnetUnsuitable"

    # --- ConnectorReady
    #: READY and as declared.
    CONNECTOR_READY = "ConnectorReady"
    #: READY and as declared, but made by somebody else: used, never changed or deleted.
    CONNECTOR_NOT_OURS = "ConnectorNotOurs"
    #: `management: None`: the connector is not looked at.
    CONNECTOR_NOT_MANAGED = "ConnectorNotManaged"
    #: There is no such connector, and it is not for the operator to make it (`management: Observed`).
    CONNECTOR_NOT_FOUND = "ConnectorNotFound"
    #: Being created; takes minutes.
    CONNECTOR_CREATING = "ConnectorCreating"
    #: Being changed in place.
    CONNECTOR_UPDATING = "ConnectorUpdating"
    #: Being deleted.
    CONNECTOR_DELETING = "ConnectorDeleting"
    #: In state ERROR; the message has what its operation told.
    CONNECTOR_ERROR = "ConnectorError"
    #: Its last creation failed; it is made anew after a back-off.
    CONNECTOR_CREATION_FAILED = "ConnectorCreationFailed"
    #: It is being replaced by another (`replacement: Recreate`); the message says what carries traffic meanwhile.
    CONNECTOR_REPLACING = "ConnectorReplacing"
    #: READY and as declared; the one it replaced waits to be deleted, and the message says for whom.
    CONNECTOR_RETIREMENT_WAITING = "ConnectorRetirementWaiting"
    #: Google has been at it for longer than it ever should; the message says since when and what to do.
    CONNECTOR_STUCK = "ConnectorStuck"
    #: Another resource declares the same connector otherwise, and its word counts; the message names it.
    CONNECTOR_CONFLICT = "ConnectorConflict"
    #: Its range overlaps something in the network; nothing happens until the spec changes.
    CONNECTOR_RANGE_CONFLICT = "ConnectorRangeConflict"
    #: It differs in a field that Google cannot change in place.
    CONNECTOR_IMMUTABLE_FIELD = "ConnectorImmutableField"
    #: It is on another network than the declared one.
    CONNECTOR_WRONG_NETWORK = "ConnectorWrongNetwork"
    #: There is no connector: traffic enters by Direct VPC egress.
    DIRECT_VPC_EGRESS = "DirectVpcEgress"
    #: Shared VPC: the host project lacks rules that a connector in a service project needs; the message has them.
    SHARED_VPC_RULES_MISSING = "SharedVpcRulesMissing"
    #: A foreign connector of that name differs from the declared one.
    CONNECTOR_FOREIGN_DIFFERS = "ConnectorForeignDiffers"

    # --- RedisReady
    #: A self-managed Redis: its address is declared, so there is nothing to look up.
    REDIS_DECLARED = "RedisDeclared"
    #: The managed Redis serves, and is reached from the connector's network.
    REDIS_FOUND = "RedisFound"
    #: There is no such managed Redis in the region.
    REDIS_NOT_FOUND = "RedisNotFound"
    #: It exists, but is not READY (Memorystore for Redis) or ACTIVE (Redis Cluster, Valkey).
    REDIS_NOT_READY = "RedisNotReady"
    #: The instance belongs to another network than the connector's, so no rule can help.
    REDIS_WRONG_NETWORK = "RedisWrongNetwork"
    #: The network lacks the peering through which Memorystore for Redis is reached.
    REDIS_PEERING_MISSING = "RedisPeeringMissing"
    #: That peering is not ACTIVE.
    REDIS_PEERING_INACTIVE = "RedisPeeringInactive"
    #: A Private Service Connect connection of the target is gone.
    REDIS_CONNECTION_LOST = "RedisConnectionLost"

    # --- FirewallReady
    #: Every rule that is wanted is in force, and nothing denies the path.
    FIREWALL_OPEN = "FirewallOpen"
    #: A rule is being written.
    FIREWALL_APPLYING = "FirewallApplying"
    #: A rule that is wanted is missing, or differs from the declared one.
    FIREWALL_RULE_MISSING = "FirewallRuleMissing"
    #: A deny that is declared stronger than our rule stands in front of it; the message names it.
    FIREWALL_SHADOWED = "FirewallShadowed"
    #: A deny that no VPC firewall rule can beat; the message names it.
    FIREWALL_DENY_UNBEATABLE = "FirewallDenyUnbeatable"
    #: The target is a DNS name, which no firewall rule is about: only the prober can tell. Not in the way of Ready.
    FIREWALL_NOT_JUDGED = "FirewallNotJudged"
    #: Something is denied, and the spec forbids the rule that would allow it (`ingress`/`egress: Never`).
    FIREWALL_RULE_FORBIDDEN = "FirewallRuleForbidden"
    #: A rule that cannot be judged from here (it matches by a name, a place, a secure tag …) may decide; the message
    #: names it.
    FIREWALL_UNCERTAIN = "FirewallUncertain"

    #: Direct VPC egress without network tags is denied its way out, and no rule could be aimed at it alone.
    FIREWALL_NOT_AIMED = "FirewallNotAimed"

    # --- InSync
    #: No difference.
    IN_SYNC = "InSync"
    #: A difference is being repaired.
    REPAIRING = "Repairing"
    #: A difference was seen and is only reported (`driftPolicy: Report`).
    DRIFT_REPORTED = "DriftReported"
    #: Somebody else keeps undoing a repair; it is repaired ever more rarely, and the message says what and since when.
    DRIFT_CONTENDED = "DriftContended"
    #: A difference was seen and cannot be repaired now; the message says why.
    DRIFT_BLOCKED = "DriftBlocked"

    # --- Reachable
    #: The prober behind the connector got an answer.
    PROBE_SUCCEEDED = "ProbeSucceeded"
    #: The prober behind the connector did not; the message says how it failed.
    PROBE_FAILED = "ProbeFailed"
    #: The operator's own probe got an answer; it does not cross the connector.
    OPERATOR_PROBE_SUCCEEDED = "OperatorProbeSucceeded"
    #: The operator's own probe did not; that says nothing about Cloud Run's path.
    OPERATOR_PROBE_FAILED = "OperatorProbeFailed"
    #: There is no prober, and the operator's own probes are turned off.
    NOT_PROBED = "NotProbed"
    #: The prober itself could not be asked.
    PROBER_UNAVAILABLE = "ProberUnavailable"
    #: Redis answers behind the connector, but refuses the password or the rights that spec.redis.auth gives.
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    #: Redis answers behind the connector; a later check of the chain failed, which the message names.
    CHECK_FAILED = "CheckFailed"
    #: A Secret that spec.redis names does not exist in the resource's namespace.
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, no secret
    #: The operator may not read a Secret that spec.redis names.
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105 - as above
    #: A Secret that spec.redis names has no such key, or nothing usable in it.
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105 - as above
    #: The password could not be had from Google, or a Secret could not be read just now.
    CREDENTIALS_UNAVAILABLE = "CredentialsUnavailable"

    # --- Ready
    #: Declared, in force, and proven by a probe that crosses the connector.
    PATH_PROVEN = "PathProven"
    #: Declared and in force, but no probe crosses the connector: set spec.probe.proberUrl.
    CONFIGURED_NOT_PROVEN = "ConfiguredNotProven"

    # --- Reconciling
    #: Work is under way.
    PROGRESSING = "Progressing"
    #: Nothing is under way.
    SETTLED = "Settled"
    # --- Stalled
    #: Waiting for somebody to change the spec or the cloud.
    WAITING_FOR_CHANGE = "WaitingForChange"
