"""What commands that speak to a cluster have in common: which cluster, which namespace, and clear errors."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from redis_connectivity.cli.errors import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_connectivity.kube.client import KubeClient

__all__ = ["AllNamespacesOption", "ContextOption", "KubeconfigOption", "NamespaceOption", "in_cluster"]

T = TypeVar("T")

KubeconfigOption = Annotated[
    Path | None,
    typer.Option(help="Kubeconfig file. Default: as kubectl has it.", envvar="REDIS_CONNECTIVITY_KUBECONFIG"),
]
ContextOption = Annotated[
    str | None,
    typer.Option(help="Context of the kubeconfig. Default: the current one.", envvar="REDIS_CONNECTIVITY_CONTEXT"),
]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace. Default: the context's own, else default.")
]
AllNamespacesOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]


def in_cluster(
    kubeconfig: Path | None, context: str | None, work: Callable[[KubeClient, str], Coroutine[Any, Any, T]]
) -> T:
    """Run `work(client, namespace of the context)`; what goes wrong with the cluster ends in one sentence."""
    # Here and not at the top: the client takes its time to import, and --help needs none of it.
    from redis_connectivity.kube.client import KubeClient  # noqa: PLC0415
    from redis_connectivity.kube.config import KubeConfigError, load_config  # noqa: PLC0415
    from redis_connectivity.kube.errors import Gone, KubeError, KubeForbidden  # noqa: PLC0415

    async def run() -> T:
        config = load_config(kubeconfig, context)
        kube = KubeClient(config)
        try:
            return await work(kube, config.namespace or "default")
        finally:
            await kube.close()

    try:
        return asyncio.run(run())
    except KubeConfigError as error:
        fail(str(error))
    except Gone as error:
        fail(f"{error}. Is the CustomResourceDefinition installed? kubectl apply -k crds/")
    except KubeForbidden as error:
        fail(f"the cluster refuses: {error}")
    except KubeError as error:
        fail(f"the cluster cannot be asked: {error}")
