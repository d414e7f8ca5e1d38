"""How long it takes to notice: from the act that breaks a path to the status, the page and the metric telling why.

The scenes of `lab demo`, played by the very code that the end-to-end test plays; nobody looks at a status that is
written, so it is watched. The page is listened to as a browser does, the metric is scraped ten times a second.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

from rich.console import Console

from bench.probed import BoundExceededError
from redis_connectivity_lab.narrator import Narrator
from redis_connectivity_lab.opened import opened_lab
from redis_connectivity_lab.sceneplay import Played, play_scene
from redis_connectivity_lab.scenes import SCENES
from redis_connectivity_lab.speeds import Speed
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.surfaces import Surfaces
from redis_connectivity_lab.worlds import Environment

__all__ = ["notice"]

Row = tuple[str, str, str, str]

#: One of each way to notice: by a rule, a repair, Redis' answer, silence, the prober, the cloud, the spec.
_FEW = (
    "rule-deleted",
    "egress-denied",
    "redis-stopped",
    "redis-gone",
    "prober-unavailable",
    "foreign-connector-error",
    "permission-lost",
    "wrong-network",
)
#: Google's minute has to pass until a used-up quota is back.
_LEFT_OUT = "quota-exhausted"
_PATIENCE = 120.0
_SCRAPE = 0.1
_STOP_SECONDS = 10.0


class _Lookout:
    """Notes when page and metric show which cause, while a scene is played. A context manager."""

    def __init__(self, lab: Lab, env: Environment) -> None:
        self._surfaces = Surfaces(lab, env)
        self._key = f"{env.namespace}/{env.resource}"
        address = urlsplit(lab.operator.page)
        self._events = http.client.HTTPConnection(address.hostname or "", address.port, timeout=600)
        self._over = threading.Event()
        self._page: list[tuple[float, str]] = []
        self._metric: list[tuple[float, str]] = []
        self._threads = [
            threading.Thread(target=one, name=one.__name__, daemon=True) for one in (self._listen, self._scrape)
        ]

    def __enter__(self) -> Self:
        self._events.request("GET", "/api/events")
        self._stream = self._events.getresponse()
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._stream.close()
        self._events.close()
        for one in self._threads:
            one.join(_STOP_SECONDS)
        self._surfaces.__exit__(None, None, None)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):  # the end, see exit
            while line := self._stream.readline():
                if line.startswith(b"data: "):
                    self._shown(json.loads(line.removeprefix(b"data: ")))

    def _shown(self, data: dict[str, Any]) -> None:
        for one in data.get("paths", [data]):
            found = one.get("diagnosis")
            if one["key"] == self._key and found:
                self._page.append((time.monotonic(), found["code"]))

    def _scrape(self) -> None:
        while not self._over.wait(_SCRAPE):
            codes = self._surfaces.metric_codes()
            self._metric.extend((time.monotonic(), code) for code in codes)

    def page(self, played: Played) -> float | None:
        """Seconds until the page showed the cause; None where it was healed before that."""
        return self._first(self._page, played)

    def metric(self, played: Played) -> float | None:
        """Seconds until the metric showed the cause; None where it was healed between two scrapes."""
        return self._first(self._metric, played)

    @staticmethod
    def _first(seen: list[tuple[float, str]], played: Played) -> float | None:
        cause = played.scene.cause(played.env)
        return next((at - played.begun for at, code in tuple(seen) if at >= played.begun and code == cause), None)


def notice(*, small: bool) -> Iterator[Row]:
    """Rows of each scene, then of all of them.

    Raises:
        BoundExceededError: At the end, when a scene did not go as the operator promises; the message has its story.
    """
    names = _FEW if small else tuple(name for name in SCENES if name != _LEFT_OUT)
    seconds: dict[str, list[float]] = {"status": [], "page": [], "metric": []}
    missed = dict.fromkeys(seconds, 0)
    failed: list[str] = []
    with opened_lab(Speed.INSTANT, "auto", lambda _: None) as lab:
        for name in names:
            scene = SCENES[name]
            for env in scene.environments:
                told = io.StringIO()
                narrator = Narrator(Console(file=told, width=160))
                seen: list[Played] = []
                with _Lookout(lab, env) as lookout:
                    play_scene(lab, narrator, scene, env, _PATIENCE, seen.append)
                    if not narrator.held:
                        failed.append(told.getvalue())
                        yield ("broken → told", f"{name} in {env.word}", "not as the operator promises", "")
                        continue
                    (played,) = seen
                    taken = {
                        "status": played.diagnosed - played.begun,
                        "page": lookout.page(played),
                        "metric": lookout.metric(played),
                    }
                words = []
                for surface, took in taken.items():
                    if took is None:
                        missed[surface] += 1
                        words.append(f"{surface} -")
                    else:
                        seconds[surface].append(took)
                        words.append(f"{surface} {took:.2f} s")
                yield ("broken → told", f"{name} in {env.word}", ", ".join(words), scene.cause(env).value)
    for surface, values in seconds.items():
        yield (f"broken → told by the {surface}", f"{len(values)} scenes", *_spread(values, missed[surface]))
    if failed:
        raise BoundExceededError("\n".join(failed))


def _spread(values: list[float], missed: int) -> tuple[str, str]:
    ordered = sorted(values)
    tail = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    said = f"{missed} healed before it was looked at" if missed else ""
    return f"p50 {statistics.median(ordered):.2f} s, p95 {tail:.2f} s, max {ordered[-1]:.2f} s", said
