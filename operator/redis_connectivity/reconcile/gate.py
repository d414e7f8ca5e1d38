"""Holds a resource back while a policy forbids what it declares."""

from __future__ import annotations

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.statusbuild import conditions_only
from redis_connectivity.core.verdict import bad, good, unknown
from redis_connectivity.reconcile.guardrails import Guardrails
from redis_connectivity.reconcile.outcome import SOON, TryAgain
from redis_connectivity.reconcile.store import Body, Key
from redis_connectivity.reconcile.workplace import Workplace

__all__ = ["Gate"]


class Gate:
    """Stands before everything that looks at or changes the cloud, except for a deletion."""

    def __init__(self, place: Workplace, guardrails: Guardrails) -> None:
        self._place = place
        self._guardrails = guardrails

    def open(self, key: Key) -> None:
        """Nothing holds the resource back, until it is asked about again."""
        self._guardrails.released(key)

    async def holds(
        self, key: Key, body: Body, owner: ResourceId, spec: RedisConnectivitySpec, previous: RedisConnectivityStatus
    ) -> bool:
        """Whether a policy forbids it. Then status says so, and the change of policy or spec is what comes next.

        Raises:
            TryAgain: nobody knows yet which policies there are.
        """
        if not self._guardrails.listed:
            raise TryAgain("the policies were not listed yet", SOON)
        verdict = self._guardrails.check(key, spec)
        if verdict is None:
            return False
        self._place.rest(key)
        status = conditions_only(
            previous,
            {
                ConditionType.READY: verdict,
                ConditionType.REACHABLE: unknown(verdict.reason, "Not probed while a policy forbids what is declared."),
                ConditionType.STALLED: good(verdict.reason, verdict.message),
                ConditionType.RECONCILING: bad(Reason.WAITING_FOR_CHANGE, "Waits for the policy or the spec."),
            },
            int(body["metadata"].get("generation", 0)),
            self._place.now(),
        )
        await self._place.reporter.tell(key, body, status)
        if verdict.message not in [one.message for one in previous.conditions if one.type is ConditionType.READY]:
            self._place.reporter.not_allowed(owner, verdict.message)
        return True
