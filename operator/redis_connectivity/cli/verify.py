"""`redis-connectivity verify FILE…`: the complete path, once, for a pipeline."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.documents import Declared, read_documents
from redis_connectivity.cli.errors import fail
from redis_connectivity.cli.output import Output
from redis_connectivity.cli.run import load_settings

if TYPE_CHECKING:
    from redis_connectivity.cli.verifying import Verified
    from redis_connectivity.settings import Settings

__all__ = ["verify"]

#: Exit codes: the path is broken; it could not be said (as for any trouble).
_BROKEN: Final = 2
_UNSAID: Final = 1
#: Seconds between two tries while --wait lasts.
_PAUSE: Final = 2.0


def verify(
    files: Annotated[list[Path], typer.Argument(help="YAML files; - is standard input.", metavar="FILE…")],
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Cluster with the resources' Secrets and ledgers; needed only where they matter.",
            envvar="REDIS_CONNECTIVITY_KUBECONFIG",
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig.", envvar="REDIS_CONNECTIVITY_CONTEXT")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of resources whose file names none.")] = "default",
    wait: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds for which to try again until everything passes.")
    ] = 0.0,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Send real traffic through, or look at the configuration alone.")
    ] = True,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit XML report to this file.", metavar="FILE")] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="text is for people, json for programs.")
    ] = Output.TEXT,
) -> None:
    """Try the complete path once: every hop as Google Cloud holds it, then the chain of checks with real traffic.

    Nothing is changed. The resource's prober must be reachable from here; with probe.from: CloudRun it is the one that
    the operator has deployed, and the service account you run this as needs run.services.list and run.routes.invoke.
    Exit code 0: everything passed; 2: something is broken; 1: it could not be said. Credentials and endpoints are set
    as for `run`.
    """
    documents = read_documents(files, namespace)
    if not documents.declared:
        fail(f"no {KIND} resource in {', '.join(str(file) for file in files)}")
    given: dict[str, Any] = {"kubeconfig": kubeconfig, "context": context}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    verified = asyncio.run(
        _verify_all(documents.declared, settings, probe=probe, wait=wait, cluster=bool(kubeconfig or context))
    )
    if junit is not None:
        _write_junit(junit, verified)
    raise typer.Exit(_tell(verified, output))


async def _verify_all(
    declared: tuple[Declared, ...], settings: Settings, *, probe: bool, wait: float, cluster: bool
) -> list[Verified]:
    # Here and not at the top: Google's libraries take seconds to import, and bad input is found without them.
    from redis_connectivity.app import cloud_config  # noqa: PLC0415
    from redis_connectivity.cli.identity import known_to_cluster, without_cluster  # noqa: PLC0415
    from redis_connectivity.cli.verifying import Verifier  # noqa: PLC0415
    from redis_connectivity.cloud.facade import GoogleCloud  # noqa: PLC0415
    from redis_connectivity.core.verification import Outcome  # noqa: PLC0415
    from redis_connectivity.kube.client import KubeClient  # noqa: PLC0415
    from redis_connectivity.kube.config import KubeConfigError, load_config  # noqa: PLC0415
    from redis_connectivity.kube.errors import KubeError  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    try:
        kube = KubeClient(load_config(settings.kubeconfig, settings.context)) if cluster else None
    except KubeConfigError as error:
        fail(str(error))
    cloud = await GoogleCloud.open(cloud_config(settings))
    try:
        verifier = Verifier(cloud, kube, probe=probe)
        found: dict[int, Verified] = {}
        while True:
            for number, one in enumerate(declared):
                if number in found and found[number].outcome is Outcome.PASSED:
                    continue
                identity = (
                    await known_to_cluster(kube, settings.namespace, one.namespace, one.name)
                    if kube is not None
                    else without_cluster(one.namespace, one.name)
                )
                found[number] = await verifier.verify(one, identity)
            left = end - loop.time()
            if left <= 0 or all(one.outcome is Outcome.PASSED for one in found.values()):
                return list(found.values())
            _progress(list(found.values()), left)
            await asyncio.sleep(min(_PAUSE, left))
    except KubeError as error:
        fail(f"the cluster cannot be asked: {error}")
    finally:
        await cloud.close()
        if kube is not None:
            await kube.close()


def _progress(found: list[Verified], left: float) -> None:
    from redis_connectivity.core.verification import Outcome  # noqa: PLC0415

    waiting = [one for one in found if one.outcome is not Outcome.PASSED]
    first = next(step for step in waiting[0].steps if step.outcome is not Outcome.PASSED)
    who = f"{waiting[0].declared.namespace}/{waiting[0].declared.name}"
    typer.echo(f"{left:.0f} s left, {len(waiting)} not passed: {who}: {first.name}: {first.message}", err=True)


def _tell(verified: list[Verified], output: Output) -> int:
    from redis_connectivity.cli.verifyview import show_json, show_text  # noqa: PLC0415
    from redis_connectivity.core.verification import Outcome  # noqa: PLC0415

    outcomes = {one.outcome for one in verified}
    code = _BROKEN if Outcome.FAILED in outcomes else _UNSAID if Outcome.UNKNOWN in outcomes else 0
    if output is Output.JSON:
        show_json(verified, code)
    else:
        show_text(verified)
    return code


def _write_junit(file: Path, verified: list[Verified]) -> None:
    from redis_connectivity.cli.verifyview import junit_xml  # noqa: PLC0415

    try:
        file.write_bytes(junit_xml(verified))
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}")
