"""Tells a story of steps in the terminal, with times, and keeps the score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["Narrator", "Step", "StepFailedError"]


class StepFailedError(Exception):
    """What a step expected did not happen; the message says what did."""


@dataclass(slots=True)
class Step:
    """One line of the score. `ok` is None for a step that was not played."""

    chapter: str
    expected: str
    seen: str = ""
    seconds: float | None = None
    ok: bool | None = None


class Narrator:
    """Plays steps one after another; after a failed one the rest of its chapter is skipped."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps: list[Step] = []
        self._begun = time.monotonic()
        self._chapter = ""
        self._broken = False

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter = title
        self._broken = False
        self.console.print()
        self.console.rule(f"[bold]{escape(title)}[/bold]", align="left")

    def say(self, text: str) -> None:
        """One line with the time since the beginning."""
        self.console.print(f"[dim]{time.monotonic() - self._begun:7.2f} s[/dim]  {escape(text)}", soft_wrap=True)

    def show(self, text: str) -> None:
        """Something to read as it is: a file, an answer."""
        self.console.print(f"[cyan]{escape(text.rstrip())}[/cyan]", soft_wrap=True, highlight=False)

    def step(self, expected: str, play: Callable[[], str], evidence: Callable[[], str] = lambda: "") -> None:
        """Play a step: `play` answers what was seen, or raises StepFailedError or TimeoutError."""
        step = Step(self._chapter, expected)
        self.steps.append(step)
        if self._broken:
            step.seen = "skipped"
            return
        begun = time.monotonic()
        try:
            step.seen = play()
            step.ok = True
        except (StepFailedError, TimeoutError) as error:
            step.ok = False
            step.seen = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._broken = True
        step.seconds = time.monotonic() - begun
        mark = "[green]✔[/green]" if step.ok else "[red]✘[/red]"
        self.console.print(
            f"[dim]{time.monotonic() - self._begun:7.2f} s[/dim]  {mark} {escape(step.expected)}: {escape(step.seen)}",
            soft_wrap=True,
        )
        if not step.ok:
            self.show(evidence())

    @property
    def held(self) -> bool:
        """Whether every step was played and held."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def summary(self) -> None:
        """The score as a table."""
        table = Table(title="What was expected, and what was seen", title_justify="left", show_lines=False)
        for name, style in (("Path", "bold"), ("Expected", ""), ("Seen", ""), ("Seconds", ""), ("", "")):
            table.add_column(name, style=style, justify="right" if name == "Seconds" else "left", overflow="fold")
        for step in self.steps:
            mark = {True: "[green]✔[/green]", False: "[red]✘[/red]", None: "[yellow]–[/yellow]"}[step.ok]
            seconds = f"{step.seconds:.2f}" if step.seconds is not None else ""
            table.add_row(escape(step.chapter), escape(step.expected), escape(step.seen), seconds, mark)
        self.console.print()
        self.console.print(table)
        failed = sum(step.ok is not True for step in self.steps)
        word = "every step held" if self.held else f"{failed} of {len(self.steps)} steps did not hold"
        self.console.print(f"[bold]{word}[/bold]")
