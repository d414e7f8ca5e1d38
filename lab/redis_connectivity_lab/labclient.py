"""Asks the lab that runs, from another process."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.labstate import LabState, LabStore

__all__ = ["LabClient", "LabRefusedError", "NoLabError"]

#: A scene may wait for the data plane to follow.
_TIMEOUT: Final = 90.0
_STOP_DEADLINE: Final = 90.0


class NoLabError(Exception):
    """No lab runs, or it does not answer yet; the message says what to do."""


class LabRefusedError(Exception):
    """The lab cannot do what was asked, in its own words."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("lab", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the lab's socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)


def _watch(pid: int) -> Callable[[], bool]:
    """A question whether a process has ended, asked from now on: it lets go of its lock a moment before that.

    A descriptor stands for this very process, also after its number is somebody else's. Where the system has none
    (macOS), the lock has to do.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return lambda: True

    def ended() -> bool:
        gone = bool(select.select([descriptor], [], [], 0)[0])
        if gone:
            os.close(descriptor)
        return gone

    return ended


class LabClient:
    """Speaks to the running lab of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        self._store = LabStore(folder)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request.

        Raises:
            NoLabError: None runs, or it is still starting.
            LabRefusedError: It cannot do that.
        """
        state = self._state()
        if state.phase != "running":
            raise NoLabError(f"the lab (pid {state.pid}) is still starting; try again in a moment")
        connection = _UnixConnection(state.socket)
        try:
            connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoLabError(f"the lab (pid {state.pid}) does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise LabRefusedError(str(answer.get("error", answer)))
        return answer

    def down(self) -> int:
        """Stop the lab and wait until it is gone; answers its process id.

        Raises:
            NoLabError: None runs.
            DeadlineExceededError: It does not end.
        """
        state = self._state()
        ended = _watch(state.pid)
        try:
            self.ask("POST", "/down")
        except (NoLabError, LabRefusedError):
            # Still starting, or stuck: it understands this as well.
            with suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGTERM)
        wait_until(
            lambda: not self._store.running() and ended(),
            deadline=_STOP_DEADLINE,
            describe=f"the lab to stop; end its process {state.pid} yourself (kill -9 leaves nothing behind)",
        )
        return state.pid

    def _state(self) -> LabState:
        state = self._store.read()
        if state is None:
            raise NoLabError("no lab runs; `redis-connectivity lab up` starts one")
        return state
