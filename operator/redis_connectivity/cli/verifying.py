"""Runs the complete path of declared resources once, for `verify`. Reads and probes; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import aiohttp

from redis_connectivity.cli.documents import Declared
from redis_connectivity.cli.identity import UNKNOWN, Identity, recognised
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.lineage import settle
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outlook import path
from redis_connectivity.core.plan import Plan, make_plan
from redis_connectivity.core.prober import prober_path, prober_there
from redis_connectivity.core.runvalues import Rollout, RunService
from redis_connectivity.core.verification import (
    Outcome,
    VerifiedStep,
    overall,
    probe_steps,
    unproven,
    verified_hops,
)
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import FailureCode
from redis_connectivity.reconcile.credentials import CredentialReader, CredentialTrouble
from redis_connectivity.reconcile.deployed import ask_deployed
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity.reconcile.probejob import probe_job, request_of, result_of

__all__ = ["Verified", "Verifier"]


@dataclass(frozen=True, slots=True)
class Verified:
    """One resource with what was found. `seconds`: how long it took, `at`: when it began, since the epoch."""

    declared: Declared
    steps: tuple[VerifiedStep, ...]
    at: float
    seconds: float

    @property
    def outcome(self) -> Outcome:
        """The whole."""
        return overall(self.steps)


class _NoCluster:
    """Stands where a cluster would be asked for Secrets."""

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        raise CredentialTrouble(
            FailureCode.CREDENTIALS_UNAVAILABLE,
            f"Secret {name} of namespace {namespace} is in a cluster: say in which by --kubeconfig or --context",
        )


#: A stranger may label a service as he likes; what the operator itself knows by its exact name is not told without.
_WHOSE: Final = (
    "without the cluster it is not known whether Cloud Run service {name} is its operator's, so the password for Redis"
    " is not sent there: give --kubeconfig or --context"
)


class Verifier:
    """Verifies one resource after the other; `probe` False looks at the configuration alone."""

    def __init__(self, cloud: GoogleCloud, kube: KubeClient | None, *, probe: bool) -> None:
        self._observer = Observer(cloud, Pace())
        self._tokens = cloud.tokens
        self._credentials = CredentialReader(kube if kube is not None else _NoCluster(), cloud)
        self._probe = probe

    async def verify(self, one: Declared, identity: Identity) -> Verified:
        """Look at everything afresh, then send real traffic through."""
        began, clock = time.time(), time.monotonic()
        desired = resolve(identity.owner, one.spec)
        observed = await self._observer.observe(desired, identity.ledger, fresh=True, lane=Lane.USER_CHANGE)
        if not isinstance(observed.rules, Unseen):
            desired = resolve(recognised(identity, observed.rules).owner, one.spec)
        plan = make_plan(desired, observed, identity.ledger, began)
        steps = verified_hops({name.value: verdict for name, verdict in path(desired, observed, plan, began).items()})
        if self._probe:
            steps += await self._probed(one, settle(desired, observed, identity.ledger)[0], observed, plan)
        return Verified(one, steps, began, time.monotonic() - clock)

    async def _probed(
        self, one: Declared, desired: Desired, observed: Observed, plan: Plan
    ) -> tuple[VerifiedStep, ...]:
        job = probe_job(one.spec, desired, observed, plan)
        if job is None:
            return unproven(("tcp",), "Redis has no address yet")
        if desired.deploys_prober:
            prober = await self._deployed(desired)
            if isinstance(prober, str):
                return unproven(job.chain, prober)
            if desired.owner.cluster == UNKNOWN and job.access.auth is not None:
                return unproven(job.chain, _WHOSE.format(name=prober.name))
            job = replace(job, prober_url=prober.uri, deployed=True)
        if job.prober_url is None:
            return unproven(job.chain, "no probe crosses the connector: set spec.probe.proberUrl, or spec.probe.from")
        try:
            auth = await self._credentials.credentials(one.namespace, job.access)
            request = request_of(job, auth, await self._credentials.tls(one.namespace, job.access))
        except CredentialTrouble as trouble:
            return unproven(job.chain, f"{trouble.code}: {trouble}")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            if job.deployed:
                answer = await ask_deployed(job.prober_url, request, session=session, tokens=self._tokens)
            else:
                answer = await ask(job.prober_url, request, session=session)
        return probe_steps(result_of(job, answer, time.time()))

    async def _deployed(self, desired: Desired) -> RunService | str:
        """The prober that the operator deployed for this way; or why it cannot be asked."""
        services = await self._observer.run_services(desired.project, desired.region, fresh=True, lane=Lane.USER_CHANGE)
        if isinstance(services, Unseen):
            return f"the prober that the operator deploys cannot be looked for: {services.message}"
        if desired.owner.cluster == UNKNOWN:
            found, where = prober_there(desired, services.values()), "on this way"
        else:
            found, where = services.get(prober_path(desired).rsplit("/", 1)[-1]), "of this cluster"
        if found is not None and not found.deleting and found.rollout is Rollout.SUCCEEDED and found.uri:
            return found
        state = found.message if found is not None else ""
        return f"no prober {where} serves yet: apply the resource, and see --wait. {state}".strip()
