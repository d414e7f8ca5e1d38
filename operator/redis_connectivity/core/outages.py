"""When a path did not work, why, and what ended it: from the status before, what is seen now, and what is being done.

It stands in status, so it outlives the operator. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from redis_connectivity.api.conditions import ConditionType
from redis_connectivity.api.diagnosis import DiagnosisCode, DiagnosisStatus
from redis_connectivity.api.status import (
    OUTAGE_TEXT_MAX,
    OUTAGES_MAX,
    ConditionStatus,
    OutageStatus,
    RedisConnectivityStatus,
)
from redis_connectivity.core.actions import CloudAction
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.verdict import UNDER_WAY, Verdict

__all__ = ["ELSEWHERE", "SPEC", "no_longer_watched", "outages"]

#: What ended an outage: a change of the spec, or something that the operator had no part in.
SPEC: Final = "Spec"
ELSEWHERE: Final = "Elsewhere"
_SENTENCE: Final = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)
_CODES: Final = frozenset(code.value for code in DiagnosisCode)


def outages(
    before: RedisConnectivityStatus,
    ready: Verdict,
    diagnosis: DiagnosisStatus | None,
    actions: Sequence[CloudAction],
    *,
    generation: int,
    now: float,
) -> list[OutageStatus]:
    """The outages, the newest first.

    Args:
        before: The status as it was.
        ready: The verdict on the whole path now.
        diagnosis: The first cause, where one is known.
        actions: What the operator is about to do.
        generation: Of the spec that all this is about.
        now: Seconds since the epoch.
    """
    known = before.outages
    lasting, past = (known[0], known[1:]) if known and known[0].ended is None else (None, known)
    if lasting is not None and before.observed_generation not in (None, generation):
        lasting = lasting.model_copy(update={"repaired_by": SPEC})
    if ready.status is ConditionStatus.FALSE:
        if lasting is None:
            # A path that is only being made has not broken; one that was never Ready has, once it is known why.
            if not _was_ready(before) and (ready.reason in UNDER_WAY or diagnosis is None):
                return known
            lasting = OutageStatus(began=rfc3339(now), code=ready.reason.value, cause=_first(ready.message))
        known = [_told(lasting, diagnosis, actions), *past]
    elif lasting is not None:
        if ready.status is ConditionStatus.TRUE:
            ended = {"ended": rfc3339(now), "repaired_by": lasting.repaired_by or ELSEWHERE}
            lasting = lasting.model_copy(update=ended)
        known = [lasting, *past]
    return known[:OUTAGES_MAX]


def no_longer_watched(known: list[OutageStatus], now: float) -> list[OutageStatus]:
    """The outages of a path that nobody looks at any more: what lasts is counted up to here, and nobody ended it."""
    if not known or known[0].ended is not None:
        return known
    return [known[0].model_copy(update={"ended": rfc3339(now), "repaired_by": None}), *known[1:]]


def _told(outage: OutageStatus, diagnosis: DiagnosisStatus | None, actions: Sequence[CloudAction]) -> OutageStatus:
    """An outage that lasts, with its first cause, and with what is done about it."""
    news: dict[str, str] = {}
    if diagnosis is not None and outage.code not in _CODES:
        news |= {"code": diagnosis.code.value, "cause": _first(diagnosis.summary)}
    if actions and outage.repaired_by != SPEC:
        news["repaired_by"] = f"Operator: {'; '.join(one.summary for one in actions)}"[:OUTAGE_TEXT_MAX]
    return outage.model_copy(update=news)


def _was_ready(status: RedisConnectivityStatus) -> bool:
    return any(one.type is ConditionType.READY and one.status is ConditionStatus.TRUE for one in status.conditions)


def _first(text: str) -> str:
    """The first sentence."""
    found = _SENTENCE.match(text)
    return (found.group() if found else text)[:OUTAGE_TEXT_MAX]
