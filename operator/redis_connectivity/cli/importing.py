"""`redis-connectivity import`: resources for paths that exist already; applying them changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from redis_connectivity.api import limits
from redis_connectivity.api.form import Form
from redis_connectivity.cli.errors import fail
from redis_connectivity.cli.run import load_settings

if TYPE_CHECKING:
    from redis_connectivity.core.importing import Imported, Inventory
    from redis_connectivity.settings import Settings

__all__ = ["import_"]

_STDOUT: Final = Path("-")


def _as(form: Form) -> Callable[[str], str]:
    """A check of an option's value."""

    def check(value: str) -> str:
        try:
            return form.check(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return check


_LABELS = "characters of a-z, 0-9 and '-'"
_PROJECT = _as(Form(limits.PROJECT_ID_PATTERN, "must be a project's id, not its number or title"))
_REGION = _as(Form(limits.REGION_PATTERN, "must be a region such as us-central1"))
_NAMESPACE = _as(Form(limits.NAMESPACE_PATTERN, f"must be a namespace: 1 to 63 {_LABELS}"))


def _host_project(value: str | None) -> str | None:
    return None if value is None else _PROJECT(value)


def import_(
    project: Annotated[str, typer.Option(help="Project to look at.", callback=_PROJECT)],
    region: Annotated[str, typer.Option(help="Region to look at.", callback=_REGION)],
    host_project: Annotated[
        str | None,
        typer.Option(help="Host project of a Shared VPC, whose networks are meant.", callback=_host_project),
    ] = None,
    network: Annotated[str | None, typer.Option(help="Only paths of this network.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the resources.", callback=_NAMESPACE)] = "default",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for one file a resource; - is standard output.")
    ] = _STDOUT,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Write resources that take over what they find (adoptionPolicy: Adopt)."),
    ] = False,
) -> None:
    """Write resources (YAML) for paths that exist already. Nothing is changed, and applying them changes nothing.

    With --adopt, applying them marks the rules it takes over; the files say which. What no resource was written for is
    told on standard error, with the reason. Exit code 0: all was read; 1: something could not be.
    """
    settings = load_settings({})
    if host_project == project:
        fail(f"--host-project {host_project} is --project itself: leave it out, for its networks are not shared then")
    found, inventory = _import(settings, (project, host_project), region, namespace, network, adopt=adopt)
    from redis_connectivity.cli.importview import as_files, as_text, tell_left  # noqa: PLC0415

    if output == _STDOUT:
        typer.echo(as_text(found, namespace), nl=False)
    else:
        _write(output, as_files(found, namespace), force=force)
    tell_left(found)
    raise typer.Exit(1 if inventory.unread else 0)


def _import(
    settings: Settings,
    projects: tuple[str, str | None],
    region: str,
    namespace: str,
    network: str | None,
    *,
    adopt: bool,
) -> tuple[Imported, Inventory]:
    # Here and not at the top: Google's libraries take seconds to import, and bad input is found without them.
    from redis_connectivity.app import cloud_config  # noqa: PLC0415
    from redis_connectivity.cli.importread import UnreadableError, read_inventory  # noqa: PLC0415
    from redis_connectivity.cloud.facade import GoogleCloud  # noqa: PLC0415
    from redis_connectivity.core.importing import import_paths  # noqa: PLC0415

    async def read() -> Inventory:
        cloud = await GoogleCloud.open(cloud_config(settings))
        try:
            return await read_inventory(cloud, projects[0], region, projects[1])
        finally:
            await cloud.close()

    try:
        inventory = asyncio.run(read())
    except UnreadableError as error:
        fail(str(error))
    if network is not None and network not in {one.ref.name for one in inventory.networks}:
        names = ", ".join(sorted(one.ref.name for one in inventory.networks)) or "none"
        fail(f"project {inventory.holder} has no network {network}; it has {names}")
    return import_paths(inventory, namespace=namespace, network=network, adopt=adopt), inventory


def _write(folder: Path, files: dict[str, str], *, force: bool) -> None:
    """One file a resource: all of them or, where one is there already, none."""
    taken = [name for name in files if (folder / name).exists()]
    if taken and not force:
        fail(f"{folder} has {', '.join(taken)} already; nothing was written. Give another folder, or --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}")
    typer.echo(f"Wrote {len(files)} {'resource' if len(files) == 1 else 'resources'} to {folder}.", err=True)
