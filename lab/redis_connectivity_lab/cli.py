"""`redis-connectivity lab …`: the lab's commands."""

from __future__ import annotations

import typer

from redis_connectivity_lab.commands.demo import demo
from redis_connectivity_lab.commands.talk import break_, down, heal, status
from redis_connectivity_lab.commands.up import up

__all__ = ["lab_app"]

lab_app = typer.Typer(
    help="A real API server, packet filter and Redis around an emulated Google Cloud.", no_args_is_help=True
)
lab_app.command("demo")(demo)
lab_app.command("up")(up)
lab_app.command("status")(status)
lab_app.command("break")(break_)
lab_app.command("heal")(heal)
lab_app.command("down")(down)
