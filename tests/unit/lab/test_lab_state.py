"""The state file of a running lab, its lock, and what becomes of a killed lab's."""

import json
import os
import stat
from pathlib import Path

import pytest

from redis_connectivity_lab.labclient import LabClient, NoLabError
from redis_connectivity_lab.labstate import LabRunsError, LabState, LabStore, default_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/u"}, "/run/user/7/redis-connectivity"),
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/u"}, "/cache/redis-connectivity/run"),
        ({"XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/home/u"}, "/home/u/.cache/redis-connectivity/run"),
    ],
)
def test_the_folder_is_the_users_own(environ: dict[str, str], folder: str) -> None:
    assert default_folder(environ) == Path(folder)


def test_what_was_written_is_read_while_the_lab_runs_and_gone_afterwards(tmp_path: Path) -> None:
    store = LabStore(tmp_path / "run")
    state = LabState(os.getpid(), "running", socket="/s", manifests={"staging": "/f"})
    with store.held():
        store.write(state)
        assert LabStore(tmp_path / "run").read() == state
        assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    assert store.read() is None
    assert not store.file.exists()
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_a_folder_that_was_more_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with LabStore(tmp_path).held():
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_second_lab_is_told_of_the_first(tmp_path: Path) -> None:
    with LabStore(tmp_path).held():
        LabStore(tmp_path).write(LabState(4711, "running"))
        with pytest.raises(LabRunsError, match=r"pid 4711, running.*lab down"), LabStore(tmp_path).held():
            pytest.fail("two labs at once")
        assert LabStore(tmp_path).read() is not None


def test_what_a_killed_lab_left_is_no_running_lab(tmp_path: Path) -> None:
    store = LabStore(tmp_path)
    store.file.write_text(json.dumps(LabState(4711, "running", socket="/gone").to_json()), encoding="utf-8")
    assert not store.running()
    assert store.read() is None
    assert not store.file.exists()
    with store.held():
        assert store.running()


def test_a_client_says_that_no_lab_runs(tmp_path: Path) -> None:
    with pytest.raises(NoLabError, match="lab up"):
        LabClient(tmp_path).ask("GET", "/status")


def test_a_client_says_that_the_lab_is_still_starting(tmp_path: Path) -> None:
    store = LabStore(tmp_path)
    with store.held():
        store.write(LabState(4711, "starting"))
        with pytest.raises(NoLabError, match="still starting"):
            LabClient(tmp_path).ask("GET", "/status")


def test_a_client_says_that_the_lab_does_not_answer(tmp_path: Path) -> None:
    store = LabStore(tmp_path)
    with store.held():
        store.write(LabState(4711, "running", socket=str(tmp_path / "nobody.sock")))
        with pytest.raises(NoLabError, match=r"4711\) does not answer"):
            LabClient(tmp_path).ask("GET", "/status")
