"""`redis-connectivity plan FILE…`: what the operator would do, without doing it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from redis_connectivity.api.base import API_VERSION, KIND, problems
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cli.errors import fail
from redis_connectivity.cli.run import load_settings

if TYPE_CHECKING:
    from redis_connectivity.core.observed import Observed
    from redis_connectivity.core.plan import Plan
    from redis_connectivity.settings import Settings

__all__ = ["plan"]

#: Exit code when something would change, as `terraform plan -detailed-exitcode` has it.
_DIFFERENCES = 2


@dataclass(frozen=True, slots=True)
class _Declared:
    """One resource from a file."""

    source: str
    namespace: str
    name: str
    spec: RedisConnectivitySpec


def plan(
    files: Annotated[list[Path], typer.Argument(help="YAML files with RedisConnectivity resources.", metavar="FILE…")],
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
) -> None:
    """Show what would change in Google Cloud. Nothing is changed.

    Exit code 0: nothing would change; 2: something would; 1: it could not be said. Credentials and endpoints are set
    by the same environment variables as for `run` (REDIS_CONNECTIVITY_…).
    """
    declared = [one for file in files for one in _read(file, namespace)]
    if not declared:
        fail(f"no {KIND} resource in {', '.join(str(file) for file in files)}")
    given: dict[str, Any] = {"kubeconfig": kubeconfig, "context": context}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    try:
        outcome = asyncio.run(_plan_all(declared, settings, with_cluster=bool(kubeconfig or context)))
    except _PlanError as error:
        fail(str(error))
    raise typer.Exit(outcome)


class _PlanError(Exception):
    pass


def _read(file: Path, namespace: str) -> list[_Declared]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{file} is not YAML: {' '.join(str(error).split())}")
    found = []
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict) or document.get("kind") != KIND:
            continue
        where = f"{file} (document {number})"
        if document.get("apiVersion") != API_VERSION:
            fail(f"{where}: apiVersion is {document.get('apiVersion')!r}, this operator knows {API_VERSION}")
        metadata = document.get("metadata") or {}
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            fail(f"{where}: metadata.name is missing")
        try:
            spec = RedisConnectivitySpec.model_validate(document.get("spec") or {})
        except ValidationError as error:
            fail("\n  ".join([f"{where}: {metadata['name']} is not valid:", *problems(error)]))
        found.append(_Declared(where, str(metadata.get("namespace") or namespace), metadata["name"], spec))
    return found


async def _plan_all(declared: list[_Declared], settings: Settings, *, with_cluster: bool) -> int:
    """Show all plans; the exit code."""
    # Here and not at the top: Google's libraries take seconds to import, and bad input is found without them.
    from redis_connectivity.app import cloud_config  # noqa: PLC0415
    from redis_connectivity.cloud.facade import GoogleCloud  # noqa: PLC0415

    cloud = await GoogleCloud.open(cloud_config(settings))
    try:
        changed = unsaid = False
        for one in declared:
            made, observed = await _plan_one(one, cloud, settings, with_cluster=with_cluster)
            _show(one, made)
            changed |= bool(made.actions)
            unsaid |= _has_gaps(observed)
        if unsaid:
            return 1
        return _DIFFERENCES if changed else 0
    finally:
        await cloud.close()


async def _plan_one(one: _Declared, cloud: Any, settings: Settings, *, with_cluster: bool) -> tuple[Plan, Observed]:  # noqa: ANN401 - imported late
    from redis_connectivity.cloud.lanes import Lane  # noqa: PLC0415
    from redis_connectivity.cloud.poller import Pace  # noqa: PLC0415
    from redis_connectivity.core.desired import resolve  # noqa: PLC0415
    from redis_connectivity.core.plan import make_plan  # noqa: PLC0415
    from redis_connectivity.reconcile.observer import Observer  # noqa: PLC0415

    owner, ledger = await _identity(one, settings, with_cluster=with_cluster)
    desired = resolve(owner, one.spec)
    observed = await Observer(cloud, Pace()).observe(desired, ledger, fresh=False, lane=Lane.USER_CHANGE)
    return make_plan(desired, observed, ledger, time.time()), observed


def _has_gaps(observed: Observed) -> bool:
    """Whether something could not be read, so that "nothing would change" is more than can be said."""
    from redis_connectivity.core.observed import Unseen  # noqa: PLC0415

    return any(isinstance(getattr(observed, one.name), Unseen) for one in fields(observed))


async def _identity(one: _Declared, settings: Settings, *, with_cluster: bool) -> Any:  # noqa: ANN401 - imported late
    """Who the resource is: with a cluster the one that exists there, with its ledger; else a new one."""
    from redis_connectivity.core.identity import ResourceId  # noqa: PLC0415
    from redis_connectivity.core.ledger import Ledger  # noqa: PLC0415
    from redis_connectivity.kube.client import KubeClient  # noqa: PLC0415
    from redis_connectivity.kube.config import KubeConfigError, load_config  # noqa: PLC0415
    from redis_connectivity.kube.errors import Gone, KubeError  # noqa: PLC0415
    from redis_connectivity.kube.ledgerstore import LedgerStore  # noqa: PLC0415

    if not with_cluster:
        return ResourceId("none", one.namespace, one.name, "none"), Ledger()
    try:
        kube = KubeClient(load_config(settings.kubeconfig, settings.context))
    except KubeConfigError as error:
        raise _PlanError(str(error)) from error
    try:
        cluster = await kube.cluster_uid()
        try:
            body = await kube.get_resource(one.namespace, one.name)
        except Gone:
            return ResourceId(cluster, one.namespace, one.name, "none"), Ledger()
        owner = ResourceId(cluster, one.namespace, one.name, body["metadata"]["uid"])
        return owner, await LedgerStore(kube, settings.namespace).load(owner)
    except KubeError as error:
        raise _PlanError(f"the cluster cannot be asked: {error}") from error
    finally:
        await kube.close()


_SIGNS = {"Create": ("+", "green"), "Insert": ("+", "green"), "Delete": ("-", "red")}


def _show(one: _Declared, made: Plan) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    from redis_connectivity.core.actions import UpdateRule  # noqa: PLC0415
    from redis_connectivity.core.drift import rule_fields  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]{escape(one.namespace)}/{escape(one.name)}[/bold]  ({escape(one.source)})")
    for action in made.actions:
        word = next((word for word in _SIGNS if type(action).__name__.startswith(word)), "")
        sign, colour = _SIGNS.get(word, ("~", "yellow"))
        console.print(f"  [{colour}]{sign} {escape(action.summary)}[/{colour}], because {escape(action.why)}")
        if isinstance(action, UpdateRule):
            before, after = rule_fields(action.before), rule_fields(action.rule)
            for name in action.fields:
                console.print(f"      {name}: [red]{escape(before[name])}[/red] → [green]{escape(after[name])}[/green]")
    for label, hop in zip(("Network", "Connector", "Redis", "Firewall"), made.hops, strict=True):
        mark = {"True": "[green]ok[/green]", "False": "[red]no[/red]"}.get(hop.status.value, "[yellow]? [/yellow]")
        console.print(f"  {mark} {label}: {escape(hop.message)} ({hop.reason.value})")
    if not made.actions:
        console.print(
            "  Nothing would change now." if all(hop.ok for hop in made.hops) else "  Nothing can be done now."
        )
