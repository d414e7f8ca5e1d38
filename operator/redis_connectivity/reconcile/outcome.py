"""How one reconcile ends."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.reconcile.store import Key

__all__ = ["ROUNDS", "SOON", "ActionFailed", "Outcome", "TryAgain"]

#: Plans in a row for one resource before others get their turn; more than this means that somebody else writes too.
ROUNDS = 8
#: Seconds until another look at something that is over in a moment.
SOON = 0.2


class TryAgain(Exception):
    """Not finished; the caller comes back with a back-off. `retry_after` in seconds, where Google gave one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ActionFailed(Exception):
    """Google refused an action, or could not carry it out."""

    def __init__(self, action: CloudAction, error: CloudError) -> None:
        super().__init__(str(error))
        self.action = action
        self.error = error


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reconcile ended: seconds until the next look, None for no look of its own; and who else has news."""

    due_in: float | None
    wake: tuple[Key, ...] = ()
