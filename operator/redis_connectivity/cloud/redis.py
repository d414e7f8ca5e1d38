"""Memorystore for Redis through Google's own client, only read.

A list may hold a placeholder whose name ends in `/instances/-` when a region cannot be reached, next to `unreachable`
(redis.v1 ListInstancesResponse): it is left out, and the caller is told, so that "not listed" is not "not there".
"""

from __future__ import annotations

from functools import partial

from google.api_core.client_options import ClientOptions
from google.cloud import redis_v1

from redis_connectivity.cloud.caller import Caller, Timeouts
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Lending
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.doors import RedisListing, all_pages
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane, ticket
from redis_connectivity.cloud.translate_services import instance_from_google
from redis_connectivity.core.cloudvalues import RedisInstance

__all__ = ["GoogleRedis"]

PAGE_SIZE = 1000
PLACEHOLDER = "/instances/-"


class GoogleRedis:
    """The Memorystore for Redis door. Methods are documented in `doors.RedisDoor`."""

    def __init__(
        self,
        caller: Caller,
        credentials: CredentialSource,
        *,
        endpoint: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._caller = caller
        self._timeouts = timeouts or Timeouts()
        options = ClientOptions(api_endpoint=endpoint) if endpoint else None
        self._clients = Lending(
            lambda: redis_v1.CloudRedisClient(credentials=credentials.get(), transport="rest", client_options=options)
        )

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RedisListing:
        """All instances of a region."""
        parent = f"projects/{project}/locations/{region}"
        context = CallContext(project, "redis", "instances.list", parent)
        unreachable: set[str] = set()
        holder = ticket(lane)

        def fetch(token: str) -> tuple[list[RedisInstance], str]:
            message = redis_v1.ListInstancesRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                pages = client.list_instances(request=message, retry=None, timeout=self._timeouts.list).pages
                page = next(iter(pages))
            unreachable.update(page.unreachable)
            real = []
            for item in page.instances:
                if item.name.endswith(PLACEHOLDER):
                    unreachable.add(item.name.removesuffix(PLACEHOLDER))
                else:
                    real.append(instance_from_google(item, project, region))
            return real, page.next_page_token

        found = await all_pages(
            lambda token: self._caller.call(context, QuotaGroup.REDIS, holder, partial(fetch, token))
        )
        return RedisListing(tuple(found), tuple(sorted(unreachable)))

    async def get_instance(self, project: str, region: str, name: str, lane: AnyLane) -> RedisInstance:
        """One instance."""
        full = f"projects/{project}/locations/{region}/instances/{name}"
        context = CallContext(project, "redis", "instances.get", full)

        def request() -> RedisInstance:
            with self._clients.borrow() as client:
                found = client.get_instance(name=full, retry=None, timeout=self._timeouts.get)
            return instance_from_google(found, project, region)

        return await self._caller.call(context, QuotaGroup.REDIS, lane, request)
