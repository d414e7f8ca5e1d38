"""What a thousand probed resources cost: real probes by real probers, to real Redis servers, at the default interval.

Each bound is in here, and a bench that finds one exceeded ends with an error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.ground import REDIS_HOST, Ground, opened
from bench.process import Cost, cost_of, sockets_of
from redis_connectivity_lab.asking import ask_prober
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.surfaces import series_of

__all__ = ["BoundExceededError", "probed"]

Row = tuple[str, str, str, str]

#: The defaults of `spec.probe.interval` and `--probes-in-flight`.
_INTERVAL: Final = 30.0
_IN_FLIGHT: Final = 64
#: Measured for two intervals and a bit.
_SECONDS: Final = 75.0
_POLL: Final = 3.0
_LOOK: Final = 0.2
_NAMESPACE: Final = "probed"

#: Sockets beside those of probes: Kubernetes, Google's services, the two listeners and who asks them.
_OTHER_SOCKETS: Final = 40
#: KiB of memory that a probed resource may add.
_KIB_A_RESOURCE: Final = 200.0
#: MiB that may come and go while nothing happens.
_BREATH: Final = 8.0
#: The longest that the jitter makes of an interval.
_JITTERED: Final = 1.1
#: Seconds after it was due by which each probe must have begun.
_LATE: Final = 5.0


class BoundExceededError(Exception):
    """Something grew beyond its bound; the message says what, how far and where the bound was."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What was measured while nothing but probes happened."""

    resources: int
    projects: int
    minutes: float
    cpu: float
    before: Cost
    after: Cost
    sockets: int
    writes: int
    probes: float
    failed: float
    late: float

    @property
    def label(self) -> str:
        return f"{self.resources} probed every {_INTERVAL:g} s in {self.projects} projects"

    def rows(self) -> Iterator[Row]:
        """For the table."""
        a_minute = self.probes / self.minutes
        wanted = self.resources * 60 / _INTERVAL
        yield (
            "probes",
            self.label,
            f"{a_minute:.0f} a minute",
            f"{wanted:.0f} by the interval; {self.failed:.0f} failed",
        )
        yield ("probes, latest", self.label, f"began {_told(self.late)} late at most", "")
        yield ("probed, at rest", self.label, f"{self.after.rss:.0f} MiB", f"{100 * self.cpu:.1f} % of a core")
        yield (
            "probed, at rest",
            self.label,
            f"{self.writes / self.minutes:.0f} Kubernetes writes/min but the Lease",
            f"{self.sockets} sockets at most",
        )

    def exceeded(self, smaller: _Rest | None) -> Iterator[str]:
        """Bounds that do not hold; `smaller` is the measure before, with fewer resources."""
        if self.writes:
            yield f"{self.writes} Kubernetes writes at rest; 0 are allowed"
        if self.sockets > _IN_FLIGHT + _OTHER_SOCKETS:
            yield f"{self.sockets} sockets; {_IN_FLIGHT} probes in flight and {_OTHER_SOCKETS} others are allowed"
        if self.after.rss > self.before.rss + _BREATH:
            yield f"memory grew from {self.before.rss:.0f} to {self.after.rss:.0f} MiB while nothing happened"
        least = self.resources * math.floor(60 * self.minutes / (_INTERVAL * _JITTERED))
        if self.probes < least:
            yield f"{self.probes:.0f} probes were made; the interval asks for {least} at least"
        if self.failed:
            yield f"{self.failed:.0f} probes failed on an open path"
        if self.late > _LATE:
            yield f"a probe began {_told(self.late)} late; {_LATE:g} s are allowed"
        if smaller is not None:
            more, grown = self.resources - smaller.resources, self.after.rss - smaller.after.rss
            allowed = more * _KIB_A_RESOURCE / 1024 + _BREATH
            if grown > allowed:
                yield f"{grown:.0f} MiB more for {more} more resources; {allowed:.0f} are allowed"


def _told(seconds: float) -> str:
    return "more than a minute" if math.isinf(seconds) else f"{seconds:g} s"


