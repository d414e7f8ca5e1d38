"""The lab's control plane: real answers, real rights, a log of who did what, and a clean end in every case."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import yaml

from redis_connectivity_lab.controlplane import Binaries, ControlPlane, ControlPlaneError, audit, state
from support.waiting import wait_until

pytestmark = pytest.mark.lab


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has reaped yet is as dead as can be.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_is_a_real_api_server_of_the_version_we_think(control_plane: ControlPlane) -> None:
    version = control_plane.client.call("GET", "/version")
    assert (int(version["major"]), int(version["minor"].rstrip("+"))) >= (1, 32)
    assert control_plane.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_kube_system_gives_the_cluster_its_identity(control_plane: ControlPlane) -> None:
    assert len(control_plane.cluster_uid) == 36
    assert control_plane.cluster_uid == control_plane.cluster_uid


def test_secrets_are_for_the_owner_only(control_plane: ControlPlane) -> None:
    for name in ("admin.kubeconfig", "tokens.csv", "service-account.key"):
        assert (control_plane.folder / name).stat().st_mode & 0o777 == 0o600
    assert control_plane.folder.stat().st_mode & 0o777 == 0o700


def test_a_service_account_has_its_own_rights_and_no_others(control_plane: ControlPlane, namespace: str) -> None:
    kubectl = control_plane.kubectl
    kubectl("-n", namespace, "create", "serviceaccount", "worker")
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "worker")
    assert yaml.safe_load(kubeconfig.read_text())["contexts"][0]["context"]["namespace"] == namespace
    assert kubeconfig.stat().st_mode & 0o777 == 0o600

    refused = kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False)
    assert refused.returncode != 0
    assert f'User "system:serviceaccount:{namespace}:worker" cannot list resource "configmaps"' in refused.stderr

    kubectl("-n", namespace, "create", "role", "reader", "--verb=list", "--resource=configmaps")
    kubectl("-n", namespace, "create", "rolebinding", "r", "--role=reader", f"--serviceaccount={namespace}:worker")
    wait_until(
        lambda: kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False).returncode == 0,
        deadline=10,
        describe="the role binding to be in force",
    )


def test_the_audit_log_tells_who_wrote_what(control_plane: ControlPlane, namespace: str) -> None:
    mark = control_plane.audit.mark()
    control_plane.kubectl("-n", namespace, "create", "configmap", "one")
    control_plane.kubectl("-n", namespace, "create", "configmap", "one", check=False)  # exists: refused
    control_plane.kubectl("-n", namespace, "get", "configmap", "one")

    def ours() -> list[audit.AuditEntry]:
        return [entry for entry in control_plane.audit.entries(mark) if entry.namespace == namespace]

    wait_until(lambda: len(ours()) >= 3, deadline=10, describe=lambda: f"three entries in {ours()}")
    assert [(e.user, e.verb, e.resource, e.name, e.code) for e in ours()] == [
        ("lab-admin", "create", "configmaps", "one", 201),
        ("lab-admin", "create", "configmaps", "one", 409),
        ("lab-admin", "get", "configmaps", "one", 200),
    ]
    writes = [entry for entry in control_plane.audit.writes(mark, user="lab-admin") if entry.namespace == namespace]
    assert [entry.is_write for entry in writes] == [True, True]
    assert all(0 <= entry.seconds < 10 and entry.decision == "allow" for entry in ours())
    assert control_plane.audit.writes(mark, user="somebody-else") == []


def test_a_purge_empties_a_namespace_against_finalizers(control_plane: ControlPlane) -> None:
    control_plane.create_namespace("doomed", {"for": "a-test"})
    manifest = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: clingy, namespace: doomed, finalizers: [example.com/never]}
    """
    control_plane.kubectl("apply", "-f", "-", stdin=textwrap.dedent(manifest))
    control_plane.purge_namespace("doomed")
    assert control_plane.kubectl("get", "namespace", "doomed", check=False).returncode != 0
    control_plane.create_namespace("doomed")  # the name is free, and nothing of before is in it
    assert "clingy" not in control_plane.kubectl("-n", "doomed", "get", "configmaps").stdout
    control_plane.purge_namespace("doomed")
    control_plane.purge_namespace("doomed")  # gone is fine


def test_kubectl_errors_are_told(control_plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match=r"get nonsense ended with 1: .*doesn't have a resource type"):
        control_plane.kubectl("get", "nonsense")


