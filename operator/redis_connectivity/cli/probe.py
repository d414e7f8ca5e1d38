"""`redis-connectivity probe NAME`: one probe now, check by check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.asking import ask_afresh
from redis_connectivity.cli.cluster import ContextOption, KubeconfigOption, NamespaceOption, in_cluster
from redis_connectivity.cli.output import Output

if TYPE_CHECKING:
    from redis_connectivity.kube.client import KubeClient

__all__ = ["probe"]

#: Exit code when Redis did not answer, or nothing crosses the connector; 1 is for trouble with the command itself.
_NOT_PROVEN: Final = 2

_SIGNS: Final = {"Succeeded": ("✓", "green"), "Failed": ("✗", "red"), "Skipped": ("–", "dim")}


def probe(
    name: Annotated[str, typer.Argument(help=f"Name of the {KIND}.")],
    namespace: NamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")] = Output.TEXT,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the operator.", min=1.0)] = 60.0,
) -> None:
    """Let the operator probe one path now, and show the chain check by check.

    It needs the right to patch the resource (an annotation asks the operator). Exit code 0: Redis answered through the
    connector; 2: it did not, or no probe crosses the connector; 1: it could not be said.
    """

    async def look(kube: KubeClient, own: str) -> dict[str, Any]:
        return await ask_afresh(kube, namespace or own, name, timeout)

    body = in_cluster(kubeconfig, context, look)
    told = _told(body)
    if output is Output.JSON:
        typer.echo(json.dumps(told, indent=2))
    else:
        _show(told)
    raise typer.Exit(0 if told["reachable"] == "True" else _NOT_PROVEN)


def _told(body: dict[str, Any]) -> dict[str, Any]:
    status = body.get("status", {})
    reach: dict[str, str] = next((one for one in status.get("conditions", []) if one["type"] == "Reachable"), {})
    return {
        "namespace": body["metadata"]["namespace"],
        "name": body["metadata"]["name"],
        "reachable": reach.get("status", "Unknown"),
        "reason": reach.get("reason", "Pending"),
        "message": reach.get("message", "Not probed yet."),
        "probe": status.get("probe"),
    }


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - late, for --help
    from rich.markup import escape  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    colour = {"True": "green", "False": "red"}.get(told["reachable"], "yellow")
    title = f"[bold]{escape(told['namespace'])}/{escape(told['name'])}[/bold]"
    console.print(f"{title}  [{colour}]Reachable={told['reachable']}[/{colour}] ({told['reason']})")
    probe = told["probe"] or {}
    for check in probe.get("checks", []):
        sign, shade = _SIGNS[check["status"]]
        took = f"  {check['latencyMilliseconds']:g} ms" if check.get("latencyMilliseconds") is not None else ""
        why = f"  {check['code']}: {check.get('message', '')}" if check.get("code") else ""
        console.print(f"  [{shade}]{sign} {check['name']}[/{shade}]{took}{escape(why)}")
    console.print(f"  {escape(told['message'])}")
    if probe.get("lastProbeTime"):
        where = "through the connector" if probe.get("crossesConnector") else "from the operator's own pod"
        console.print(f"  {probe['target']}, {where}, at {probe['lastProbeTime']}")