def probed(scales: list[int], projects: int) -> Iterator[Row]:
    """Rows for growing numbers of resources in these many projects, each with a Redis and a prober.

    Raises:
        BoundExceededError: At the end, when a bound did not hold.
    """
    exceeded: list[str] = []
    last: _Rest | None = None
    with opened(Timings.instant(), _POLL, kind="auto") as ground:
        places = [(one, _opened(ground, one)) for one in ground.projects(_NAMESPACE, projects)]
        made = 0
        with ground.watch(_NAMESPACE) as watch:
            for count in scales:
                names = [f"path-{n}" for n in range(count)]
                for n in range(made, count):
                    _declare(ground, names[n], *places[n % projects])
                made = count
                watch.wait(names)
                rest = _measure(ground, count, projects)
                yield from rest.rows()
                exceeded += (f"{rest.label}: {one}" for one in rest.exceeded(last))
                last = rest
    if exceeded:
        raise BoundExceededError("\n".join(exceeded))


def _opened(ground: Ground, project: str) -> str:
    """The URL of a project's prober, when it has got an answer: a lab on a busy machine starts them one by one."""
    prober = ground.open_path(project)
    ground.lab.cloud.settle()
    wait_until(lambda: ask_prober(prober, REDIS_HOST).ok, deadline=300, describe=f"the prober of {project} to answer")
    return prober


def _declare(ground: Ground, name: str, project: str, prober: str) -> None:
    # Somebody's rule is there: what is measured is probing, and a thousand rules would be measured with it.
    firewall = {"ingress": "Never", "egress": "Never"}
    ground.create(_NAMESPACE, name, project, firewall=firewall, probe={"proberUrl": prober})


def _measure(ground: Ground, count: int, projects: int) -> _Rest:
    _each_probed_twice(ground, count)
    mark = ground.lab.control_plane.audit.mark()
    counted = _Counted.of(ground)
    before, begun = cost_of(ground.pid), time.monotonic()
    most: list[int] = []

    def over() -> bool:
        most.append(sockets_of(ground.pid))
        return time.monotonic() - begun >= _SECONDS

    wait_until(over, deadline=_SECONDS + 60, interval=_LOOK, describe="the time to pass")
    seconds, after = time.monotonic() - begun, cost_of(ground.pid)
    then = _Counted.of(ground)
    writes = [one for one in ground.lab.control_plane.audit.writes(mark) if one.resource != "leases"]
    return _Rest(
        resources=count,
        projects=projects,
        minutes=seconds / 60,
        cpu=(after.cpu - before.cpu) / seconds,
        before=before,
        after=after,
        sockets=max(most),
        writes=len(writes),
        probes=then.probes - counted.probes,
        failed=then.failed - counted.failed,
        late=then.latest_since(counted),
    )


def _each_probed_twice(ground: Ground, count: int) -> None:
    """Return when each has been probed often enough for connections to have settled, and nothing is written."""

    def settled() -> bool:
        mark = ground.lab.control_plane.audit.mark()
        _pass(_POLL)
        quiet = not [one for one in ground.lab.control_plane.audit.writes(mark) if one.resource != "leases"]
        return quiet and _Counted.of(ground).probed >= (count, 2)

    wait_until(settled, deadline=600, describe=f"{count} resources to be probed twice, and the operator to rest")


def _pass(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, deadline=seconds + 60, interval=_LOOK, describe="time to pass")


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counters of the operator at a moment. `late` has, by upper bound in seconds, how many probes began within it."""

    probes: float
    failed: float
    probed: tuple[int, float]
    late: dict[float, float]

    @classmethod
    def of(cls, ground: Ground) -> _Counted:
        ok: dict[str, float] = {}
        failed = 0.0
        late = {}
        for (name, pairs), value in series_of(ground.lab.operator.metrics()).items():
            labels = dict(pairs)
            if name == "redis_connectivity_probes_total":
                if labels["code"] == "Ok":
                    ok[labels["name"]] = value
                else:
                    failed += value
            elif name == "redis_connectivity_probe_lateness_seconds_bucket":
                late[float(labels["le"])] = value
        return cls(sum(ok.values()) + failed, failed, (len(ok), min(ok.values(), default=0.0)), late)

    def latest_since(self, before: _Counted) -> float:
        """The least bound within which every probe since then began."""
        began = {bound: value - before.late[bound] for bound, value in self.late.items()}
        return min(bound for bound, value in began.items() if value == began[math.inf])
