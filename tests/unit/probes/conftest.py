"""Real redis-servers on loopback for the probes' tests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redis_connectivity_lab.dataplane import find_redis_server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A redis-server process and where it listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts redis-servers with given options; they are gone after the test."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())

        def start(*options: str, tls: bool = False, cluster: bool = False) -> RedisServer:
            port = _free_port()
            while cluster and port > 55535:  # the nodes' own conversation is 10000 higher
                port = _free_port()
            log = stack.enter_context(Path(folder, f"{port}.log").open("wb"))
            ports = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
            arguments = [*ports, "--bind", "127.0.0.1", "--save", "", "--dir", folder, *options]
            process = subprocess.Popen([find_redis_server(), *arguments], stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            deadline = time.monotonic() + 10
            while not _accepts(port):
                assert process.poll() is None, Path(folder, f"{port}.log").read_text()
                assert time.monotonic() < deadline, "redis-server does not listen"
                time.sleep(0.005)
            return RedisServer(process, port)

        yield start
