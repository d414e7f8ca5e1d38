"""`redis-connectivity watch`, as a person has it: in a terminal of its own, live, and once for a script."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.commands import heeding_interrupts
from support.place import Place
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def command(place: Place, *options: str) -> list[str]:
    kubeconfig = str(place.lab.control_plane.kubeconfig)
    return [sys.executable, "-m", "redis_connectivity", "watch", f"--kubeconfig={kubeconfig}", *options]


class Terminal:
    """A terminal with the command in it; `text` is what it has printed, without colours."""

    def __init__(self, arguments: list[str], columns: int) -> None:
        own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        # Whoever runs the tests may have told their own width, which would go before the terminal's.
        told = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**told, "TERM": "xterm"}
        with heeding_interrupts():
            self.process = subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self._own = own
        self._said = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._own, 65536)
            except OSError:  # the other end is closed: the command has ended
                return
            if not chunk:
                return
            self._said += chunk

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self._said.decode(errors="replace"))

    def mark(self) -> int:
        return len(self.text)

    def says(self, words: str, *, since: int = 0, deadline: float = 40) -> None:
        wait_until(
            lambda: words in self.text[since:],
            deadline=deadline,
            describe=lambda: f"{words!r} on the terminal; it shows:\n{self.text[-4000:]}",
        )

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        os.close(self._own)


@contextmanager
def terminal(arguments: list[str], columns: int) -> Iterator[Terminal]:
    made = Terminal(arguments, columns)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("columns", [80, 200])
def test_it_follows_what_happens_and_ends_by_ctrl_c(place: Place, columns: int) -> None:
    place.apply()
    place.ready()
    with terminal(command(place, "-n", place.namespace), columns) as seen:
        seen.says("Paths: 1 ok")
        seen.says(f"{place.namespace}/path")
        mark = seen.mark()
        place.world.deny("no-way-out", "EGRESS", priority=0)
        seen.says("1 broken", since=mark)
        seen.says("no-way-out", since=mark)
        mark = seen.mark()
        place.world.control.delete("firewalls", place.world.project, "no-way-out")
        seen.says("Paths: 1 ok", since=mark)
        mark = seen.mark()
        place.delete()
        seen.says("Paths: none", since=mark)
        assert seen.interrupt() == 0
        assert "Traceback" not in seen.text


def test_for_a_script_it_tells_once_and_ends(place: Place) -> None:
    place.apply()
    place.ready()
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command(place, "-A"), env=wide, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"✓ {place.namespace}/path" in done.stdout


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(place: Place, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    done = subprocess.run(
        [sys.executable, "-m", "redis_connectivity", "watch", f"--kubeconfig={missing}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot use kubeconfig")
    assert "Traceback" not in done.stderr
