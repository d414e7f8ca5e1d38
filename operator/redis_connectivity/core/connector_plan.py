"""What the connector's part of a plan holds; its own module, as several plans make one."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.drift import Difference
from redis_connectivity.core.sources import Source
from redis_connectivity.core.verdict import Verdict

__all__ = ["ConnectorPlan", "RetiringView"]


@dataclass(frozen=True, slots=True)
class RetiringView:
    """A replaced connector for status: how it stands, and what its deletion waits for."""

    name: str
    state: str
    range: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """What to do about the connector.

    `sources` is where traffic comes from, empty where that is not known yet; `usable` whether rules for it make sense;
    `due_in` the seconds after which to look again though nothing may have changed.
    """

    verdict: Verdict
    actions: tuple[CloudAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    blocked: str = ""
    blocked_reason: Reason = Reason.DRIFT_BLOCKED
    sources: tuple[Source, ...] = ()
    usable: bool = False
    due_in: float | None = None
    #: Connectors that this one replaced, and that are still there.
    retiring: tuple[RetiringView, ...] = ()
