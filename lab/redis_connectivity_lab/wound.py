"""What a scene leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Wound"]


@dataclass(frozen=True, slots=True)
class Wound:
    """A broken scene. `open` says whether it is still broken, `undo` ends what only the lab can end."""

    done: str
    watch: str
    open: Callable[[], bool]
    undo: Callable[[], None] | None = None
