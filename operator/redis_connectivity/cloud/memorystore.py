"""Memorystore for Valkey through Google's own client, only read.

Google grants 60 requests a minute and project for this API, reads included (its page on quotas of Valkey): so one call
lists a region for everybody. Only a CA is read instance by instance, and then kept.
"""

from __future__ import annotations

from google.cloud import memorystore_v1

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.doors import RegionListing
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.regional import Page, list_region, region_of
from redis_connectivity.cloud.translate_psc import trusted, valkey_from_google
from redis_connectivity.core.pscvalues import ValkeyInstance

__all__ = ["GoogleMemorystore"]

PAGE_SIZE = 1000


class GoogleMemorystore:
    """The Valkey door. Methods are documented in `doors.MemorystoreDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._timeouts = means.timeouts
        self._clients = rest_clients(memorystore_v1.MemorystoreClient, means.credentials, endpoint)

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RegionListing[ValkeyInstance]:
        """All instances of a region, or of all (`keys.EVERYWHERE`)."""
        parent = f"projects/{project}/locations/{region}"

        def fetch(token: str) -> Page[ValkeyInstance]:
            message = memorystore_v1.ListInstancesRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                page = next(iter(client.list_instances(request=message, retry=None, timeout=self._timeouts.list).pages))
            return Page(
                page.instances,
                lambda item: valkey_from_google(item, project, region_of(item.name, region)),
                page.unreachable,
                page.next_page_token,
            )

        context = CallContext(project, "memorystore", "instances.list", parent)
        return await list_region(self._caller, context, QuotaGroup.MEMORYSTORE, lane, fetch)

    async def get_certificate_authority(self, project: str, region: str, name: str, lane: AnyLane) -> tuple[str, ...]:
        """An instance's own CA."""
        full = f"projects/{project}/locations/{region}/instances/{name}"
        context = CallContext(project, "memorystore", "instances.getCertificateAuthority", full)

        def request() -> tuple[str, ...]:
            with self._clients.borrow() as client:
                found = client.get_certificate_authority(name=full, retry=None, timeout=self._timeouts.get)
            return trusted(found)

        return await self._caller.call(context, QuotaGroup.MEMORYSTORE, lane, request)
