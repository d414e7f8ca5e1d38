"""`redis-connectivity lab demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from redis_connectivity_lab.commands.options import (
    ContextOption,
    DataPlaneKind,
    DataPlaneOption,
    KubeconfigOption,
    SpeedOption,
    wide_console,
)
from redis_connectivity_lab.speeds import Speed, patience
from redis_connectivity_lab.trouble import fail, plainly

__all__ = ["demo"]


def demo(
    speed: SpeedOption = Speed.QUICK,
    data_plane: DataPlaneOption = DataPlaneKind.AUTO,
    scene: Annotated[
        str | None, typer.Option(help="Play this scene of `lab break` instead, from an open path to an open path.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="Where to play the scene.", show_default="the scene's own")
    ] = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    fast: Annotated[bool, typer.Option("--fast", help="The same as --speed instant, for tests.")] = False,
) -> None:
    """Play the founding outage: a broken path is made to work, is broken again, and heals.

    For Redis on a VM and for Memorystore, with times. Exit code 0 only if every step really held.
    """
    with plainly():
        from redis_connectivity_lab.controlplane import GuestCluster  # noqa: PLC0415
        from redis_connectivity_lab.demo import play  # noqa: PLC0415 - --help shall not import the whole lab
        from redis_connectivity_lab.narrator import Narrator  # noqa: PLC0415
        from redis_connectivity_lab.opened import opened_lab  # noqa: PLC0415
        from redis_connectivity_lab.sceneplay import play_scene  # noqa: PLC0415
        from redis_connectivity_lab.scenes import UnknownSceneError, scene_of  # noqa: PLC0415
        from redis_connectivity_lab.worlds import ENVIRONMENTS  # noqa: PLC0415

        speed = Speed.INSTANT if fast else speed
        try:
            chosen = None if scene is None else scene_of(scene)
            if chosen is not None:
                chosen.environment(environment)
        except UnknownSceneError as error:
            fail(str(error))
        narrator = Narrator(wide_console())
        narrator.say(
            "A real API server, packet filter and Redis; Google Cloud's REST is emulated, and nothing else. Operations"
            f" of the emulated Google take {_PACES[speed]} (--speed)."
        )
        guest_of = GuestCluster(kubeconfig, context) if kubeconfig else None
        with opened_lab(speed, data_plane.value, narrator.say, guest_of) as lab:
            if chosen is not None:
                play_scene(lab, narrator, chosen, chosen.environment(environment), patience(speed))
            else:
                for env in ENVIRONMENTS:
                    play(lab, narrator, env, patience(speed))
            narrator.summary()
    raise typer.Exit(0 if narrator.held else 1)


_PACES = {
    Speed.INSTANT: "no time",
    Speed.QUICK: "a second or three",
    Speed.REALISTIC: "as long as Google's own: minutes for a connector",
}
