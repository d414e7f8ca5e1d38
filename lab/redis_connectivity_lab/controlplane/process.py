"""A server process of the lab: tethered to this one, its output in a file, stopped by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from redis_connectivity_lab.controlplane import tether

__all__ = ["ProcessError", "ServerProcess"]


class ProcessError(Exception):
    """The process could not be started, or would not go."""


class ServerProcess:
    """A running program.

    It is started from a thread of its own that lives as long as the program: Linux sends the death signal when
    the *thread* that forked ends, and the caller's thread may well be a pool's.

    Args:
        name: For messages.
        command: The program's absolute path and its arguments.
        log: Where its output is appended.
        env: More environment variables.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self._env = {**os.environ, **(env or {})}
        self.name = name
        self.log = log
        self.exited = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        started = threading.Event()
        tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
        self._thread = threading.Thread(target=self._run, args=(tethered, started), name=f"{name}-tether", daemon=True)
        self._thread.start()
        started.wait()
        if self._failure is not None:
            raise ProcessError(f"{name} cannot be started: {self._failure}") from self._failure

    def _run(self, command: list[str], started: threading.Event) -> None:
        try:
            with self.log.open("ab") as out:
                # A process group of its own: Ctrl-C in a terminal is for us, who then stop it in good order.
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, process_group=0, env=self._env
                )
        except OSError as error:
            self._failure = error
            return
        finally:
            started.set()
        self._process.wait()
        self.exited.set()

    @property
    def pid(self) -> int:
        """The program's process id."""
        if self._process is None:
            raise ProcessError(f"{self.name} was never started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.returncode if self._process is not None and self.exited.is_set() else None

    def stop(self, grace: float = 10.0) -> None:
        """Asks it to end, and ends it after `grace` seconds (0: at once); does nothing when it has ended."""
        asked = ((signal.SIGTERM, grace),) if grace > 0 else ()
        for number, patience in (*asked, (signal.SIGKILL, 5.0)):
            if self.exited.is_set() or self._process is None:
                return
            self._process.send_signal(number)
            if self.exited.wait(patience):
                return
        raise ProcessError(f"{self.name} (pid {self.pid}) survived SIGKILL for 5 s")

    def kill(self) -> None:
        """Ends it without a warning, as a crash does."""
        self.stop(grace=0.0)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines it wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
