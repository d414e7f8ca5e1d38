"""How a data plane begins and ends: which kind runs and why, and that nothing outlives its owner."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from redis_connectivity_lab.dataplane import DataPlaneClient, DataPlaneError, launch, open_dataplane
from support.waiting import eventually
from unit.dataplane.dataplane_values import ALLOW, CONNECTOR, VM, skip_where_impossible, topology

pytestmark = pytest.mark.lab

#: Starts a data plane with a Redis and a service, tells where it is, and waits for its own end.
OWNER = """
import asyncio, json, sys
from unit.dataplane.dataplane_values import ALLOW, SERVICE, topology
from redis_connectivity_lab.dataplane import open_dataplane

async def main(kind):
    dataplane = await open_dataplane(kind)
    await dataplane.apply(topology(ALLOW, services=(SERVICE,)))
    print(json.dumps({"state": str(dataplane.state_dir)}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


def processes_of(state: Path) -> list[str]:
    """Processes whose command line names this state folder, or that work in it (Redis rewrites its command line)."""
    found = []
    for process in all_processes():
        try:
            command = Path("/proc", process, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            folder = Path("/proc", process, "cwd").readlink()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended while we looked, or not ours
        if str(state) in command or folder.is_relative_to(state):
            found.append(f"{process} {command}")
    return found


def network_namespaces(processes: Iterable[str]) -> set[int]:
    """Those that these processes are in."""
    found = set()
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # ended, or not ours
            found.add(Path("/proc", process.split()[0], "ns", "net").stat().st_ino)
    return found


def all_processes() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


@contextlib.asynccontextmanager
async def owner_of(kind: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """A process with a data plane in force, and that data plane's state folder."""
    tests = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tests), *sys.path))}
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, kind, stdout=subprocess.PIPE, env=environment
    )
    try:
        assert owner.stdout
        yield owner, Path(json.loads(await owner.stdout.readline())["state"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            owner.kill()
        await owner.wait()


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="looks into /proc")
@pytest.mark.parametrize("kind", ["namespaces", "relay"])
async def test_killing_the_owner_leaves_nothing(kind: str) -> None:
    skip_where_impossible(kind)
    async with owner_of(kind) as (owner, state):
        processes = processes_of(state)
        assert len(processes) >= 4, "an agent, two Redis servers, a prober"
        made = network_namespaces(processes) - network_namespaces([str(os.getpid())])
        assert bool(made) == (kind == "namespaces")
        owner.send_signal(signal.SIGKILL)
        await owner.wait()

        async def gone() -> bool:
            left = processes_of(state) or made & network_namespaces(all_processes())
            return not left and not state.exists()

        await eventually(gone, deadline=10, describe=lambda: f"all is gone: {processes_of(state)}, {state}")


@pytest.mark.parametrize("kind", ["namespaces", "relay"])
async def test_a_clean_stop_leaves_nothing(kind: launch.Kind) -> None:
    skip_where_impossible(kind)
    dataplane = await open_dataplane(kind)
    await dataplane.apply(topology(ALLOW))
    state = dataplane.state_dir
    await dataplane.stop()
    assert not state.exists()

    async def gone() -> bool:
        return not processes_of(state)

    await eventually(gone, deadline=5, describe="its processes are gone")
    await dataplane.stop()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name, which pytest's own may not."""
    with tempfile.TemporaryDirectory(prefix="rc-") as folder:
        yield Path(folder)


async def test_a_given_state_folder_stays_with_its_logs(short_path: Path) -> None:
    state = short_path / "lab"
    for _ in range(2):  # what a first run left must not disturb a second
        async with await open_dataplane("relay", state) as dataplane:
            await dataplane.apply(topology(ALLOW))
            assert (await dataplane.ping_from(CONNECTOR.id, str(VM.address), 6379)).ok
    assert "ready to accept" in "".join(path.read_text().lower() for path in state.glob("hosts/*/redis.log"))


async def test_auto_falls_back_to_the_relay_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_UNSHARE", ("sh", "-c", "echo unshare is forbidden here >&2; exit 1", "--"))
    async with await open_dataplane() as dataplane:
        assert dataplane.kind == "relay"
        assert "unshare is forbidden here" in dataplane.describe()
        await dataplane.apply(topology(ALLOW))
        assert (await dataplane.ping_from(CONNECTOR.id, str(VM.address), 6379)).ok
    with pytest.raises(DataPlaneError, match="unshare is forbidden here"):
        await open_dataplane("namespaces")


async def test_auto_takes_namespaces_where_they_work() -> None:
    skip_where_impossible("namespaces")
    async with await open_dataplane() as dataplane:
        assert dataplane.kind == "namespaces"
        assert "nftables" in dataplane.describe()


async def test_a_dead_agent_is_told_to_whoever_asks(short_path: Path) -> None:
    dataplane = await open_dataplane("relay", short_path / "lab")
    waiting = asyncio.create_task(dataplane.ping_from("nobody", "10.0.0.1", 1))
    with pytest.raises(DataPlaneError, match="nobody is not in the data plane"):
        await waiting
    agent = dataplane._running.process
    agent.kill()
    await agent.wait()
    with pytest.raises(DataPlaneError, match="the data plane is gone"):
        await dataplane.status()
    with pytest.raises(DataPlaneError, match="the data plane is gone"):
        await dataplane.apply(topology(ALLOW))
    await dataplane.stop()
    with pytest.raises(DataPlaneError, match="no data plane runs in"):
        await DataPlaneClient.open(short_path / "lab")
