"""When a lab says that it runs: who follows its log from outside must have heard all of it by then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from redis_connectivity_lab import upkeep
from redis_connectivity_lab.labstate import LabState, LabStore
from redis_connectivity_lab.speeds import Speed


class Log(StringIO):
    """Notes for each line what phase the lab was in when it was said, as others see it."""

    def __init__(self) -> None:
        super().__init__()
        self.phases: dict[str, str] = {}

    def write(self, text: str) -> int:
        state = LabStore().read()
        self.phases[text.strip()] = state.phase if state is not None else ""
        return super().write(text)


def test_all_is_said_before_others_may_think_that_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    running = LabState(
        1, "running", socket=str(tmp_path / "s"), kubeconfig="/k", kubectl="/bin/kubectl", data_plane="x"
    )
    seen: list[str] = []

    @contextmanager
    def opened(*_: Any) -> Iterator[None]:
        yield None

    def serve(_: Any, __: Path, started: Callable[[], None]) -> None:
        started()
        state = LabStore().read()
        assert state is not None
        seen.append(state.phase)

    monkeypatch.setattr(upkeep, "opened_lab", opened)
    monkeypatch.setattr(upkeep, "_state_of", lambda _: running)
    monkeypatch.setattr(upkeep, "LabServer", lambda *_: None)
    monkeypatch.setattr(upkeep, "_serve", serve)
    log = Log()
    upkeep.keep_up(Console(file=log, width=200), Speed.INSTANT, "auto", apply=False)

    assert seen == ["running"]
    last = next(text for text in log.phases if text.startswith("To stop it:"))
    assert log.phases[last] == "starting"
