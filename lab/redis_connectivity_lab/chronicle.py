"""Every diagnosis that the operator writes while something happens: none between two looks is missed."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["Chronicle", "Written"]

_GRACE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Written:
    """One state of the resource as somebody wrote it; `at` as `time.monotonic` has it."""

    at: float
    uid: str
    status: dict[str, Any]

    @property
    def diagnosis(self) -> dict[str, Any] | None:
        """The diagnosis, where there is one."""
        found = self.status.get("diagnosis")
        return dict(found) if found else None

    @property
    def code(self) -> str:
        """The diagnosis' code; empty where there is none."""
        return str((self.diagnosis or {}).get("code", ""))


class Chronicle:
    """Watches the resource of an environment by `kubectl get --watch`. A context manager."""

    def __init__(self, lab: Lab, env: Environment) -> None:
        self._lab = lab
        self._env = env
        self._written: list[Written] = []
        self._process: subprocess.Popen[str]
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        name, namespace = self._env.resource, self._env.namespace
        self._process = self._lab.cluster.start_kubectl(
            "get", "rconn", "-n", namespace, f"--field-selector=metadata.name={name}", "-o", "json", "--watch"
        )
        self._thread = threading.Thread(target=self._run, name="chronicle", daemon=True)
        self._thread.start()
        wait_until(lambda: bool(self._written), deadline=30, describe=f"the watch of {namespace}/{name} to begin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_GRACE)
        self._thread.join(_GRACE)

    def _run(self) -> None:
        """One JSON object after another comes, over many lines."""
        text = ""
        for line in self._process.stdout or ():
            text += line
            if line != "}\n":
                continue  # only the brace of a whole object stands at the beginning of a line
            body, text = json.loads(text), ""
            self._written.append(Written(time.monotonic(), body["metadata"]["uid"], body.get("status", {})))

    @property
    def written(self) -> tuple[Written, ...]:
        """Everything up to now, in order."""
        return tuple(self._written)

    def diagnoses(self, since: float) -> tuple[Written, ...]:
        """Each diagnosis written after `since` that is another one than the one before it."""
        found: list[Written] = []
        for one in self.written:
            if one.at < since or one.diagnosis is None:
                continue
            if not found or found[-1].code != one.code:
                found.append(one)
        return tuple(found)
