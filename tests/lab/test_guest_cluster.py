"""The lab as a guest of somebody's cluster: it works there, refuses to stand in an installation's way, and leaves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from redis_connectivity_lab.controlplane import ControlPlane, ControlPlaneError, GuestCluster
from redis_connectivity_lab.controlplane.credentials import write_private
from redis_connectivity_lab.stack import OPERATOR_NAMESPACE, install_manifests
from support.commands import Commands

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

CRD = "customresourcedefinition/redisconnectivities.redisconnectivity.io"


@pytest.fixture
def theirs(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster of somebody who has never heard of redis-connectivity."""
    with ControlPlane(control_plane.binaries) as running:
        yield running


def present(cluster: ControlPlane) -> set[str]:
    """Everything in it that might be the lab's."""
    kinds = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding"
    listed = json.loads(cluster.kubectl("get", kinds, "-o", "json").stdout)["items"]
    namespaces = json.loads(cluster.kubectl("get", "namespace", "-o", "json").stdout)["items"]
    # There is no controller here that ends a deleted namespace.
    living = [one for one in namespaces if "deletionTimestamp" not in one["metadata"]]
    return {f"{one['kind']}/{one['metadata']['name']}" for one in (*listed, *living)}


def test_a_scene_plays_in_somebody_s_cluster_and_nothing_of_it_stays(theirs: ControlPlane, tmp_path: Path) -> None:
    before = present(theirs)
    config = json.loads(theirs.kubectl("config", "view", "--raw", "-o", "json").stdout)
    config["contexts"].append({**config["contexts"][0], "name": "other"})
    config["current-context"] = "nowhere"
    file = write_private(tmp_path / "config", json.dumps(config))
    mark = theirs.audit.mark()
    command = ["lab", "demo", "--scene", "rule-deleted", "--fast", "--kubeconfig", str(file), "--context", "other"]
    Commands(tmp_path).run(*command, seconds=500)
    assert present(theirs) == before
    # The operator was there under its own account, and not as the administrator.
    account = f"system:serviceaccount:{OPERATOR_NAMESPACE}:redis-connectivity"
    assert any(one.user == account and one.is_write for one in theirs.audit.entries(mark))


def test_it_does_not_come_where_an_operator_is_installed(theirs: ControlPlane) -> None:
    install_manifests(theirs)
    before = present(theirs)
    with (
        pytest.raises(ControlPlaneError, match=r"is installed in .*two operators would look after"),
        GuestCluster(theirs.kubeconfig),
    ):
        pass
    assert present(theirs) == before


def test_it_takes_no_namespace_that_is_somebody_s(theirs: ControlPlane) -> None:
    theirs.create_namespace("staging")
    with (
        GuestCluster(theirs.kubeconfig) as guest,
        pytest.raises(ControlPlaneError, match="namespace staging is there already"),
    ):
        guest.create_namespace("staging")


def test_what_a_killed_lab_has_left_behind_is_its_own(theirs: ControlPlane) -> None:
    with GuestCluster(theirs.kubeconfig) as first:
        first.create_namespace(OPERATOR_NAMESPACE)
        install_manifests(first)
    with GuestCluster(theirs.kubeconfig) as second:
        assert second.kubectl("get", CRD, "-o", "name").returncode == 0


def test_a_context_that_is_not_there_is_named(theirs: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match="nowhere"), GuestCluster(theirs.kubeconfig, "nowhere"):
        pass
