"""A real Prometheus for tests: the shipped rules as a rules file, the server as a process, its answers."""

import json
import re
import shutil
import socket
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from redis_connectivity_lab.controlplane.process import ServerProcess
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.stack import PROJECT_ROOT

__all__ = ["MONITORING", "PROMETHEUS", "PROMTOOL", "Prometheus", "rules", "with_short_waits"]

MONITORING = PROJECT_ROOT / "manifests" / "monitoring"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")


def rules() -> str:
    """`spec` of the shipped PrometheusRule: a rules file as Prometheus takes it."""
    shipped = yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump(shipped["spec"], width=10_000)


def with_short_waits(text: str) -> str:
    """The rules as they are, but for how long an alert waits before it fires."""
    return re.sub(r"(?m)^(\s+for:) .+$", r"\1 2s", text)


class Prometheus:
    """One server that scrapes one operator every second. A context manager."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [
                {
                    "job_name": "redis-connectivity",
                    "honor_labels": True,
                    "static_configs": [{"targets": [urllib.parse.urlsplit(target).netloc]}],
                }
            ],
        }
        (folder / "rules.yaml").write_text(with_short_waits(rules()), encoding="utf-8")
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        assert PROMETHEUS is not None
        command = [
            PROMETHEUS,
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]
        self._process = ServerProcess("prometheus", command, self._folder / "prometheus.log")
        wait_until(self._ready, deadline=60, describe=lambda: f"Prometheus to be ready; its log ends:\n{self._tail()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop(10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result."""
        answer = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Alerts of a rule that fire now, each with labels and annotations."""
        found = self._get("/api/v1/alerts")["data"]["alerts"]
        return [one for one in found if one["labels"]["alertname"] == name and one["state"] == "firing"]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self._address}{path}", timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
        assert told["status"] == "success"
        return told

    def _tail(self) -> str:
        return self._process.log_tail(30) if self._process else ""
