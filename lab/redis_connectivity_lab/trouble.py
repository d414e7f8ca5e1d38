"""How the lab's commands end when something is wrong: a sentence on standard error and an exit code, no traceback."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

__all__ = ["INTERRUPTED", "fail", "plainly"]

#: Exit code after Ctrl-C, as shells have it.
INTERRUPTED = 130


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong and exit."""
    typer.secho(f"Error: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


@contextmanager
def plainly() -> Iterator[None]:
    """Run the lab so that what the machine refuses, and Ctrl-C or SIGTERM, end in one sentence."""
    # Here and not at the top: `--help` shall not import the whole lab.
    from redis_connectivity_lab.controlplane import BinariesError, ControlPlaneError  # noqa: PLC0415
    from redis_connectivity_lab.controlplane.process import ProcessError  # noqa: PLC0415
    from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError  # noqa: PLC0415
    from redis_connectivity_lab.dataplane.protocol import DataPlaneError  # noqa: PLC0415
    from redis_connectivity_lab.dataplane.redis_binary import RedisBinaryNotFoundError  # noqa: PLC0415
    from redis_connectivity_lab.emulator.control_client import ControlError  # noqa: PLC0415
    from redis_connectivity_lab.operator_process import OperatorEndedError  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except BinariesError as error:
        fail(str(error))
    except RedisBinaryNotFoundError as error:
        fail(f"{error}. On a fresh clone, `make demo` and `make test` bring what the lab needs.")
    except DataPlaneError as error:
        fail(f"{error}\n`--data-plane auto` takes the best that works here; `--data-plane relay` needs no privileges.")
    except (ControlPlaneError, ControlError, DeadlineExceededError, OperatorEndedError, ProcessError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("Stopped; everything that was started is gone.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
