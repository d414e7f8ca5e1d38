"""The probe itself: a chain of checks with one deadline, which ends at the first failure, with an exact reason."""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity.probes.http import http
from redis_connectivity.probes.model import (
    MAX_MESSAGE,
    PROBER_STEP,
    FailureCode,
    HttpCheck,
    PingCheck,
    ProbeAnswer,
    ProbeCheck,
    ProbeFailure,
    ProbeRequest,
    ProberInfo,
    ProbeStep,
    TcpCheck,
)
from redis_connectivity.probes.reach import (
    CheckFailed,
    Deadline,
    Dial,
    Guard,
    Reach,
    Resolve,
    open_tcp,
    resolve_ipv4,
)
from redis_connectivity.probes.readwrite import read_write
from redis_connectivity.probes.redislink import RedisLink

__all__ = ["Dial", "Guard", "Resolve", "check", "open_tcp", "prober_info", "resolve_ipv4"]

#: Nodes of a cluster that are asked at the same time.
_NODES_AT_ONCE: Final = 16


async def check(
    request: ProbeRequest,
    dial: Dial = open_tcp,
    *,
    resolve: Resolve = resolve_ipv4,
    guard: Guard | None = None,
    via: str = "process",
) -> ProbeAnswer:
    """Make the checks and say what happened; never raises for what a network or a server can do.

    The target's name is resolved once, `guard` judges that very address, and that very address is dialled. `via` is
    told back as `prober.via`.
    """
    return await _Probe(request, Reach(dial, resolve, guard), via).run()


class _NotAllowed(Exception):
    """The prober may not connect to the target."""


class _Probe:
    """One probe on its way: the deadline, the connections to Redis, and the steps done so far."""

    def __init__(self, request: ProbeRequest, reach: Reach, via: str) -> None:
        self.request = request
        self.reach = reach
        self.via = via
        self.steps: list[ProbeStep] = []
        self.observed_at = datetime.now(UTC)
        self.started = time.perf_counter()
        self.deadline = Deadline.after(request.timeout_seconds)
        self.links: list[RedisLink] = []

    async def run(self) -> ProbeAnswer:
        failure: ProbeFailure | None = None
        try:
            for one in self.request.checks:
                failure = await self._step(one)
                if failure is not None:
                    break
        except _NotAllowed as refused:
            failure = ProbeFailure(step=PROBER_STEP, code=FailureCode.TARGET_NOT_ALLOWED, message=str(refused))
        finally:
            for link in self.links:
                link.close()
        return ProbeAnswer(
            ok=failure is None,
            steps=tuple(self.steps),
            latency_seconds=time.perf_counter() - self.started,
            failure=failure,
            observed_at=self.observed_at,
            prober=prober_info(self.via),
        )

    async def _step(self, one: ProbeCheck) -> ProbeFailure | None:
        started = time.perf_counter()
        failure: ProbeFailure | None = None
        try:
            await self._make(one, self.deadline.within(one.timeout_seconds))
        except CheckFailed as failed:
            failure = ProbeFailure(step=one.name, code=failed.code, message=self._told(failed.message))
        seconds = time.perf_counter() - started
        self.steps.append(ProbeStep(name=one.name, ok=failure is None, seconds=seconds))
        return failure

    async def _make(self, one: ProbeCheck, deadline: Deadline) -> None:
        if isinstance(one, HttpCheck):
            await http(one, self.reach, deadline)
            return
        link = await self._link(deadline)
        if isinstance(one, TcpCheck):
            await link.open(deadline)
        elif isinstance(one, PingCheck):
            await link.ping(deadline)
            if self.request.cluster:
                await self._ping_nodes(link, deadline)
        else:

            async def to_node(host: str, port: int) -> RedisLink:
                return await self._node(host, port, deadline)

            await read_write(link, one.key_prefix, deadline, to_node if self.request.cluster else None)

    async def _link(self, deadline: Deadline) -> RedisLink:
        """The connection to the target, which the checks of Redis share."""
        if not self.links:
            host = self.request.host
            address = await self.reach.address(host, deadline)
            refusal = self.reach.refusal(address)
            if refusal is not None:
                raise _NotAllowed(refusal)
            self._open(host, address, self.request.port)
        return self.links[0]

    async def _node(self, host: str, port: int, deadline: Deadline) -> RedisLink:
        """A connection to a node of the cluster, spoken to as the target is."""
        for link in self.links:
            if (link.host, link.port) == (host, port):
                return link
        address = await self.reach.address(host, deadline)
        refusal = self.reach.refusal(address)
        if refusal is not None:
            raise CheckFailed(FailureCode.TARGET_NOT_ALLOWED, f"node {host}:{port}: {refusal}")
        return self._open(host, address, port)

    def _open(self, host: str, address: IPv4Address, port: int) -> RedisLink:
        link = RedisLink(self.reach, host, address, port, self.request.tls, self.request.auth)
        self.links.append(link)
        return link

    async def _ping_nodes(self, link: RedisLink, deadline: Deadline) -> None:
        """Every primary must answer: a cluster of which only the entry is reachable serves no client."""
        talk = await link.ready(deadline)
        nodes = await talk.slots(deadline)
        if not nodes:
            raise CheckFailed(FailureCode.CLUSTER_DOWN, f"{link.target} answered that no node serves any slot")
        places = asyncio.Semaphore(_NODES_AT_ONCE)

        async def ping(host: str, port: int) -> None:
            async with places:
                await (await self._node(host or link.host, port, deadline)).ping(deadline)

        results = await asyncio.gather(*(ping(host, port) for host, port in nodes), return_exceptions=True)
        for (host, port), result in zip(nodes, results, strict=True):
            if isinstance(result, CheckFailed):
                raise CheckFailed(result.code, f"node {host or link.host}:{port} of the cluster: {result.message}")
            if isinstance(result, BaseException):
                raise result

    def _told(self, message: str) -> str:
        """A message without what is secret: servers repeat the user's name, and may repeat anything."""
        if self.request.auth is not None:
            for secret in (self.request.auth.password, self.request.auth.username):
                if secret is not None:
                    message = message.replace(secret.get_secret_value(), "***")
        return message[:MAX_MESSAGE]


@functools.cache
def prober_info(via: str) -> ProberInfo:
    """Who this process is as a prober."""
    try:
        version = importlib.metadata.version("redis-connectivity")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that was never installed
        version = "unknown"
    return ProberInfo(version=version, via=via)
