"""Gathers what one plan looks at, from the shared inventory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from redis_connectivity.api.spec import ConnectorManagement
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.errors import CloudError, NotFound, QuotaExhausted
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.cloud.snapshot import Snapshot
from redis_connectivity.core.cloudvalues import Connector, FirewallPolicy, FirewallRule, RedisInstance, Subnetwork
from redis_connectivity.core.desired import Desired, MemorystoreWant
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, OperationResult, Unseen
from redis_connectivity.reconcile.explain import explain, is_transient

__all__ = ["Observer", "interests"]

_log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")


def interests(desired: Desired) -> frozenset[keys.AnyKey]:
    """The shared views that a resource depends on."""
    project = desired.project
    wanted: set[keys.AnyKey] = {
        keys.firewalls(project),
        keys.networks(project),
        keys.effective_policies(desired.network),
    }
    if desired.connector.management is not ConnectorManagement.NONE:
        wanted.add(keys.connectors(project, desired.region))
        wanted.add(keys.subnetworks(project))
    elif desired.connector.subnet is not None:
        wanted.add(keys.subnetworks(project))
    if isinstance(desired.target, MemorystoreWant):
        wanted.add(keys.redis_instances(project, desired.region))
    return frozenset(wanted)


class Observer:
    """Reads views no older than asked for; what cannot be read becomes Unseen, with the reason."""

    def __init__(self, cloud: GoogleCloud, pace: Pace) -> None:
        self._cloud = cloud
        self._pace = pace

    async def observe(
        self,
        desired: Desired,
        ledger: Ledger,
        *,
        fresh: bool,
        lane: Lane,
        connector_users: tuple[str, ...] = (),
        names_being_taken: frozenset[str] = frozenset(),
    ) -> Observed:
        """One resource's observation.

        `fresh` reads everything anew, shared with who else asks; else what the poller keeps is good enough.
        """
        project, region = desired.project, desired.region
        wanted = interests(desired)
        operation = await self._operation(ledger, lane)
        if operation is not None and operation.done:
            # The view may be from before the operation's end.
            await self._look_at_connector(desired, lane)

        async def view(key: keys.Key[T], pick: Callable[[Snapshot[T]], R], otherwise: R) -> R | Unseen:
            if key not in wanted:
                return otherwise
            try:
                if not fresh:
                    self._raise_trouble(key)
                return pick(await self._cloud.inventory.need(key, self._max_age(key, fresh=fresh), lane))
            except NotFound as error:
                # A network's policies are not found when the network is not; a project's list, when the project is not.
                return otherwise if key == keys.effective_policies(desired.network) else explain(error)
            except CloudError as error:
                return explain(error)

        instance = desired.target.instance if isinstance(desired.target, MemorystoreWant) else ""
        no_policies: tuple[FirewallPolicy, ...] = ()
        no_redis: RedisInstance | None = None
        no_connectors: tuple[Connector, ...] = ()
        no_rules: tuple[FirewallRule, ...] = ()
        no_subnetworks: tuple[Subnetwork, ...] = ()
        network, connectors, redis, rules, policies, subnetworks = await asyncio.gather(
            view(keys.networks(project), lambda seen: seen.items.get(desired.network.name), None),
            view(keys.connectors(project, region), lambda seen: tuple(seen.items.values()), no_connectors),
            view(keys.redis_instances(project, region), lambda seen: seen.items.get(instance), no_redis),
            view(keys.firewalls(project), lambda seen: tuple(seen.items.values()), no_rules),
            view(
                keys.effective_policies(desired.network),
                lambda seen: seen.items.get(desired.network.name, no_policies),
                no_policies,
            ),
            view(keys.subnetworks(project), lambda seen: tuple(seen.items.values()), no_subnetworks),
        )
        connector: Connector | Unseen | None
        if isinstance(connectors, Unseen):
            connector, others = connectors, no_connectors
        else:
            connector = next((one for one in connectors if one.name == desired.connector.name), None)
            others = connectors
        return Observed(
            network=network,
            connector=connector,
            redis=redis,
            rules=rules,
            policies=policies,
            subnetworks=subnetworks,
            connectors=others,
            operation=operation,
            connector_users=connector_users,
            names_being_taken=names_being_taken,
        )

    def _max_age(self, key: keys.AnyKey, *, fresh: bool) -> float:
        """Seconds: three polls, so that a slow answer or two do not make every resource read by itself."""
        return 0.0 if fresh else 3.0 * self._pace.of(key.kind) * self._cloud.governor.poll_factor(key.project)

    def trusted_for(self, key: keys.AnyKey) -> float:
        """Seconds for which what was read last is good enough."""
        return self._max_age(key, fresh=False)

    def _raise_trouble(self, key: keys.AnyKey) -> None:
        """Raise what the last reading ended with, where reading once more would be no better.

        A refusal counts at once: older content is no answer to it, however fresh. Trouble that passes (503, quota)
        counts when the content is too old; the poller tries again and wakes who is interested. Above all, nobody waits
        here until a project's quota refills: it would keep a worker from everybody else.
        """
        seen = self._cloud.inventory.peek(key)
        if seen.error is None or seen.failed is None:
            return
        now, trusted = time.monotonic(), self.trusted_for(key)
        if is_transient(seen.error) and seen.observed is not None and now - seen.observed.monotonic <= trusted:
            return
        if now - seen.failed.monotonic <= trusted or isinstance(seen.error, QuotaExhausted):
            raise seen.error.with_traceback(None)

    async def _look_at_connector(self, desired: Desired, lane: Lane) -> None:
        try:
            await self._cloud.fresh_connector(desired.project, desired.region, desired.connector.name, lane)
        except CloudError as error:
            _log.info("connector.unread", connector=desired.connector_path, error=str(error))

    async def _operation(self, ledger: Ledger, lane: Lane) -> OperationResult | None:
        """How the connector operation in the ledger stands; None when there is none or it cannot be asked now."""
        if ledger.operation is None or not ledger.operation.name:
            return None
        try:
            seen = await self._cloud.poll_vpcaccess_operation(ledger.operation.name, lane)
        except NotFound:
            # Google forgets operations after a while; the connector's own state tells the rest.
            return OperationResult(done=True)
        except CloudError:
            return None
        return OperationResult(done=seen.done, code=seen.code or 0, message=seen.message)
