"""The path hop by hop, as a packet from Cloud Run meets it."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import HopName, HopVerdict, PathHop
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.diagnosis.answerchecks import ANSWERED, PROBER_TROUBLE, REPEATED
from redis_connectivity.core.diagnosis.case import Case, owner_of
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.reachability import Hop, analyse
from redis_connectivity.core.reachability import HopName as Judged
from redis_connectivity.core.targets import Ingress, Reach
from redis_connectivity.core.verdict import Verdict

__all__ = ["walk"]


_ROUTES: Final = {
    Reach.NETWORK: HopName.ROUTE,
    Reach.PEERING: HopName.PEERING,
    Reach.PSC: HopName.PRIVATE_SERVICE_CONNECT,
}
#: Verdicts on the target that are about the way to it.
_LOST: Final = (Reason.REDIS_PEERING_MISSING, Reason.REDIS_PEERING_INACTIVE, Reason.REDIS_CONNECTION_LOST)


def walk(case: Case) -> list[PathHop]:
    """Every hop with its verdict. What no rule or state tells is told by a probe that got through."""
    question = case.question
    judged = analyse(question).hops if question is not None else ()
    by_name = {hop.name: hop for hop in judged}
    hops = [
        _cloud_run(case),
        _connector(case),
        _firewall(case, HopName.EGRESS, by_name.get(Judged.EGRESS)),
        _route(case, _ROUTES[case.profile.reach], by_name.get(Judged.ROUTE)),
    ]
    if case.profile.ingress is not Ingress.NEVER:
        hops.append(_firewall(case, HopName.INGRESS, by_name.get(Judged.INGRESS)))
    proven = case.probe is not None and case.probe.reachable is True and case.probe.origin == "Prober"
    return [*(_proven(hop) if proven else hop for hop in hops), _redis(case)]


def _proven(hop: PathHop) -> PathHop:
    if hop.verdict is not HopVerdict.UNKNOWN:
        return hop
    message = f"{hop.message} A probe got through."
    return _hop(hop.name, HopVerdict.ALLOWED, message, "probe")


def _hop(name: HopName, verdict: HopVerdict, message: str, by: str | None = None) -> PathHop:
    return PathHop(name=name, verdict=verdict, by=by, message=message[:1024])


def _cloud_run(case: Case) -> PathHop:
    memory = case.probe
    if memory is None or memory.last is None or memory.origin != "Prober":
        message = "Nothing has looked from Cloud Run: no prober is named, or none has answered yet."
        return _hop(HopName.CLOUD_RUN, HopVerdict.UNKNOWN, message)
    failure = case.failure
    if failure is not None and failure.code in PROBER_TROUBLE:
        return _hop(HopName.CLOUD_RUN, HopVerdict.UNKNOWN, f"The prober cannot be asked: {failure.message}", "probe")
    return _hop(HopName.CLOUD_RUN, HopVerdict.ALLOWED, "The prober sends from behind the connector.", "probe")


def _of(verdict: Verdict) -> HopVerdict:
    match verdict.status:
        case ConditionStatus.TRUE:
            return HopVerdict.ALLOWED
        case ConditionStatus.FALSE:
            return HopVerdict.DENIED
        case ConditionStatus.UNKNOWN:
            return HopVerdict.UNKNOWN


def _connector(case: Case) -> PathHop:
    verdict = case.plan.entry
    seen = case.observed.connector
    state = seen.state.value if isinstance(seen, Connector) else None
    by = case.desired.entry_name_with_kind + (f" ({state})" if state else "")
    return _hop(HopName.CONNECTOR, _of(verdict), verdict.message, by if case.plan.network.ok else "network")


def _firewall(case: Case, name: HopName, judged: Hop | None) -> PathHop:
    if judged is None:
        unread = case.observed.rules
        later = "Judged when the connector's range and the address of Redis are known."
        return _hop(name, HopVerdict.UNKNOWN, unread.message if isinstance(unread, Unseen) else later)
    rule = judged.by.rule if judged.by is not None else None
    whose = f" {rule.name} is {owner_of(rule)}." if rule is not None else ""
    by = str(judged.by) if judged.by is not None else None
    return _hop(name, HopVerdict(judged.answer.value), " ".join((judged.message + whose, *judged.evidence)), by)


def _route(case: Case, name: HopName, judged: Hop | None) -> PathHop:
    if case.plan.redis.reason in (Reason.REDIS_WRONG_NETWORK, *_LOST):
        return _hop(name, HopVerdict.DENIED, case.plan.redis.message, case.profile.noun)
    if judged is None:
        return _hop(name, HopVerdict.UNKNOWN, "Judged when network and target are known.")
    return _hop(name, HopVerdict(judged.answer.value), judged.message)


def _redis(case: Case) -> PathHop:
    by = "probe"
    memory, failure = case.probe, case.failure
    if not case.plan.redis.ok and case.plan.network.ok:
        return _hop(HopName.REDIS, _of(case.plan.redis), case.plan.redis.message, "state")
    if memory is not None and memory.reachable and memory.origin == "Prober":
        return _hop(HopName.REDIS, HopVerdict.ALLOWED, f"Redis at {memory.target} answers PING.", by)
    if failure is not None and (failure.code in ANSWERED or failure.code in REPEATED):
        return _hop(HopName.REDIS, HopVerdict.DENIED, failure.message, by)
    if failure is not None:
        return _hop(HopName.REDIS, HopVerdict.UNKNOWN, f"No packet gets an answer: {failure.message}", by)
    return _hop(HopName.REDIS, HopVerdict.UNKNOWN, f"{case.target} was not asked through the connector yet.")
