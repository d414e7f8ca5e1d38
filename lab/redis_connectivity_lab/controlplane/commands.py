"""The command lines of etcd and kube-apiserver, and why each flag is there."""

from __future__ import annotations

from pathlib import Path

__all__ = ["etcd", "kube_apiserver"]


def etcd(program: Path, host: str, port: int, peer_port: int, data: Path) -> list[str]:
    """A single member for clients on `port`."""
    client, peer = f"http://{host}:{port}", f"http://{host}:{peer_port}"
    return [
        str(program),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the data need not outlive the machine
        "--log-level=warn",
    ]


def kube_apiserver(program: Path, host: str, port: int, etcd_port: int, folder: Path) -> list[str]:
    """The API server on `port`; its files are in `folder`, as `ControlPlane` puts them there."""
    key = folder / "service-account.key"
    return [
        str(program),
        f"--etcd-servers=http://{host}:{etcd_port}",
        f"--bind-address={host}",
        f"--advertise-address={host}",  # else it looks for a default route, which a laptop may lack
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certs'}",  # it makes its own certificate there
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.255.255.0/24",
        "--endpoint-reconciler-type=none",  # an endpoint may not be a loopback address
        f"--audit-policy-file={folder / 'audit-policy.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-maxsize=4096",  # no rotation under a reader's feet
    ]
