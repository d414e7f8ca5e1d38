"""The rights that the project ships, read from the very files: Google Cloud roles and Kubernetes RBAC."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.emulator.store import Bindings

__all__ = ["MANIFESTS", "google_role", "operator_granted"]

MANIFESTS: Final = Path(__file__).resolve().parents[2] / "manifests"


def google_role(name: str) -> frozenset[str]:
    """The permissions of a custom role in manifests/gcp/, by its file's name."""
    role = yaml.safe_load((MANIFESTS / "gcp" / f"{name}.yaml").read_text(encoding="utf-8"))
    return frozenset(role["includedPermissions"])


def operator_granted() -> Bindings:
    """What the operator may do in every project of the lab: exactly what the shipped roles say."""
    names = (
        "role",
        "role-auth-string",
        "role-audit-log",
        "role-prober",
        "role-access-token",
        "role-certificate-authority",
    )
    return {ANONYMOUS: frozenset().union(*(google_role(name) for name in names))}
