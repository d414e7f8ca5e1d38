"""`lab demo --scene NAME`: one scene, played from an open path to an open path."""

from __future__ import annotations

import time

from redis_connectivity_lab.acts import Acts
from redis_connectivity_lab.narrator import Narrator
from redis_connectivity_lab.resource import condition
from redis_connectivity_lab.scene_acts import Wound
from redis_connectivity_lab.scenes import Scene
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["play_scene"]


def play_scene(lab: Lab, narrator: Narrator, scene: Scene, env: Environment, patience: float) -> None:
    """Open the path, break it, and see it healed, or named and then healed."""
    _ScenePlay(lab, narrator, env, patience, scene).play()


class _ScenePlay(Acts):
    def __init__(self, lab: Lab, narrator: Narrator, env: Environment, patience: float, scene: Scene) -> None:
        super().__init__(lab, narrator, env, patience + scene.slow)
        self.scene = scene
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
        healing = self.healed(
            f"Scene {self.scene.name} …",
            self._break,
            lambda: self.wound is not None and not self.wound.open(),
            drift=self.scene.drift,
        )
        self._undo()
        return healing.told()

    def _named(self) -> str:
        begun = time.monotonic()
        self._break()

        def named() -> str | None:
            found = condition(self.resource.turned(self.narrator.say), "Ready")
            return str(found["message"]) if found.get("reason") == self.scene.names else None

        message = self.wait(named, f"Ready to say {self.scene.names}")
        return f"{self.scene.names} after {time.monotonic() - begun:.2f} s: {message}"

    def _over(self) -> str:
        begun = time.monotonic()
        self._undo()
        self.wait_condition("Ready", "True")
        seconds = time.monotonic() - begun
        return f"Ready {seconds:.2f} s later; {self.ping_again()}"

    def _undo(self) -> None:
        wound, self.wound = self.wound, None
        if wound is not None and wound.undo is not None:
            wound.undo()
            self.narrator.say("The lab ends the scene.")

    def _delete(self) -> str:
        self._undo()
        return self.delete()
