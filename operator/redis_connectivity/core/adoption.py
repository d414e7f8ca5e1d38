"""Taking over what somebody else made, where the spec allows it, and giving it back.

A rule is taken over by our marker in its description, a connector (which can carry none) by a claim in the ledger. How
each was before goes into the ledger first. What was adopted is never deleted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from redis_connectivity.api.spec import AdoptionPolicy, ConnectorManagement, DeletionPolicy, DisruptionPolicy
from redis_connectivity.core.actions import CloudAction, DeleteRule, UpdateRule
from redis_connectivity.core.cloudvalues import Action, Connector, ConnectorState, FirewallRule
from redis_connectivity.core.coverage import covers, equivalent
from redis_connectivity.core.desired import Desired
from redis_connectivity.core.drift import differing_fields, rule_fields
from redis_connectivity.core.identity import read_marker, rule_names
from redis_connectivity.core.ledger import AdoptedConnector, ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.observed import Observed
from redis_connectivity.core.reachability import GOOGLE_RULE_PREFIX

__all__ = [
    "Adoptable",
    "adopt_connector",
    "adoptable",
    "connector_is_adopted",
    "forget_released",
    "give_up",
    "released",
]


@dataclass(frozen=True, slots=True)
class Adoptable:
    """A foreign rule to take over, or none; `note` says why a rule that one might expect is left alone."""

    rule: FirewallRule | None = None
    note: str = ""


def adoptable(desired: Desired, wanted: FirewallRule, foreign: Iterable[FirewallRule]) -> Adoptable:
    """The foreign rule to take over for a wanted one: that of the preferred name, else one for the same traffic.

    `foreign` is what `to_adopt` found. A rule that allows more than ours will is taken over with consent only: who uses
    the rest of it would be cut off.
    """
    candidates = [rule for rule in foreign if rule.direction is wanted.direction]
    note = ""
    preferred = rule_names(desired.owner, wanted.direction)[0]
    named = next((rule for rule in candidates if rule.name == preferred), None)
    if named is not None:
        if covers(wanted, named) or desired.disruption_policy is DisruptionPolicy.ALLOW:
            return Adoptable(named)
        note = (
            f"Rule {named.name} is not adopted: it allows more than this path needs, and the rest would be closed. The"
            " path has a rule of its own; with spec.disruptionPolicy: Allow from the start, that rule would be used."
        )
    same = sorted((rule for rule in candidates if equivalent(rule, wanted)), key=lambda one: (one.priority, one.name))
    return Adoptable(same[0] if same else None, note)


def to_adopt(desired: Desired, rules: Iterable[FirewallRule], ours: Container[str]) -> tuple[FirewallRule, ...]:
    """Rules that could be taken over at all: none unless the spec allows it; `ours` are the names of our own."""
    if desired.adoption_policy is not AdoptionPolicy.ADOPT:
        return ()
    return tuple(
        rule
        for rule in rules
        if rule.name not in ours
        and (rule.network, rule.action) == (desired.network, Action.ALLOW)
        and not rule.name.startswith(GOOGLE_RULE_PREFIX)
        and read_marker(rule.description) is None
    )


def give_up(rule: FirewallRule, ledger: Ledger, policy: DeletionPolicy, why: str) -> CloudAction | None:
    """The write that gives a rule of ours up: delete what we made, release what we adopted; None when it is done.

    Released means: without our marker and with its old description, and for Restore with every old field.
    """
    before = ledger.adopted.get(rule.name)
    if before is None:
        return DeleteRule(rule, why)
    aim = replace(rule, description=before.description)
    if policy is DeletionPolicy.RESTORE:
        aim = replace(before, id=rule.id)
    fields = differing_fields(rule_fields(aim), rule_fields(rule))
    return UpdateRule(rule, aim, fields, f"it was adopted, and {why}") if fields else None


def forget_released(ledger: Ledger) -> Ledger:
    """The ledger without rules that we let go of: as we left them they carry no marker."""
    kept = {name: one for name, one in ledger.applied.items() if read_marker(one.fields.get("description", ""))}
    return ledger if len(kept) == len(ledger.applied) else ledger.model_copy(update={"applied": kept})


def released(desired: Desired, observed: Observed, ledger: Ledger) -> str:
    """What was adopted and stays in the cloud when the resource goes, in a sentence; empty where nothing was."""
    restored = desired.deletion_policy is DeletionPolicy.RESTORE
    parts = [
        f"firewall rule {name} {'is as it was before' if restored else 'stays as it is, without the marker'}"
        for name in sorted(ledger.adopted)
    ]
    if connector_is_adopted(desired, ledger):
        parts.append(f"connector {desired.connector.name} stays{_changed(observed, ledger)}")
    return f"Adopted, so not deleted: {'; '.join(parts)}." if parts else ""


def _changed(observed: Observed, ledger: Ledger) -> str:
    """How an adopted connector differs from before; its counts cannot shrink, so it is not put back."""
    before, now = ledger.adopted_connector, observed.connector
    if before is None or not isinstance(now, Connector):
        return ""
    differences = [
        f"{field} was {old} and is {new}"
        for field, old, new in (
            ("machineType", before.machine_type, now.machine_type),
            ("minInstances", before.min_instances, now.min_instances),
            ("maxInstances", before.max_instances, now.max_instances),
        )
        if old != new
    ]
    return f" as it is ({', '.join(differences)}; a connector cannot shrink)" if differences else ""


def connector_is_adopted(desired: Desired, ledger: Ledger) -> bool:
    """Whether the connector was made by somebody else and taken over."""
    return ledger.adopted_connector is not None and ledger.adopted_connector.connector == desired.connector_path


def adopt_connector(desired: Desired, observed: Observed, ledger: Ledger, *, differs: bool) -> Ledger:
    """The ledger with a claim on a foreign connector, where the spec allows it and nobody else has one.

    `differs`: it differs in a field that cannot change in place; then it is not what the spec means.
    """
    connector = observed.connector
    if (
        desired.adoption_policy is not AdoptionPolicy.ADOPT
        or desired.connector.management is not ConnectorManagement.MANAGED
        or not isinstance(connector, Connector)
        or connector.state is not ConnectorState.READY
        or ledger.claim is not None
        or ledger.operation is not None
        or observed.connector_claimed_by
        or differs
    ):
        return ledger
    return ledger.model_copy(
        update={
            "claim": ConnectorClaim(connector=desired.connector_path, state=ClaimState.CONFIRMED),
            "adopted_connector": AdoptedConnector(
                connector=desired.connector_path,
                machine_type=connector.machine_type,
                min_instances=connector.min_instances,
                max_instances=connector.max_instances,
            ),
        }
    )
