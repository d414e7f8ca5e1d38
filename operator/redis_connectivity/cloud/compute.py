"""Compute Engine through Google's own client, with its traps kept inside.

* `insert().result()` (ExtendedOperation) polls Google's public host whatever `api_endpoint` says: only the `*_unary`
  methods are used, and operations are waited for with an own `GlobalOperationsClient` on the same endpoint.
* A PATCH of the Python client cannot clear a list (proto-plus leaves empty ones out): rules are replaced by PUT.
* `operations.wait` may come back early and undone, "in uncommon cases … after zero seconds" (its reference page).
* Importing compute_v1 takes seconds: import this module in a thread, once (`facade.GoogleCloud.open` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from google.cloud import compute_v1

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.clock import Clock
from redis_connectivity.cloud.doors import all_pages
from redis_connectivity.cloud.errors import Invalid, OperationPending, Retryable
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane, ticket
from redis_connectivity.cloud.operations import ComputeOperation
from redis_connectivity.cloud.translate import (
    compute_operation,
    firewall_from_google,
    firewall_to_google,
    machine_from_google,
    network_from_google,
    subnetwork_from_google,
)
from redis_connectivity.cloud.translate_policies import policies_from_google
from redis_connectivity.core.cloudvalues import FirewallPolicy, FirewallRule, Machine, Network, NetworkRef, Subnetwork

__all__ = ["GoogleCompute"]

R = TypeVar("R")

#: The largest page compute.v1 gives.
PAGE_SIZE = 500
#: The least time between two rounds of operations.wait, should Google answer at once without being done: seconds.
WAIT_PACE = 1.0


class GoogleCompute:
    """The Compute door. Methods are documented in `doors.ComputeDoor`."""

    def __init__(self, means: Means, clock: Clock, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._clock = clock
        self._timeouts = means.timeouts

        self._firewalls = rest_clients(compute_v1.FirewallsClient, means.credentials, endpoint)
        self._networks = rest_clients(compute_v1.NetworksClient, means.credentials, endpoint)
        self._subnetworks = rest_clients(compute_v1.SubnetworksClient, means.credentials, endpoint)
        self._machines = rest_clients(compute_v1.InstancesClient, means.credentials, endpoint)
        self._operations = rest_clients(compute_v1.GlobalOperationsClient, means.credentials, endpoint)
        self._regional_policies = rest_clients(
            compute_v1.RegionNetworkFirewallPoliciesClient, means.credentials, endpoint
        )

    async def list_firewalls(self, project: str, lane: AnyLane) -> tuple[FirewallRule, ...]:
        """All rules of a project."""

        def fetch(token: str) -> tuple[list[FirewallRule], str]:
            request = compute_v1.ListFirewallsRequest(project=project, max_results=PAGE_SIZE)
            if token:
                request.page_token = token
            with self._firewalls.borrow() as client:
                pages = client.list(request=request, retry=None, timeout=self._timeouts.list).pages
                page: Any = compute_v1.FirewallList.pb(next(iter(pages)))
            return [firewall_from_google(item, project) for item in page.items], page.next_page_token

        return tuple(await self._list(project, "firewalls.list", lane, fetch))

    async def get_firewall(self, project: str, name: str, lane: AnyLane) -> FirewallRule:
        """One rule."""

        def request() -> FirewallRule:
            with self._firewalls.borrow() as client:
                found = client.get(project=project, firewall=name, retry=None, timeout=self._timeouts.get)
            return firewall_from_google(compute_v1.Firewall.pb(found), project)

        return await self._read(project, "firewalls.get", name, lane, request)

    async def insert_firewall(self, rule: FirewallRule, request_id: str, lane: AnyLane) -> str:
        """Create a rule."""
        project = rule.network.project
        message = compute_v1.InsertFirewallRequest(
            project=project, firewall_resource=firewall_to_google(rule), request_id=request_id
        )

        def request() -> str:
            with self._firewalls.borrow() as client:
                return client.insert_unary(request=message, retry=None, timeout=self._timeouts.write).name

        return await self._write(project, "firewalls.insert", rule.name, lane, request)

    async def update_firewall(self, rule: FirewallRule, request_id: str, lane: AnyLane) -> str:
        """Replace a rule whole."""
        project = rule.network.project
        message = compute_v1.UpdateFirewallRequest(
            project=project, firewall=rule.name, firewall_resource=firewall_to_google(rule), request_id=request_id
        )

        def request() -> str:
            with self._firewalls.borrow() as client:
                return client.update_unary(request=message, retry=None, timeout=self._timeouts.write).name

        return await self._write(project, "firewalls.update", rule.name, lane, request)

    async def delete_firewall(self, project: str, name: str, request_id: str, lane: AnyLane) -> str:
        """Delete a rule."""
        message = compute_v1.DeleteFirewallRequest(project=project, firewall=name, request_id=request_id)

        def request() -> str:
            with self._firewalls.borrow() as client:
                return client.delete_unary(request=message, retry=None, timeout=self._timeouts.write).name

        return await self._write(project, "firewalls.delete", name, lane, request)

    async def get_operation(self, project: str, operation: str, lane: AnyLane) -> ComputeOperation:
        """A global operation as it is now."""

        def request() -> ComputeOperation:
            with self._operations.borrow() as client:
                found = client.get(project=project, operation=operation, retry=None, timeout=self._timeouts.get)
            return compute_operation(found, project)

        return await self._read(project, "globalOperations.get", operation, lane, request)

    async def wait_operation(self, project: str, operation: str, *, patience: float, lane: AnyLane) -> ComputeOperation:
        """Wait for a global operation to end well."""
        holder = ticket(lane)
        context = CallContext(project, "compute", "globalOperations.wait", operation)
        deadline = self._clock.monotonic() + patience
        while True:
            begun = self._clock.monotonic()
            state = await self._wait_round(context, max(1.0, min(self._timeouts.wait, deadline - begun)), holder)
            if state is not None and state.done:
                failure = state.failure(context.method)
                if failure is not None:
                    raise failure
                return state
            now = self._clock.monotonic()
            if now >= deadline:
                msg = f"operation {operation} still runs after {patience:g} s"
                raise OperationPending(
                    msg, project=project, service="compute", method=context.method, resource=operation, reason="pending"
                )
            await self._clock.sleep(WAIT_PACE - (now - begun))

    async def _wait_round(self, context: CallContext, seconds: float, lane: AnyLane) -> ComputeOperation | None:
        """One call of operations.wait; None when it was still holding the call after `seconds`."""

        def request() -> ComputeOperation:
            with self._operations.borrow() as client:
                found = client.wait(project=context.project, operation=context.resource, retry=None, timeout=seconds)
            return compute_operation(found, context.project)

        try:
            return await self._caller.call(context, QuotaGroup.COMPUTE_READ, lane, request, blocks=True)
        except Retryable as error:
            if error.reason != "timeout":
                raise
            return None

    async def list_networks(self, project: str, lane: AnyLane) -> tuple[Network, ...]:
        """All networks of a project."""

        def fetch(token: str) -> tuple[list[Network], str]:
            request = compute_v1.ListNetworksRequest(project=project, max_results=PAGE_SIZE)
            if token:
                request.page_token = token
            with self._networks.borrow() as client:
                pages = client.list(request=request, retry=None, timeout=self._timeouts.list).pages
                page: Any = compute_v1.NetworkList.pb(next(iter(pages)))
            return [network_from_google(item, project) for item in page.items], page.next_page_token

        return tuple(await self._list(project, "networks.list", lane, fetch))

    async def get_network(self, ref: NetworkRef, lane: AnyLane) -> Network:
        """One network."""

        def request() -> Network:
            with self._networks.borrow() as client:
                found = client.get(project=ref.project, network=ref.name, retry=None, timeout=self._timeouts.get)
            return network_from_google(compute_v1.Network.pb(found), ref.project)

        return await self._read(ref.project, "networks.get", ref.name, lane, request)

    async def list_subnetworks(self, project: str, lane: AnyLane) -> tuple[Subnetwork, ...]:
        """All subnetworks of a project, in one aggregated list instead of one list a region."""

        def fetch(token: str) -> tuple[list[Subnetwork], str]:
            request = compute_v1.AggregatedListSubnetworksRequest(project=project, max_results=PAGE_SIZE)
            if token:
                request.page_token = token
            with self._subnetworks.borrow() as client:
                pages = client.aggregated_list(request=request, retry=None, timeout=self._timeouts.list).pages
                page: Any = compute_v1.SubnetworkAggregatedList.pb(next(iter(pages)))
            found = (
                subnetwork_from_google(item, project) for scope in page.items.values() for item in scope.subnetworks
            )
            return _aggregated(page, found)

        return tuple(await self._list(project, "subnetworks.aggregatedList", lane, fetch))

    async def get_subnetwork(self, project: str, region: str, name: str, lane: AnyLane) -> Subnetwork:
        """One subnetwork."""

        def request() -> Subnetwork:
            with self._subnetworks.borrow() as client:
                found = client.get(
                    project=project, region=region, subnetwork=name, retry=None, timeout=self._timeouts.get
                )
            value = subnetwork_from_google(compute_v1.Subnetwork.pb(found), project)
            if value is None:
                msg = f"subnetwork {name} has no IPv4 range"
                raise Invalid(msg, service="compute", reason="noIpv4Range")
            return value

        return await self._read(project, "subnetworks.get", f"{region}/{name}", lane, request)

    async def list_machines(self, project: str, lane: AnyLane) -> tuple[Machine, ...]:
        """All VMs of a project, in one aggregated list."""

        def fetch(token: str) -> tuple[list[Machine], str]:
            request = compute_v1.AggregatedListInstancesRequest(project=project, max_results=PAGE_SIZE)
            if token:
                request.page_token = token
            with self._machines.borrow() as client:
                pages = client.aggregated_list(request=request, retry=None, timeout=self._timeouts.list).pages
                page: Any = compute_v1.InstanceAggregatedList.pb(next(iter(pages)))
            found = (machine_from_google(item, project) for scope in page.items.values() for item in scope.instances)
            return _aggregated(page, found)

        return tuple(await self._list(project, "instances.aggregatedList", lane, fetch))

    async def effective_firewalls(self, ref: NetworkRef, lane: AnyLane) -> tuple[FirewallPolicy, ...]:
        """Policies in force on a network."""

        def request() -> tuple[FirewallPolicy, ...]:
            with self._networks.borrow() as client:
                found = client.get_effective_firewalls(
                    project=ref.project, network=ref.name, retry=None, timeout=self._timeouts.list
                )
            answer: Any = compute_v1.NetworksGetEffectiveFirewallsResponse.pb(found)
            return policies_from_google(answer.firewall_policys, ref.project)

        return await self._read(ref.project, "networks.getEffectiveFirewalls", ref.name, lane, request)

    async def region_effective_firewalls(
        self, ref: NetworkRef, region: str, lane: AnyLane
    ) -> tuple[FirewallPolicy, ...]:
        """Policies in force on a network in a region."""
        message = compute_v1.GetEffectiveFirewallsRegionNetworkFirewallPolicyRequest(
            project=ref.project, region=region, network=ref.path
        )

        def request() -> tuple[FirewallPolicy, ...]:
            with self._regional_policies.borrow() as client:
                found = client.get_effective_firewalls(request=message, retry=None, timeout=self._timeouts.list)
            answer: Any = compute_v1.RegionNetworkFirewallPoliciesGetEffectiveFirewallsResponse.pb(found)
            return policies_from_google(answer.firewall_policys, ref.project)

        method = "regionNetworkFirewallPolicies.getEffectiveFirewalls"
        return await self._read(ref.project, method, f"{region}/{ref.name}", lane, request)

    async def _read(self, project: str, method: str, resource: str, lane: AnyLane, request: Callable[[], R]) -> R:
        context = CallContext(project, "compute", method, resource)
        return await self._caller.call(context, QuotaGroup.COMPUTE_READ, lane, request)

    async def _write(self, project: str, method: str, resource: str, lane: AnyLane, request: Callable[[], R]) -> R:
        context = CallContext(project, "compute", method, resource)
        return await self._caller.call(context, QuotaGroup.COMPUTE_WRITE, lane, request)

    async def _list(
        self, project: str, method: str, lane: AnyLane, fetch: Callable[[str], tuple[list[R], str]]
    ) -> list[R]:
        holder = ticket(lane)
        return await all_pages(lambda token: self._read(project, method, project, holder, partial(fetch, token)))


def _aggregated(page: Any, found: Iterable[R | None]) -> tuple[list[R], str]:  # noqa: ANN401 - a protobuf message
    """What a page of an aggregated list holds, and the next one's token.

    A place that is missing must not look like an empty one.

    Raises:
        Retryable: Google could not reach one of the places.
    """
    if page.unreachables:
        msg = f"Google could not reach {', '.join(page.unreachables)} while listing"
        raise Retryable(msg, service="compute", reason="unreachable")
    return [value for value in found if value is not None], page.next_page_token
