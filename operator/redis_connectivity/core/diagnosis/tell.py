"""From a finding to the words of status."""

from __future__ import annotations

from redis_connectivity.api.diagnosis import EVIDENCE_LENGTH_MAX, DiagnosisStatus
from redis_connectivity.core.diagnosis.case import Finding
from redis_connectivity.core.diagnosis.catalogue import CATALOGUE
from redis_connectivity.core.diagnosis.entry import fill

__all__ = ["tell"]


def tell(found: Finding, previous: DiagnosisStatus | None, now: str) -> DiagnosisStatus:
    """The finding in the catalogue's words. A cause that was told before keeps the time of its first sight."""
    entry = CATALOGUE[found.code]
    known = previous is not None and previous.code is found.code
    longest = EVIDENCE_LENGTH_MAX
    return DiagnosisStatus(
        code=found.code,
        summary=fill(entry.summary, found.facts),
        # A policy's sentence names all that it allows, which can be longer; the condition has it whole.
        evidence=[one if len(one) <= longest else f"{one[: longest - 1]}…" for one in found.evidence],
        remedy=fill(entry.remedy, found.facts),
        documentation=entry.documentation,
        since=previous.since if previous is not None and known else now,
    )
