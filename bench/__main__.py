"""`python -m bench`: measures the operator and prints one table.

The real operator process, a real API server, the emulated Google Cloud. Ratios and counts in one run are what to
compare; absolute times depend on the machine, and on what else it has to do.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from bench.ground import Ground, Watch, opened
from bench.notice import notice
from bench.probed import BoundExceededError, probed
from bench.process import cost_of
from bench.reachability import reachability
from redis_connectivity.core.contention import FIELD_ROUNDS
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.emulator.timings import Timings

Row = tuple[str, str, str, str]

#: Seconds that each emulated operation takes where the time up to Ready is measured.
_OPERATION = 1.0
_POLL = 3.0
_TRIES = 9
_SAMPLES = 40
_PROJECTS = 10
_REST_SECONDS = 60.0
_GONE_PATIENCE = 60.0


def spread(values: list[float]) -> str:
    """Median and 95th percentile of seconds, as the table has them."""
    ordered = sorted(values)
    tail = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"p50 {statistics.median(ordered):.2f} s, p95 {tail:.2f} s"


def apply_to_ready(scales: list[int]) -> Iterator[Row]:
    """From the create call to Ready, above the time that Google's operations themselves take."""
    what = "apply → Ready, above Google's own time"
    with opened(Timings(firewall=_OPERATION, connector_create=_OPERATION), _POLL) as ground:
        if 1 in scales:
            with ground.watch("one") as watch:
                seconds = [_one(ground, watch, number) for number in range(_TRIES)]
            yield (what, "1 resource: connector and rule, a new project", spread(seconds), f"{_TRIES} tries")
        for count in (one for one in scales if one > 1):
            places = ground.projects(f"apply-{count}", _PROJECTS)
            before = cost_of(ground.pid)
            with ground.watch(f"apply-{count}") as watch:
                begun = {
                    f"path-{n}": ground.create(f"apply-{count}", f"path-{n}", places[n % _PROJECTS])
                    for n in range(count)
                }
                ready = watch.wait(list(begun))
            own = [ready[name] - begun[name] - _OPERATION for name in begun]
            last = max(ready[name] for name in begun) - min(begun.values()) - _OPERATION
            spent = cost_of(ground.pid).cpu - before.cpu
            yield (what, f"{count} at once: a rule each, {_PROJECTS} new projects", spread(own), f"last {last:.1f} s")
            yield ("", "  its CPU", f"{spent:.1f} s", f"{1000 * spent / count:.0f} ms a resource")


def _one(ground: Ground, watch: Watch, number: int) -> float:
    name = f"path-{number}"
    (project,) = ground.projects(f"one-{number}", 1)
    begun = ground.create("one", name, project, managed=True)
    return watch.wait([name])[name] - begun - 2 * _OPERATION


def repair_and_rest(scales: list[int]) -> Iterator[Row]:
    """What rest costs, and foreign deletion → repaired, at growing numbers of resources in ten projects."""
    with opened(Timings.instant(), _POLL) as ground:
        cost = cost_of(ground.pid)
        yield ("operator at start", "no resource", f"{cost.rss:.0f} MiB", f"{cost.cpu:.1f} CPU s")
        places = ground.projects("scale", _PROJECTS)
        names: list[str] = []
        deleted: Counter[tuple[str, str]] = Counter()
        with ground.watch("scale") as watch:
            for count in scales:
                more = [f"path-{n}" for n in range(len(names), count)]
                names += more
                before, begun = cost_of(ground.pid), time.monotonic()
                for n, name in enumerate(more, start=count - len(more)):
                    ground.create("scale", name, places[n % _PROJECTS])
                took = max(watch.wait(names).values()) - begun
                spent = cost_of(ground.pid).cpu - before.cpu
                used = places[: min(count, _PROJECTS)]
                label = f"{count} in {len(used)} project{'s' if len(used) > 1 else ''}"
                yield (f"{len(more)} more made Ready", label, f"{took:.1f} s", f"{spent:.1f} CPU s")
                resting, *rows = _rest(ground, label)
                yield from rows
                yield from _repairs(ground, used, label, resting, deleted)


