"""`python -m bench`: measures the operator and prints one table.

Ratios and counts in one run are what to compare; absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from bench.ground import Ground, opened
from bench.process import cost_of
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.emulator.timings import Timings

Row = tuple[str, str, str, str]

_OPERATION = 1.0
_SAMPLES = 30
_PROJECTS = 10
_REST_SECONDS = 30.0


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all are not greater than."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def apply_to_ready(scales: list[int]) -> list[Row]:
    """From `apply` to Ready, above the time that Google's operations themselves take."""
    rows: list[Row] = []
    with opened(Timings(firewall=_OPERATION, connector_create=_OPERATION)) as ground:
        for count in scales:
            namespace = f"apply-{count}"
            ground.lab.control_plane.create_namespace(namespace)
            projects = ground.projects(namespace, min(count, 20))
            managed = count == 1
            google = _OPERATION * (2 if managed else 1)
            tries = 5 if managed else 1
            seconds = []
            for attempt in range(tries):
                project = [projects[0]] if attempt == 0 else ground.projects(f"{namespace}-{attempt}", 1)
                places = project if managed else projects
                resources = [
                    ground.resource(places[n % len(places)], f"path-{attempt}-{n}", managed=managed)
                    for n in range(count)
                ]
                begun = time.monotonic()
                ground.create(namespace, resources)
                ground.wait_ready(namespace, count * (attempt + 1))
                seconds.append(time.monotonic() - begun - google)
            what = (
                "1 resource, connector and rule"
                if managed
                else f"{count} resources in {len(projects)} projects, a rule each"
            )
            rows.append(
                ("apply → Ready above Google's own time", what, f"{statistics.median(seconds):.2f} s", f"{tries} tries")
            )
    return rows


def repair_and_rest(scales: list[int]) -> list[Row]:
    """Foreign deletion → repaired, and what rest costs, at growing numbers of resources in ten projects."""
    rows: list[Row] = []
    with opened(Timings.instant()) as ground:
        pid = ground.lab.operator.pid
        start = cost_of(pid)
        rows.append(("operator at start", "no resource", f"{start.rss:.0f} MiB", f"{start.cpu:.1f} CPU s"))
        namespace = "scale"
        ground.lab.control_plane.create_namespace(namespace)
        projects = ground.projects("scale", _PROJECTS)
        there = 0
        for count in scales:
            resources = [ground.resource(projects[n % _PROJECTS], f"path-{n}") for n in range(there, count)]
            before = cost_of(pid)
            begun = time.monotonic()
            ground.create(namespace, resources)
            ground.wait_ready(namespace, count)
            took, spent = time.monotonic() - begun, cost_of(pid).cpu - before.cpu
            rows.append(
                (f"{count} resources", f"{count - there} more made Ready", f"{took:.1f} s", f"{spent:.1f} CPU s")
            )
            there = count
            rows += _repairs(ground, projects[: min(count, _PROJECTS)], count)
            rows += _rest(ground, pid, count)
    return rows


def _repairs(ground: Ground, projects: list[str], count: int) -> list[Row]:
    seconds = []
    for number in range(_SAMPLES):
        project = projects[number % len(projects)]
        rules = [one["name"] for one in ground.control.list("firewalls", project)]
        name = rules[number // len(projects) % len(rules)]
        begun = time.monotonic()
        ground.control.delete("firewalls", project, name)
        wait_until(
            lambda project=project, name=name: any(
                one["name"] == name for one in ground.control.list("firewalls", project)
            ),
            deadline=60,
            interval=0.02,
            describe="the rule to come back",
        )
        seconds.append(time.monotonic() - begun)
    p50, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    return [(f"{count} resources", "rule deleted → back, 3 s poll", f"p50 {p50:.2f} s", f"p95 {p95:.2f} s")]


def _rest(ground: Ground, pid: int, count: int) -> list[Row]:
    _quiet(ground)
    mark = max(int(one["seq"]) for one in ground.control.audit())
    kube = ground.lab.control_plane.audit.mark()
    before, begun = cost_of(pid), time.monotonic()
    _pass(_REST_SECONDS)
    minutes = (time.monotonic() - begun) / 60
    cost = cost_of(pid)
    calls = len([one for one in ground.control.audit(since=mark) if one["kind"] in ("read", "write")])
    writes = [one for one in ground.lab.control_plane.audit.writes(kube) if one.resource != "leases"]
    cpu = (cost.cpu - before.cpu) / (minutes * 60)
    return [
        (
            f"{count} resources",
            "at rest",
            f"{calls / minutes:.0f} Google calls/min, {len(writes) / minutes:.0f} Kubernetes writes/min",
            f"{cost.rss:.0f} MiB, {cpu:.1%} of a core",
        )
    ]


def _quiet(ground: Ground) -> None:
    def no_writes() -> bool:
        mark = ground.lab.control_plane.audit.mark()
        _pass(3.0)
        return not [one for one in ground.lab.control_plane.audit.writes(mark) if one.resource != "leases"]

    wait_until(no_writes, deadline=120, describe="the operator to come to rest")


def _pass(seconds: float) -> None:
    """Let time pass: here it is the thing that is measured, not a guess at when something is done."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, deadline=seconds + 5, interval=0.2, describe="time to pass")


def main() -> int:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=["apply", "scale"], help="one part only")
    parser.add_argument("--small", action="store_true", help="small numbers, to see that it works")
    options = parser.parse_args()
    parts: dict[str, Callable[[], list[Row]]] = {
        "apply": lambda: apply_to_ready([1, 20] if options.small else [1, 200]),
        "scale": lambda: repair_and_rest([1, 20] if options.small else [1, 10, 100, 1000]),
    }
    table = Table(title="The operator, measured", title_justify="left")
    for name in ("Measure", "With", "Figure", "And"):
        table.add_column(name)
    for name, part in parts.items():
        if options.only in (None, name):
            print(f"measuring: {name} …", file=sys.stderr, flush=True)
            for row in part():
                table.add_row(*row)
    Console(width=160).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
