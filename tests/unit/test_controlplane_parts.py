"""The control plane's small parts: waiting, the audit log's reader, the tether's thread."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.controlplane.audit import AuditLog
from redis_connectivity_lab.controlplane.credentials import is_certificate
from redis_connectivity_lab.controlplane.process import ServerProcess
from support.waiting import DeadlineExceededError, eventually, wait_until


def event(verb: str, *, user: str = "ann", stage: str = "ResponseComplete") -> str:
    return json.dumps(
        {
            "auditID": "1",
            "stage": stage,
            "verb": verb,
            "requestURI": "/api/v1/x",
            "user": {"username": user},
            "requestReceivedTimestamp": "2026-01-02T03:04:05.000000Z",
            "stageTimestamp": "2026-01-02T03:04:05.250000Z",
        }
    )


def test_a_wait_returns_the_first_true_answer() -> None:
    answers = iter([None, "", "here", "later"])
    assert wait_until(lambda: next(answers), deadline=5, describe="it", interval=0) == "here"


def test_a_wait_that_fails_says_what_for_with_the_last_state() -> None:
    asked: list[int] = []
    with pytest.raises(DeadlineExceededError, match=r"waited 0\.02 s for: \d+ questions"):
        wait_until(lambda: asked.append(1), deadline=0.02, describe=lambda: f"{len(asked)} questions", interval=0.005)
    assert len(asked) >= 2


def test_a_wait_does_not_hide_errors() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0, deadline=5, describe="never")


def test_a_wait_is_woken() -> None:
    wake = threading.Event()
    threading.Timer(0.05, wake.set).start()
    begun = time.monotonic()
    assert wait_until(wake.is_set, deadline=60, describe="the event", interval=30, wake=wake)
    assert time.monotonic() - begun < 20


async def test_eventually_is_its_asynchronous_sister() -> None:
    answers = iter([0, 0, 7])

    async def ask() -> int:
        return next(answers)

    async def never() -> bool:
        return False

    assert await eventually(ask, deadline=5, describe="seven", interval=0) == 7
    with pytest.raises(DeadlineExceededError, match="rain"):
        await eventually(never, deadline=0.01, describe="rain", interval=0.001)


def test_the_audit_log_reads_whole_lines_after_a_mark(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    assert (log.mark(), list(log.entries())) == (0, [])
    log.path.write_text(event("create") + "\n")
    mark = log.mark()
    with log.path.open("a") as file:
        file.write(event("get") + "\n" + event("patch", user="bob") + "\n" + event("delete")[:40])
    assert [entry.verb for entry in log.entries()] == ["create", "get", "patch"]
    assert [entry.verb for entry in log.entries(mark)] == ["get", "patch"]
    assert [entry.user for entry in log.writes(mark)] == ["bob"]
    assert log.writes(mark, user="ann") == []
    (first, *_) = log.entries()
    assert (first.seconds, first.resource, first.code) == (0.25, "", 0)


def test_a_certificate_is_waited_for_until_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "apiserver.crt"
    assert not is_certificate(file)
    leaf, authority = (Authority(name).pem for name in ("leaf", "authority"))
    whole = leaf + authority
    for seen in ("", leaf[:100], leaf[:-10], leaf + authority[:100], whole[:-10]):
        file.write_text(seen, encoding="utf-8")
        assert not is_certificate(file), seen
    file.write_text(whole, encoding="utf-8")
    assert is_certificate(file)


def test_a_process_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    running: list[ServerProcess] = []
    command = [sys.executable, "-c", "print('up', flush=True); import signal; signal.pause()"]
    asker = threading.Thread(target=lambda: running.append(ServerProcess("it", command, tmp_path / "log")))
    asker.start()
    asker.join()
    (process,) = running
    wait_until(lambda: "up" in process.log_tail(), deadline=20, describe="its first words")
    assert process.returncode is None
    process.stop()
    process.stop()
    assert process.returncode == -15


def test_a_deaf_process_is_killed_after_its_grace(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    process = ServerProcess("deaf", [sys.executable, "-c", deaf], tmp_path / "log")
    wait_until(lambda: "up" in process.log_tail(), deadline=20, describe="its first words")
    process.stop(grace=0.1)
    assert process.returncode == -9
