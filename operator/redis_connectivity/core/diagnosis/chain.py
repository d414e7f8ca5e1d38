"""The chain: small functions from one frozen observation to a cause, in order; the first that finds one ends it.

What is seen to be wrong on the way comes first, in the path's order. Then what Redis itself answered, for that proves
the way. Then what kept the operator from looking or acting. Last comes silence: what may explain it, and that nothing
does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis_connectivity.core.diagnosis.answerchecks import answer, explained, prober, silence
from redis_connectivity.core.diagnosis.case import Case, Finding
from redis_connectivity.core.diagnosis.cloudchecks import access, connector, network, target
from redis_connectivity.core.diagnosis.firewallchecks import firewall

__all__ = ["CHAIN", "find_cause"]

CHAIN: Final[tuple[Callable[[Case], Finding | None], ...]] = (
    network,
    connector,
    target,
    firewall,
    answer,
    access,
    explained,
    prober,
    silence,
)


def find_cause(case: Case) -> Finding | None:
    """The first cause; None where the path is well, or where it cannot be said yet what is the matter."""
    for link in CHAIN:
        found = link(case)
        if found is not None:
            return found
    return None
