"""A judgement on one hop: true, false or unknown, with a reason from the closed vocabulary and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.observed import Unseen

__all__ = ["Verdict", "bad", "good", "unknown", "unseen"]


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
_NEEDS_PEOPLE = frozenset(
    {Reason.PERMISSION_DENIED, Reason.API_DISABLED, Reason.PROJECT_NOT_FOUND, Reason.UNAUTHENTICATED}
)


def unseen(what: Unseen) -> Verdict:
    """A hop that could not be read."""
    if what.reason in _NEEDS_PEOPLE:
        return bad(what.reason, what.message)
    return unknown(what.reason, what.message)