def test_it_survives_a_crash_of_the_api_server_with_its_data(control_plane: ControlPlane, tmp_path: Path) -> None:
    with ControlPlane(control_plane.binaries, parent=tmp_path) as own:
        own.create_namespace("kept")
        uid, url = own.cluster_uid, own.url
        own.restart_apiserver(crash=True)
        assert (own.cluster_uid, own.url) == (uid, url)
        assert own.kubectl("get", "namespace", "kept").returncode == 0


def test_a_stop_leaves_nothing(control_plane: ControlPlane, tmp_path: Path) -> None:
    own = ControlPlane(control_plane.binaries, parent=tmp_path)
    own.start()
    pids = [process.pid for process in (own._etcd, own._server) if process is not None]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    with pytest.raises(ControlPlaneError, match="already started"):
        own.start()
    own.stop()
    own.stop()
    assert not any(alive(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ControlPlaneError, match="not started"):
        _ = own.kubeconfig


def test_both_die_with_a_parent_that_is_killed(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Started from a thread that ends, too: that alone must not end them, the parent's death must."""
    script = f"""
        import threading, time
        from pathlib import Path
        from redis_connectivity_lab.controlplane import Binaries, ControlPlane
        own = ControlPlane(Binaries(*map(Path, {[str(p) for p in paths(control_plane.binaries)]!r}), source="test"),
                           parent=Path({str(tmp_path)!r}))
        starter = threading.Thread(target=own.start)
        starter.start()
        starter.join()
        own.create_namespace("still-here")
        print(own._etcd.pid, own._server.pid, flush=True)
        threading.Event().wait()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), deadline=10, describe=f"{pids} to be gone")

    (left,) = tmp_path.glob(f"{state.PREFIX}*")
    state.sweep(tmp_path)  # the next one to start cleans up
    assert not left.exists()


def test_a_sweep_leaves_the_living_alone(control_plane: ControlPlane) -> None:
    state.sweep(control_plane.folder.parent)
    assert control_plane.kubeconfig.exists()


def paths(binaries: Binaries) -> tuple[Path, Path, Path]:
    return binaries.etcd, binaries.kube_apiserver, binaries.kubectl


def test_a_server_that_dies_at_start_is_told_at_once_with_its_log(control_plane: ControlPlane, tmp_path: Path) -> None:
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho 'error: flux capacitor missing' >&2\nexit 3\n")
    broken.chmod(0o755)
    (tmp_path / "state").mkdir()
    etcd, _, kubectl = paths(control_plane.binaries)
    own = ControlPlane(Binaries(etcd, broken, kubectl, "test"), parent=tmp_path / "state", ready_deadline=120)
    before = threading.active_count()
    with pytest.raises(ControlPlaneError, match=r"(?s)kube-apiserver ended with 3.*flux capacitor missing"):
        own.start()
    assert list((tmp_path / "state").iterdir()) == []
    wait_until(lambda: threading.active_count() <= before, deadline=5, describe="the tethers' threads to end")


def test_a_server_that_never_becomes_ready_is_given_up_in_time(control_plane: ControlPlane, tmp_path: Path) -> None:
    idle = tmp_path / "kube-apiserver"
    idle.write_text("#!/bin/sh\necho 'thinking' >&2\nexec sleep 600\n")
    idle.chmod(0o755)
    (tmp_path / "state").mkdir()
    etcd, _, kubectl = paths(control_plane.binaries)
    own = ControlPlane(Binaries(etcd, idle, kubectl, "test"), parent=tmp_path / "state", ready_deadline=0.5)
    with pytest.raises(ControlPlaneError, match=r"(?s)waited 0\.5 s for: kube-apiserver to be ready.*thinking"):
        own.start()
    assert list((tmp_path / "state").iterdir()) == []


def test_a_program_that_is_not_there_is_told(control_plane: ControlPlane, tmp_path: Path) -> None:
    _, server, kubectl = paths(control_plane.binaries)
    own = ControlPlane(Binaries(tmp_path / "no-etcd", server, kubectl, "test"), parent=tmp_path, ready_deadline=20)
    with pytest.raises(ControlPlaneError, match=r"(?s)etcd ended with 1.*cannot run \S+/no-etcd: No such file"):
        own.start()
