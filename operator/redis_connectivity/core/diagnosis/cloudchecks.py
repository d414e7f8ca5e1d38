"""The chain's links about network, connector, target, and what keeps the operator from looking or acting."""

from __future__ import annotations

import difflib
from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.core.cloudvalues import Connector, ConnectorState
from redis_connectivity.core.diagnosis.case import ACCESS_REASONS, Case, Finding
from redis_connectivity.core.diagnosis.infrastructure import shadowing_deny
from redis_connectivity.core.observed import Unseen

__all__ = ["access", "connector", "network", "target"]

#: How alike two names must be to be taken for a slip (difflib's ratio).
_ALIKE: Final = 0.8


def network(case: Case) -> Finding | None:
    """The network, and the connector's subnet in it."""
    verdict = case.plan.network
    want = case.desired
    subnet = (want.direct.subnet if want.direct is not None else want.connector.subnet) or ""
    match verdict.reason:
        case Reason.NETWORK_NOT_FOUND:
            near = _near(case)
            if near is None:
                return case.finding(Code.NETWORK_MISSING, verdict.message)
            there = ", ".join(sorted(case.observed.network_names))
            return case.finding(Code.WRONG_NETWORK, verdict.message, f"Networks that exist: {there}.", near=near)
        case Reason.SUBNET_NOT_FOUND:
            regions = _regions(case, subnet)
            if regions:
                return _wrong_region(case, verdict.message, f"Subnet {subnet}", regions)
            return case.finding(Code.SUBNET_MISSING, verdict.message, subnet=subnet)
        case Reason.SUBNET_UNSUITABLE:
            return case.finding(Code.SUBNET_UNSUITABLE, verdict.message, subnet=subnet)
        case _:
            return None


def _near(case: Case) -> str | None:
    """The network that was probably meant."""
    names = case.observed.network_names
    usual = f"{case.desired.environment}-vpc"
    if usual in names:
        return usual
    alike = difflib.get_close_matches(case.desired.network.name, sorted(names), n=1, cutoff=_ALIKE)
    return alike[0] if alike else None


def _regions(case: Case, subnet: str) -> tuple[str, ...]:
    """Other regions of the project that have a subnet of this name."""
    known = () if isinstance(case.observed.subnetworks, Unseen) else case.observed.subnetworks
    return tuple(sorted(one.region for one in known if one.name == subnet and one.region != case.desired.region))


def _wrong_region(case: Case, told: str, what: str, regions: tuple[str, ...]) -> Finding:
    found = " and ".join(regions)
    return case.finding(Code.WRONG_REGION, told, f"{what} is there in {found}.", what=what, found=found)


def connector(case: Case) -> Finding | None:
    """The connector, as far as it is in trouble that is not the operator's own work."""
    verdict = case.plan.connector
    match verdict.reason:
        case Reason.CONNECTOR_STUCK:
            seen = case.observed.connector
            state = seen.state.value if isinstance(seen, Connector) else "about to appear"
            facts = {"state": f"{state}, for longer than it ever should be"}
            return case.finding(Code.CONNECTOR_NOT_READY, verdict.message, **facts)
        case Reason.CONFLICT | Reason.CONNECTOR_CONFLICT:
            return case.finding(Code.CONFLICT, verdict.message)
        case Reason.DRIFT_CONTENDED:
            return case.finding(Code.DRIFT_CONTENDED, verdict.message)
        case Reason.CONNECTOR_NOT_FOUND:
            regions = case.observed.connector_elsewhere
            if regions:
                return _wrong_region(case, verdict.message, f"Connector {case.desired.entry_name}", regions)
            return case.finding(Code.CONNECTOR_MISSING, verdict.message)
        case Reason.CONNECTOR_CREATING | Reason.CONNECTOR_DELETING:
            return _between(case)
        case Reason.CONNECTOR_WRONG_NETWORK:
            found = case.observed.connector.network if isinstance(case.observed.connector, Connector) else ""
            return case.finding(Code.CONNECTOR_WRONG_NETWORK, verdict.message, found=found)
        case Reason.SHARED_VPC_RULES_MISSING:
            return case.finding(Code.SHARED_VPC_RULES_MISSING, verdict.message)
        case Reason.CONNECTOR_RANGE_CONFLICT:
            told = _conflict(case)
            code = Code.RANGE_OVERLAP if told is None else Code.CONNECTOR_CONFLICT
            return case.finding(code, verdict.message, told or "", range=_range(case))
        case Reason.CONNECTOR_CREATION_FAILED | Reason.CONNECTOR_ERROR:
            return _failed(case)
        case Reason.CONNECTOR_IMMUTABLE_FIELD | Reason.CONNECTOR_FOREIGN_DIFFERS:
            return case.finding(Code.CONNECTOR_DIFFERS, verdict.message)
        case _:
            return None


