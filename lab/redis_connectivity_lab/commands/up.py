"""`redis-connectivity lab up`."""

from __future__ import annotations

from typing import Annotated

import typer

from redis_connectivity_lab.commands.options import (
    ContextOption,
    DataPlaneKind,
    DataPlaneOption,
    KubeconfigOption,
    SpeedOption,
    wide_console,
)
from redis_connectivity_lab.speeds import Speed
from redis_connectivity_lab.trouble import fail, plainly

__all__ = ["up"]


def up(
    speed: SpeedOption = Speed.QUICK,
    data_plane: DataPlaneOption = DataPlaneKind.AUTO,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply both resources, and wait until they are Ready.")
    ] = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it runs; `lab down` stops it.")] = False,
) -> None:
    """Start the lab with two environments on hardened networks, and keep it running until Ctrl-C or `lab down`.

    Prints how to use kubectl against it. Nothing is applied unless --apply is given.
    """
    with plainly():
        from redis_connectivity_lab.controlplane import GuestCluster  # noqa: PLC0415
        from redis_connectivity_lab.labstate import LabRunsError  # noqa: PLC0415 - --help shall not import the lab
        from redis_connectivity_lab.upkeep import keep_up, send_up  # noqa: PLC0415

        try:
            if detach:
                arguments = ["--speed", speed.value, "--data-plane", data_plane.value, *(["--apply"] if apply else [])]
                arguments += ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
                arguments += ["--context", context] if context else []
                send_up(wide_console(), arguments)
            else:
                guest_of = GuestCluster(kubeconfig, context) if kubeconfig else None
                keep_up(wide_console(), speed, data_plane.value, apply=apply, guest_of=guest_of)
        except LabRunsError as error:
            fail(str(error))
