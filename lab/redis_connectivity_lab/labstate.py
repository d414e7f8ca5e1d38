"""Where a running lab is written down, so that commands in other terminals find it.

One lab a user: the one that runs holds a lock, which the kernel frees however it ends. A state file without a holder of
the lock is what a killed lab left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["LabRunsError", "LabState", "LabStore", "default_folder"]

_PRIVATE: Final = 0o700
_PRIVATE_FILE: Final = 0o600


class LabRunsError(Exception):
    """A lab of this user's runs already."""


@dataclass(frozen=True, slots=True)
class LabState:
    """What others need to know of a running lab. `socket` and what follows are empty until it has started."""

    pid: int
    phase: Literal["starting", "running"]
    socket: str = ""
    kubeconfig: str = ""
    kubectl: str = ""
    google: str = ""
    data_plane: str = ""
    metrics: str = ""
    operator_log: str = ""
    kubernetes: str = ""
    #: By environment: the file of its resource, and its prober's URL.
    manifests: dict[str, str] | None = None
    probers: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def default_folder(environ: dict[str, str] | None = None) -> Path:
    """XDG's runtime folder, which goes with the login; else the cache folder."""
    env = dict(os.environ) if environ is None else environ
    if runtime := env.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "redis-connectivity"
    cache = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or "~").expanduser() / ".cache")
    return Path(cache) / "redis-connectivity" / "run"


class LabStore:
    """The state file and its lock, in a folder that is this user's alone."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.file = self.folder / "lab.json"
        self.log = self.folder / "lab.log"
        self._lock = self.folder / "lab.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the lab that runs; at the end the state file is gone.

        Raises:
            LabRunsError: Another one runs.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        self.folder.chmod(_PRIVATE)  # it may have been there before, and more open
        with self._lock.open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabRunsError(self._runs_already()) from None
            try:
                yield
            finally:
                self.file.unlink(missing_ok=True)

    def write(self, state: LabState) -> None:
        """Write the state down, whole or not at all; for the holder of the lock."""
        new = self.file.with_suffix(".new")
        new.touch(mode=_PRIVATE_FILE)
        new.write_text(json.dumps(state.to_json(), indent=1), encoding="utf-8")
        new.rename(self.file)

    def running(self) -> bool:
        """Whether a lab holds the lock."""
        try:
            with self._lock.open("r+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def read(self) -> LabState | None:
        """The running lab's state; None when none runs. What a killed lab left behind is removed."""
        if not self.running():
            self.file.unlink(missing_ok=True)
            return None
        try:
            return LabState(**json.loads(self.file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None  # it has the lock and has written nothing yet, or is just going

    def _runs_already(self) -> str:
        state = self.read()
        who = f"pid {state.pid}, {state.phase}" if state else "just starting or stopping"
        return (
            f"a lab runs already ({who}): `redis-connectivity lab status` shows it,"
            " `redis-connectivity lab down` stops it"
        )
