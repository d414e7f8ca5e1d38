"""`redis-connectivity lab`: lives in a package of its own, which an image for production need not carry."""

from __future__ import annotations

import importlib.util

import typer

from redis_connectivity.cli.errors import fail

__all__ = ["attach"]


def attach(app: typer.Typer) -> None:
    """Add the lab's commands, or one that says what is missing."""
    if importlib.util.find_spec("redis_connectivity_lab") is None:

        @app.command("lab", help="The lab (not installed here).")
        def missing() -> None:
            fail("the lab is not installed here; use a clone of the project: make demo")

        return
    from redis_connectivity_lab.cli import lab_app  # noqa: PLC0415 - only where it is installed

    app.add_typer(lab_app, name="lab")
