"""A judgement on one hop: true, false or unknown, with a reason from the closed vocabulary and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.observed import Unseen

__all__ = ["PEOPLE_MUST_MEND", "UNDER_WAY", "Verdict", "bad", "good", "unknown", "unseen"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition's content. `stalled`: nothing changes until somebody changes spec or cloud by hand."""

    status: ConditionStatus
    reason: Reason
    message: str
    stalled: bool = False

    @property
    def ok(self) -> bool:
        """Whether the hop is good."""
        return self.status is ConditionStatus.TRUE

    @property
    def undecidable(self) -> bool:
        """Whether the hop cannot be judged, and that will stay so until somebody changes something."""
        return self.status is ConditionStatus.UNKNOWN and self.reason in _LASTING


#: Reasons for Unknown that do not pass by themselves.
_LASTING = frozenset(
    {Reason.FIREWALL_UNCERTAIN, Reason.FIREWALL_NOT_JUDGED, Reason.PERMISSION_DENIED, Reason.API_DISABLED}
)


#: A hop that is not good for one of these is work under way, not trouble.
UNDER_WAY = frozenset(
    {
        Reason.CONNECTOR_CREATING,
        Reason.CONNECTOR_DELETING,
        Reason.CONNECTOR_UPDATING,
        Reason.FIREWALL_APPLYING,
        Reason.PROGRESSING,
        Reason.REPAIRING,
    }
)


def good(reason: Reason, message: str) -> Verdict:
    """A hop that is as it should be."""
    return Verdict(ConditionStatus.TRUE, reason, message)


def bad(reason: Reason, message: str, *, stalled: bool = False) -> Verdict:
    """A hop that is broken or not there yet; the message ends in what to do, where there is something to do."""
    return Verdict(ConditionStatus.FALSE, reason, message, stalled)


def unknown(reason: Reason, message: str) -> Verdict:
    """A hop that could not be judged."""
    return Verdict(ConditionStatus.UNKNOWN, reason, message)


#: What a person must mend before reading can work; anything else may pass by itself.
PEOPLE_MUST_MEND = frozenset(
    {Reason.PERMISSION_DENIED, Reason.API_DISABLED, Reason.PROJECT_NOT_FOUND, Reason.UNAUTHENTICATED}
)


def unseen(what: Unseen) -> Verdict:
    """A hop that could not be read."""
    if what.reason in PEOPLE_MUST_MEND:
        return bad(what.reason, what.message)
    return unknown(what.reason, what.message)
