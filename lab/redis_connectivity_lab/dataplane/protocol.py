"""What goes over the agent's unix socket: one JSON object a line, answers matched to requests by `id`.

A request is `{"id", "op", "args"}`; its answer `{"id", "result"}` or `{"id", "error"}`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from redis_connectivity_lab.topology import ServiceId, Topology

__all__ = [
    "MAX_LINE_BYTES",
    "DataPlaneError",
    "HostFirewall",
    "Paths",
    "decode",
    "dump_topology",
    "encode",
    "load_topology",
]

#: Longest line: a topology with thousands of hosts and rules fits.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
#: Longest path of a unix socket that both Linux (107) and macOS (103) take.
_MAX_SOCKET_PATH: Final = 103

_TOPOLOGY: Final[TypeAdapter[Topology]] = TypeAdapter(Topology)


class HostFirewall(StrEnum):
    """What a machine's own firewall does to connections from the network: not Google's, and not visible to Google.

    OPEN lets them in. UNREACHABLE answers with ICMP "host administratively prohibited", as that of many distributions
    does. RESET lets a connection open, and resets it at the first data.
    """

    OPEN = "open"
    UNREACHABLE = "unreachable"
    RESET = "reset"


class DataPlaneError(RuntimeError):
    """The data plane cannot do what was asked; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything of one running data plane lives."""

    root: Path

    def check(self) -> None:
        """Raise DataPlaneError when the sockets' paths would be longer than the operating system takes."""
        longest = len(str(self.redis_socket("x")).encode())
        if longest > _MAX_SOCKET_PATH:
            raise DataPlaneError(
                f"the state folder {self.root} is too deep: a socket in it would have a path of {longest} bytes, "
                f"{_MAX_SOCKET_PATH} is the limit; choose a folder with a shorter path"
            )

    @property
    def agent_socket(self) -> Path:
        """Where the agent listens."""
        return self.root / "agent.sock"

    @property
    def agent_log(self) -> Path:
        """What the agent has to say."""
        return self.root / "agent.log"

    @property
    def relay_socket(self) -> Path:
        """Where the relay takes connections (kind `relay` alone)."""
        return self.root / "relay.sock"

    def host_folder(self, server: str) -> Path:
        """The folder of a Redis: configuration, log, socket."""
        return self.root / "hosts" / _slug(server)

    def redis_socket(self, server: str) -> Path:
        """A Redis (a host's id, or a cluster node's), from outside its network."""
        return self.host_folder(server) / "redis.sock"

    def app_socket(self, host_id: str) -> Path:
        """A host's application, from outside its network."""
        return self.host_folder(host_id) / "app.sock"

    def service_socket(self, service: ServiceId) -> Path:
        """Where a service answers, once it is ready."""
        key = "/".join((service.project, service.region, service.name, service.connector or "", service.revision))
        return self.root / "services" / f"{_slug(key)}.sock"


def _slug(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def encode(message: dict[str, Any]) -> bytes:
    """A message as its line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """A line as its message; raises ValueError when it is no JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise TypeError("a message is a JSON object")
    return message


def dump_topology(topology: Topology) -> Any:  # noqa: ANN401 - JSON
    """A topology as plain JSON values."""
    return _TOPOLOGY.dump_python(topology, mode="json")


def load_topology(value: Any) -> Topology:  # noqa: ANN401 - JSON
    """A topology from plain JSON values; raises ValueError."""
    return _TOPOLOGY.validate_python(value)
