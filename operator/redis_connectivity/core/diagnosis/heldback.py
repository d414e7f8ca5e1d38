"""The cause where the operator does not even look at the path, because something holds it back."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode, DiagnosisStatus
from redis_connectivity.core.diagnosis.case import Finding
from redis_connectivity.core.diagnosis.tell import tell
from redis_connectivity.core.verdict import Verdict

__all__ = ["held_back"]

_CODES: Final = {Reason.NOT_ALLOWED_BY_POLICY: DiagnosisCode.NOT_ALLOWED_BY_POLICY}


def held_back(ready: Verdict | None, previous: DiagnosisStatus | None, now: str) -> DiagnosisStatus | None:
    """The cause that the condition Ready stands for; None where that is no cause, as with a resource at rest."""
    code = _CODES.get(ready.reason) if ready is not None else None
    return tell(Finding(code, (ready.message,)), previous, now) if ready is not None and code is not None else None
