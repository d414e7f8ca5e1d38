"""The operator as a real process, under the account and the rights that manifests/ ship."""

from __future__ import annotations

import json
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from redis_connectivity_lab.controlplane.process import ServerProcess
from redis_connectivity_lab.controlplane.waiting import wait_until

__all__ = ["PROBER_IMAGE", "OperatorEndedError", "OperatorProcess"]

_READY_DEADLINE = 180.0
#: What it deploys on Cloud Run; each image of the emulator's holds the program that this lab runs.
PROBER_IMAGE = "us-docker.pkg.dev/acme/redis-connectivity/operator:1.0"


def _option(name: str, value: str) -> str:
    """A setting as a command line option."""
    if value in ("true", "false"):
        return f"--{name}" if value == "true" else f"--no-{name}"
    return f"--{name}={value}"


class OperatorEndedError(RuntimeError):
    """The operator ended when it should have become ready; the message has the end of its log."""


class OperatorProcess:
    """One operator: started, stopped, killed, started again, always under the same identity.

    Args:
        kubeconfig: Of the service account it runs as.
        google: Base URL of what answers for all of Google's services.
        folder: For its log.
        settings: More settings, as environment variables without their prefix: `{"POLL_INTERVAL": "1"}`.
            An empty one takes away what the lab would set.
        identity: Its name in the Lease.
    """

    def __init__(
        self,
        kubeconfig: Path,
        google: str,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        identity: str | None = None,
    ) -> None:
        self.identity = identity or f"lab-{secrets.token_hex(3)}"
        self._log = folder / f"operator-{self.identity}.log"
        given = {
            "KUBECONFIG": str(kubeconfig),
            "NAMESPACE": "redis-connectivity-system",
            "IDENTITY": self.identity,
            "CREDENTIALS": "anonymous",
            "COMPUTE_ENDPOINT": google,
            "VPCACCESS_ENDPOINT": google,
            "REDIS_ENDPOINT": google,
            "LOGGING_ENDPOINT": google,
            "NETWORK_MANAGEMENT_ENDPOINT": f"{google}/networkmanagement",
            "REDIS_CLUSTER_ENDPOINT": google,
            "MEMORYSTORE_ENDPOINT": f"{google}/memorystore",
            "RUN_ENDPOINT": google,
            "IAM_CREDENTIALS_ENDPOINT": google,
            "PROBER_IMAGE": PROBER_IMAGE,
            # Its own pod stands outside of the emulated networks: a probe from there would leave this machine.
            "OPERATOR_PROBES": "false",
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            "WEB_PORT": "0",
            **(settings or {}),
        }
        self._options = [_option(name.lower().replace("_", "-"), value) for name, value in given.items() if value]
        # Where a workload on Google Cloud has its identity from: ID tokens for the probers that it deploys.
        metadata = google.partition("://")[2]
        self._env = {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata}
        self._process: ServerProcess | None = None
        self._offset = 0
        self._health_port = 0

    def start(self, *, wait: bool = True) -> None:
        """Start it; with `wait`, return when it says that it is ready.

        Raises:
            DeadlineExceededError: It was not ready in time; the message has the end of its log.
        """
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        self._health_port = 0
        command = [sys.executable, "-m", "redis_connectivity", "run", *self._options]
        self._process = ServerProcess("operator", command, self._log, self._env)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Return when /readyz says ok."""
        process = self._running
        wait_until(
            lambda: process.exited.is_set() or self._get("/readyz") == "ok",
            deadline=_READY_DEADLINE,
            describe=lambda: f"the operator to be ready; its log ends:\n{self.log_tail()}",
        )
        if process.exited.is_set():
            raise OperatorEndedError(f"the operator ended with {process.returncode}; its log ends:\n{self.log_tail()}")

    def stop(self, grace: float = 30.0) -> int | None:
        """SIGTERM, and SIGKILL after `grace` seconds; answers its exit code."""
        if self._process is None:
            return None
        self._process.stop(grace)
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL, as a node's failure would."""
        if self._process is not None:
            self._process.kill()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and not self._process.exited.is_set()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    @property
    def url(self) -> str:
        """Where it answers /metrics, /healthz and /readyz."""
        return f"http://127.0.0.1:{self._port()}"

    @property
    def log(self) -> Path:
        """The file of its log."""
        return self._log

    @property
    def page(self) -> str:
        """Where its page is."""
        found = (one.get("page") for one in self.records() if one.get("event") == "starting")
        return str(next(found, "") or "")

    def metrics(self) -> str:
        """What /metrics says now."""
        return self._get("/metrics") or ""

    def records(self) -> Iterator[dict[str, Any]]:
        """The log records of the running process."""
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # a library's own words, or a line not yet whole
                if isinstance(record, dict):
                    yield record

    def log_tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        return self._running.log_tail(lines)

    @property
    def _running(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("the operator was never started")
        return self._process

    def _port(self) -> int:
        if not self._health_port:
            ports = (one.get("health_port") for one in self.records() if one.get("event") == "starting")
            self._health_port = int(next(ports, 0) or 0)
        return self._health_port

    def _get(self, path: str) -> str | None:
        """The answer's text when the status is 200, else None."""
        if not self._port():
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port()}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None
