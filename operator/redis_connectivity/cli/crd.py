"""`redis-connectivity crd`: the CustomResourceDefinitions, from the models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from redis_connectivity.cli.errors import fail

__all__ = ["crd"]


def crd(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file, or one file each into this folder."),
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Write nothing; exit with 1 when this file or folder is stale.")
    ] = None,
) -> None:
    """Print the CustomResourceDefinitions of RedisConnectivity and RedisConnectivityPolicy.

    `redis-connectivity crd | kubectl apply -f -` installs them. A file that is named as the files in crds/ are gets the
    definition of that name alone.
    """
    from redis_connectivity.api.crd import crd_files, crd_yaml  # noqa: PLC0415 - only this command needs it

    target = check or output
    if target is None:
        typer.echo(crd_yaml(), nl=False)
        return
    files = crd_files()
    texts = {target / name: text for name, text in files.items()}
    if not target.is_dir():
        texts = {target: files.get(target.name) or crd_yaml()}
    for path, text in texts.items():
        if check is not None:
            _compare(path, text)
        else:
            _write(path, text)


def _compare(path: Path, text: str) -> None:
    try:
        fresh = path.read_bytes() == text.encode()
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}; make it by: redis-connectivity crd --output {path}")
    if not fresh:
        fail(f"{path} is stale; run: redis-connectivity crd --output {path}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
