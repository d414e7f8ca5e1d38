"""What the lab needs of a cluster, whoever runs it."""

from __future__ import annotations

import abc
import subprocess
from collections.abc import Mapping
from pathlib import Path

from redis_connectivity_lab.controlplane import credentials, namespaces
from redis_connectivity_lab.controlplane.rest import NOT_STARTED, RestClient, until_admitted

__all__ = ["Cluster", "ControlPlaneError"]

_TOKEN_SECONDS = 24 * 3600


class ControlPlaneError(Exception):
    """The control plane did not start, or is gone, or refused."""


class Cluster(abc.ABC):
    """An API server with an administrator's rights, and a private folder for what belongs to it."""

    @property
    @abc.abstractmethod
    def folder(self) -> Path:
        """A private folder, gone at the end."""

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """The API server's address."""

    @property
    @abc.abstractmethod
    def kubeconfig(self) -> Path:
        """Of an administrator."""

    @property
    @abc.abstractmethod
    def kubectl_program(self) -> Path:
        """A kubectl."""

    @property
    @abc.abstractmethod
    def client(self) -> RestClient:
        """A plain client with the administrator's rights."""

    @property
    @abc.abstractmethod
    def authority(self) -> str:
        """The certificate to trust: PEM in base64; empty for those that the system trusts."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Kubectl's. Its discovery cache belongs to this server and shall go with it."""
        return {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Makes a namespace."""
        namespaces.create(self.client, name, labels)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig for an existing service account, with a real token (TokenRequest) good for a day."""
        answer = self.client.call(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": _TOKEN_SECONDS},
            },
        )
        return credentials.write_kubeconfig(
            self.folder / f"{namespace}.{name}.kubeconfig",
            url=self.url,
            authority=self.authority,
            user=f"{namespace}.{name}",
            token=str(answer["status"]["token"]),
            namespace=namespace,
        )

    def start_kubectl(self, *arguments: str) -> subprocess.Popen[str]:
        """Start kubectl as the administrator, to be read from while it runs; the caller ends it."""
        return subprocess.Popen(
            [str(self.kubectl_program), "--kubeconfig", str(self.kubeconfig), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=dict(self.environment),
            text=True,
        )

    def kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl, as the administrator unless `kubeconfig` says otherwise.

        What a server refuses that has only just started is asked again for a while.

        Raises:
            ControlPlaneError: It ended with an error and `check` is set; the message has what it said.
        """
        command = [str(self.kubectl_program), "--kubeconfig", str(kubeconfig or self.kubeconfig), *arguments]
        done = until_admitted(lambda: self._run(command, stdin or ""), lambda last: NOT_STARTED in last.stderr)
        if check and done.returncode != 0:
            raise ControlPlaneError(f"kubectl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done

    def _run(self, command: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                input=stdin,
                env=dict(self.environment),
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        except subprocess.TimeoutExpired as error:
            raise ControlPlaneError(f"{' '.join(command)} did not end within {error.timeout:g} s") from error
