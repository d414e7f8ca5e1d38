"""An environment's resource as a user meets it: applied from a file, watched, deleted, all by kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from redis_connectivity.api.base import API_VERSION, PLURAL
from redis_connectivity_lab.controlplane import ControlPlaneError
from redis_connectivity_lab.controlplane.rest import ApiError, ApiUnreachableError
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["CONDITIONS", "Resource", "condition", "write_manifest"]

#: In the order of the path; what they add up to comes last.
CONDITIONS = ("NetworkReady", "ConnectorReady", "RedisReady", "FirewallReady", "InSync", "Reachable", "Ready")

#: Reasons of what is merely not there yet; their messages repeat what one sees happen.
_ON_ITS_WAY = frozenset({"ConnectorCreating", "FirewallApplying", "Progressing", "Repairing"})


def write_manifest(lab: Lab, env: Environment) -> Path:
    """Write the environment's resource to the lab's folder; answers the file."""
    folder = lab.folder / env.word
    folder.mkdir(exist_ok=True)
    file = folder / "redisconnectivity.yaml"
    file.write_text(env.manifest_yaml(lab.cloud.url), encoding="utf-8")
    return file


@dataclass(slots=True)
class Resource:
    """The resource of an environment in a running lab. Whatever fails raises ControlPlaneError."""

    lab: Lab
    env: Environment
    _seen: dict[str, str] = field(default_factory=dict)

    def apply(self, file: Path) -> str:
        """`kubectl apply -f`; what kubectl says."""
        return self.lab.kubectl("apply", "-f", str(file)).strip()

    def delete(self) -> str:
        """`kubectl delete`, without waiting for the end; what kubectl says."""
        return self.lab.kubectl("delete", "rconn", self.env.resource, "-n", self.env.namespace, "--wait=false").strip()

    def table(self) -> str:
        """`kubectl get`."""
        return self.lab.kubectl("get", "rconn", self.env.resource, "-n", self.env.namespace)

    def read(self) -> dict[str, Any] | None:
        """The resource, or None; not by kubectl, for what is asked many times a second must not cost a process each."""
        path = f"/apis/{API_VERSION}/namespaces/{self.env.namespace}/{PLURAL}/{self.env.resource}"
        try:
            return self.lab.cluster.client.call("GET", path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise ControlPlaneError(str(error)) from error
        except ApiUnreachableError as error:
            raise ControlPlaneError(str(error)) from error

    def status(self) -> dict[str, Any]:
        """The status; empty where there is none yet."""
        return dict((self.read() or {}).get("status", {}))

    def turned(self, say: Callable[[str], None]) -> dict[str, Any]:
        """The status; says each condition that has turned since the last look."""
        status = self.status()
        found = {one["type"]: one for one in status.get("conditions", [])}
        for kind in CONDITIONS:
            one = found.get(kind)
            if one is None:
                continue
            now = f"{one['status']:8} {one['reason']}"
            if self._seen.get(kind) != now:
                self._seen[kind] = now
                plain = kind == "Ready" or one["status"] != "False" or one["reason"] in _ON_ITS_WAY
                trouble = "" if plain else f": {one['message']}"
                say(f"  {kind:15} {now}{trouble}")
        return status

    def evidence(self) -> str:
        """What one needs to see when something went wrong."""
        log = self.lab.operator.log_tail(25) if self.lab.operator.alive else "(the operator does not run)"
        return f"status: {json.dumps(self.status(), indent=1)}\nthe operator's log ends:\n{log}"


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of a status; empty where it has none."""
    return next((dict(one) for one in status.get("conditions", []) if one["type"] == kind), {})
