"""kubectl against a server that has only just started, and one that refuses for good."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from redis_connectivity_lab.controlplane import rest
from redis_connectivity_lab.controlplane.cluster import Cluster, ControlPlaneError
from redis_connectivity_lab.controlplane.rest import NOT_STARTED, RestClient


class Theirs(Cluster):
    """A cluster whose kubectl is a script: it refuses so many times, and then says what it was given."""

    def __init__(self, folder: Path, times: int, refusal: str) -> None:
        self._folder = folder
        script = f"""#!/bin/sh
echo asked >> {folder}/asked
[ "$(wc -l < {folder}/asked)" -gt {times} ] || {{ echo "error: {refusal}" >&2; exit 1; }}
cat
"""
        self.kubectl_program.write_text(script, encoding="utf-8")
        self.kubectl_program.chmod(0o700)

    @property
    def asked(self) -> int:
        return len((self._folder / "asked").read_text().splitlines())

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def url(self) -> str:
        return ""

    @property
    def kubeconfig(self) -> Path:
        return self._folder / "kubeconfig"

    @property
    def kubectl_program(self) -> Path:
        return self._folder / "kubectl"

    @property
    def client(self) -> RestClient:
        raise NotImplementedError

    @property
    def authority(self) -> str:
        return ""

    @property
    def environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin"}


def test_a_server_that_has_just_started_is_asked_again(tmp_path: Path) -> None:
    theirs = Theirs(tmp_path, 2, f"denied request: {NOT_STARTED}: 'x, Kind=Y'")
    assert theirs.kubectl("apply", "-f", "-", stdin="all of it, each time").stdout == "all of it, each time"
    assert theirs.asked == 3


def test_any_other_refusal_is_the_answer(tmp_path: Path) -> None:
    theirs = Theirs(tmp_path, 1, "spec.region: Invalid value")
    with pytest.raises(ControlPlaneError, match=r"spec\.region: Invalid value"):
        theirs.kubectl("apply", "-f", "-")
    assert theirs.asked == 1


def test_one_that_never_gets_ready_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "BUSY_DEADLINE", 0.3)
    with pytest.raises(ControlPlaneError, match=NOT_STARTED):
        Theirs(tmp_path, 1000, NOT_STARTED).kubectl("apply", "-f", "-")
