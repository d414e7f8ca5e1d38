"""`redis-connectivity crd`: the CustomResourceDefinition, from the models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from redis_connectivity.cli.errors import fail

__all__ = ["crd"]


def crd(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Write nothing; exit with 1 when this file is stale.")
    ] = None,
) -> None:
    """Print the CustomResourceDefinition of RedisConnectivity.

    `redis-connectivity crd | kubectl apply -f -` installs it.
    """
    from redis_connectivity.api.crd import crd_yaml  # noqa: PLC0415 - only this command needs it

    text = crd_yaml()
    if check is not None:
        try:
            fresh = check.read_bytes() == text.encode()
        except OSError as error:
            fail(f"cannot read {check}: {error.strerror}; make it by: redis-connectivity crd --output {check}")
        if not fresh:
            fail(f"{check} is stale; run: redis-connectivity crd --output {check}")
        return
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")
