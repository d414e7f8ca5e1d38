"""Options that several commands have, and what they write to."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from redis_connectivity_lab.speeds import Speed

__all__ = ["ContextOption", "DataPlaneKind", "DataPlaneOption", "KubeconfigOption", "SpeedOption", "wide_console"]

#: Columns where standard output is no terminal: tables shall not break for want of width.
_WIDE = 160


class DataPlaneKind(enum.StrEnum):
    """auto: namespaces where the machine allows them, else the relay."""

    AUTO = "auto"
    NAMESPACES = "namespaces"
    RELAY = "relay"


SpeedOption = Annotated[Speed, typer.Option(help="How long the emulated Google takes for an operation.")]
DataPlaneOption = Annotated[
    DataPlaneKind,
    typer.Option(help="What carries the packets: network namespaces with nftables, or a relay on loopback."),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Be a guest of this cluster instead of starting one. It must not have redis-connectivity installed.",
        exists=True,
        dir_okay=False,
        show_default="a control plane of the lab's own",
    ),
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of that kubeconfig.", show_default="its current one")
]


def wide_console() -> Console:
    """Standard output: as wide as the terminal, and wide where it is none."""
    return Console(width=None if sys.stdout.isatty() else _WIDE)
