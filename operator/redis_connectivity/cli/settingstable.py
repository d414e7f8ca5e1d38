"""`redis-connectivity settings`: every setting as a Markdown table, from the one place that defines them."""

from __future__ import annotations

import typer
from pydantic_core import PydanticUndefined

from redis_connectivity.settings import ENV_PREFIX, Settings

__all__ = ["settings", "settings_markdown"]

_HEAD = """# Settings

Each can be given to `redis-connectivity run` as a flag, or as an environment variable; the flag wins.
Times are in seconds. This page is made by `redis-connectivity settings`.

| flag | environment variable | default | meaning |
| --- | --- | --- | --- |
"""


def settings_markdown() -> str:
    """The page docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        unset = field.default in (None, PydanticUndefined, ())
        default = "" if unset else f"`{field.default}`"
        flag = f"--{name.replace('_', '-')}"
        rows.append(f"| `{flag}` | `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |\n")
    return _HEAD + "".join(rows)


def settings() -> None:
    """Print all settings of the operator as a Markdown table."""
    typer.echo(settings_markdown(), nl=False)
