"""`redis-connectivity prober`: the small HTTP service that runs on Cloud Run, behind the connector."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["prober"]


def prober(
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on; 0 picks a free one.", envvar="PORT", show_default="8080", max=65535, min=0
        ),
    ] = None,
    unix_socket: Annotated[Path | None, typer.Option(help="Listen on this socket instead of a port.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Range that may be probed; may be repeated.", show_default="private ranges"),
    ] = None,
) -> None:
    """Answer POST /v1/probe: connect to a Redis, PING it, and say how long it took or how it failed."""
    from redis_connectivity.probes import prober as service  # noqa: PLC0415 - only this command needs it

    arguments: list[str] = []
    if port is not None:
        arguments += ["--port", str(port)]
    if unix_socket is not None:
        arguments += ["--unix-socket", str(unix_socket)]
    for one in allow or ():
        try:
            IPv4Network(one)
        except ValueError as error:
            raise typer.BadParameter(
                f"{one!r} is no range ({error}); write one such as 10.0.0.0/8", param_hint="--allow"
            ) from error
        arguments += ["--allow", one]
    raise typer.Exit(service.main(arguments))
