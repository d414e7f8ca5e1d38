"""`redis-connectivity diagnose NAME`: the path hop by hop, the first cause, what proves it and what to do."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.asking import ask_afresh, read_resource
from redis_connectivity.cli.cluster import ContextOption, KubeconfigOption, NamespaceOption, in_cluster

if TYPE_CHECKING:
    from rich.console import Console

    from redis_connectivity.kube.client import KubeClient

__all__ = ["Output", "diagnose", "report"]

#: Exit code when the path is not Ready; 1 is for trouble with the command itself.
_NOT_READY: Final = 2
_MARKS: Final = {"Allowed": ("✓", "green"), "Denied": ("✗", "red"), "Unknown": ("?", "yellow")}


class Output(enum.StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def diagnose(
    name: Annotated[str, typer.Argument(help=f"Name of the {KIND}.")],
    namespace: NamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")] = Output.TEXT,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Let the operator read everything anew first; needs the right to patch.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the operator with --fresh.", min=1.0)] = 60.0,
) -> None:
    """Show one path hop by hop, and the first cause where it is not Ready. It changes nothing.

    The answer is what the operator wrote into the resource's status; the operator reads Google Cloud, this command
    does not. Exit code 0: the path is Ready; 2: it is not (broken, or not up yet); 1: it could not be said.
    """

    async def look(kube: KubeClient, own: str) -> dict[str, Any]:
        where = namespace or own
        body = await read_resource(kube, where, name)
        return await ask_afresh(kube, where, name, timeout) if fresh else body

    told = report(in_cluster(kubeconfig, context, look))
    match output:
        case Output.JSON:
            typer.echo(json.dumps(told, indent=2))
        case Output.YAML:
            typer.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110), nl=False)
        case Output.TEXT:
            _show(told)
    raise typer.Exit(0 if told["ready"] == "True" else _NOT_READY)


def report(body: dict[str, Any]) -> dict[str, Any]:
    """What there is to tell about a resource: its verdict, path, first cause, and when that was seen."""
    metadata, status = body["metadata"], body.get("status", {})
    ready = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), None)
    told = {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "ready": ready["status"] if ready else "Unknown",
        "reason": ready["reason"] if ready else "Pending",
        "message": ready["message"] if ready else "The operator has not looked at it yet. Does it run?",
        "since": ready["lastTransitionTime"] if ready else None,
        # The spec may have moved on since the operator looked.
        "current": status.get("observedGeneration") == metadata.get("generation"),
        "lastProbeTime": status.get("probe", {}).get("lastProbeTime"),
        "path": status.get("path", []),
        "diagnosis": status.get("diagnosis"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    colour = {"True": "green", "False": "red"}.get(told["ready"], "yellow")
    since = f" since {told['since']}" if "since" in told else ""
    title = f"[bold]{escape(told['namespace'])}/{escape(told['name'])}[/bold]"
    console.print(f"{title}  [{colour}]Ready={told['ready']}[/{colour}] ({told['reason']}){since}")
    if not told["current"]:
        console.print("  [yellow]The spec has changed since the operator looked; what follows is about the old one.")
    _show_path(console, told["path"])
    diagnosis = told.get("diagnosis")
    console.print()
    if diagnosis is None:
        console.print(escape(told["message"]))
    else:
        console.print(f"[bold red]{diagnosis['code']}[/bold red]: {escape(diagnosis['summary'])}")
        for label, text in (
            *(("evidence", one) for one in diagnosis.get("evidence", [])),
            ("remedy", diagnosis["remedy"]),
            ("see", diagnosis["documentation"]),
            ("first seen", diagnosis["since"]),
        ):
            console.print(f"  {label:11} {escape(text)}")
    if "lastProbeTime" in told:
        console.print(f"  last probe  {told['lastProbeTime']} (or later: the time is refreshed rarely)")


def _show_path(console: Console, path: list[dict[str, Any]]) -> None:
    from rich.markup import escape  # noqa: PLC0415

    width = max((len(hop["name"]) for hop in path), default=0)
    for hop in path:
        mark, colour = _MARKS.get(hop["verdict"], ("?", "yellow"))
        console.print(
            f"  [{colour}]{mark} {hop['name']:{width}}  {hop['verdict']:8}[/{colour}] {escape(hop['message'])}"
        )
