"""The operator as one process: puts the parts together, starts them in order, stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.governor import Budget, QuotaGroup
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.prober import ProberSetup
from redis_connectivity.core.probestatus import window_status
from redis_connectivity.core.probing import ProbeResult
from redis_connectivity.health import HealthServer
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.config import load_config
from redis_connectivity.kube.errors import KubeError
from redis_connectivity.kube.events import EventPoster
from redis_connectivity.kube.lease import LeaderElection, LeaseTimes
from redis_connectivity.kube.ledgerstore import LedgerStore
from redis_connectivity.metrics import Metrics
from redis_connectivity.reconcile.applier import Applier
from redis_connectivity.reconcile.attributing import Attributor
from redis_connectivity.reconcile.contenders import Contenders
from redis_connectivity.reconcile.controller import Controller
from redis_connectivity.reconcile.credentials import CredentialReader
from redis_connectivity.reconcile.guardrails import Guardrails
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity.reconcile.probing import ProbeScheduler
from redis_connectivity.reconcile.reconciler import Reconciler
from redis_connectivity.reconcile.reporter import Reporter
from redis_connectivity.reconcile.store import Key, ResourceStore
from redis_connectivity.settings import Settings
from redis_connectivity.tracing import TracingUnavailableError, start_tracing
from redis_connectivity.watch.informer import Informer, WatchNote
from redis_connectivity.web.auth import ClusterAccess
from redis_connectivity.web.feed import Feed
from redis_connectivity.web.server import PageServer

__all__ = ["OperatorFailedError", "cloud_config", "prober_setup", "run_operator"]

_log = structlog.get_logger(__name__)

_LEASE_NAME = "redis-connectivity"
#: Seconds between two tries to reach the API server at the start.
_KUBE_RETRY = 0.5


class OperatorFailedError(Exception):
    """The operator cannot go on; the message says why."""


def cloud_config(settings: Settings) -> CloudConfig:
    """The settings as the cloud package wants them."""
    budgets = {
        QuotaGroup.COMPUTE_READ: settings.compute_read_budget,
        QuotaGroup.COMPUTE_WRITE: settings.compute_write_budget,
        QuotaGroup.VPCACCESS: settings.vpcaccess_budget,
        QuotaGroup.REDIS: settings.redis_budget,
        QuotaGroup.REDIS_CLUSTER: settings.redis_cluster_budget,
        QuotaGroup.MEMORYSTORE: settings.memorystore_budget,
        QuotaGroup.LOGGING: settings.logging_budget,
        QuotaGroup.RUN: settings.run_budget,
        QuotaGroup.IAM_CREDENTIALS: settings.iam_credentials_budget,
    }
    return CloudConfig(
        endpoints=Endpoints(
            compute=settings.compute_endpoint,
            vpcaccess=settings.vpcaccess_endpoint,
            redis=settings.redis_endpoint,
            redis_cluster=settings.redis_cluster_endpoint,
            memorystore=settings.memorystore_endpoint,
            logging=settings.logging_endpoint,
            run=settings.run_endpoint,
            iam_credentials=settings.iam_credentials_endpoint,
        ),
        credentials=CredentialsConfig(
            mode=settings.credentials.value, impersonate=settings.impersonate_service_account
        ),
        budgets={group: Budget(per_minute) for group, per_minute in budgets.items()},
        pace=Pace(interval=settings.poll_interval, scarce=settings.scarce_poll_interval),
        threads=settings.cloud_threads,
        reserve=min(4, settings.cloud_threads - 1),
    )


def prober_setup(settings: Settings) -> ProberSetup:
    """The settings about probers on Cloud Run."""
    return ProberSetup(settings.prober_image or "", settings.prober_service_account or "", settings.prober_allow)


@dataclass(slots=True)
class _Health:
    """What the probes of the kubelet ask for."""

    listed: bool = False
    failure: str | None = None


async def run_operator(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        OperatorFailedError: something that only a restart or a person can mend.
        KubeConfigError: there is no usable kubeconfig.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    operator = _Operator(settings, stop)
    try:
        await operator.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _Operator:
    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._health = _Health()
        self._orphans: set[str] = set()
        self._metrics = Metrics()
        self._kube = KubeClient(load_config(settings.kubeconfig, settings.context))
        self._store = ResourceStore()
        self._guardrails = Guardrails(self._metrics)
        self._ledgers = LedgerStore(self._kube, settings.namespace)
        self._election = LeaderElection(
            self._kube,
            namespace=settings.namespace,
            name=_LEASE_NAME,
            identity=settings.identity,
            clock=time.monotonic,
            times=LeaseTimes(
                duration=settings.lease_duration, renew=settings.lease_duration / 3, retry=settings.lease_duration / 8
            ),
            acquired=self._acquired,
        )
        self._controller = Controller(
            store=self._store, metrics=self._metrics, workers=settings.workers, lead=self._election.wait_until_leader
        )

        self._probes: ProbeScheduler | None = None
        self._feed = Feed(
            bodies=self._store.bodies,
            find=lambda key: self._store.get(Key(*key.split("/"))),
            leads=lambda: self._election.is_leader,
            now=time.time,
            windows=self._windows,
        )
        self._store.listen(lambda key: self._feed.changed(str(key)))

    async def run(self) -> None:
        settings = self._settings
        health = HealthServer(
            settings.health_host, settings.health_port, self._metrics, lambda: self._health.failure, self._not_ready
        )
        try:
            await health.start()
        except OSError as error:
            raise OperatorFailedError(
                f"cannot listen on {settings.health_host}:{settings.health_port}: {error};"
                " choose another port by --health-port"
            ) from error
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(health.stop)
            self._trace(stack)
            page = await self._serve_page(stack)
            _log.info("starting", identity=settings.identity, health_port=health.port, page=page)
            stack.push_async_callback(self._kube.close)
            cluster = await self._until_stopped(self._reach_kubernetes())
            if cluster is None:
                return
            cloud = await GoogleCloud.open(
                cloud_config(settings), on_change=self._controller.cloud_changed, on_call=self._count_call
            )
            stack.push_async_callback(cloud.close)
            await self._serve(cluster, cloud, stack)
        _log.info("stopped")
        if self._health.failure:
            raise OperatorFailedError(self._health.failure)

    def _trace(self, stack: contextlib.AsyncExitStack) -> None:
        """Begin to send traces, where the environment says where to."""
        try:
            end = start_tracing(self._settings.identity)
        except TracingUnavailableError as error:
            raise OperatorFailedError(str(error)) from error
        if end is not None:
            _log.info("tracing")
            stack.callback(end)

    async def _serve_page(self, stack: contextlib.AsyncExitStack) -> str | None:
        """Begin to serve the page; where it is, None when it is turned off."""
        settings = self._settings
        if not settings.web:
            return None
        access = ClusterAccess(self._kube.api, time.monotonic)
        page = PageServer(settings.web_host, settings.web_port, self._feed, access.of)
        try:
            await page.start()
        except OSError as error:
            raise OperatorFailedError(
                f"cannot serve the page on {settings.web_host}:{settings.web_port}: {error};"
                " choose another port by --web-port, or none by --no-web"
            ) from error
        stack.push_async_callback(page.stop)
        return f"http://{settings.web_host}:{page.port}/"

    async def _serve(self, cluster: str, cloud: GoogleCloud, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        probes = ProbeScheduler(
            in_flight=settings.probes_in_flight,
            metrics=self._metrics,
            changed=self._controller.probe_turned,
            credentials=CredentialReader(self._kube, cloud),
            own=settings.operator_probes,
            tokens=cloud.tokens,
            heard=self._heard,
            now=time.time,
        )
        stack.push_async_callback(probes.close)
        self._probes = probes
        reporter = Reporter(
            kube=self._kube,
            store=self._store,
            events=EventPoster(self._kube, settings.identity),
            metrics=self._metrics,
            probes=probes,
            may_write=self._election.assert_leader,
            now=time.time,
            heartbeat=settings.status_heartbeat,
        )
        stack.push_async_callback(reporter.close)
        attributor = Attributor(
            cloud, enabled=settings.audit_log, tell=lambda key: self._controller.wake((key,)), now=time.time
        )
        reconciler = Reconciler(
            cluster=cluster,
            store=self._store,
            kube=self._kube,
            ledgers=self._ledgers,
            cloud=cloud,
            observer=Observer(cloud, Pace(interval=settings.poll_interval)),
            applier=Applier(cloud, self._election.assert_leader, time.time),
            probes=probes,
            reporter=reporter,
            guardrails=self._guardrails,
            attributor=attributor,
            contenders=Contenders(cluster, self._store, self._guardrails.allows, self._controller.wake),
            may_write=self._election.assert_leader,
            now=time.time,
            resync_interval=settings.resync_interval,
            prober_setup=prober_setup(settings),
        )
        stack.push_async_callback(attributor.close)
        informer = Informer(self._kube.config, settings.namespaces, self._noted, self._watch_failed)
        informer.start()
        stack.push_async_callback(informer.stop)
        tasks = [
            asyncio.create_task(self._election.run(), name="lease"),
            asyncio.create_task(self._relist(), name="relist"),
            asyncio.create_task(self._gauge(cloud), name="gauges"),
        ]
        stack.push_async_callback(_cancel, tasks)
        self._controller.start(reconciler, cloud)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                self._health.failure = f"{task.get_name()} failed: {task.exception()}"
                _log.error("failed", task=task.get_name(), exc_info=task.exception())
        await self._controller.stop(settings.shutdown_grace)

    async def _reach_kubernetes(self) -> str:
        while True:
            try:
                return await self._kube.cluster_uid()
            except KubeError as error:
                _log.warning("kubernetes.unreachable", error=str(error))
                await asyncio.sleep(_KUBE_RETRY)

    async def _until_stopped(self, work: Coroutine[None, None, str]) -> str | None:
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None

    # --- news

    def _noted(self, notes: list[WatchNote]) -> None:
        for note in notes:
            if note.policy:
                deleted = note.kind == "DELETED"
                guardrails = self._guardrails
                news = guardrails.vanished(note.body["metadata"]["name"]) if deleted else guardrails.saw(note.body)
                self._controller.policies_changed(news)
            elif note.kind == "DELETED":
                self._controller.vanished(note.body)
            else:
                self._controller.saw(note.body)

    def _windows(self, key: str) -> list[dict[str, Any]]:
        figures = self._probes.windows(Key(*key.split("/"))) if self._probes is not None else ()
        return [window_status(one).model_dump(mode="json", by_alias=True, exclude_none=True) for one in figures]

    def _heard(self, key: Key, result: ProbeResult) -> None:
        if result.conclusive:  # that the prober could not be asked says nothing about the path
            self._feed.probed(str(key), result.seconds if result.ok else None)

    def _watch_failed(self, error: BaseException | None) -> None:
        self._health.failure = f"the watch ended: {error or 'without an error'}"
        _log.error("watch.failed", error=str(error))
        self._stop.set()

    async def _relist(self) -> None:
        """List all resources, at the start and then now and again: what the watch missed, a list has."""
        while True:
            known, known_policies = tuple(self._store), self._guardrails.known()
            try:
                # Before any resource is looked at: nothing is done that a policy forbids.
                policies = await self._kube.list_policies()
                # Ledgers first: a resource made in between is in the list then, and no orphan.
                stored = await self._ledgers.stored()
                bodies = await self._kube.list_resources(self._settings.namespaces)
            except KubeError as error:
                _log.warning("relist.failed", error=str(error))
                await asyncio.sleep(_KUBE_RETRY)
                continue
            self._controller.policies_changed(self._guardrails.relisted(policies, known_policies))
            self._controller.relisted(bodies, known)
            self._health.listed = True
            if not self._settings.namespaces:
                self._tell_orphans(stored, {body["metadata"]["uid"] for body in bodies})
            await asyncio.sleep(self._settings.relist_interval)

    def _tell_orphans(self, stored: dict[str, str], living: set[str]) -> None:
        """Name ledgers whose resource is gone: its finalizer was removed by hand, and with it the duty to clean up."""
        for uid, resource in stored.items():
            if uid not in living and uid not in self._orphans:
                self._orphans.add(uid)
                _log.warning(
                    "ledger.orphaned",
                    resource=resource,
                    configmap=f"{self._settings.namespace}/rconn-ledger-{uid}",
                    remedy="look at what it names in Google Cloud, then delete the ConfigMap",
                )

    def _acquired(self) -> None:
        """This process leads now: what another one wrote to the ledgers counts, not what is remembered."""
        self._ledgers.drop_cache()
        self._controller.everything()

    async def _gauge(self, cloud: GoogleCloud) -> None:
        while True:
            self._metrics.leader.set(1 if self._election.is_leader else 0)
            for project in {key.project for key in cloud.poller.watched()}:
                self._metrics.poll_factor.labels(project).set(cloud.governor.poll_factor(project))
            if not self._controller.alive:
                self._health.failure = "a worker died"
            await asyncio.sleep(1.0)

    def _count_call(self, service: str, method: str, project: str, outcome: str, seconds: float) -> None:  # noqa: ARG002 - the hook's shape
        self._metrics.cloud_calls.labels(project, service, method, outcome).inc()

    def _not_ready(self) -> str | None:
        if self._health.failure:
            return self._health.failure
        return None if self._health.listed else "the resources were not listed yet"


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
