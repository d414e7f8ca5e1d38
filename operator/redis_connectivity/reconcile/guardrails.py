"""The policies as last seen: fed by the watch, corrected by a LIST of our own."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.guardrails import Policy, policy_of, verdict_on, violations
from redis_connectivity.core.verdict import Verdict
from redis_connectivity.metrics import Metrics
from redis_connectivity.reconcile.store import Body, Key

__all__ = ["Guardrails"]

_log = structlog.get_logger(__name__)


class Guardrails:
    """Which policies there are, and whom they hold back. What takes news answers which policies it is about."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._policies: dict[str, Policy] = {}
        self._versions: dict[str, int] = {}
        self._held: dict[Key, frozenset[str]] = {}
        #: Whether they were listed once. Before, nobody knows what is allowed.
        self.listed = False

    def check(self, key: Key, spec: RedisConnectivitySpec) -> Verdict | None:
        """What is wrong with a resource by the policies; None when they all allow it. Noted for the figures."""
        found = violations(self._policies.values(), key.namespace, spec)
        self._hold(key, frozenset(one.policy for one in found))
        return verdict_on(found)

    def allows(self, namespace: str, spec: RedisConnectivitySpec) -> bool:
        """Whether no policy forbids what a spec declares."""
        return not violations(self._policies.values(), namespace, spec)

    def released(self, key: Key) -> None:
        """Nothing holds the resource back any more: it is gone, going or suspended."""
        self._hold(key, frozenset())

    def saw(self, body: Body) -> tuple[Policy, ...]:
        """News of a policy from the watch or a list."""
        metadata = body["metadata"]
        name, version = str(metadata["name"]), int(metadata["resourceVersion"])
        if version <= self._versions.get(name, 0):
            return ()
        before, after = self._policies.get(name), policy_of(name, body)
        self._versions[name] = version
        self._policies[name] = after
        if before == after:
            return ()
        if after.problem:
            _log.warning("policy.unreadable", policy=name, problem=after.problem)
        return tuple(one for one in (before, after) if one is not None)

    def vanished(self, name: str) -> tuple[Policy, ...]:
        """A policy is no more."""
        self._versions.pop(name, None)
        gone = self._policies.pop(name, None)
        return () if gone is None else (gone,)

    def known(self) -> tuple[str, ...]:
        """Their names, to be remembered when a list begins."""
        return tuple(self._policies)

    def relisted(self, bodies: Iterable[Body], known_before: Iterable[str]) -> tuple[Policy, ...]:
        """A whole list: the safety net below the watch, and all there is where the watch found no such kind."""
        self.listed = True
        listed = {str(body["metadata"]["name"]): body for body in bodies}
        news = [one for body in listed.values() for one in self.saw(body)]
        news += [one for name in known_before if name not in listed for one in self.vanished(name)]
        return tuple(news)

    def _hold(self, key: Key, policies: frozenset[str]) -> None:
        before = self._held.pop(key, frozenset())
        if policies:
            self._held[key] = policies
        for name in before | policies:
            count = sum(name in held for held in self._held.values())
            if count:
                self._metrics.policy_violations.labels(name).set(count)
            else:
                self._metrics.policy_violations.remove_by_labels({"policy": name})
