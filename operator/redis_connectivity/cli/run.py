"""`redis-connectivity run`: the operator. Its flags are the settings, one for one."""

from __future__ import annotations

import asyncio
import enum
import inspect
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from redis_connectivity.cli.errors import fail
from redis_connectivity.settings import ENV_PREFIX, Settings

__all__ = ["load_settings", "run", "with_settings"]

_PLAIN = (bool, int, float, str, Path)


def _option_type(field: FieldInfo) -> type:
    """The type that the command line parses for a setting; lists are given as text."""
    candidates = [field.annotation, *get_args(field.annotation)]
    for one in candidates:
        if isinstance(one, type) and (one in _PLAIN or issubclass(one, enum.Enum)):
            return one
    return str


def _default_text(field: FieldInfo) -> str | bool:
    if field.default_factory is not None or field.default in (None, PydanticUndefined, ()):
        return False
    return str(field.default)


def with_settings(command: Any) -> Any:  # noqa: ANN401 - a typer command is any callable
    """Give a command one option for each setting, as `given: dict[str, object]` of those that were set."""

    def wrapped(**options: object) -> None:
        command({name: value for name, value in options.items() if value is not None})

    parameters = []
    for name, field in Settings.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        if _option_type(field) is bool:
            flag = f"{flag}/--no-{flag[2:]}"
        kind: Any = Annotated[
            _option_type(field) | None,
            typer.Option(
                flag,
                envvar=f"{ENV_PREFIX}{name.upper()}",
                help=field.description,
                show_default=_default_text(field),
            ),
        ]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    return wrapped


def load_settings(given: dict[str, Any]) -> Settings:
    """The settings, or a clear error and exit code 1."""
    try:
        return Settings(**given)
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0])
            what = f"--{name.replace('_', '-')} ({ENV_PREFIX}{name.upper()})"
            typer.echo(f"Error: {what}: {one['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(1) from error


@with_settings
def run(given: dict[str, Any]) -> None:
    """Run the operator until SIGTERM.

    Each option can also be set by the environment variable that its help names.
    """
    # Here and not at the top: the operator brings kopf, the Kubernetes client and more, which --help does not need.
    from redis_connectivity.app import OperatorFailedError, run_operator  # noqa: PLC0415
    from redis_connectivity.kube.config import KubeConfigError  # noqa: PLC0415
    from redis_connectivity.logs import configure_logs  # noqa: PLC0415

    settings = load_settings(given)
    configure_logs(settings.log_level, settings.log_format)
    try:
        asyncio.run(run_operator(settings))
    except (OperatorFailedError, KubeConfigError) as error:
        fail(str(error))
