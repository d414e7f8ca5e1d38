"""Where else a thing is that is missing where it is declared: looked for only then, and once in a while.

The answer is a hint: where it cannot be read, or no call is to be had now, there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import structlog

from redis_connectivity.api.spec import ConnectorManagement
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import SCARCE
from redis_connectivity.core.cloudvalues import Subnetwork
from redis_connectivity.core.desired import Desired

__all__ = ["SCARCE_FRESH", "Elsewhere"]

#: For how many seconds one look at other regions of a project is good enough.
_KEPT: Final = 300.0
#: Things of which is kept since when a resource misses them; for any more, the oldest is looked for anew.
_MISSED_KEPT: Final = 1000
#: Other regions whose connectors are listed, a call each: Serverless VPC Access has no list over all regions.
_REGIONS_MOST: Final = 10
#: How old in seconds a view may be that is wanted fresh, where Google grants few calls: many changes share one.
SCARCE_FRESH: Final = 10.0

_log = structlog.get_logger(__name__)


class Elsewhere:
    """Looks into other regions, for all resources."""

    def __init__(self, cloud: GoogleCloud) -> None:
        self._cloud = cloud
        #: What a resource (its uid) misses, and since when (monotonic).
        self._missed: dict[tuple[str, str], float] = {}

    async def redis(self, desired: Desired, view: keys.AnyKey, name: str, lane: Lane) -> tuple[str, ...]:
        """Other regions that have a Redis of this view's kind and this name; by one call for all of them."""
        key = replace(view, scope=keys.EVERYWHERE)
        found = (item.partition("/") for item in await self._read(desired, key, name, lane))
        return tuple(sorted(region for region, _, other in found if other == name and region != desired.region))

    async def connector(self, desired: Desired, subnetworks: Iterable[Subnetwork], lane: Lane) -> tuple[str, ...]:
        """Other regions that have a connector of this name.

        What is known is looked through; for one that somebody else is to make, the regions are read in which the
        network has subnetworks.
        """
        name, own = desired.connector.name, keys.connectors(desired.connector.project, desired.region)
        known = (key for key in self._cloud.inventory.known() if (key.kind, key.project) == (own.kind, own.project))
        regions = {key.scope for key in known}
        if desired.connector.management is ConnectorManagement.OBSERVED:
            there = {one.region for one in subnetworks if one.network == desired.network}
            looked = [replace(own, scope=region) for region in sorted(there - {desired.region})[:_REGIONS_MOST]]
            await asyncio.gather(*(self._read(desired, key, name, lane) for key in looked))
            regions |= {key.scope for key in looked}
        seen = self._cloud.inventory.peek
        others = sorted(regions - {desired.region})
        return tuple(region for region in others if name in seen(replace(own, scope=region)).items)

    def found(self, desired: Desired, view: keys.AnyKey, name: str) -> None:
        """It is where it belongs: should it be missing again, older looks do not count."""
        self._missed.pop(_what(desired, view, name), None)

    async def _read(self, desired: Desired, key: keys.AnyKey, name: str, lane: Lane) -> tuple[str, ...]:
        """The names in a view, no older than the time at which the resource began to miss this name."""
        if self._cloud.governor.throttled_until(key.project) is not None:
            return ()
        since, now = self._missed_since(_what(desired, key, name)), time.monotonic()
        earliest = min(max(since, now - _KEPT), now - (SCARCE_FRESH if key.kind in SCARCE else 0.0))
        try:
            return tuple((await self._cloud.inventory.need_since(key, earliest, lane)).items)
        except CloudError as error:
            _log.info("regions.unread", view=str(key), error=str(error))
            return ()

    def _missed_since(self, what: tuple[str, str]) -> float:
        """A moment of the monotonic clock. A look from before may be from before the thing was made somewhere else."""
        if what not in self._missed:
            if len(self._missed) >= _MISSED_KEPT:
                del self._missed[next(iter(self._missed))]
            self._missed[what] = time.monotonic()
        return self._missed[what]


def _what(desired: Desired, view: keys.AnyKey, name: str) -> tuple[str, str]:
    return desired.owner.uid, f"{view.kind}/{name}"