def _rest(ground: Ground, label: str) -> tuple[float, Row, Row]:
    """CPU seconds a second at rest, and the rows."""
    _come_to_rest(ground)
    mark = ground.lab.cloud.emulator.call(lambda emulator: emulator.audit.last)
    kube = ground.lab.control_plane.audit.mark()
    before, begun = cost_of(ground.pid), time.monotonic()
    _pass(_REST_SECONDS)
    minutes = (time.monotonic() - begun) / 60
    cost = cost_of(ground.pid)
    calls = ground.lab.cloud.emulator.call(
        lambda emulator: [one for one in emulator.audit.records(since=mark) if one.kind in ("read", "write")]
    )
    written = [one for one in calls if one.kind == "write"]
    status = [one for one in ground.lab.control_plane.audit.writes(kube) if one.resource != "leases"]
    cpu = (cost.cpu - before.cpu) / (minutes * 60)
    return (
        cpu,
        (
            "at rest",
            label,
            f"{len(calls) / minutes:.0f} Google calls/min",
            f"{len(written)} writes; {len(status)} Kubernetes writes but the Lease",
        ),
        ("at rest", label, f"{cost.rss:.0f} MiB", f"{100 * cpu:.1f} % of a core"),
    )


def _repairs(
    ground: Ground, projects: list[str], label: str, resting: float, deleted: Counter[tuple[str, str]]
) -> Iterator[Row]:
    """One deletion after the other, each at a random moment between two polls.

    No rule so often that the operator takes it for a fight (`deleted` counts over all scales): few rules, few samples.
    """
    chance = random.Random(1)  # noqa: S311 - the same moments in each run
    before, whole = cost_of(ground.pid), time.monotonic()
    seconds = []
    for _ in range(_SAMPLES):
        _pass(chance.uniform(0, _POLL))
        rules = [(one, name) for one in projects for name in ground.rules(one)]
        left = [rule for rule in rules if deleted[rule] < FIELD_ROUNDS]
        if not left:
            break
        project, name = chance.choice(left)
        deleted[project, name] += 1
        begun = time.monotonic()
        ground.control.delete("firewalls", project, name)
        _wait_for_rule(ground, project, name)
        seconds.append(time.monotonic() - begun)
    _come_to_rest(ground)
    if not seconds:
        return
    spent = cost_of(ground.pid).cpu - before.cpu - resting * (time.monotonic() - whole)
    each = f"{1000 * max(0.0, spent) / len(seconds):.0f} CPU ms a repair"
    yield (f"rule deleted → back, {_POLL:g} s poll", label, spread(seconds), f"{len(seconds)} samples, {each}")


def _wait_for_rule(ground: Ground, project: str, name: str) -> None:
    wait_until(
        lambda: name in ground.rules(project),
        deadline=_GONE_PATIENCE,
        interval=0.01,
        describe=f"rule {name} of {project} to come back",
    )


def _come_to_rest(ground: Ground) -> None:
    """Return when the operator has written nothing for a poll's time."""

    def no_writes() -> bool:
        mark = ground.lab.control_plane.audit.mark()
        _pass(_POLL)
        return not [one for one in ground.lab.control_plane.audit.writes(mark) if one.resource != "leases"]

    wait_until(no_writes, deadline=300, describe="the operator to come to rest")


def _pass(seconds: float) -> None:
    """Let time pass: here it is the thing that is measured, not a guess at when something is done."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, deadline=seconds + 5, interval=0.2, describe="time to pass")


def main() -> int:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=["apply", "scale", "reachability", "notice", "probed"], help="one part only")
    parser.add_argument(
        "--scale",
        choices=["small", "full"],
        default="full",
        help="small: up to 20 resources, to see that it works; full: up to 200 and 1,000",
    )
    options = parser.parse_args()
    small = options.scale == "small"
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "apply": lambda: apply_to_ready([1, 20] if small else [1, 200]),
        "reachability": reachability,
        "notice": lambda: notice(small=small),
        "probed": lambda: probed([10, 50], 2) if small else probed([100, 1000], _PROJECTS),
        "scale": lambda: repair_and_rest([1, 20] if small else [1, 10, 100, 1000]),
    }
    load = os.getloadavg()[0]
    table = Table(
        title=f"The operator, measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores,"
        f" load {load:.1f} before",
        title_justify="left",
    )
    for name in ("measure", "with", "figure", "and"):
        table.add_column(name)
    exceeded = ""
    for name, part in parts.items():
        if options.only not in (None, name):
            continue
        try:
            for row in part():
                print("  ".join(row), file=sys.stderr, flush=True)
                table.add_row(*row)
        except BoundExceededError as error:
            exceeded = str(error)
    Console(width=160).print(table)
    if exceeded:
        print(f"Beyond its bound:\n{exceeded}", file=sys.stderr)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
