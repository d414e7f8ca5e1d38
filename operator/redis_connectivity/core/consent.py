"""What takes connectivity away from somebody else, and so needs `spec.disruptionPolicy: Allow`."""

from __future__ import annotations

from redis_connectivity.api.spec import DisruptionPolicy
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.prober import is_ours

__all__ = ["services_on", "who_is_cut_off"]


def services_on(desired: Desired, connector: Connector, observed: Observed) -> tuple[str, ...]:
    """Cloud Run services of the path's project and region that leave by a connector, but for the operator's probers.

    Empty, too, where the operator does not list services.
    """
    return tuple(
        sorted(
            one.name
            for one in observed.run_services
            if _leads_to(one.way.connector, connector) and not is_ours(one, desired.owner.cluster)
        )
    )


def _leads_to(path: str, connector: Connector) -> bool:
    """Whether a service's connector is this one. Google may write its project's number, which says nothing to us."""
    _, project, *place = path.split("/") if path else ("", "")
    return place == connector.full_name.split("/")[2:] and (project == connector.project or project.isdigit())


def who_is_cut_off(desired: Desired, connector: Connector, observed: Observed) -> str:
    """Who would lose its way when the connector goes, in a sentence; empty where nobody would, or with consent.

    Google deletes a connector that is in use without asking. Which projects use it, the connector tells itself.
    """
    if desired.disruption_policy is DisruptionPolicy.ALLOW:
        return ""
    ours = {desired.project, desired.connector.project}
    # A project's number says nothing to us: it may well be our own.
    others = sorted(one for one in connector.connected_projects if one not in ours and not one.isdigit())
    if not others:
        return ""
    services = services_on(desired, connector, observed)
    mine = f" In project {desired.project} it carries {', '.join(services)}." if services else ""
    return (
        f"Connector {connector.name} carries the traffic of other projects, too: {', '.join(others)}.{mine} Deleting it"
        " cuts them off. Move them to another connector first, or consent by spec.disruptionPolicy: Allow; with"
        " spec.deletionPolicy: Retain it stays."
    )
