"""What page and alerts must tell while a scene lasts, by the reason that Ready gives: the one home of it."""

from __future__ import annotations

import enum
from typing import Final

from redis_connectivity.api.conditions import Reason

__all__ = ["Alert", "alerts_of", "hops_of"]


class Alert(enum.StrEnum):
    """The shipped alerts that are about one path as it stands; the others are about rates, or the operator."""

    PATH_BROKEN = "RedisConnectivityPathBroken"
    NOT_READY = "RedisConnectivityNotReady"
    DRIFT_CONTENDED = "RedisConnectivityDriftContended"


#: Reasons that come from a probe that failed: traffic does not get through, or not to an end.
_PROBED: Final = frozenset({Reason.PROBE_FAILED, Reason.AUTHENTICATION_FAILED, Reason.CHECK_FAILED})

_CLOUD_RUN, _CONNECTOR, _FIREWALL, _REDIS = "Cloud Run", "Connector", "Firewall", "Redis"
#: The page's hops, and the reasons that are about each. Network and connector are one hop there.
_HOPS: Final[dict[str, tuple[Reason, ...]]] = {
    _CLOUD_RUN: (Reason.PROBER_UNAVAILABLE,),
    _CONNECTOR: (
        Reason.NETWORK_NOT_FOUND,
        Reason.SUBNET_NOT_FOUND,
        Reason.SUBNET_UNSUITABLE,
        Reason.PROJECT_NOT_FOUND,
        Reason.CONFLICT,
        Reason.CONNECTOR_NOT_FOUND,
        Reason.CONNECTOR_ERROR,
        Reason.CONNECTOR_DELETING,
        Reason.CONNECTOR_WRONG_NETWORK,
        Reason.CONNECTOR_FOREIGN_DIFFERS,
        Reason.CONNECTOR_IMMUTABLE_FIELD,
        Reason.CONNECTOR_RANGE_CONFLICT,
        Reason.CONNECTOR_CREATION_FAILED,
        Reason.SHARED_VPC_RULES_MISSING,
        Reason.API_DISABLED,
        Reason.UNAUTHENTICATED,
    ),
    _FIREWALL: (
        Reason.FIREWALL_DENY_UNBEATABLE,
        Reason.FIREWALL_RULE_FORBIDDEN,
        Reason.FIREWALL_UNCERTAIN,
        Reason.DRIFT_CONTENDED,
        Reason.PERMISSION_DENIED,
        Reason.REJECTED_BY_GOOGLE,
    ),
    _REDIS: (
        Reason.REDIS_NOT_FOUND,
        Reason.REDIS_NOT_READY,
        Reason.REDIS_WRONG_NETWORK,
        Reason.REDIS_PEERING_MISSING,
        Reason.REDIS_CONNECTION_LOST,
        Reason.SECRET_NOT_FOUND,
        *_PROBED,
    ),
}
#: Google could not be asked: it ends at the hop whose view was wanted first.
_UNREAD: Final = frozenset({Reason.CLOUD_UNAVAILABLE, Reason.QUOTA_EXHAUSTED})


def hops_of(reason: Reason) -> frozenset[str | None]:
    """The hops at one of which the page shows the path to end; None for what is about no hop."""
    if reason in _UNREAD:
        return frozenset({_CONNECTOR, _FIREWALL, _REDIS})
    return frozenset({hop for hop, reasons in _HOPS.items() if reason in reasons}) or frozenset({None})


def alerts_of(reason: Reason, *, cut: bool | None) -> frozenset[Alert]:
    """The alerts on a path that is not Ready for this reason; `cut` says whether probes fail, None is by the reason."""
    fails = reason in _PROBED if cut is None else cut
    found = {Alert.PATH_BROKEN if fails else Alert.NOT_READY}
    if reason is Reason.DRIFT_CONTENDED:
        found.add(Alert.DRIFT_CONTENDED)
    return frozenset(found)
