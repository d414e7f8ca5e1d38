"""`redis-connectivity lab …`: the lab's commands."""

from __future__ import annotations

import enum
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from redis_connectivity_lab.speeds import Speed

if TYPE_CHECKING:
    from redis_connectivity_lab.stack import Lab

__all__ = ["DataPlaneKind", "lab_app", "opened_lab", "wide_console"]

lab_app = typer.Typer(
    help="A real API server, packet filter and Redis around an emulated Google Cloud.", no_args_is_help=True
)


class DataPlaneKind(enum.StrEnum):
    """auto: namespaces where the machine allows them, else the relay."""

    AUTO = "auto"
    NAMESPACES = "namespaces"
    RELAY = "relay"


SpeedOption = Annotated[Speed, typer.Option(help="How long the emulated Google takes.")]
DataPlaneOption = Annotated[DataPlaneKind, typer.Option(help="What carries the packets.")]


def wide_console() -> Console:
    """Standard output; where it is no terminal, wide enough that tables do not break."""
    return Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)


def stop_on_sigterm() -> None:
    """Let SIGTERM end us as Ctrl-C does: everything that was started is stopped."""

    def stop(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def opened_lab(console: Console, speed: Speed, data_plane: DataPlaneKind) -> Iterator[Lab]:
    """The lab with the demo's cloud in it and the operator running; what goes wrong is one sentence and exit code 1."""
    # Here and not at the top: `--help` shall not import the whole lab.
    from redis_connectivity_lab.controlplane import BinariesError, ControlPlaneError  # noqa: PLC0415
    from redis_connectivity_lab.controlplane.progress import Progress  # noqa: PLC0415
    from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError  # noqa: PLC0415
    from redis_connectivity_lab.dataplane.protocol import DataPlaneError  # noqa: PLC0415
    from redis_connectivity_lab.dataplane.redis_binary import RedisBinaryNotFoundError  # noqa: PLC0415
    from redis_connectivity_lab.emulator.control_client import ControlError  # noqa: PLC0415
    from redis_connectivity_lab.speeds import timings_of  # noqa: PLC0415
    from redis_connectivity_lab.stack import Lab  # noqa: PLC0415
    from redis_connectivity_lab.worlds import ENVIRONMENTS, seed  # noqa: PLC0415

    stop_on_sigterm()
    progress = Progress(Console(stderr=True))
    try:
        with Lab(
            timings_of(speed),
            kind=data_plane.value,
            settings={"POLL_INTERVAL": "1", "LOG_FORMAT": "json"},
            say=lambda text: console.print(text, highlight=False, soft_wrap=True),
        ) as lab:
            seed(lab.cloud.control)
            lab.cloud.settle()
            for env in ENVIRONMENTS:
                lab.control_plane.create_namespace(env.namespace)
            with progress.step("Starting the operator, under its own service account"):
                lab.operator.start()
            console.print("The operator runs, under its own service account and the rights that manifests/ ship.")
            yield lab
    except (
        BinariesError,
        ControlPlaneError,
        DataPlaneError,
        RedisBinaryNotFoundError,
        ControlError,
        DeadlineExceededError,
        OSError,
    ) as error:
        typer.secho(f"Error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("Stopped; everything that was started is gone.", err=True)
        raise typer.Exit(130) from None


@lab_app.command("demo")
def demo(
    speed: SpeedOption = Speed.QUICK,
    data_plane: DataPlaneOption = DataPlaneKind.AUTO,
) -> None:
    """Play the founding outage: a broken path is made to work, is broken again, and heals. Exit code 0 if all held."""
    from redis_connectivity_lab.demo import play  # noqa: PLC0415
    from redis_connectivity_lab.narrator import Narrator  # noqa: PLC0415
    from redis_connectivity_lab.worlds import ENVIRONMENTS  # noqa: PLC0415

    console = wide_console()
    narrator = Narrator(console)
    with opened_lab(console, speed, data_plane) as lab:
        for env in ENVIRONMENTS:
            play(lab, narrator, env)
        narrator.summary()
    raise typer.Exit(0 if narrator.held else 1)
