"""Every cause that a diagnosis may name: the one home of its texts. docs/diagnosis/ is made from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from redis_connectivity.api.diagnosis import DiagnosisCode
from redis_connectivity.core.diagnosis.entry import Entry
from redis_connectivity.core.diagnosis.texts_cloud import ACCESS, CONNECTOR, NETWORK
from redis_connectivity.core.diagnosis.texts_path import ANSWERS, FIREWALL, TARGET

__all__ = ["CATALOGUE", "GROUPS"]

#: Entries by the stretch of the path that they are about, in its order.
GROUPS: Final = MappingProxyType(
    {
        "The network": NETWORK,
        "The connector": CONNECTOR,
        "The target": TARGET,
        "The firewall": FIREWALL,
        "What Redis and the network answer": ANSWERS,
        "What keeps the operator from looking or acting": ACCESS,
    }
)

CATALOGUE: Final[MappingProxyType[DiagnosisCode, Entry]] = MappingProxyType(
    {entry.code: entry for group in GROUPS.values() for entry in group}
)
