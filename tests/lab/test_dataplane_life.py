"""How a data plane begins and ends: which kind runs and why, and that nothing outlives its owner."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from redis_connectivity_lab.dataplane import DataPlaneClient, DataPlaneError, launch, open_dataplane
from support.waiting import eventually
from unit.dataplane.dataplane_values import ALLOW, CONNECTOR, VM, topology

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
    """Processes whose command line names this state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked
            if str(state) in command:
                found.append(f"{entry.name} {command}")
    return found


def network_namespaces() -> set[int]:
    """Those that some process is in."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add((entry / "ns" / "net").stat().st_ino)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # ended, or not ours
    return found


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="looks into /proc")
@pytest.mark.parametrize("kind", ["namespaces", "relay"])
async def test_killing_the_owner_leaves_nothing(kind: str) -> None:
    before = network_namespaces()
    paths = [str(Path(__file__).parent.parent), *sys.path]
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        kind,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert owner.stdout
    state = Path(json.loads(await owner.stdout.readline())["state"])
    assert len(processes_of(state)) >= 4, "unshare or agent, two Redis servers, a prober"
    if kind == "namespaces":
        assert network_namespaces() > before
        assert not [name for name in _named_namespaces() if "rclab" in name]
    owner.send_signal(signal.SIGKILL)
    await owner.wait()

    async def gone() -> bool:
        return not processes_of(state) and network_namespaces() <= before and not state.exists()

    await eventually(
        gone, deadline=10, describe=lambda: f"all is gone: {processes_of(state)}, {state} {state.exists()}"
    )


def _named_namespaces() -> list[str]:
    folder = Path("/run/netns")
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


@pytest.mark.parametrize("kind", ["namespaces", "relay"])
async def test_a_clean_stop_leaves_nothing(kind: launch.Kind) -> None:
    dataplane = await open_dataplane(kind)
    await dataplane.apply(topology(ALLOW))
    state = dataplane.state_dir
    await dataplane.stop()
    assert not state.exists()

    async def gone() -> bool:
        return not processes_of(state)

    await eventually(gone, deadline=5, describe="its processes are gone")
    await dataplane.stop()


async def test_a_given_state_folder_stays_with_its_logs(tmp_path: Path) -> None:
    state = tmp_path / "lab"
    for _ in range(2):  # what a first run left must not disturb a second
        async with await open_dataplane("relay", state) as dataplane:
            await dataplane.apply(topology(ALLOW))
            assert (await dataplane.ping_from(CONNECTOR.id, str(VM.address), 6379)).ok
    assert "Ready to accept connections" in "".join(path.read_text() for path in state.glob("hosts/*/redis.log"))


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
    async with await open_dataplane() as dataplane:
        assert dataplane.kind == "namespaces"
        assert "nftables" in dataplane.describe()


async def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("unshare", "nsenter", "ip", "mount"):
        found = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert found
        (tmp_path / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("REDIS_CONNECTIVITY_LAB_TOOLS", str(tmp_path))
    with pytest.raises(DataPlaneError, match="nft"):
        await open_dataplane("namespaces")


async def test_a_dead_agent_is_told_to_whoever_asks(tmp_path: Path) -> None:
    dataplane = await open_dataplane("relay", tmp_path / "lab")
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
        await DataPlaneClient.open(tmp_path / "lab")
