"""The folder that a running control plane keeps its files in, and the removal of those that were left behind."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

__all__ = ["PREFIX", "make", "sweep"]

PREFIX = "redis-connectivity-controlplane-"


def make(parent: Path, cleanup: ExitStack) -> Path:
    """A folder of our own in `parent`, gone when `cleanup` closes; sweeps up after others first."""
    sweep(parent)
    fresh = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
    alive = cleanup.enter_context((fresh / "alive").open("w", encoding="utf-8"))
    fcntl.flock(alive, fcntl.LOCK_EX)  # the kernel frees it when we die, however we do
    # Only now under a name that a sweep looks at: it never sees a folder of the living without its lock.
    folder = fresh.rename(parent / fresh.name.removeprefix("."))
    cleanup.callback(shutil.rmtree, folder)
    return folder


def sweep(parent: Path) -> None:
    """Removes the folders of processes that were killed: nobody holds their `alive` file."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            with (folder / "alive").open("r+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue  # alive, being made or removed just now, or another user's
