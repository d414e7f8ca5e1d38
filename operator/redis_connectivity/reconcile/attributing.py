"""Asks the audit log who made the changes that were found, in the background: it lags, and no repair waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from redis_connectivity.cloud.errors import CloudError, Forbidden, ServiceDisabled
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.core.attribution import Actor, question_about, who, with_actors
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.ledger import DriftRecord, Ledger
from redis_connectivity.reconcile.store import Key

__all__ = ["Attributor"]

_log = structlog.get_logger(__name__)

#: Seconds between the tries: entries usually arrive within seconds, and are not worth a question for ever.
_PAUSES = (0.5, 3.0, 10.0, 30.0, 120.0)
#: Seconds after which a drift is not asked about any more, such as after a restart.
_FRESH = 600.0
#: Seconds until a project that refused is asked again.
_REFUSED = 3600.0


class Attributor:
    """One per process. `tell` wakes a resource for which something was found."""

    def __init__(
        self, cloud: GoogleCloud, *, enabled: bool, tell: Callable[[Key], None], now: Callable[[], float]
    ) -> None:
        self._cloud = cloud
        self._enabled = enabled
        self._tell = tell
        self._now = now
        self._asked: dict[Key, dict[DriftRecord, asyncio.Task[None]]] = {}
        self._found: dict[Key, dict[DriftRecord, Actor]] = {}
        self._refused: dict[str, float] = {}

    def attribute(self, key: Key, ledger: Ledger) -> Ledger:
        """The ledger with what was found out meanwhile."""
        found = self._found.pop(key, {})
        drift = with_actors(ledger.drift, found)
        return ledger if drift == ledger.drift else ledger.model_copy(update={"drift": drift})

    def ask(self, key: Key, desired: Desired, ledger: Ledger) -> None:
        """Find out about every fresh change that nobody is known for yet."""
        if not self._enabled:
            return
        asked = self._asked.setdefault(key, {})
        # As it was when it was seen: that it is repaired meanwhile makes no other question of it.
        open_ones = {one.model_copy(update={"repaired": None}) for one in ledger.drift if not one.actor}
        for gone in [one for one, task in asked.items() if one not in open_ones and task.done()]:
            del asked[gone]
        for record in open_ones:
            if record not in asked and self._now() - record.seen < _FRESH:
                asked[record] = asyncio.create_task(self._find_out(key, desired, record), name=f"attribute {key}")

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._found.pop(key, None)
        for task in self._asked.pop(key, {}).values():
            task.cancel()

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [task for asked in self._asked.values() for task in asked.values()]
        self._asked.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find_out(self, key: Key, desired: Desired, record: DriftRecord) -> None:
        question = question_about(desired, record)
        if question is None:
            return
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if self._now() - self._refused.get(question.project, -_REFUSED) < _REFUSED:
                return
            try:
                entries = await self._cloud.audit_log.writes(
                    question.project, question.resource, question.since, question.until, Lane.POLL
                )
            except (Forbidden, ServiceDisabled) as error:
                if question.project not in self._refused:
                    _log.warning(
                        "attribution.refused",
                        project=question.project,
                        error=str(error),
                        remedy="grant logging.logEntries.list (roles/logging.viewer), or turn off --audit-log",
                    )
                self._refused[question.project] = self._now()
                return
            except CloudError as error:
                _log.info("attribution.failed", resource=str(key), error=str(error))
                continue
            actor = who(record, entries)
            if actor is not None:
                self._found.setdefault(key, {})[record] = actor
                self._tell(key)
                return
