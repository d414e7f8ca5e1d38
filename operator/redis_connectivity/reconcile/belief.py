"""How long what was read of the cloud is an answer: while it can be read anew, and while it cannot."""

from __future__ import annotations

import math
import time

from redis_connectivity.cloud.errors import QuotaExhausted, Unauthenticated
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.keys import AnyKey
from redis_connectivity.cloud.poller import SCARCE, Pace
from redis_connectivity.cloud.snapshot import AnySnapshot
from redis_connectivity.reconcile.elsewhere import SCARCE_FRESH
from redis_connectivity.reconcile.explain import is_transient

__all__ = ["Belief"]


class Belief:
    """For all views; moments are those of the monotonic clock."""

    def __init__(self, cloud: GoogleCloud, pace: Pace) -> None:
        self._cloud = cloud
        self._pace = pace

    def trusted_for(self, key: AnyKey) -> float:
        """Seconds for which what was read last is good enough.

        Three polls, so that a slow answer or two do not make every resource read by itself.
        """
        return 3.0 * self._pace.of(key.kind) * self._cloud.governor.poll_factor(key.project)

    def earliest(self, key: AnyKey, *, fresh: bool, not_before: float | None = None) -> float:
        """The moment from which on a reading is good enough.

        `fresh` wants one from now on, whatever it costs; `not_before` one from then on, while Google grants calls.
        """
        now = time.monotonic()
        floor = now - (SCARCE_FRESH if key.kind in SCARCE else 0.0)
        if fresh:
            return floor
        trusted = now - self.trusted_for(key)
        seen = self._cloud.inventory.peek(key)
        if self._outlived(seen) and seen.failed is not None:
            return max(trusted, math.nextafter(seen.failed.monotonic, math.inf))
        if not_before is None or self._cloud.governor.throttled_until(key.project) is not None:
            return trusted
        return max(trusted, min(not_before, floor))

    def raise_trouble(self, key: AnyKey) -> None:
        """Raise what the last reading ended with, where reading once more would be no better.

        A refusal counts at once: older content is no answer to it, however fresh. Trouble that passes (503, quota)
        counts when the content is too old; the poller tries again and wakes who is interested. Above all, nobody waits
        for a reading until a project's quota refills: it would keep a worker from everybody else.
        """
        seen = self._cloud.inventory.peek(key)
        if seen.error is None or seen.failed is None or self.lasts(seen) > 0 or self._outlived(seen):
            return
        recent = time.monotonic() - seen.failed.monotonic <= self.trusted_for(key)
        if recent or isinstance(seen.error, QuotaExhausted):
            raise seen.error.with_traceback(None)

    def _outlived(self, seen: AnySnapshot) -> bool:
        """Whether Google did not know the operator then, and does now: something else has been read since.

        A view that is polled rarely would tell of it for minutes after everybody else is well.
        """
        if not isinstance(seen.error, Unauthenticated) or seen.failed is None:
            return False
        return self._cloud.inventory.newest() > seen.failed.monotonic

    def lasts(self, seen: AnySnapshot) -> float:
        """Seconds for which what was read stays an answer although it cannot be read now; zero for none."""
        if seen.error is None or seen.observed is None or not is_transient(seen.error):
            return 0.0
        return max(0.0, self.trusted_for(seen.key) - seen.age(time.monotonic()))
