"""`redis-connectivity lab …`."""

from __future__ import annotations

import typer

lab_app = typer.Typer(
    help="A real API server, packet filter and Redis around an emulated Google Cloud.", no_args_is_help=True
)


@lab_app.callback()
def lab() -> None:
    """A real API server, packet filter and Redis around an emulated Google Cloud."""
