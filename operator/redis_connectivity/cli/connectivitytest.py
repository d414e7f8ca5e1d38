"""`redis-connectivity connectivity-test NAME`: a second opinion on a path, by Google's Connectivity Tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from pydantic import ValidationError

from redis_connectivity.api.base import KIND
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cli.asking import read_resource
from redis_connectivity.cli.cluster import ContextOption, KubeconfigOption, NamespaceOption, in_cluster
from redis_connectivity.cli.errors import fail
from redis_connectivity.cli.output import Output
from redis_connectivity.cli.run import load_settings
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.second_opinion import Opinion, Question, QuestionError, Result, agreement, question

if TYPE_CHECKING:
    from redis_connectivity.kube.client import KubeClient

__all__ = ["connectivity_test"]

#: Exit codes; 1 is also for trouble with the command itself.
_CODES: Final = {Result.REACHABLE: 0, Result.UNREACHABLE: 2}


def connectivity_test(
    name: Annotated[str, typer.Argument(help=f"Name of the {KIND}.")],
    revision: Annotated[
        str,
        typer.Option(help="Cloud Run revision whose traffic is asked about: its name, or projects/…/revisions/NAME."),
    ],
    namespace: NamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="text is for people, json for programs.")
    ] = Output.TEXT,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Google's analysis.", min=1.0)] = 600.0,
) -> None:
    """Ask Google's Connectivity Tests about a path: a second opinion, from Google's own view of its configuration.

    Google sends no packet, so this proves less than the operator's probes; it sees what the operator may not be allowed
    to read. A test is made in the revision's project with your credentials, and removed afterwards; Google may charge
    for it, and takes from half a minute to ten. Exit code 0: reachable; 2: not; 1: it could not be said.
    """

    async def look(kube: KubeClient, own: str) -> dict[str, Any]:
        return await read_resource(kube, namespace or own, name)

    body = in_cluster(kubeconfig, context, look)
    try:
        asked = _question(body, revision)
    except QuestionError as error:
        fail(str(error))
    opinion, left = _ask(asked, timeout)
    conditions: list[dict[str, str]] = body.get("status", {}).get("conditions", [])
    ready = next((one for one in conditions if one["type"] == "Ready"), {})
    meaning = agreement(opinion, ready.get("status", "Unknown"), ready.get("reason", "Pending"))
    if output is Output.JSON:
        typer.echo(json.dumps(_as_json(asked, opinion, meaning), indent=2))
    else:
        _show(asked, opinion, meaning)
    if left:
        typer.secho(f"Warning: the test {left} could not be removed; delete it.", err=True, fg=typer.colors.YELLOW)
    raise typer.Exit(_CODES.get(opinion.result, 1))


def _question(body: dict[str, Any], revision: str) -> Question:
    metadata, seen = body["metadata"], body.get("status", {}).get("redis", {})
    try:
        spec = RedisConnectivitySpec.model_validate(body["spec"])
    except ValidationError as error:
        first = error.errors()[0]
        raise QuestionError(f"its spec is not valid: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    desired = resolve(ResourceId("", metadata["namespace"], metadata["name"], metadata["uid"]), spec)
    if "port" not in seen:
        raise QuestionError("there is nothing to ask Google: Redis is not found yet (see `diagnose`)")
    return question(desired, revision, seen.get("host", ""), seen["port"])


def _ask(asked: Question, seconds: float) -> tuple[Opinion, str]:
    # Here and not at the top: Google's libraries take seconds to import, and bad input is found without them.
    from rich.console import Console  # noqa: PLC0415

    from redis_connectivity.app import cloud_config  # noqa: PLC0415
    from redis_connectivity.cloud.connectivity_tests import ask_google  # noqa: PLC0415
    from redis_connectivity.cloud.credentials import CredentialSource  # noqa: PLC0415
    from redis_connectivity.cloud.errors import CloudError  # noqa: PLC0415
    from redis_connectivity.reconcile.explain import explain  # noqa: PLC0415

    settings = load_settings({})
    credentials = CredentialSource(cloud_config(settings).credentials)
    with Console(stderr=True).status(f"Google analyses the way from {asked.revision} (this takes a minute or more) …"):
        try:
            return ask_google(asked, credentials, endpoint=settings.network_management_endpoint, seconds=seconds)
        except CloudError as error:
            fail(explain(error).message)


def _as_json(asked: Question, opinion: Opinion, meaning: str) -> dict[str, Any]:
    return {
        "revision": asked.revision,
        "destination": asked.resource or f"{asked.address}:{asked.port}",
        "result": opinion.result.value,
        "verifyTime": opinion.verified,
        "error": opinion.error,
        "steps": [
            {"state": one.state, "description": one.text, "drops": one.drops, "cause": one.cause, "rule": one.rule}
            for one in opinion.findings
        ],
        "meaning": meaning,
    }


def _show(asked: Question, opinion: Opinion, meaning: str) -> None:
    from rich.console import Console  # noqa: PLC0415 - late, for --help
    from rich.markup import escape  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    colour = {Result.REACHABLE: "green", Result.UNREACHABLE: "red"}.get(opinion.result, "yellow")
    where = asked.resource or f"{asked.address}:{asked.port}"
    console.print(f"Google's analysis: [{colour}]{opinion.result}[/{colour}]  {asked.revision} → {escape(where)}")
    for one in opinion.findings:
        mark = "[red]✗[/red]" if one.drops else "[yellow]?[/yellow]" if one in opinion.stopped else "[green]✓[/green]"
        more = " ".join(part for part in (one.cause, one.rule) if part)
        console.print(f"  {mark} {one.state}  {escape(one.text)}{f'  ({escape(more)})' if more else ''}")
    if opinion.error:
        console.print(f"  Google's error: {escape(opinion.error)}")
    if opinion.stopped:
        console.print(
            "  The analysis stopped early: what comes after is not known to Google, or not to be shown to you."
        )
    console.print(escape(meaning))
    console.print("It is an analysis of configuration; no packet was sent.")
