"""Serverless VPC Access through Google's own client, and past it where the client has a hole.

* The client has no `update_connector`, though the API has PATCH: it goes out through an AuthorizedSession.
* Operations are read as plain JSON on the same session: the protobuf parser refuses an answer whose `Any` holds a type
  it does not know, and an operation that cannot be read is a connector that cannot be judged.
* `body.name` is never set ("Connector name must not be set."). A change always sends both bounds and both mask paths
  (as Terraform's provider does, GoogleCloudPlatform/magic-modules): one alone is refused or reset.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import requests
from google.auth.transport.requests import AuthorizedSession
from google.cloud import vpcaccess_v1

from redis_connectivity.cloud.adapters import from_response
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Lending, Means, rest_clients
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.doors import all_pages
from redis_connectivity.cloud.errors import Invalid, Retryable
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane, ticket
from redis_connectivity.cloud.operations import ServiceOperation
from redis_connectivity.cloud.translate_services import (
    connector_from_google,
    connector_to_google,
    service_operation,
)
from redis_connectivity.core.cloudvalues import Connector

__all__ = ["GoogleVpcAccess"]

R = TypeVar("R")

PUBLIC = "https://vpcaccess.googleapis.com"
PAGE_SIZE = 500


class GoogleVpcAccess:
    """The Serverless VPC Access door. Methods are documented in `doors.VpcAccessDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._base = endpoint or PUBLIC
        self._timeouts = means.timeouts
        self._clients = rest_clients(vpcaccess_v1.VpcAccessServiceClient, means.credentials, endpoint)
        self._sessions = Lending(partial(_session, means.credentials))

    async def list_connectors(self, project: str, region: str, lane: AnyLane) -> tuple[Connector, ...]:
        """All connectors of a region."""
        parent = f"projects/{project}/locations/{region}"
        holder = ticket(lane)

        def fetch(token: str) -> tuple[list[Connector], str]:
            message = vpcaccess_v1.ListConnectorsRequest(parent=parent, page_size=PAGE_SIZE, page_token=token)
            with self._clients.borrow() as client:
                pages = client.list_connectors(request=message, retry=None, timeout=self._timeouts.list).pages
                page = next(iter(pages))
            return [connector_from_google(item, project, region) for item in page.connectors], page.next_page_token

        return tuple(
            await all_pages(lambda token: self._call(project, "connectors.list", parent, holder, partial(fetch, token)))
        )

    async def get_connector(self, project: str, region: str, name: str, lane: AnyLane) -> Connector:
        """One connector."""
        full = _full(project, region, name)

        def request() -> Connector:
            with self._clients.borrow() as client:
                found = client.get_connector(name=full, retry=None, timeout=self._timeouts.get)
            return connector_from_google(found, project, region)

        return await self._call(project, "connectors.get", full, lane, request)

    async def create_connector(self, connector: Connector, lane: AnyLane) -> str:
        """Create a connector."""
        message = vpcaccess_v1.CreateConnectorRequest(
            parent=f"projects/{connector.project}/locations/{connector.region}",
            connector_id=connector.name,
            connector=connector_to_google(connector),
        )

        def request() -> str:
            with self._clients.borrow() as client:
                future = client.create_connector(request=message, retry=None, timeout=self._timeouts.write)
                return str(future.operation.name)

        return await self._call(connector.project, "connectors.create", connector.full_name, lane, request)

    async def patch_connector(
        self,
        project: str,
        region: str,
        name: str,
        *,
        min_instances: int,
        max_instances: int,
        machine_type: str | None = None,
        lane: AnyLane,
    ) -> str:
        """Change bounds (Google only lets them grow) and, if given, the machine type."""
        full = _full(project, region, name)
        body: dict[str, Any] = {"minInstances": min_instances, "maxInstances": max_instances}
        if machine_type is not None:
            body["machineType"] = machine_type
        context = CallContext(project, "vpcaccess", "connectors.patch", full)

        def request() -> str:
            answer = self._exchange(
                context,
                "PATCH",
                full,
                params={"updateMask": ",".join(sorted(body))},
                body=body,
                read=self._timeouts.write,
            )
            return str(answer.get("name", ""))

        return await self._caller.call(context, QuotaGroup.VPCACCESS, lane, request)

    async def delete_connector(self, project: str, region: str, name: str, lane: AnyLane) -> str:
        """Delete a connector."""
        full = _full(project, region, name)

        def request() -> str:
            with self._clients.borrow() as client:
                future = client.delete_connector(name=full, retry=None, timeout=self._timeouts.write)
                return str(future.operation.name)

        return await self._call(project, "connectors.delete", full, lane, request)

    async def get_operation(self, name: str, lane: AnyLane) -> ServiceOperation:
        """A long-running operation as it is now."""
        project = _project_of(name)
        context = CallContext(project, "vpcaccess", "operations.get", name)

        def request() -> ServiceOperation:
            return service_operation(self._exchange(context, "GET", name, read=self._timeouts.get))

        return await self._caller.call(context, QuotaGroup.VPCACCESS, lane, request)

    async def list_operations(self, project: str, region: str, lane: AnyLane) -> tuple[ServiceOperation, ...]:
        """The operations of a region."""
        parent = f"projects/{project}/locations/{region}"
        context = CallContext(project, "vpcaccess", "operations.list", parent)
        holder = ticket(lane)

        def fetch(token: str) -> tuple[list[ServiceOperation], str]:
            params = {"pageSize": str(PAGE_SIZE), **({"pageToken": token} if token else {})}
            page = self._exchange(context, "GET", f"{parent}/operations", params=params, read=self._timeouts.list)
            return [service_operation(item) for item in page.get("operations", [])], str(page.get("nextPageToken", ""))

        return tuple(
            await all_pages(
                lambda token: self._caller.call(context, QuotaGroup.VPCACCESS, holder, partial(fetch, token))
            )
        )

    def _exchange(
        self,
        context: CallContext,
        verb: str,
        path: str,
        *,
        read: float,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One plain JSON request, in the calling thread; errors as `CloudError`."""
        with self._sessions.borrow() as session:
            response = session.request(
                verb, f"{self._base}/v1/{path}", params=params, json=body, timeout=(self._timeouts.get, read)
            )
        if response.status_code >= 400:
            raise from_response(response, context)
        try:
            answer = response.json()
        except ValueError as error:
            msg = f"the answer is not JSON: {response.text[:200]}"
            raise Retryable(msg, reason="badAnswer", status=response.status_code) from error
        return answer if isinstance(answer, dict) else {}

    async def _call(self, project: str, method: str, resource: str, lane: AnyLane, request: Callable[[], R]) -> R:
        context = CallContext(project, "vpcaccess", method, resource)
        return await self._caller.call(context, QuotaGroup.VPCACCESS, lane, request)


def _session(credentials: CredentialSource) -> requests.Session:
    session: requests.Session = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials.get(), default_host="vpcaccess.googleapis.com"
    )
    return session


def _full(project: str, region: str, name: str) -> str:
    return f"projects/{project}/locations/{region}/connectors/{name}"


def _project_of(operation: str) -> str:
    parts = operation.split("/")
    if len(parts) != 6 or parts[0] != "projects" or parts[4] != "operations":
        msg = f"{operation!r} is not the name of a vpcaccess operation (projects/P/locations/R/operations/ID)"
        raise Invalid(msg, service="vpcaccess", method="operations.get", resource=operation, reason="operationName")
    return parts[1]
