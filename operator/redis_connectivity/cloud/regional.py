"""Lists of a region that may have holes: what Google could not reach is told next to what it found.

A list may hold a placeholder whose name ends in `/-` when a place cannot be reached, next to `unreachable` (redis.v1
ListInstancesResponse, redis_cluster.v1 ListClustersResponse): it is left out, and the caller is told, so that "not
listed" is not "not there".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from redis_connectivity.cloud.caller import Caller
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.doors import RegionListing, all_pages
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.keys import EVERYWHERE
from redis_connectivity.cloud.lanes import AnyLane, ticket

__all__ = ["Page", "list_region", "region_of"]

T = TypeVar("T")

_PLACEHOLDER = "/-"


def region_of(name: str, asked: str) -> str:
    """The region of what has a full name (projects/P/locations/L/KIND/NAME); `asked` unless that was all of them."""
    return name.split("/")[3] if asked == EVERYWHERE else asked


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One answer: Google's items, how each becomes a value, and the rest of the message."""

    items: Iterable[Any]
    translate: Callable[[Any], T]
    unreachable: Iterable[str]
    next_page_token: str


async def list_region(
    caller: Caller, context: CallContext, group: QuotaGroup, lane: AnyLane, fetch: Callable[[str], Page[T]]
) -> RegionListing[T]:
    """Every page. `fetch` makes one request for a page token, in a thread."""
    holder = ticket(lane)
    unreachable: set[str] = set()

    def one_page(token: str) -> tuple[list[T], str]:
        page = fetch(token)
        unreachable.update(page.unreachable)
        found = []
        for item in page.items:
            if item.name.endswith(_PLACEHOLDER):
                # projects/P/locations/L/KIND/-
                unreachable.add(item.name.rsplit("/", 2)[0])
            else:
                found.append(page.translate(item))
        return found, page.next_page_token

    items = await all_pages(lambda token: caller.call(context, group, holder, partial(one_page, token)))
    return RegionListing(tuple(items), tuple(sorted(unreachable)))
