"""Tells a story of steps in the terminal, with times, and keeps the score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["Narrator", "Step", "StepFailedError"]


class StepFailedError(Exception):
    """What a step expected did not happen; the message says what did."""


@dataclass(slots=True)
class Step:
    """One line of the score. `ok` is None for a step that was not played.

    `needs` names earlier steps of the chapter that must have held, else playing this one makes no sense.
    """

    chapter: str
    name: str
    expected: str
    needs: tuple[str, ...] = field(default=())
    seen: str = ""
    seconds: float | None = None
    ok: bool | None = None


class Narrator:
    """Plays steps one after another; those that need one that failed are skipped."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps: list[Step] = []
        self._begun = time.monotonic()
        self._chapter = ""

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter = title
        self.console.print()
        self.console.rule(f"[bold]{escape(title)}[/bold]", align="left")

    def say(self, text: str, style: str = "") -> None:
        """One line with the time since the beginning."""
        words = f"[{style}]{escape(text)}[/{style}]" if style else escape(text)
        self.console.print(f"[dim]{self._now}[/dim]  {words}", soft_wrap=True, highlight=False)

    def show(self, text: str, style: str = "cyan") -> None:
        """Something to read as it is: a file, an answer."""
        lines = "\n".join(f"           {line}" for line in text.rstrip().splitlines())
        self.console.print(f"[{style}]{escape(lines)}[/{style}]", soft_wrap=True, highlight=False)

    def step(
        self,
        name: str,
        expected: str,
        play: Callable[[], str],
        evidence: Callable[[], str] = lambda: "",
        needs: tuple[str, ...] = (),
    ) -> None:
        """Play a step: `play` answers what was seen, or raises StepFailedError."""
        step = Step(self._chapter, name, expected, needs)
        missing = self._missing(step)
        self.steps.append(step)
        if missing:
            step.seen = f"skipped: it needs “{missing.expected}”"
            self.say(f"– {expected}: {step.seen}", "yellow")
            return
        begun = time.monotonic()
        try:
            step.seen = play()
            step.ok = True
        except StepFailedError as error:
            step.ok = False
            step.seen = str(error)
        step.seconds = time.monotonic() - begun
        mark = "[green]✔[/green]" if step.ok else "[red]✘[/red]"
        self.console.print(
            f"[dim]{self._now}[/dim]  {mark} [bold]{escape(step.expected)}[/bold]: {escape(step.seen)}",
            soft_wrap=True,
            highlight=False,
        )
        if not step.ok:
            self.show(f"expected: {step.expected}\nseen:     {step.seen}", "red")
            self.show(evidence(), "dim")

    @property
    def held(self) -> bool:
        """Whether every step was played and held."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def summary(self) -> None:
        """The score as a table."""
        table = Table(title="What was expected, and what was seen", title_justify="left")
        table.add_column("Expected", overflow="fold", max_width=58)
        table.add_column("Seen", overflow="fold")
        table.add_column("Seconds", justify="right", no_wrap=True)
        table.add_column("OK", justify="center", no_wrap=True)
        chapter = ""
        for step in self.steps:
            if step.chapter != chapter:
                chapter = step.chapter
                table.add_section()
                table.add_row(f"[bold]{escape(chapter)}[/bold]")
            mark = {True: "[green]yes[/green]", False: "[red]NO[/red]", None: "[yellow]skipped[/yellow]"}[step.ok]
            seconds = f"{step.seconds:.2f}" if step.seconds is not None else ""
            table.add_row(f"  {escape(step.expected)}", escape(step.seen), seconds, mark)
        self.console.print()
        self.console.print(table)
        failed = sum(step.ok is not True for step in self.steps)
        if self.held:
            word = f"[bold green]Every one of {len(self.steps)} steps held.[/bold green]"
        else:
            word = f"[bold red]{failed} of {len(self.steps)} steps did not hold.[/bold red]"
        self.console.print(f"{word} [dim]{time.monotonic() - self._begun:.0f} s in all.[/dim]", highlight=False)

    @property
    def _now(self) -> str:
        return f"{time.monotonic() - self._begun:7.2f} s"

    def _missing(self, step: Step) -> Step | None:
        held = {one.name for one in self.steps if one.chapter == step.chapter and one.ok}
        needed = [one for one in self.steps if one.chapter == step.chapter and one.name in step.needs]
        unknown = set(step.needs) - {one.name for one in needed}
        if unknown:
            raise ValueError(f"step {step.name} needs steps that were never told of: {', '.join(sorted(unknown))}")
        return next((one for one in needed if one.name not in held), None)
