"""Running the project's command line as a user does, and finding what it leaves behind."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Commands", "heeding_interrupts"]

_MARK = "REDIS_CONNECTIVITY_TEST_MARK"


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """What is started here heeds Ctrl-C, as in a terminal.

    Tests that run in the background of a shell ignore it, and would pass that on.
    """
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, ours)


@dataclass
class Commands:
    """Commands with a runtime folder of their own; everything they start carries a mark in its environment."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    def environ(self) -> dict[str, str]:
        return {**os.environ, "XDG_RUNTIME_DIR": str(self.folder), _MARK: self.mark, **self.environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; standard error goes with standard output."""
        with heeding_interrupts():
            return subprocess.Popen(
                [sys.executable, "-m", "redis_connectivity", *arguments],
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: str, code: int = 0, seconds: float = 240) -> str:
        """Run a command to its end; answers what it said."""
        process = self.start(*arguments)
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == code, f"{arguments} ended with {process.returncode}:\n{said}"
        assert "Traceback" not in said
        return said

    def left(self) -> list[str]:
        """Processes that carry the mark: everything that was started and still runs."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                environ = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has just ended, or is not ours to see
            if f"{_MARK}={self.mark}".encode() in environ.split(b"\0"):
                found.append(f"{folder.name}: {command}")
        return found

    def end(self) -> None:
        """Kill what is left."""
        for one in self.left():
            os.kill(int(one.split(":", 1)[0]), signal.SIGKILL)
