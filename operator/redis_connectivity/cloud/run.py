"""Cloud Run services through Google's own client: what the operator's own probers need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from google.cloud import run_v2

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.doors import all_pages
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane, ticket
from redis_connectivity.cloud.translate_run import run_service_from_google, run_service_to_google
from redis_connectivity.core.runvalues import RunService, service_path

__all__ = ["GoogleRun"]

R = TypeVar("R")

PAGE_SIZE = 500


class GoogleRun:
    """The Cloud Run door. Methods are documented in `doors.RunDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._timeouts = means.timeouts
        self._clients = rest_clients(run_v2.ServicesClient, means.credentials, endpoint)

    async def list_services(self, project: str, region: str, lane: AnyLane) -> tuple[RunService, ...]:
        """All services of a region."""
        parent = f"projects/{project}/locations/{region}"
        holder = ticket(lane)

        def fetch(token: str) -> tuple[list[RunService], str]:
            message = run_v2.ListServicesRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                page = next(iter(client.list_services(request=message, retry=None, timeout=self._timeouts.list).pages))
            return [run_service_from_google(item, project, region) for item in page.services], page.next_page_token

        found = await all_pages(
            lambda token: self._call(project, "services.list", parent, holder, partial(fetch, token))
        )
        return tuple(one for one in found if not one.deleting)

    async def get_service(self, project: str, region: str, name: str, lane: AnyLane) -> RunService:
        """One service."""
        full = service_path(project, region, name)

        def request() -> RunService:
            with self._clients.borrow() as client:
                found = client.get_service(name=full, retry=None, timeout=self._timeouts.get)
            return run_service_from_google(found, project, region)

        return await self._call(project, "services.get", full, lane, request)

    async def create_service(self, service: RunService, lane: AnyLane) -> None:
        """Begin to deploy a service."""
        message = run_v2.CreateServiceRequest(
            parent=f"projects/{service.project}/locations/{service.region}",
            service_id=service.name,
            service=run_service_to_google(service),
        )

        def request() -> None:
            with self._clients.borrow() as client:
                client.create_service(request=message, retry=None, timeout=self._timeouts.write)

        await self._call(service.project, "services.create", service.full_name, lane, request)

    async def update_service(self, service: RunService, lane: AnyLane) -> None:
        """Begin to deploy another template and labels."""
        body = run_service_to_google(service)
        body.name = service.full_name
        mask = {"paths": ["template", "labels", "description", "ingress"]}
        message = run_v2.UpdateServiceRequest(service=body, update_mask=mask)

        def request() -> None:
            with self._clients.borrow() as client:
                client.update_service(request=message, retry=None, timeout=self._timeouts.write)

        await self._call(service.project, "services.update", service.full_name, lane, request)

    async def delete_service(self, project: str, region: str, name: str, lane: AnyLane) -> None:
        """Begin to delete a service."""
        full = service_path(project, region, name)

        def request() -> None:
            with self._clients.borrow() as client:
                client.delete_service(name=full, retry=None, timeout=self._timeouts.write)

        await self._call(project, "services.delete", full, lane, request)

    async def _call(self, project: str, method: str, resource: str, lane: AnyLane, request: Callable[[], R]) -> R:
        context = CallContext(project, "run", method, resource)
        return await self._caller.call(context, QuotaGroup.RUN, lane, request)
