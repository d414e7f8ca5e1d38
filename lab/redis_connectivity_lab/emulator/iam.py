"""Who is calling, what they may do, and how often.

Permission names and the second check on the network (`compute.networks.updatePolicy` for every change of a firewall
rule): IAM permissions reference and the refusals people quote. Quotas are per project, group and minute; the window is
the clock's minute, as the Compute API's rate limits page describes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fnmatch import fnmatchcase

from redis_connectivity_lab.emulator.errors import forbidden, rate_limited, unauthenticated
from redis_connectivity_lab.emulator.store import Project

__all__ = ["ANONYMOUS", "Quotas", "Tokens", "allowed", "require"]

#: Who calls without an Authorization header, as clients with anonymous credentials do.
ANONYMOUS = "anonymous"


class Tokens:
    """Bearer tokens and whose they are."""

    def __init__(self) -> None:
        self._principals: dict[str, str] = {}

    def set(self, token: str, principal: str) -> None:
        """Let a token stand for a principal."""
        self._principals[token] = principal

    def remove(self, token: str) -> None:
        """Make a token unknown."""
        self._principals.pop(token, None)

    def principals(self) -> list[str]:
        """Everyone who has a token; the tokens themselves are not shown."""
        return sorted(set(self._principals.values()))

    def identify(self, authorization: str | None) -> str:
        """The caller's principal; raises 401 for a token that nobody has."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        principal = self._principals.get(token.strip()) if scheme.lower() == "bearer" else None
        if principal is None:
            raise unauthenticated()
        return principal


def require(project: Project, principal: str, service: str, permission: str, resource: str) -> None:
    """Raise the service's 403 unless the project's policy grants the permission."""
    if not allowed(project, principal, permission):
        raise forbidden(service, permission, resource)


def allowed(project: Project, principal: str, permission: str) -> bool:
    """Whether the project's policy grants somebody the permission."""
    if project.iam is None:
        return True
    granted = project.iam.get(principal, frozenset()) | project.iam.get("*", frozenset())
    return any(fnmatchcase(permission, pattern) for pattern in granted)


class Quotas:
    """Counts calls against each project's limits."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._used: dict[tuple[str, str], tuple[int, int]] = {}

    def spend(self, project: Project, service: str, group: str) -> None:
        """Count one call; raises the service's refusal when the minute's budget is used up."""
        limit = project.quotas.get(group)
        if limit is None:
            return
        minute = int(self._clock() // 60)
        key = (project.id, group)
        counted_minute, used = self._used.get(key, (minute, 0))
        if counted_minute != minute:
            used = 0
        if used >= limit:
            raise rate_limited(service, group, project.number)
        self._used[key] = (minute, used + 1)
