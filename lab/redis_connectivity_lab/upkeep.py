"""`lab up`: the lab that keeps running, in the foreground or behind a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from redis_connectivity_lab.controlplane import GuestCluster, find, wait_until
from redis_connectivity_lab.controlplane.process import ProcessError
from redis_connectivity_lab.labserver import LabServer
from redis_connectivity_lab.labstate import LabState, LabStore
from redis_connectivity_lab.labview import guide
from redis_connectivity_lab.opened import opened_lab
from redis_connectivity_lab.resource import Resource, write_manifest
from redis_connectivity_lab.speeds import Speed, patience
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import ENVIRONMENTS

__all__ = ["keep_up", "send_up"]

#: Seconds that a lab may take to start; the programs of the control plane are there by then.
_START_DEADLINE = 240.0
_STOP_GRACE = 60.0


def keep_up(
    console: Console, speed: Speed, data_plane: str, *, apply: bool, guest_of: GuestCluster | None = None
) -> None:
    """Run the lab until it is asked to stop.

    Raises:
        LabRunsError: One runs already.
    """

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    store = LabStore()
    with store.held():
        store.write(LabState(os.getpid(), "starting"))
        with opened_lab(speed, data_plane, say, guest_of) as lab:
            state = _state_of(lab)
            if apply:
                _apply(lab, say, patience(speed))

            def started() -> None:
                say("")
                guide(console, state, ctrl_c=sys.stdin is not None and sys.stdin.isatty())
                # After that: who waits for the lab to run (`--detach`) shows what it has said until then.
                store.write(state)

            _serve(LabServer(lab, state, say), Path(state.socket), started)
            say("Stopping …")
    say("Stopped; everything that was started is gone.")


def _state_of(lab: Lab) -> LabState:
    return LabState(
        pid=os.getpid(),
        phase="running",
        socket=str(lab.folder / "lab.sock"),
        kubeconfig=str(lab.cluster.kubeconfig),
        kubectl=str(lab.cluster.kubectl_program),
        google=lab.cloud.url,
        data_plane=lab.cloud.describe(),
        metrics=lab.operator.url,
        operator_log=str(lab.operator.log),
        kubernetes=lab.cluster.url,
        manifests={env.word: str(write_manifest(lab, env)) for env in ENVIRONMENTS},
        probers={env.word: env.prober_url(lab.cloud.url) for env in ENVIRONMENTS},
    )


def _apply(lab: Lab, say: Callable[[str], None], deadline: float) -> None:
    begun = time.monotonic()
    for env in ENVIRONMENTS:
        say(Resource(lab, env).apply(write_manifest(lab, env)))
    for env in ENVIRONMENTS:
        lab.wait_condition(env.namespace, env.resource, "Ready", deadline=deadline)
    say(f"Both are Ready after {time.monotonic() - begun:.2f} s.")


def _serve(server: LabServer, socket: Path, started: Callable[[], None]) -> None:
    async def until_stopped() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        await server.serve(socket, started)

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(until_stopped())
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop has left the default there, which would stop nothing in order


def send_up(console: Console, arguments: list[str]) -> None:
    """Start `lab up` in a session of its own, show what it says, and return when it runs.

    Raises:
        LabRunsError: One runs already.
        ProcessError: It did not start; what it said was shown.
    """
    store = LabStore()
    with store.held():
        find()  # here, where somebody sees what takes minutes
        log = store.log.open("wb")
    command = [sys.executable, "-m", "redis_connectivity", "lab", "up", *arguments]
    with log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    with store.log.open("r", encoding="utf-8", errors="replace") as said:

        def follow() -> bool:
            ended = process.poll() is not None
            state = store.read()
            console.print(said.read(), end="", markup=False, highlight=False, soft_wrap=True)
            return ended or (state is not None and state.phase == "running")

        try:
            wait_until(follow, deadline=_START_DEADLINE, describe=f"the lab to start; its log is {store.log}")
        except BaseException:
            process.terminate()
            process.wait(_STOP_GRACE)
            raise
        console.print(said.read(), end="", markup=False, highlight=False, soft_wrap=True)
    if process.poll() is not None:
        raise ProcessError(f"the lab did not start; what it said is above and in {store.log}")
