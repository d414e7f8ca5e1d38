"""Network namespaces, a packet filter compiled from the emulator's firewall rules, and real processes behind it."""

from redis_connectivity_lab.dataplane.client import DataPlaneClient
from redis_connectivity_lab.dataplane.controller import DataPlane, Kind, open_dataplane
from redis_connectivity_lab.dataplane.protocol import DataPlaneError
from redis_connectivity_lab.dataplane.redis_binary import RedisBinaryNotFoundError, find_redis_server

__all__ = [
    "DataPlane",
    "DataPlaneClient",
    "DataPlaneError",
    "Kind",
    "RedisBinaryNotFoundError",
    "find_redis_server",
    "open_dataplane",
]
