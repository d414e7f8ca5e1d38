"""Which connector is meant: the declared one, or the one that took its place.

A connector that is replaced goes on under its name while the new one is made beside it, so the new one has another: the
declared name's stem and a digest of where it is placed. The same placement gives the same name, for every resource that
declares it, after every restart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Final

from redis_connectivity.api.limits import CONNECTOR_NAME_DOCUMENTED_WEIGHT, connector_name_weight
from redis_connectivity.core.cloudvalues import Connector, ConnectorState
from redis_connectivity.core.connector_compare import immutable_difference
from redis_connectivity.core.desired import ConnectorWant, Desired
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.observed import Observed, Unseen

__all__ = [
    "called",
    "claiming",
    "connector_named",
    "giving_up",
    "is_of_lineage",
    "prefer_declared",
    "settle",
    "short_name",
    "successor_name",
]

_DIGITS: Final = 6


def _stem(declared: str) -> str:
    """As much of a name as leaves room for the suffix, as Google's page counts (a hyphen is two characters)."""
    stem = declared
    while connector_name_weight(f"{stem}-{'0' * _DIGITS}") > CONNECTOR_NAME_DOCUMENTED_WEIGHT:
        stem = stem[:-1]
    return stem.rstrip("-")


def successor_name(desired: Desired) -> str:
    """The name of a connector that takes the declared one's place, for the placement that is declared now."""
    want = desired.connector
    placed = want.ip_cidr_range or f"{desired.network.project}/{want.subnet}"
    digest = hashlib.sha256(f"{desired.network}|{placed}".encode()).hexdigest()[:_DIGITS]
    return f"{_stem(want.base)}-{digest}"


def is_of_lineage(want: ConnectorWant, name: str) -> bool:
    """Whether a connector is the declared one, or may have taken its place."""
    pattern = rf"{re.escape(_stem(want.base))}-[0-9a-f]{{{_DIGITS}}}"
    return name == want.base or re.fullmatch(pattern, name) is not None


def short_name(path: str) -> str:
    """The last part of a connector's full name."""
    return path.rsplit("/", 1)[-1]


def called(desired: Desired, name: str) -> Desired:
    """The same, with its connector under another name."""
    return replace(desired, entry=replace(desired.connector, name=name))


def connector_named(observed: Observed, name: str) -> Connector | None:
    """A connector of the region by name, as far as it was seen."""
    if isinstance(observed.connector, Connector) and observed.connector.name == name:
        return observed.connector
    return next((one for one in observed.connectors if one.name == name), None)


def settle(desired: Desired, observed: Observed, ledger: Ledger) -> tuple[Desired, Observed]:
    """Both with the connector in use in the declared one's stead. Settling twice changes nothing."""
    if desired.direct is not None:
        return desired, observed
    name = _name_in_use(desired, observed, ledger)
    desired = called(desired, name)
    if isinstance(observed.connector, Unseen):
        return desired, observed
    connector = connector_named(observed, name)
    return desired, observed if connector == observed.connector else replace(observed, connector=connector)


def _name_in_use(desired: Desired, observed: Observed, ledger: Ledger) -> str:
    want = desired.connector
    if ledger.current and is_of_lineage(want, ledger.current):
        return ledger.current
    if ledger.claim is None and not isinstance(observed.connector, Unseen):
        # Another resource's connector may have been replaced: then its successor is what both mean.
        declared = connector_named(observed, want.base)
        successor = connector_named(observed, successor_name(desired))
        misplaced = declared is None or immutable_difference(called(desired, want.base), declared) is not None
        if successor is not None and successor.state is ConnectorState.READY and misplaced:
            return successor.name
    return want.base


def claiming(ledger: Ledger, path: str, state: ClaimState) -> dict[str, object]:
    """The ledger's fields once a connector is claimed: one that was claimed before is kept, to be retired."""
    before = ledger.claim
    kept = tuple(one for one in ledger.retiring if one.connector != path)
    if before is not None and before.connector != path:
        kept = (*kept, before)
    moved = bool(kept) or bool(ledger.current)
    return {
        "claim": ConnectorClaim(connector=path, state=state),
        "retiring": kept,
        "current": short_name(path) if moved else "",
    }


def giving_up(ledger: Ledger, path: str) -> dict[str, object]:
    """The ledger's fields once a connector is gone; its name stays in use, should it be made again."""
    claim = ledger.claim if ledger.claim is not None and ledger.claim.connector != path else None
    return {"claim": claim, "retiring": tuple(one for one in ledger.retiring if one.connector != path)}


def prefer_declared(desired: Desired, observed: Observed, ledger: Ledger) -> Ledger:
    """The ledger after a look at what is retiring.

    What somebody else deleted is forgotten. If one that retires is placed as the spec declares (again) and the one in
    use is not, it is the one in use, and the other retires.
    """
    if not ledger.retiring or ledger.operation is not None or isinstance(observed.connector, Unseen):
        return ledger
    there = tuple(one for one in ledger.retiring if connector_named(observed, short_name(one.connector)) is not None)
    if there != ledger.retiring:
        ledger = ledger.model_copy(update={"retiring": there})
    current = observed.connector
    if current is not None and immutable_difference(desired, current) is None:
        return ledger
    for one in there:
        name = short_name(one.connector)
        connector = connector_named(observed, name)
        if connector is None or connector.state is not ConnectorState.READY:
            continue
        if immutable_difference(called(desired, name), connector) is None:
            others = tuple(other for other in there if other != one)
            if ledger.claim is not None and current is not None:
                others = (*others, ledger.claim)
            return ledger.model_copy(update={"claim": one, "retiring": others, "current": name, "failure": None})
    return ledger
