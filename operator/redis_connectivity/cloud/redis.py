"""Memorystore for Redis through Google's own client, only read, the AUTH string among it."""

from __future__ import annotations

from google.cloud import redis_v1
from pydantic import SecretStr

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.doors import RegionListing
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.regional import Page, list_region, region_of
from redis_connectivity.cloud.translate_services import instance_from_google
from redis_connectivity.core.cloudvalues import RedisInstance

__all__ = ["GoogleRedis"]

PAGE_SIZE = 1000


class GoogleRedis:
    """The Memorystore for Redis door. Methods are documented in `doors.RedisDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._timeouts = means.timeouts
        self._clients = rest_clients(redis_v1.CloudRedisClient, means.credentials, endpoint)

    async def list_instances(self, project: str, region: str, lane: AnyLane) -> RegionListing[RedisInstance]:
        """All instances of a region, or of all (`keys.EVERYWHERE`)."""
        parent = f"projects/{project}/locations/{region}"

        def fetch(token: str) -> Page[RedisInstance]:
            message = redis_v1.ListInstancesRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                page = next(iter(client.list_instances(request=message, retry=None, timeout=self._timeouts.list).pages))
            return Page(
                page.instances,
                lambda item: instance_from_google(item, project, region_of(item.name, region)),
                page.unreachable,
                page.next_page_token,
            )

        context = CallContext(project, "redis", "instances.list", parent)
        return await list_region(self._caller, context, QuotaGroup.REDIS, lane, fetch)

    async def get_instance(self, project: str, region: str, name: str, lane: AnyLane) -> RedisInstance:
        """One instance."""
        full = f"projects/{project}/locations/{region}/instances/{name}"
        context = CallContext(project, "redis", "instances.get", full)

        def request() -> RedisInstance:
            with self._clients.borrow() as client:
                found = client.get_instance(name=full, retry=None, timeout=self._timeouts.get)
            return instance_from_google(found, project, region)

        return await self._caller.call(context, QuotaGroup.REDIS, lane, request)

    async def get_auth_string(self, project: str, region: str, name: str, lane: AnyLane) -> SecretStr:
        """The AUTH string of one instance."""
        full = f"projects/{project}/locations/{region}/instances/{name}"
        context = CallContext(project, "redis", "instances.getAuthString", full)

        def request() -> SecretStr:
            with self._clients.borrow() as client:
                found = client.get_instance_auth_string(name=full, retry=None, timeout=self._timeouts.get)
            return SecretStr(found.auth_string)

        return await self._caller.call(context, QuotaGroup.REDIS, lane, request)
