"""`redis-connectivity lab …`: the lab's commands."""

from __future__ import annotations

import typer

from redis_connectivity_lab.commands.demo import demo

__all__ = ["lab_app"]

lab_app = typer.Typer(
    help="A real API server, packet filter and Redis around an emulated Google Cloud.", no_args_is_help=True
)
lab_app.command("demo")(demo)
