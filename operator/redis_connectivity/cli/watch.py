"""`redis-connectivity watch`: every path as hops, in the terminal, live."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Final

import typer

from redis_connectivity.cli.cluster import (
    AllNamespacesOption,
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    in_cluster,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from redis_connectivity.kube.client import KubeClient
    from redis_connectivity.kube.watching import Followed
    from redis_connectivity.web.view import PathView

__all__ = ["shown", "watch"]

_LOOK: Final = {
    "ok": ("✓", "green"),
    "broken": ("✗", "red"),
    "working": ("…", "yellow"),
    "waiting": ("·", "dim"),
    "unknown": ("?", "yellow"),
    "idle": ("–", "dim"),
}
#: Columns from which on what is the matter has room beside the hops; below, it stands under the table.
_WIDE: Final = 140


def watch(
    namespace: NamespaceOption = None,
    all_namespaces: AllNamespacesOption = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    once: Annotated[bool, typer.Option("--once", help="Show how things stand now, and end.")] = False,
) -> None:
    """Show every path hop by hop, and keep showing it as it changes. Ctrl-C ends it.

    Where the output is not a terminal, it shows how things stand now and ends.
    """
    from rich.console import Console  # noqa: PLC0415 - late, for --help

    console = Console(highlight=False)
    live = console.is_terminal and not once

    async def show(kube: KubeClient, own: str) -> None:
        from rich.live import Live  # noqa: PLC0415

        from redis_connectivity.kube.watching import follow  # noqa: PLC0415

        followed = follow(kube, None if all_namespaces else namespace or own)
        async with contextlib.aclosing(followed):
            if not live:
                console.print(shown(await anext(followed), console.width))
                return
            with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as screen:
                async for now in followed:
                    screen.update(shown(now, console.width), refresh=True)

    with contextlib.suppress(KeyboardInterrupt):
        in_cluster(kubeconfig, context, show)


def shown(followed: Followed, width: int) -> RenderableType:
    """How things stand, for a terminal of so many columns."""
    from rich.console import Group  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415

    from redis_connectivity.web.view import path_view  # noqa: PLC0415

    views = sorted((path_view(body) for body in followed.bodies), key=lambda one: (one.state != "broken", one.key))
    wide = width >= _WIDE
    under: list[RenderableType] = []
    if not wide:
        for view in views:
            if matter := _matter(view):
                under.append(_marked(view.state.value, view.key))
                under.append(Padding(escape(matter), (0, 0, 0, 2)))
    if followed.lost:
        under.append(f"[red]old: {escape(followed.lost)}[/red]")
    return Group(_table(views, wide=wide), *under)


def _table(views: list[PathView], *, wide: bool) -> Table:
    """A row for each path. Where there is little room, a hop is its sign alone."""
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from redis_connectivity.web.view import summary  # noqa: PLC0415

    counts = ", ".join(f"{number} {state}" for state, number in summary(views).items() if number) or "none"
    table = Table(title=f"Paths: {counts}", expand=True, title_justify="left")
    table.add_column("Path", overflow="fold", ratio=None if wide else 1)
    for name in ("Cloud Run", "Connector", "Firewall", "Redis"):
        table.add_column(name, overflow="fold", no_wrap=not wide)
    table.add_column("PING", justify="right", no_wrap=True)
    if wide:
        table.add_column("What is the matter", ratio=1, overflow="fold")
    for view in views:
        latency = "" if view.latency_milliseconds is None else f"{view.latency_milliseconds:g} ms"
        hops = (_marked(hop.state.value, hop.subject if wide else "") for hop in view.hops)
        cells = [_marked(view.state.value, view.key), *hops, latency]
        if wide:
            cells.append(escape(_matter(view)))
        table.add_row(*cells)
    return table


def _marked(state: str, text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415

    sign, colour = _LOOK[state]
    return f"[{colour}]{sign}[/{colour}] {escape(text)}".rstrip()


def _matter(view: PathView) -> str:
    if view.state.value == "ok":
        return ""
    held = view.circuit is not None and view.circuit["state"] != "Closed"
    rarely = f" (circuit {view.circuit['state']}: asked more rarely)" if held and view.circuit else ""
    if view.diagnosis:
        told = f"{view.diagnosis['code']}: {view.diagnosis['summary']} {view.diagnosis.get('remedy', '')}".strip()
        return f"{told}{rarely}"
    return f"{view.reason}: {view.message}{rarely}"
