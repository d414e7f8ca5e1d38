"""Says on standard error what takes long: a clock on a terminal, a line every so often in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Progress"]

#: Steps shorter than this leave no line behind.
_WORTH_TELLING_SECONDS = 2.0


class Progress:
    """Tells a person (or a log) what is going on.

    Args:
        console: Where to write; standard error by default, so that standard output stays parseable.
        heartbeat: Seconds between signs of life where there is no terminal.
    """

    def __init__(self, console: Console | None = None, *, heartbeat: float = 15.0) -> None:
        self._console = console or Console(stderr=True)
        self._heartbeat = heartbeat

    def say(self, text: str) -> None:
        """One line, at once."""
        self._console.print(escape(text), highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Shows `what` with the time it has taken so far, for as long as the block runs."""
        started = time.monotonic()
        show = self._clock(what) if self._console.is_terminal else self._heartbeats(what, started)
        try:
            with show:
                yield
        except BaseException:
            self.say(f"{what}: failed after {time.monotonic() - started:.0f} s")
            raise
        elapsed = time.monotonic() - started
        if elapsed >= _WORTH_TELLING_SECONDS:
            self.say(f"{what}: done in {elapsed:.0f} s")

    @contextmanager
    def _clock(self, what: str) -> Iterator[None]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with RichProgress(*columns, console=self._console, transient=True) as bar:
            bar.add_task(escape(what), total=None)
            yield

    @contextmanager
    def _heartbeats(self, what: str, started: float) -> Iterator[None]:
        over = threading.Event()

        def beat() -> None:
            pause = min(_WORTH_TELLING_SECONDS, self._heartbeat)
            while not over.wait(pause):
                self.say(f"{what} ({time.monotonic() - started:.0f} s so far)")
                pause = self._heartbeat

        thread = threading.Thread(target=beat, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
