"""`lab demo --scene NAME`: one scene, played from an open path to an open path."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from redis_connectivity_lab.acts import Acts
from redis_connectivity_lab.chronicle import Chronicle, Written
from redis_connectivity_lab.expected import Alert
from redis_connectivity_lab.narrator import Narrator, StepFailedError
from redis_connectivity_lab.resource import condition
from redis_connectivity_lab.scenes import Scene
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.surfaces import Look, Surfaces
from redis_connectivity_lab.worlds import Environment
from redis_connectivity_lab.wound import Wound

__all__ = ["Played", "play_scene"]

#: How a diagnosis is shown: what `kubectl get -o yaml` has, in the words of the CLI.
_LINES: Final = (("evidence", "evidence"), ("remedy", "remedy"), ("documentation", "see"))


@dataclass(frozen=True, slots=True)
class Played:
    """What was seen of a scene. Times are as `time.monotonic` has them.

    Attributes:
        scene: Which.
        env: Where.
        begun: When the path was broken.
        diagnosed: When the true cause was in the status.
        look: All surfaces when they agreed: on the cause, or where the operator heals the scene, on Ready.
    """

    scene: Scene
    env: Environment
    begun: float
    diagnosed: float
    look: Look


def play_scene(
    lab: Lab,
    narrator: Narrator,
    scene: Scene,
    env: Environment,
    patience: float,
    played: Callable[[Played], None] = lambda _: None,
) -> None:
    """Open the path, break it, see the first diagnosis be the true one, and see it healed, or named and then healed.

    All surfaces must tell the same; `played` is told what was seen.
    """
    _ScenePlay(lab, narrator, env, patience, scene, played).play()


class _ScenePlay(Acts):
    def __init__(
        self,
        lab: Lab,
        narrator: Narrator,
        env: Environment,
        patience: float,
        scene: Scene,
        played: Callable[[Played], None],
    ) -> None:
        super().__init__(lab, narrator, env, patience + scene.slow)
        self.scene = scene
        self.played = played
        self.wound: Wound | None = None

    def play(self) -> None:
        self.narrator.chapter(f"{self.scene.name}: {self.scene.summary} ({self.env.word})")
        self.step("apply", "kubectl apply is accepted", self.apply)
        self.step("ready", f"{self.env.resource} turns Ready", self.ready, "apply")
        self.step("ping", "PING is answered from behind the connector", self.ping, "ready")
        if self.scene.names is None:
            self.step("healed", "broken, and healed by the operator", self._healed, "ping")
        else:
            self.step("named", "broken, and named by the operator", self._named, "ping")
            self.step("over", "ended, and Ready again", self._over, "named")
        self.step("delete", "kubectl delete removes the resource", self._delete, "apply")

    def _break(self) -> None:
        self.wound = self.scene.act(self.site)
        self.narrator.say(f"Done: {self.wound.done}. Watch: {self.wound.watch}.")

    def _healed(self) -> str:
        with Chronicle(self.lab, self.env) as chronicle:
            begun = time.monotonic()
            healing = self.healed(
                f"Scene {self.scene.name} …",
                self._break,
                lambda: self.wound is not None and not self.wound.open(),
                drift=self.scene.drift,
            )
            diagnosed = self._first_cause(chronicle, begun)
        look = self._agreed()
        self.played(Played(self.scene, self.env, begun, diagnosed, look))
        self._undo()
        return f"{self._told(begun, diagnosed)}; {healing.told()}; {look.told()}"

    def _named(self) -> str:
        with Chronicle(self.lab, self.env) as chronicle:
            begun = time.monotonic()
            self._break()

            def named() -> str | None:
                found = condition(self.resource.turned(self.narrator.say), "Ready")
                return str(found["message"]) if found.get("reason") == self.scene.names else None

            message = self.wait(named, f"Ready to say {self.scene.names}")
            seconds = time.monotonic() - begun
            diagnosed = self._first_cause(chronicle, begun)
        look = self._agreed()
        self.played(Played(self.scene, self.env, begun, diagnosed, look))
        return f"{self._told(begun, diagnosed)}; {self.scene.names} after {seconds:.2f} s: {message}; {look.told()}"

    def _agreed(self) -> Look:
        """Wait until every surface tells what the scene says that they tell; answers what they tell."""
        code = self.scene.cause(self.env).value if self.wound and self.scene.names is not None else None
        hops = self.scene.hops if code is not None else frozenset({None})
        cut = code is not None and Alert.PATH_BROKEN in self.scene.alerts
        last: list[Look] = []
        with Surfaces(self.lab, self.env) as surfaces:

            def agreed() -> Look | None:
                last[:] = [surfaces.look()]
                (look,) = last
                whole = look.code == code and look.hop in hops and look.is_ready() is (code is None)
                return look if whole and (look.is_cut() or not cut) and not look.disagreements() else None

            def described() -> str:
                where = " or ".join(sorted(hop or "no hop" for hop in hops))
                told = "; ".join(words for one in last for words in (one.told(), *one.disagreements()))
                return f"every surface to tell {code or 'of no cause'} at {where}; they tell {told}"

            return self.wait(agreed, described)

    def _told(self, begun: float, diagnosed: float) -> str:
        return f"{self.scene.cause(self.env)} after {diagnosed - begun:.2f} s"

    def _first_cause(self, chronicle: Chronicle, since: float) -> float:
        """The first diagnosis that was written must be the true cause; shows it, and answers when it was written."""

        def told() -> list[Written] | None:
            return [one for one in chronicle.diagnoses(since) if one.code != self.scene.earlier] or None

        found = self.wait(told, "a diagnosis")
        for one in chronicle.diagnoses(since):
            if one is found[0]:
                break
            self._show(one, since)
            self.narrator.say("  That is true, and not yet the whole of it: the cause shows only with time.")
        self._show(found[0], since)
        expected, codes = self.scene.cause(self.env), [one.code for one in found]
        if codes[0] != expected:
            raise StepFailedError(f"the cause is {expected}, and the diagnoses were {', '.join(codes)}")
        return found[0].at

    def _show(self, written: Written, since: float) -> None:
        told = written.diagnosis or {}
        self.narrator.say(f"Diagnosis after {written.at - since:.2f} s: {told['code']}. {told['summary']}")
        for field, label in _LINES:
            for line in told[field] if isinstance(told[field], list) else [told[field]]:
                self.narrator.say(f"  {label:8} {line}")

    def _over(self) -> str:
        begun = time.monotonic()
        self._undo()
        self.wait_condition("Ready", "True")
        if self.resource.status().get("diagnosis"):
            raise StepFailedError("the path is Ready, and its diagnosis still stands")
        seconds = time.monotonic() - begun
        return f"Ready {seconds:.2f} s later; {self._agreed().told()}; {self.ping_again()}"

    def _undo(self) -> None:
        wound, self.wound = self.wound, None
        if wound is not None and wound.undo is not None:
            wound.undo()
            self.narrator.say("The lab ends the scene.")

    def _delete(self) -> str:
        self._undo()
        return self.delete()