def _between(case: Case) -> Finding | None:
    """Absent, on its way or going. What the operator does as planned is no cause of anything."""
    verdict = case.plan.connector
    if any(one.kind == "Connector" for one in case.plan.differences):
        return case.finding(Code.CONNECTOR_MISSING, verdict.message)
    seen = case.observed.connector
    if case.plan.ledger.operation is not None or not isinstance(seen, Connector):
        return None
    return case.finding(Code.CONNECTOR_NOT_READY, verdict.message, state=seen.state.value)


def _failed(case: Case) -> Finding:
    verdict = case.plan.connector
    told = _told(case)
    conflict = _conflict(case)
    if conflict is not None:
        return case.finding(Code.CONNECTOR_CONFLICT, conflict, verdict.message, range=_range(case))
    deny = shadowing_deny(case)
    if deny is not None:
        name, why = deny
        return case.finding(Code.CONNECTOR_RULES_SHADOWED, why, verdict.message, told, deny=name)
    if told:
        return case.finding(Code.CONNECTOR_CREATION_FAILED, told, verdict.message)
    seen = case.observed.connector
    if isinstance(seen, Connector) and seen.state is not ConnectorState.ERROR:
        return case.finding(Code.CONNECTOR_NOT_READY, verdict.message, state=seen.state.value)
    return case.finding(Code.CONNECTOR_ERROR, verdict.message)


def _told(case: Case) -> str:
    """What the operation of the last creation told, where that is about the connector as it is declared now."""
    failure = case.plan.ledger.failure
    if failure is None or failure.spec_digest != case.desired.connector.digest:
        return ""
    return f"Google's operation told: {failure.message}"


def _conflict(case: Case) -> str | None:
    failure = case.plan.ledger.failure
    told = _told(case)
    return told if told and failure is not None and failure.terminal else None


def _range(case: Case) -> str:
    want = case.desired.connector
    return str(want.ip_cidr_range) if want.ip_cidr_range else f"of subnet {want.subnet}"


def target(case: Case) -> Finding | None:
    """The target, where Google knows it."""
    verdict = case.plan.redis
    facts = {"kind": case.profile.noun, "instance": case.instance}
    seen = case.seen
    match verdict.reason:
        case Reason.REDIS_NOT_FOUND:
            regions = case.observed.redis_elsewhere
            if regions:
                return _wrong_region(case, verdict.message, f"{case.profile.noun} {case.instance}", regions)
            return case.finding(Code.REDIS_MISSING, verdict.message, **facts)
        case Reason.REDIS_WRONG_NETWORK:
            found = ", ".join(one.name for one in seen.networks) if seen is not None else ""
            return case.finding(Code.REDIS_WRONG_NETWORK, verdict.message, found=found, **facts)
        case Reason.REDIS_NOT_READY:
            state = seen.state if seen is not None and not seen.serving else "without an address"
            return case.finding(Code.REDIS_NOT_READY, verdict.message, state=state, **facts)
        case Reason.REDIS_PEERING_MISSING | Reason.REDIS_PEERING_INACTIVE:
            return case.finding(Code.PEERING_MISSING, verdict.message, **facts)
        case Reason.REDIS_CONNECTION_LOST:
            return case.finding(Code.PSC_CONNECTION_LOST, verdict.message, **facts)
        case _:
            return None


def access(case: Case) -> Finding | None:
    """The first hop that could not be read, or not be changed; one that only a probe can settle not before it could."""
    for hop in case.plan.hops:
        code = ACCESS_REASONS.get(hop.reason)
        if code is not None and not (hop.undecidable and case.awaits_probe):
            failed = case.failure
            also = f"Probes fail meanwhile: {failed.message}" if failed is not None else ""
            return case.finding(code, hop.message, also)
    return None
