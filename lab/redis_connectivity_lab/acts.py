"""What the lab's stories are made of: an environment, its resource, a narrator, and steps that wait for the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from redis_connectivity.probes.client import PROBE_PATH
from redis_connectivity.probes.model import ProbeFailure
from redis_connectivity_lab.asking import Asked, Vigil
from redis_connectivity_lab.controlplane import ControlPlaneError
from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError, wait_until
from redis_connectivity_lab.dataplane.protocol import DataPlaneError
from redis_connectivity_lab.emulator.control_client import ControlError
from redis_connectivity_lab.narrator import Narrator, StepFailedError
from redis_connectivity_lab.resource import Resource, condition, write_manifest
from redis_connectivity_lab.site import NothingThereError, Site
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["Acts", "Healing"]

T = TypeVar("T")

#: Between two looks at the emulated cloud, which is asked over HTTP.
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Healing:
    """How a repair went; seconds since somebody broke it. `cut` is the first PING that failed, if one did."""

    noticed: float
    repaired: float
    answered: float
    cut: Asked | None
    latency: float

    def told(self) -> str:
        """One sentence."""
        failure = self.cut.answer.failure if self.cut else None
        between = f"new connections failed in between ({failure.code})" if failure else "no new connection failed"
        return (
            f"repaired {self.repaired:.2f} s after (first write after {self.noticed:.2f} s); {between},"
            f" PONG again after {self.answered:.2f} s, in {self.latency * 1000:.1f} ms"
        )


class Acts:
    """Acts of one environment's story.

    Args:
        patience: Seconds after which something that should have happened has not.
    """

    def __init__(self, lab: Lab, narrator: Narrator, env: Environment, patience: float) -> None:
        self.lab = lab
        self.narrator = narrator
        self.env = env
        self.patience = patience
        self.site = Site(lab.cloud, env, lab.kubectl)
        self.resource = Resource(lab, env)
        self._applied = 0.0

    def step(self, name: str, expected: str, play: Callable[[], str], *needs: str) -> None:
        """Play a step of the story; what parts of the lab refuse is its failure."""

        def tried() -> str:
            try:
                return play()
            except (ControlPlaneError, ControlError, DataPlaneError, NothingThereError, OSError) as error:
                raise StepFailedError(str(error)) from error

        self.narrator.step(name, expected, tried, self._evidence, needs)

    def _evidence(self) -> str:
        try:
            return self.resource.evidence()
        except ControlPlaneError as error:
            return f"the resource's status cannot be read: {error}"

    def wait(self, predicate: Callable[[], T | None], what: str | Callable[[], str]) -> T:
        """Wait for something; a step that waits in vain has failed."""
        try:
            return wait_until(predicate, deadline=self.patience, describe=what, interval=_LOOK)
        except DeadlineExceededError as error:
            raise StepFailedError(str(error)) from error

    # --- acts that more than one story has

    def apply(self) -> str:
        """Write the resource to a file, show it, and apply it."""
        file = write_manifest(self.lab, self.env)
        self.narrator.say(f"The file {file} says:")
        self.narrator.show(file.read_text(encoding="utf-8"))
        self.narrator.say(f"$ kubectl apply -f {file}", "bold")
        said = self.resource.apply(file)
        self._applied = time.monotonic()
        return said

    def ready(self) -> str:
        """Wait until the resource is Ready; tell each condition that turns on the way."""
        self.wait_condition("Ready", "True")
        seconds = time.monotonic() - self._applied
        self.narrator.say(f"$ kubectl get rconn {self.env.resource} -n {self.env.namespace}", "bold")
        self.narrator.show(self.resource.table())
        return f"Ready {seconds:.2f} s after kubectl apply"

    def delete(self) -> str:
        """`kubectl delete`, and wait until the resource is gone, as kubectl itself does."""
        self.narrator.say(f"$ kubectl delete rconn {self.env.resource} -n {self.env.namespace}", "bold")
        begun = time.monotonic()
        self.narrator.show(self.resource.delete())
        self.wait(lambda: self.resource.read() is None, f"{self.env.resource} to be gone")
        return f"gone after {time.monotonic() - begun:.2f} s"

    def wait_condition(self, kind: str, status: str, reason: str | None = None) -> str:
        """Wait until a condition is so; answers its message. Tells each condition that turns on the way."""

        def look() -> str | None:
            found = condition(self.resource.turned(self.narrator.say), kind)
            fits = found.get("status") == status and (reason is None or found.get("reason") == reason)
            return str(found["message"]) if fits else None

        return self.wait(look, f"{self.env.resource} to be {kind}={status}{f' ({reason})' if reason else ''}")

    def ping(self) -> str:
        """One PING from behind the connector must be answered."""
        answer = self.site.ask()
        if answer.failure is not None:
            raise StepFailedError(self.failure_told(answer.failure))
        return f"PONG in {answer.latency_seconds * 1000:.1f} ms, from {answer.prober.via} behind {self.env.connector}"

    def failure_told(self, failure: ProbeFailure) -> str:
        """Code and message of a failed PING, without the prober's long URL."""
        return f"{failure.code}: {failure.message.replace(f'{self.site.prober_url}{PROBE_PATH}', 'the prober')}"

    def ping_again(self) -> str:
        """Wait until PING is answered from behind the connector: a service that starts anew takes its time."""
        answer = self.wait(lambda: one if (one := self.site.ask()).ok else None, "PING to be answered")
        return f"PONG in {answer.latency_seconds * 1000:.1f} ms"

    def healed(
        self, what: str, break_it: Callable[[], object], whole: Callable[[], bool], *, drift: bool = True
    ) -> Healing:
        """Somebody breaks something; wait until it is whole again and PING passes.

        With `drift` the status must tell of a repair: what was changed is the operator's own.
        """
        drifts = self._repairs()
        mark = self.site.mark()
        with self.site.vigil() as vigil:
            begun = time.monotonic()
            self.narrator.say(what)
            break_it()
            noticed = self._when(begun, lambda: bool(self.site.operator_writes(mark)), "the operator to act")
            repaired = self._when(begun, whole, "it to be repaired")
            again = self._answered(vigil, begun + repaired)
            cut = vigil.first(ok=False, since=begun)
        if drift:
            self.wait(lambda: self._repairs() > drifts, "status.drift to tell of the repair")
        self.wait_condition("Ready", "True")
        return Healing(noticed, repaired, again.ended - begun, cut, again.answer.latency_seconds)

    def _when(self, begun: float, happened: Callable[[], bool], what: str) -> float:
        """Seconds from `begun` until something has happened. Tells each condition that turns meanwhile."""

        def look() -> float | None:
            if happened():
                return time.monotonic() - begun
            self.resource.turned(self.narrator.say)
            return None

        return self.wait(look, what)

    def _answered(self, vigil: Vigil, since: float) -> Asked:
        return self.wait(lambda: vigil.first(ok=True, since=since), "PING to be answered again")

    def _repairs(self) -> tuple[str, ...]:
        """Repairs that the status tells of, the last one last; grows with each."""
        drift = self.resource.status().get("drift", [])
        return tuple(sorted(str(one["repaired"]) for one in drift if "repaired" in one))
