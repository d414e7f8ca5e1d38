"""Who may look at an exposed page: the real API server decides, asked under the very role that is shipped for it."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.config import load_config
from redis_connectivity.kube.errors import KubeForbidden
from redis_connectivity.web.auth import Access, ClusterAccess
from redis_connectivity_lab.controlplane import ControlPlane
from redis_connectivity_lab.stack import PROJECT_ROOT

pytestmark = pytest.mark.lab

ROLE = PROJECT_ROOT / "manifests" / "components" / "exposed-page" / "rbac.yaml"


def account(control_plane: ControlPlane, namespace: str, name: str) -> Path:
    control_plane.kubectl("-n", namespace, "create", "serviceaccount", name)
    return control_plane.service_account_kubeconfig(namespace, name)


def token(kubeconfig: Path) -> str:
    return str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])


@pytest.fixture
def grants(control_plane: ControlPlane, namespace: str) -> Iterator[None]:
    """The shipped role for `page`, and the right to list the resources for `reader`; gone afterwards."""
    made = []
    for one in yaml.safe_load_all(ROLE.read_text(encoding="utf-8")):
        one["metadata"]["name"] = f"{namespace}-page"
        if one["kind"] == "ClusterRoleBinding":
            one["roleRef"]["name"] = f"{namespace}-page"
            one["subjects"] = [{"kind": "ServiceAccount", "name": "page", "namespace": namespace}]
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(one))
        made.append((one["kind"], one["metadata"]["name"]))
    reader = f"{namespace}-reader"
    kubectl = control_plane.kubectl
    kubectl("create", "clusterrole", reader, "--verb=list", "--resource=redisconnectivities.redisconnectivity.io")
    kubectl("create", "clusterrolebinding", reader, f"--clusterrole={reader}", f"--serviceaccount={namespace}:reader")
    try:
        yield
    finally:
        for kind, name in [*made, ("ClusterRole", reader), ("ClusterRoleBinding", reader)]:
            kubectl("delete", kind.lower(), name)


@pytest.fixture
def crd(control_plane: ControlPlane) -> None:
    """kubectl names the resource only when the API server knows it."""
    # Another file's tests may have applied it in the other way to the session's server.
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(PROJECT_ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def test_the_cluster_decides_by_the_right_to_list(
    control_plane: ControlPlane, namespace: str, crd: None, grants: None
) -> None:
    page, reader, stranger = (account(control_plane, namespace, one) for one in ("page", "reader", "stranger"))

    async def ask() -> dict[str, Access]:
        kube = KubeClient(load_config(page, None))
        try:
            access = ClusterAccess(kube.api, time.monotonic)
            tokens = {"reader": token(reader), "stranger": token(stranger), "forger": token(reader) + "x"}
            first = {name: await access.of(one) for name, one in tokens.items()}
            assert {name: await access.of(one) for name, one in tokens.items()} == first
            return first
        finally:
            await kube.close()

    assert asyncio.run(ask()) == {
        "reader": Access.ALLOWED,
        "stranger": Access.FORBIDDEN,
        "forger": Access.UNKNOWN_CALLER,
    }


def test_without_the_shipped_role_nobody_can_be_checked(control_plane: ControlPlane, namespace: str) -> None:
    bare = account(control_plane, namespace, "bare")

    async def ask() -> None:
        kube = KubeClient(load_config(bare, None))
        try:
            await ClusterAccess(kube.api, time.monotonic).of(token(bare))
        finally:
            await kube.close()

    with pytest.raises(KubeForbidden, match="tokenreview"):
        asyncio.run(ask())
