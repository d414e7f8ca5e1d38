"""What the lab's commands print: how to use a running lab, and how everything in it stands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from redis_connectivity_lab.labstate import LabState
from redis_connectivity_lab.resource import CONDITIONS, condition
from redis_connectivity_lab.worlds import ENVIRONMENTS

__all__ = ["guide", "show_status"]


def guide(console: Console, state: LabState, *, ctrl_c: bool) -> None:
    """Say how to use a running lab."""
    for line in _guide(state, ctrl_c=ctrl_c):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _guide(state: LabState, *, ctrl_c: bool) -> Iterator[str]:
    yield f"The lab runs (pid {state.pid}). {state.data_plane}"
    yield ""
    yield "Use kubectl against it:"
    yield f"  export KUBECONFIG={state.kubeconfig}"
    if shutil.which("kubectl") is None:
        yield f'  export PATH="$PATH:{state.kubectl.rpartition("/")[0]}"     # the lab\'s own kubectl: you have none'
    for file in (state.manifests or {}).values():
        yield f"  kubectl apply -f {file}"
    yield "  kubectl get rconn -A --watch"
    yield ""
    yield "Ask as Cloud Run asks, from behind the connector:"
    for env in ENVIRONMENTS:
        url = (state.probers or {}).get(env.word, "")
        data = f'\'{{"host": "{env.target}", "port": 6379}}\''
        yield f"  curl -s {url}/v1/probe -H 'Content-Type: application/json' -d {data}"
    yield ""
    yield "Where things are:"
    yield f"  Kubernetes API     {state.kubernetes}"
    yield f"  emulated Google    {state.google}   (its own control: {state.google}/lab/v1/)"
    yield f"  operator's metrics {state.metrics}/metrics"
    yield f"  operator's log     {state.operator_log}"
    yield ""
    yield "In another terminal: redis-connectivity lab break | heal | status"
    yield f"To stop it:          redis-connectivity lab down{' (or Ctrl-C here)' if ctrl_c else ''}"


_MARKS = {"True": "[green]True[/green]", "False": "[red]False[/red]", "Unknown": "[yellow]Unknown[/yellow]"}


def show_status(console: Console, status: dict[str, Any]) -> None:
    """Show how everything in a running lab stands."""
    lab = status["lab"]
    operator = "runs" if status["operator"]["alive"] else "[red]has ended[/red]"
    console.print(
        f"Lab: pid {lab['pid']}, Kubernetes {lab['kubernetes']}, emulated Google {lab['google']}, operator {operator}",
        soft_wrap=True,
        highlight=False,
    )
    console.print(escape(lab["data_plane"]), soft_wrap=True, highlight=False)
    for problem in status["problems"]:
        console.print(f"[yellow]data plane: {escape(problem)}[/yellow]", soft_wrap=True, highlight=False)
    if status["resources"]:
        _show_resources(console, status["resources"])
    else:
        console.print("No resource yet. Apply one:", highlight=False)
        console.print(f"  export KUBECONFIG={lab['kubeconfig']}", soft_wrap=True, highlight=False)
        for file in lab["manifests"].values():
            console.print(f"  kubectl apply -f {file}", soft_wrap=True, highlight=False)
    _show_plane(console, status)
    scenes = status["scenes"]
    console.print(f"Scenes in force: {'none' if not scenes else ''}", highlight=False)
    for one in scenes:
        console.print(f"  {escape(one['scene'])}: {escape(one['done'])}", soft_wrap=True, highlight=False)


def _show_resources(console: Console, resources: list[dict[str, Any]]) -> None:
    table = Table()
    table.add_column("Resource", no_wrap=True)
    for kind in CONDITIONS:
        table.add_column(kind.removesuffix("Ready") or kind)
    table.add_column("PING")
    table.add_column("Drift")
    for one in resources:
        body = one["status"]
        cells = [_MARKS.get(str(condition(body, kind).get("status")), "") for kind in CONDITIONS]
        table.add_row(escape(f"{one['namespace']}/{one['name']}"), *cells, _probe(body), _drift(body))
    console.print(table)
    for one in resources:
        for kind in CONDITIONS[:-1]:
            found = condition(one["status"], kind)
            if found and found["status"] != "True":
                text = f"  {one['name']} {kind}={found['status']} ({found['reason']}): {found['message']}"
                console.print(escape(text), soft_wrap=True, highlight=False)


def _probe(status: dict[str, Any]) -> str:
    probe = status.get("probe")
    if not probe:
        return "none yet"
    if probe.get("consecutiveFailures") and "lastFailure" in probe:
        return f"[red]{escape(probe['lastFailure']['code'])}[/red] ×{probe['consecutiveFailures']}"
    latency = probe.get("latencyMilliseconds")
    return f"{latency:.1f} ms" if latency is not None else "none yet"


def _drift(status: dict[str, Any]) -> str:
    drift = status.get("drift", [])
    if not drift:
        return "none"
    last = drift[-1]
    fate = "repaired" if "repaired" in last else "[red]not repaired[/red]"
    return f"{len(drift)}, last: {escape(last['name'])} {escape(last['field'])} {fate}"


def _show_plane(console: Console, status: dict[str, Any]) -> None:
    for host in status["hosts"]:
        if host["redis"] is not None:
            name = escape(host["id"].rpartition("/")[2])
            console.print(f"Redis {name} at {host['address']}: {host['redis']}", highlight=False)
    for one in status["services"]:
        ready = "ready" if one["ready"] else "starting"
        connector = str(one["connector"]).rpartition("/")[2]
        console.print(f"Cloud Run service {escape(one['name'])} behind {escape(connector)}: {ready}", highlight=False)
