"""Google Cloud as the rest of the operator sees it: doors, shared views, polls and quota in one object.

Reads that many resources share go through `inventory` (and stay fresh through `poller`); single reads and operations
go through the doors; writes go through the methods here, which keep the shared views truthful about them.

Importing this module is cheap. Google's libraries, which take seconds and some 170 MiB, are imported by `open`, in a
thread, so that neither a command line that does not need them nor the event loop has to wait for them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.caller import OnCall, Timeouts, no_metrics
from redis_connectivity.cloud.clock import Clock, SystemClock
from redis_connectivity.cloud.doors import Doors
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import Retryable
from redis_connectivity.cloud.executor import CallPool
from redis_connectivity.cloud.governor import Budget, Governor, QuotaGroup
from redis_connectivity.cloud.inventory import Inventory, OnChange
from redis_connectivity.cloud.keys import AnyKey
from redis_connectivity.cloud.lanes import AnyLane
from redis_connectivity.cloud.operations import ServiceOperation
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace, Poller
from redis_connectivity.cloud.sources import inventory_sources
from redis_connectivity.core.cloudvalues import Connector, FirewallRule
from redis_connectivity.core.runvalues import RunService

__all__ = ["CloudConfig", "GoogleCloud"]

#: How long a list that lacks a new connector is not believed: Terraform's provider waits as long after a create.
CONNECTOR_LAG = 5.0


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """Everything that can be set about the way to Google Cloud.

    Attributes:
        endpoints: Where the services are.
        credentials: As whom.
        timeouts: Per request, in seconds.
        budgets: Requests per minute and project, per quota group; missing groups keep their default.
        pace: How often shared views are polled.
        threads: The most requests at once; `reserve` of them are never taken by polls.
        reserve: See `threads`.
        wait_threads: The most `operations.wait` at once.
    """

    endpoints: Endpoints = field(default_factory=Endpoints)
    credentials: CredentialsConfig = field(default_factory=CredentialsConfig)
    timeouts: Timeouts = field(default_factory=Timeouts)
    budgets: Mapping[QuotaGroup, Budget] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    threads: int = 16
    reserve: int = 4
    wait_threads: int = 32


class GoogleCloud:
    """One per process. Made by `open`; tests may hand in doors of their own.

    Attributes:
        compute: The Compute door.
        vpcaccess: The Serverless VPC Access door.
        redis: The Memorystore for Redis door.
        redis_cluster: The Memorystore for Redis Cluster door.
        memorystore: The Memorystore for Valkey door.
        audit_log: Cloud Logging's door.
        run: Cloud Run's door.
        iam_credentials: Where access tokens of other accounts come from.
        tokens: Where ID tokens come from.
        governor: Quota: `poll_factor`, `throttled_until`, `stats`.
        inventory: Shared views: `need`, `peek`, `fresh`.
        poller: Who is interested in which view.
    """

    def __init__(
        self,
        doors: Doors,
        governor: Governor,
        clock: Clock,
        *,
        pace: Pace | None = None,
        on_change: OnChange | None = None,
        rng: random.Random | None = None,
        pools: tuple[CallPool, ...] = (),
    ) -> None:
        self.compute = doors.compute
        self.vpcaccess = doors.vpcaccess
        self.redis = doors.redis
        self.redis_cluster = doors.redis_cluster
        self.memorystore = doors.memorystore
        self.audit_log = doors.audit_log
        self.run = doors.run
        self.iam_credentials = doors.iam_credentials
        self.tokens = doors.tokens
        self.governor = governor
        sources = inventory_sources(
            doors.compute, doors.vpcaccess, doors.redis, doors.redis_cluster, doors.memorystore, doors.run
        )
        self.inventory = Inventory(sources, clock, on_change) if on_change else Inventory(sources, clock)
        self.poller = Poller(self.inventory, clock, governor.poll_factor, pace, rng)
        self._pools = pools

    @classmethod
    async def open(
        cls,
        config: CloudConfig,
        *,
        on_change: OnChange | None = None,
        on_call: OnCall = no_metrics,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> GoogleCloud:
        """Import Google's libraries (once a process, in a thread) and put everything together. Calls nothing yet."""
        clock = clock or SystemClock()
        governor = Governor(clock, config.budgets, rng)
        calls = CallPool(config.threads, reserve=config.reserve, name="google-call")
        waits = CallPool(config.wait_threads, name="google-wait")

        def build() -> Doors:
            # Here and not at the top: this is the expensive import, see the module.
            from redis_connectivity.cloud.sdk import open_doors  # noqa: PLC0415

            return open_doors(
                config.endpoints, config.credentials, config.timeouts, governor, calls, waits, on_call, clock
            )

        doors = await asyncio.to_thread(build)
        return cls(doors, governor, clock, pace=config.pace, on_change=on_change, rng=rng, pools=(calls, waits))

    async def close(self) -> None:
        """Stop polling and reading; send away who still waits for quota or a thread.

        Requests in progress end in their threads within their timeouts (an `operations.wait` within
        `timeouts.wait`), so finish writes first.
        """
        await self.poller.close()
        await self.inventory.close()
        await self.governor.close()
        for pool in self._pools:
            pool.close()

    async def create_run_service(self, service: RunService, *, lane: AnyLane) -> None:
        """Begin to deploy a service."""
        async with self._writing(keys.run_services(service.project, service.region)):
            await self.run.create_service(service, lane)

    async def update_run_service(self, service: RunService, *, lane: AnyLane) -> None:
        """Begin to deploy a service anew."""
        async with self._writing(keys.run_services(service.project, service.region)):
            await self.run.update_service(service, lane)

    async def delete_run_service(self, project: str, region: str, name: str, *, lane: AnyLane) -> None:
        """Begin to delete a service."""
        async with self._writing(keys.run_services(project, region)):
            await self.run.delete_service(project, region, name, lane)

    async def fresh_run_service(self, project: str, region: str, name: str, lane: AnyLane) -> RunService | None:
        """A service as it is right now (one GET), also put into the shared view; None when there is none."""
        read = self.run.get_service(project, region, name, lane)
        return await self.inventory.fresh(keys.run_services(project, region), name, read)

    async def insert_firewall(self, rule: FirewallRule, *, request_id: str, lane: AnyLane) -> str:
        """Create a rule; gives the operation's name, to be settled (also after a restart)."""
        async with self._writing(keys.firewalls(rule.network.project)):
            return await self.compute.insert_firewall(rule, request_id, lane)

    async def update_firewall(self, rule: FirewallRule, *, request_id: str, lane: AnyLane) -> str:
        """Replace a rule whole; gives the operation's name."""
        async with self._writing(keys.firewalls(rule.network.project)):
            return await self.compute.update_firewall(rule, request_id, lane)

    async def delete_firewall(self, project: str, name: str, *, request_id: str, lane: AnyLane) -> str:
        """Delete a rule; gives the operation's name."""
        async with self._writing(keys.firewalls(project)):
            return await self.compute.delete_firewall(project, name, request_id, lane)

    async def settle_firewall(
        self, project: str, operation: str, name: str, *, patience: float, lane: AnyLane
    ) -> FirewallRule | None:
        """Wait for a rule's operation to end well, then read the rule as it now is; None when it is gone.

        Raises:
            OperationFailed: The operation ended in error.
            OperationPending: It still runs after `patience` seconds; settle it again later.
            NotFound: Google no longer remembers the operation; `fresh_firewall` tells what became of it.
        """
        async with self._writing(keys.firewalls(project)):
            await self.compute.wait_operation(project, operation, patience=patience, lane=lane)
            return await self.fresh_firewall(project, name, lane)

    async def fresh_firewall(self, project: str, name: str, lane: AnyLane) -> FirewallRule | None:
        """A rule as it is right now (one GET), also put into the shared view; None when there is none."""
        read = self.compute.get_firewall(project, name, lane)
        return await self.inventory.fresh(keys.firewalls(project), name, read)

    async def create_connector(self, connector: Connector, *, lane: AnyLane) -> str:
        """Create a connector; gives the operation's full name, to be polled (also after a restart).

        There is no request id: after a `Retryable`, look with `fresh_connector` and `list_operations` before repeating.
        """
        async with self._writing(keys.connectors(connector.project, connector.region)):
            return await self.vpcaccess.create_connector(connector, lane)

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
        """Change a connector in place, always with both bounds; gives the operation's full name."""
        async with self._writing(keys.connectors(project, region)):
            return await self.vpcaccess.patch_connector(
                project,
                region,
                name,
                min_instances=min_instances,
                max_instances=max_instances,
                machine_type=machine_type,
                lane=lane,
            )

    async def delete_connector(self, project: str, region: str, name: str, *, lane: AnyLane) -> str:
        """Delete a connector; gives the operation's full name."""
        async with self._writing(keys.connectors(project, region)):
            return await self.vpcaccess.delete_connector(project, region, name, lane)

    async def poll_vpcaccess_operation(self, name: str, lane: AnyLane) -> ServiceOperation:
        """A connector's operation as it is now (one GET): `done`, and `failure` when it ended in error."""
        return await self.vpcaccess.get_operation(name, lane)

    async def fresh_connector(self, project: str, region: str, name: str, lane: AnyLane) -> Connector | None:
        """A connector as it is right now (one GET), also put into the shared view; None when there is none."""
        read = self.vpcaccess.get_connector(project, region, name, lane)
        return await self.inventory.fresh(keys.connectors(project, region), name, read, hold=CONNECTOR_LAG)

    @asynccontextmanager
    async def _writing(self, key: AnyKey) -> AsyncIterator[None]:
        """A write whose end may stay unknown: then the view must not pass off an older reading as newer."""
        try:
            yield
        except (Retryable, asyncio.CancelledError):
            self.inventory.invalidate(key)
            raise
