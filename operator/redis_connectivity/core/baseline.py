"""What it looked like before the operator's first change: written once, never changed."""

from __future__ import annotations

from redis_connectivity.api.baseline import (
    AdoptedRuleStatus,
    BaselineConnectorStatus,
    BaselineDirectionStatus,
    BaselineStatus,
)
from redis_connectivity.core.cloudvalues import Connector, Direction
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import layer4_text
from redis_connectivity.core.ledger import AdoptedConnector, Baseline, BaselineConnector, BaselineDirection, Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.questions import firewall_of, flows_of, rules_in_force
from redis_connectivity.core.reachability import candidates
from redis_connectivity.core.sources import Source, of_connector
from redis_connectivity.core.targets import Destination
from redis_connectivity.core.times import rfc3339

__all__ = ["baseline_status", "remember_baseline"]


def remember_baseline(
    desired: Desired,
    observed: Observed,
    ledger: Ledger,
    sources: tuple[Source, ...],
    destinations: tuple[Destination, ...],
    now: float,
) -> Ledger:
    """The ledger with the baseline, if this is the first change and nothing of ours is there yet."""
    if ledger.baseline is not None or ledger.applied or ledger.pending or ledger.operation or ledger.failure:
        return ledger
    if ledger.claim is not None and ledger.adopted_connector is None:
        return ledger  # made by a version that took no baseline: what is there now is not what was before
    declared = desired.connector.ip_cidr_range if desired.direct is None else None
    if not sources and declared is not None:
        sources = (of_connector(desired.region, desired.connector.name, declared),)
    directions = _directions(desired, observed, sources, destinations) if sources else ()
    connector = _connector(desired, observed) if desired.direct is None else None
    baseline = Baseline(taken=now, connector=connector, directions=directions)
    return ledger.model_copy(update={"baseline": baseline})


def _directions(
    desired: Desired, observed: Observed, sources: tuple[Source, ...], destinations: tuple[Destination, ...]
) -> tuple[BaselineDirection, ...]:
    """What decides about the main destination in each direction, by the rules as they are."""
    rules = rules_in_force(desired, observed, sources)
    if isinstance(rules, Unseen) or not destinations:
        return ()
    flow = flows_of(desired, sources[:1], destinations[:1])[0]
    firewall = firewall_of(observed, candidates(rules, (flow,)))
    found = []
    for direction in (Direction.EGRESS, Direction.INGRESS):
        judgement = firewall.judge(direction, flow)
        by = judgement.blocker or judgement.by
        found.append(
            BaselineDirection(
                direction=direction.value,
                answer=judgement.answer.value,
                by=str(by) if by is not None else judgement.exempt,
            )
        )
    return tuple(found)


def _connector(desired: Desired, observed: Observed) -> BaselineConnector:
    seen = observed.connector
    if not isinstance(seen, Connector):
        state = "Unknown" if isinstance(seen, Unseen) else "Absent"
        return BaselineConnector(name=desired.connector.name, state=state)
    return BaselineConnector(
        name=seen.name,
        state=seen.state.value,
        ip_cidr_range=str(seen.ip_cidr_range or ""),
        machine_type=seen.machine_type,
        min_instances=seen.min_instances,
        max_instances=seen.max_instances,
    )


def baseline_status(ledger: Ledger) -> BaselineStatus | None:
    """The baseline and what was adopted, as status shows them."""
    baseline, adopted = ledger.baseline, ledger.adopted_connector
    if baseline is None and adopted is None and not ledger.adopted:
        return None
    return BaselineStatus(
        taken=rfc3339(baseline.taken) if baseline else None,
        connector=_connector_status(baseline.connector if baseline else None, adopted),
        directions=[
            BaselineDirectionStatus(direction=one.direction, answer=one.answer, by=one.by[:200])
            for one in (baseline.directions if baseline else ())
        ],
        adopted_rules=[
            AdoptedRuleStatus(
                name=rule.name,
                direction=rule.direction.value,
                priority=rule.priority,
                allowed=layer4_text(rule.layer4),
                disabled=rule.disabled,
                description=rule.description,
                source_ranges=sorted(rule.source_ranges),
                destination_ranges=sorted(rule.destination_ranges),
                target_tags=sorted(rule.target_tags),
            )
            for _, rule in sorted(ledger.adopted.items())
        ],
    )


def _connector_status(
    before: BaselineConnector | None, adopted: AdoptedConnector | None
) -> BaselineConnectorStatus | None:
    if before is None and adopted is None:
        return None
    name = before.name if before else (adopted.connector.rsplit("/", 1)[-1] if adopted else "")
    known = adopted or before
    return BaselineConnectorStatus(
        name=name,
        state=before.state if before else "READY",
        ip_cidr_range=(before.ip_cidr_range or None) if before else None,
        machine_type=(known.machine_type or None) if known else None,
        min_instances=(known.min_instances or None) if known else None,
        max_instances=(known.max_instances or None) if known else None,
        adopted=adopted is not None,
    )
