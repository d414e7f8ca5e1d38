"""What a process costs, as the kernel counts it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "cost_of", "sockets_of"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cost:
    """Resident memory in MiB, and CPU seconds (user and system) since the process began."""

    rss: float
    cpu: float


def cost_of(pid: int) -> Cost:
    """The cost of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Cost(rss=pages * _PAGE / 2**20, cpu=(int(fields[11]) + int(fields[12])) / _TICKS)


def sockets_of(pid: int) -> int:
    """How many sockets a process has open now."""
    found = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in between
            found += str(one.readlink()).startswith("socket:")
    return found
