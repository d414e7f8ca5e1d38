"""`redis-connectivity report NAME`: one path's story, for those who were not there."""

from __future__ import annotations

import enum
import json
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.asking import read_resource
from redis_connectivity.cli.cluster import ContextOption, KubeconfigOption, NamespaceOption, in_cluster
from redis_connectivity.cli.errors import fail

if TYPE_CHECKING:
    from redis_connectivity.kube.client import KubeClient

__all__ = ["report"]

#: Seconds for the page's answer.
_PAGE_TIMEOUT: Final = 10.0


class Format(enum.StrEnum):
    """How the report is written."""

    MARKDOWN = "markdown"
    HTML = "html"


def report(
    name: Annotated[str, typer.Argument(help=f"Name of the {KIND}.")],
    namespace: NamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="Default: by the file's name, else markdown.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.", metavar="FILE")
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(
            help="URL of the operator's page, for the plot of the last latencies: http://localhost:8082 while kubectl"
            " port-forward runs.",
            metavar="URL",
        ),
    ] = None,
    requests_per_minute: Annotated[float | None, typer.Option(min=0, help="Your requests that need Redis.")] = None,
    cost_per_minute: Annotated[float | None, typer.Option(min=0, help="What a minute without Redis costs you.")] = None,
    currency: Annotated[str, typer.Option(help="Of --cost-per-minute.")] = "",
) -> None:
    """Write a report on one path: what was wrong, what was changed, how it was validated, and how to undo it.

    Everything in it was observed; impact is your own numbers times measured minutes. It changes nothing.
    """
    from redis_connectivity.core.reporting import Rates, make_report  # noqa: PLC0415 - late, for --help
    from redis_connectivity.report import as_html, as_markdown  # noqa: PLC0415

    async def look(kube: KubeClient, own: str) -> dict[str, Any]:
        return await read_resource(kube, namespace or own, name)

    body = in_cluster(kubeconfig, context, look)
    remembered = _of_page(page, f"{body['metadata']['namespace']}/{name}") if page is not None else None
    rates = Rates(requests_per_minute, cost_per_minute, currency)
    made = make_report(body, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), remembered, rates)
    html = form is Format.HTML or (form is None and output is not None and output.suffix in (".html", ".htm"))
    text = as_html(made) if html else as_markdown(made)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")


def _of_page(url: str, key: str) -> dict[str, Any]:
    """What the page remembers of a path."""
    if not url.startswith(("http://", "https://")):
        fail(f"--page: {url!r} is no http or https URL, such as http://localhost:8082")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/paths", timeout=_PAGE_TIMEOUT) as answer:  # noqa: S310 - checked above
            paths = json.load(answer)["paths"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"--page: {url} does not answer as the operator's page does: {error}")
    found: dict[str, Any] | None = next((one for one in paths if one.get("key") == key), None)
    if found is None:
        fail(f"--page: {url} does not know {key}; is it the page of the operator that looks after it?")
    return found
