"""The policies that a plan is held against: those of the cluster, and those of the files, which may be news to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from redis_connectivity.core.guardrails import Policy, policy_of
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import KubeForbidden

__all__ = ["Guard", "guard"]

_NOT_ASKED: Final = (
    "No cluster was asked, so only policies among the files count: whether a RedisConnectivityPolicy of the cluster"
    " forbids this cannot be said."
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Policies, and sentences on what is not known of them."""

    policies: tuple[Policy, ...]
    notes: tuple[str, ...] = ()


async def guard(kube: KubeClient | None, of_files: Iterable[Policy]) -> Guard:
    """What may be declared. A policy of the files takes the place of the cluster's of that name, as applying it does.

    Raises:
        KubeError: The cluster cannot be asked. That it refuses is told by a note instead: few people may list policies.
    """
    mine = {one.name: one for one in of_files}
    if kube is None:
        return Guard(tuple(mine.values()), (_NOT_ASKED,))
    try:
        bodies = await kube.list_policies()
    except KubeForbidden as error:
        note = (
            f"The cluster's policies cannot be read ({error}), so only those among the files count: whether a"
            " RedisConnectivityPolicy forbids this cannot be said. Ask for the right to list redisconnectivitypolicies."
        )
        return Guard(tuple(mine.values()), (note,))
    theirs = {name: policy_of(name, body) for body in bodies if (name := str(body["metadata"]["name"]))}
    return Guard(tuple((theirs | mine).values()))
