"""Memorystore for Redis Cluster through Google's own client, only read.

Google grants 60 requests a minute and project for this API, reads included (its page on quotas of Redis Cluster): so
one call lists a region for everybody. Only a CA is read cluster by cluster, and then kept.
"""

from __future__ import annotations

from google.cloud import redis_cluster_v1

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.doors import RegionListing
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.regional import Page, list_region, region_of
from redis_connectivity.cloud.translate_psc import cluster_from_google, trusted
from redis_connectivity.core.pscvalues import RedisCluster

__all__ = ["GoogleRedisCluster"]

PAGE_SIZE = 1000


class GoogleRedisCluster:
    """The Redis Cluster door. Methods are documented in `doors.RedisClusterDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._timeouts = means.timeouts
        self._clients = rest_clients(redis_cluster_v1.CloudRedisClusterClient, means.credentials, endpoint)

    async def list_clusters(self, project: str, region: str, lane: AnyLane) -> RegionListing[RedisCluster]:
        """All clusters of a region, or of all (`keys.EVERYWHERE`)."""
        parent = f"projects/{project}/locations/{region}"

        def fetch(token: str) -> Page[RedisCluster]:
            message = redis_cluster_v1.ListClustersRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                page = next(iter(client.list_clusters(request=message, retry=None, timeout=self._timeouts.list).pages))
            return Page(
                page.clusters,
                lambda item: cluster_from_google(item, project, region_of(item.name, region)),
                page.unreachable,
                page.next_page_token,
            )

        context = CallContext(project, "redis", "clusters.list", parent)
        return await list_region(self._caller, context, QuotaGroup.REDIS_CLUSTER, lane, fetch)

    async def get_certificate_authority(self, project: str, region: str, name: str, lane: AnyLane) -> tuple[str, ...]:
        """A cluster's own CA."""
        full = f"projects/{project}/locations/{region}/clusters/{name}/certificateAuthority"
        context = CallContext(project, "redis", "clusters.getCertificateAuthority", full)

        def request() -> tuple[str, ...]:
            with self._clients.borrow() as client:
                found = client.get_cluster_certificate_authority(name=full, retry=None, timeout=self._timeouts.get)
            return trusted(found)

        return await self._caller.call(context, QuotaGroup.REDIS_CLUSTER, lane, request)
