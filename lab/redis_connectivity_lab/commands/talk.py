"""`redis-connectivity lab status|break|heal|down`: commands that talk to the lab that `lab up` keeps running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from redis_connectivity_lab.commands.options import wide_console
from redis_connectivity_lab.trouble import fail, plainly

if TYPE_CHECKING:
    from redis_connectivity_lab.labclient import LabClient

__all__ = ["break_", "down", "heal", "status"]

EnvironmentOption = Annotated[
    str | None,
    typer.Option("--environment", "-e", help="staging or production.", show_default="the scene's own"),
]


@contextmanager
def _lab() -> Iterator[LabClient]:
    """The running lab; that there is none, or what it refuses, ends the command in one sentence."""
    from redis_connectivity_lab.labclient import LabClient, LabRefusedError, NoLabError  # noqa: PLC0415 - late, for --help

    with plainly():
        try:
            yield LabClient()
        except (NoLabError, LabRefusedError) as error:
            fail(str(error))


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how everything in the running lab stands."""
    with _lab() as lab:
        found = lab.ask("GET", "/status")
        if as_json:
            typer.echo(json.dumps(found, indent=1))
            return
        from redis_connectivity_lab.labview import show_status  # noqa: PLC0415 - late, for --help

        show_status(wide_console(), found)


def break_(
    scene: Annotated[str | None, typer.Argument(help="The scene's name.", show_default="lists them")] = None,
    environment: EnvironmentOption = None,
) -> None:
    """Break something, as people and clouds do. Without a name: list the scenes."""
    if scene is None:
        _list_scenes()
        return
    with _lab() as lab:
        told = lab.ask("POST", "/break", {"scene": scene, "environment": environment})
    console = wide_console()
    console.print(f"[bold]{escape(told['scene'])}[/bold]: {escape(told['done'])}.", soft_wrap=True, highlight=False)
    console.print(f"Watch: {escape(told['watch'])}.", soft_wrap=True, highlight=False)
    console.print(f"  redis-connectivity lab status\nWho ends it: {told['heals']}", soft_wrap=True, highlight=False)


def _list_scenes() -> None:
    from redis_connectivity_lab.scenes import SCENES  # noqa: PLC0415 - late, for --help

    table = Table()
    for name in ("Scene", "What happens", "Where", "The operator"):
        table.add_column(name, no_wrap=name == "Scene")
    for one in SCENES.values():
        where = ", ".join(env.word for env in one.environments)
        table.add_row(one.name, one.summary, where, "heals it" if one.names is None else f"names it: {one.names}")
    wide_console().print(table)


def heal(
    scene: Annotated[str | None, typer.Argument(help="The scene's name.", show_default="all in force")] = None,
) -> None:
    """End a scene that only the lab can end, or all of them."""
    with _lab() as lab:
        healed = lab.ask("POST", "/heal", {"scene": scene})["healed"]
    if not healed:
        typer.echo("No scene is in force.")
    for one in healed:
        typer.echo(f"{one['scene']}: {one['said']}.")


def down() -> None:
    """Stop the running lab, and wait until it is gone."""
    with _lab() as lab:
        typer.echo(f"The lab (pid {lab.down()}) has stopped; everything that was started is gone.")
