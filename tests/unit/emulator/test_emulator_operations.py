"""Compute operations: their lifetime, waiting, and how they fail."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import requests
from emulator_support import COMPUTE, PROJECT, Http, rule

from redis_connectivity_lab.emulator import ControlClient, Emulator, EmulatorThread, Timings
from redis_connectivity_lab.emulator.operations import ComputeOperation

RULES = f"{COMPUTE}/global/firewalls"


def _path(operation: dict[str, str]) -> str:
    return operation["selfLink"].removeprefix("https://www.googleapis.com")


def test_pending_running_done(http: Http, control: ControlClient) -> None:
    control.timings(operation_pending=3600)
    operation = http("POST", RULES, rule())[1]
    assert operation["status"] == "PENDING"
    assert "startTime" not in operation
    control.timings(operation_pending=0)
    control.fault("compute.firewalls.insert", "stall_operation", resource="*/other")
    operation = http("POST", RULES, rule(name="other"))[1]
    running = http("GET", _path(operation))[1]
    assert (running["status"], running["progress"]) == ("RUNNING", 0)
    assert running["startTime"]
    assert "endTime" not in running
    control.clear_faults()
    done = http("POST", f"{_path(operation)}/wait")[1]
    assert (done["status"], done["progress"]) == ("DONE", 100)
    assert done["endTime"]


def test_wait_blocks_until_done(http: Http, control: ControlClient) -> None:
    stall = control.fault("compute.firewalls.insert", "stall_operation")
    operation = http("POST", RULES, rule())[1]
    answered: list[str] = []
    waiting = Http(http.url)
    thread = threading.Thread(target=lambda: answered.append(waiting("POST", f"{_path(operation)}/wait")[1]["status"]))
    thread.start()
    # The wait is under way once other calls have gone through and it still has no answer.
    for _ in range(20):
        http("GET", _path(operation))
    assert answered == []
    control.remove_fault(stall)
    thread.join(10)
    assert answered == ["DONE"]


def test_wait_ends_at_its_limit(http: Http, control: ControlClient) -> None:
    control.timings(wait_max=0.05)
    control.fault("compute.firewalls.insert", "stall_operation")
    operation = http("POST", RULES, rule())[1]
    assert http("POST", f"{_path(operation)}/wait")[1]["status"] == "RUNNING"


def test_durations_are_real(http: Http, control: ControlClient) -> None:
    control.timings(firewall=0.2)
    started = time.monotonic()
    http.done("POST", RULES, rule())
    assert time.monotonic() - started >= 0.2


def test_failed_operation(http: Http, control: ControlClient) -> None:
    control.fault("compute.firewalls.insert", "fail_operation", code="QUOTA_EXCEEDED", message="no more", status=403)
    operation = http.done("POST", RULES, rule())
    assert operation["error"] == {"errors": [{"code": "QUOTA_EXCEEDED", "message": "no more"}]}
    assert (operation["httpErrorStatusCode"], operation["httpErrorMessage"]) == (403, "FORBIDDEN")
    assert http("GET", f"{RULES}/allow-vpc-connector-to-redis")[0] == 404
    control.clear_faults()
    http.done("POST", RULES, rule())


def test_network_gone_before_the_operation_ends(http: Http, control: ControlClient) -> None:
    stall = control.fault("compute.firewalls.insert", "stall_operation")
    operation = http("POST", RULES, rule())[1]
    control.delete("networks", PROJECT, "staging-vpc")
    control.remove_fault(stall)
    done = http("POST", f"{_path(operation)}/wait")[1]
    assert done["error"]["errors"][0]["code"] == "RESOURCE_NOT_FOUND"


def test_absent(http: Http) -> None:
    for method, path in (
        ("GET", f"{COMPUTE}/global/operations/none"),
        ("POST", f"{COMPUTE}/global/operations/none/wait"),
        ("GET", f"{COMPUTE}/regions/us-central1/operations/none"),
    ):
        assert http(method, path)[0] == 404


def test_timings_say_what_they_take(control: ControlClient) -> None:
    timings = Timings()
    with pytest.raises(ValueError, match="no timing is named 'coffee'"):
        timings.update({"firewall": 1, "coffee": 2})
    for bad in (-1, True, "1"):
        with pytest.raises(ValueError, match="number of seconds"):
            timings.update({"firewall": bad})
    assert timings.firewall == Timings().firewall
    assert Timings.realistic().connector_create > 60


async def test_stopping_ends_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator(Timings(firewall=3600))
    operations = emulator._world.operations
    waiting = asyncio.Event()
    real_wait = operations.wait

    async def noticed(operation: ComputeOperation) -> None:
        waiting.set()
        await real_wait(operation)

    monkeypatch.setattr(operations, "wait", noticed)
    await emulator.start()
    emulator.lab.project(PROJECT, default_network=True)
    http = Http(emulator.url)
    operation = (await asyncio.to_thread(http, "POST", RULES, rule(network=None)))[1]
    call = asyncio.create_task(asyncio.to_thread(http, "POST", f"{_path(operation)}/wait"))
    await waiting.wait()
    async with asyncio.timeout(10):
        await emulator.stop()
        # The caller sees its connection end, not an answer that it could mistake for one.
        with pytest.raises(requests.ConnectionError):
            await call
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url


def test_a_port_in_use_is_told(emulator: EmulatorThread) -> None:
    port = int(emulator.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"), EmulatorThread(port=port):
        pass
