"""A real etcd and kube-apiserver: found, downloaded or built, started and stopped."""

from __future__ import annotations

from redis_connectivity_lab.controlplane.audit import AuditEntry, AuditLog
from redis_connectivity_lab.controlplane.binaries import Binaries, BinariesError, find
from redis_connectivity_lab.controlplane.cluster import Cluster, ControlPlaneError
from redis_connectivity_lab.controlplane.guest import GuestCluster
from redis_connectivity_lab.controlplane.server import ControlPlane
from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError, wait_until

__all__ = [
    "AuditEntry",
    "AuditLog",
    "Binaries",
    "BinariesError",
    "Cluster",
    "ControlPlane",
    "ControlPlaneError",
    "DeadlineExceededError",
    "GuestCluster",
    "find",
    "wait_until",
]
