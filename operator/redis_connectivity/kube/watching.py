"""Follow the resources from outside of the operator: a list, then a watch, and again when the watch ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from redis_connectivity.api.base import API_VERSION, KIND
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import KubeConflict, KubeUnavailable, translate
from redis_connectivity.kube.resources import Body, Connectivity

__all__ = ["Followed", "follow"]

#: Seconds between two tries to reach an API server that was lost.
_RETRY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Followed:
    """All resources as they are now; `lost` says why they may be old."""

    bodies: tuple[Body, ...]
    lost: str = ""


async def follow(kube: KubeClient, namespace: str | None) -> AsyncGenerator[Followed, None]:
    """The resources of a namespace (None: of all), now and after each change, until the caller stops.

    A lost connection is told and mended by a new list.

    Raises:
        KubeForbidden: these resources may not be listed or watched.
        Gone: the cluster does not know the resource.
        KubeUnavailable: the first list failed.
    """
    seen: dict[tuple[str, str], Body] = {}
    first = True
    while True:
        try:
            listed = await kube.list_resources([namespace] if namespace else [])
            seen = {_key(body): body for body in listed}
            first = False
            yield Followed(tuple(seen.values()))
            async for kind, body in _changes(kube, namespace, listed):
                if kind == "DELETED":
                    seen.pop(_key(body), None)
                else:
                    seen[_key(body)] = body
                yield Followed(tuple(seen.values()))
        except KubeConflict:
            continue  # the watch fell too far behind: list anew
        except KubeUnavailable as error:
            if first:
                raise
            yield Followed(tuple(seen.values()), lost=str(error))
            await asyncio.sleep(_RETRY)


async def _changes(
    kube: KubeClient, namespace: str | None, listed: list[Body]
) -> AsyncGenerator[tuple[str, Body], None]:
    # From the newest version that the list showed: events in between are told once more, which does no harm.
    versions = [int(body["metadata"]["resourceVersion"]) for body in listed]
    with translate("watch redisconnectivities"):
        async for kind, item in kube.api.watch(
            Connectivity, namespace=namespace or "*", resource_version=str(max(versions)) if versions else None
        ):
            yield kind, {"apiVersion": API_VERSION, "kind": KIND, **dict(item)}


def _key(body: Body) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]
