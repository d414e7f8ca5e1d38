"""`redis-connectivity plan FILE…`: what the operator would do, what it risks and what comes of it, without doing it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.documents import Declared, Documents, read_documents
from redis_connectivity.cli.errors import fail
from redis_connectivity.cli.output import Output
from redis_connectivity.cli.run import load_settings

if TYPE_CHECKING:
    from redis_connectivity.cli.identity import Identity
    from redis_connectivity.cli.planned import Planned
    from redis_connectivity.kube.client import KubeClient
    from redis_connectivity.settings import Settings

__all__ = ["Output", "plan"]


def plan(
    files: Annotated[
        list[Path],
        typer.Argument(help="YAML files with RedisConnectivity resources; - is standard input.", metavar="FILE…"),
    ],
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Cluster whose resources of the same name are meant; without one they are taken as new.",
            envvar="REDIS_CONNECTIVITY_KUBECONFIG",
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig.", envvar="REDIS_CONNECTIVITY_CONTEXT")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of resources whose file names none.")] = "default",
    output: Annotated[
        Output, typer.Option("--output", "-o", help="text is for people, json for programs.")
    ] = Output.TEXT,
) -> None:
    """Show what would change in Google Cloud, why, at what risk, and what the path is like afterwards.

    Nothing is changed. Exit code 0: nothing would change; 2: something would; 1: it could not be said, or a
    RedisConnectivityPolicy (of the cluster, or among the files) does not allow it. Credentials and
    endpoints are set by the same environment variables as for `run` (REDIS_CONNECTIVITY_…).
    """
    documents = read_documents(files, namespace)
    if not documents.declared:
        fail(f"no {KIND} resource in {', '.join(str(file) for file in files)}")
    given: dict[str, Any] = {"kubeconfig": kubeconfig, "context": context}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    try:
        planned = asyncio.run(_plan_all(documents, settings, with_cluster=bool(kubeconfig or context)))
    except _PlanError as error:
        fail(str(error))
    raise typer.Exit(_tell(planned, documents, output))


class _PlanError(Exception):
    pass


def _tell(planned: list[Planned], documents: Documents, output: Output) -> int:
    """Show all plans; the exit code."""
    from redis_connectivity.cli.planned import exit_code  # noqa: PLC0415
    from redis_connectivity.cli.planview import show_json, show_text  # noqa: PLC0415

    code = exit_code(planned)
    if output is Output.JSON:
        show_json(planned, documents.skipped, code)
    else:
        show_text(planned, documents.skipped)
    return code


async def _plan_all(documents: Documents, settings: Settings, *, with_cluster: bool) -> list[Planned]:
    # Here and not at the top: Google's libraries take seconds to import, and bad input is found without them.
    from redis_connectivity.app import cloud_config, prober_setup  # noqa: PLC0415
    from redis_connectivity.cli.guard import guard  # noqa: PLC0415
    from redis_connectivity.cli.planned import Planner  # noqa: PLC0415
    from redis_connectivity.cloud.facade import GoogleCloud  # noqa: PLC0415
    from redis_connectivity.kube.errors import KubeError  # noqa: PLC0415

    kube = _kube(settings) if with_cluster else None
    declared = documents.declared
    try:
        identities = [await _identity(one, kube, settings) for one in declared]
        allowed = await guard(kube, documents.policies)
    except KubeError as error:
        raise _PlanError(f"the cluster cannot be asked: {error}") from error
    finally:
        if kube is not None:
            await kube.close()
    cloud = await GoogleCloud.open(cloud_config(settings))
    try:
        planner = Planner(cloud, time.time(), allowed, prober_setup(settings))
        return [await planner.plan(one, identity) for one, identity in zip(declared, identities, strict=True)]
    finally:
        await cloud.close()


def _kube(settings: Settings) -> KubeClient:
    from redis_connectivity.kube.client import KubeClient  # noqa: PLC0415
    from redis_connectivity.kube.config import KubeConfigError, load_config  # noqa: PLC0415

    try:
        return KubeClient(load_config(settings.kubeconfig, settings.context))
    except KubeConfigError as error:
        raise _PlanError(str(error)) from error


async def _identity(one: Declared, kube: KubeClient | None, settings: Settings) -> Identity:
    from redis_connectivity.cli.identity import known_to_cluster, without_cluster  # noqa: PLC0415

    if kube is None:
        return without_cluster(one.namespace, one.name)
    return await known_to_cluster(kube, settings.namespace, one.namespace, one.name)
