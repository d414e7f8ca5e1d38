"""Plans for several resources, each made in the cloud that those before it will leave behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Final

from redis_connectivity.cli.documents import Declared
from redis_connectivity.cli.guard import Guard
from redis_connectivity.cli.identity import UNKNOWN, Identity, recognised
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.actions import CloudAction, InsertRule, UpdateRule
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.forecast import Forecast, forecast, happened
from redis_connectivity.core.guardrails import Violation, violations
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.ledger import ProberRecord
from redis_connectivity.core.lineage import settle
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.outlook import Outlook, outlook
from redis_connectivity.core.plan_prober import ProberPlan, plan_prober
from redis_connectivity.core.prober import ProberSetup, prober_path, service_of
from redis_connectivity.core.runvalues import RunService
from redis_connectivity.reconcile.observer import Observer

__all__ = ["DIFFERENCES", "UNSAID", "Planned", "Planner", "exit_code"]

#: Exit code when something would change, as `terraform plan -detailed-exitcode` has it.
DIFFERENCES = 2
#: Exit code when something could not be read, or is not allowed.
UNSAID = 1


@dataclass(frozen=True, slots=True)
class Planned:
    """One resource with all that is foretold for it."""

    declared: Declared
    identity: Identity
    desired: Desired
    forecast: Forecast
    outlook: Outlook
    #: What the cluster's policies, and those of the files, do not allow of it.
    violations: tuple[Violation, ...] = ()
    #: Sentences on what could not be known.
    notes: tuple[str, ...] = ()
    #: What becomes of the prober on Cloud Run, once the rest is done; None where none is declared.
    prober: ProberPlan | None = None
    services: Unseen | None = None
    #: Name of the Cloud Run service that probed for it and is not needed for it any more; it may be for others.
    released: str = ""

    @property
    def unreadable(self) -> tuple[tuple[str, Unseen], ...]:
        """What could not be read, by name: then "nothing would change" is more than can be said."""
        before = self.forecast.before
        found = ((one.name, getattr(before, one.name)) for one in fields(Observed))
        return tuple(
            (name, seen) for name, seen in (*found, ("run services", self.services)) if isinstance(seen, Unseen)
        )

    @property
    def changes(self) -> bool:
        """Whether the operator would change anything: for one that is suspended or not allowed it does nothing."""
        return self.changing and not self.declared.spec.suspend and not self.violations

    @property
    def changing(self) -> bool:
        """Whether there is anything to do."""
        deployed = self.prober is not None and self.prober.action is not None
        return bool(self.forecast.steps) or deployed or bool(self.released)


def exit_code(planned: Iterable[Planned]) -> int:
    """The verdict over all plans: what could not be said, or is not allowed, weighs more than a difference."""
    everything = list(planned)
    if any(one.unreadable or one.violations for one in everything):
        return UNSAID
    return DIFFERENCES if any(one.changes for one in everything) else 0


def _as_neighbour(action: CloudAction, identity: Identity, number: int) -> CloudAction:
    """An action as the resources planned after this one see it: several without a uid are not each other's owners."""
    if identity.owner.uid != UNKNOWN or not isinstance(action, InsertRule | UpdateRule):
        return action
    marker = read_marker(action.rule.description)
    if marker is None:
        return action
    marker = replace(marker, owner=replace(marker.owner, uid=f"{UNKNOWN}-{number}"))
    return replace(action, rule=replace(action.rule, description=marker.description()))


_NAMED_BY_CLUSTER: Final = (
    "The prober on Cloud Run is named after the cluster, which was not asked: one that is there is not recognised."
)


def _released(identity: Identity, desired: Desired) -> str:
    """The service in the ledger that the resource will give up."""
    record = identity.ledger.prober
    if record is None or (desired.deploys_prober and record.service == prober_path(desired)):
        return ""
    return record.service.rpartition("/")[2]


class Planner:
    """Plans one resource after the other. Reads only. `setup` is what is known of the operator's own settings."""

    def __init__(self, cloud: GoogleCloud, now: float, guard: Guard, setup: ProberSetup) -> None:
        self._observer = Observer(cloud, Pace())
        self._setup = setup
        self._deployed: set[str] = set()
        self._now = now
        self._guard = guard
        self._happened: list[CloudAction] = []

    async def plan(self, one: Declared, identity: Identity) -> Planned:
        """Observe, plan, and foresee."""
        desired = resolve(identity.owner, one.spec)
        observed = await self._observer.observe(desired, identity.ledger, fresh=False, lane=Lane.USER_CHANGE)
        if not isinstance(observed.rules, Unseen):
            identity = recognised(identity, observed.rules)
            desired = resolve(identity.owner, one.spec)
        observed = happened(observed, self._happened, desired)
        foretold = forecast(desired, observed, identity.ledger, self._now)
        refused = violations(self._guard.policies, one.namespace, one.spec)
        if not one.spec.suspend and not refused:
            self._happened += (_as_neighbour(action, identity, len(self._happened)) for action in foretold.actions)
        foreseen = outlook(desired, foretold, self._now)
        notes = (*identity.notes, *self._guard.notes)
        planned = Planned(
            one, identity, desired, foretold, foreseen, refused, notes, released=_released(identity, desired)
        )
        return await self._with_prober(planned) if desired.deploys_prober else planned

    async def _with_prober(self, planned: Planned) -> Planned:
        """The plan with what becomes of the prober. Resources that leave by the same way share one."""
        foretold, cluster = planned.forecast, planned.desired.owner.cluster
        desired, _ = settle(planned.desired, foretold.after, foretold.then.ledger)
        want = service_of(desired, self._setup)
        services = await self._observer.run_services(want.project, want.region, fresh=False, lane=Lane.USER_CHANGE)
        seen = services if isinstance(services, Unseen) else services.get(want.name)
        if not want.image and isinstance(seen, RunService):
            want = replace(want, image=seen.image, args=seen.args)  # the operator knows which; here it was not told
        record = ProberRecord(service=want.full_name)
        found = plan_prober(want, cluster, seen, foretold.then.entry, record, self._now)
        if want.full_name in self._deployed:
            found = replace(found, action=None)
        planned = replace(planned, prober=found, services=services if isinstance(services, Unseen) else None)
        if planned.changes and found.action is not None:
            self._deployed.add(want.full_name)
        return replace(planned, notes=(*planned.notes, _NAMED_BY_CLUSTER)) if cluster == UNKNOWN else planned
