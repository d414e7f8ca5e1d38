"""A cluster that the user has, in place of the lab's own.

The lab is a guest there: it comes only where redis-connectivity is not installed (else that operator would look after
the lab's resources, and ours after its), and takes away all that it brought.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from redis_connectivity_lab.controlplane import credentials, state
from redis_connectivity_lab.controlplane.binaries import find
from redis_connectivity_lab.controlplane.cluster import Cluster, ControlPlaneError
from redis_connectivity_lab.controlplane.process import ServerProcess
from redis_connectivity_lab.controlplane.rest import ApiError, ApiUnreachableError, RestClient
from redis_connectivity_lab.controlplane.waiting import wait_until

__all__ = ["GuestCluster"]

#: On every namespace that the lab makes in somebody's cluster.
_MINE = "redisconnectivity.io/lab"
_DEADLINE = 30.0


class GuestCluster(Cluster):
    """Somebody's cluster by its kubeconfig. A context manager.

    Args:
        kubeconfig: The file.
        context: One of its contexts; its current one by default.
    """

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        self._given = kubeconfig
        self._context = context
        self._folder: Path | None = None
        self._proxy: ServerProcess | None = None
        self._client: RestClient | None = None
        self._cluster: dict[str, str] = {}
        self._stack = ExitStack()
        found = shutil.which("kubectl")
        self._kubectl = Path(found) if found else find().kubectl

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = state.make(Path(tempfile.gettempdir()), stack)
            self._copy_kubeconfig()
            self._start_proxy(stack)
            self._refuse_where_it_is_installed()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def folder(self) -> Path:
        """With the kubeconfigs and the socket of `kubectl proxy`: this user's alone."""
        if self._folder is None:
            raise ControlPlaneError("not started")
        return self._folder

    @property
    def url(self) -> str:
        """As the kubeconfig has it."""
        return self._cluster["server"]

    @property
    def authority(self) -> str:
        """As the kubeconfig has it."""
        return self._cluster.get("certificate-authority-data", "")

    @property
    def kubeconfig(self) -> Path:
        """The one context, with its files inside."""
        return self.folder / "admin.kubeconfig"

    @property
    def kubectl_program(self) -> Path:
        """The user's, else the one that the lab's own control plane has."""
        return self._kubectl

    @property
    def client(self) -> RestClient:
        """Signs in as kubectl does, whatever way that is."""
        if self._client is None:
            self._client = RestClient.through_socket(self.folder / "api.sock")
            self._stack.callback(self._client.close)
        return self._client

    @property
    def environment(self) -> Mapping[str, str]:
        """The user's own: signing in may need a program of theirs."""
        return os.environ

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Makes a namespace that is known as the lab's; fine when it is there and the lab's."""
        found = self.kubectl("get", "namespace", name, "-o", "json", "--ignore-not-found").stdout
        if not found.strip():
            # Not by `apply`: applying the shipped namespace would take the label away again.
            super().create_namespace(name, {**(labels or {}), _MINE: ""})
        elif _MINE not in json.loads(found)["metadata"].get("labels", {}):
            raise ControlPlaneError(f"namespace {name} is there already in {self.url}: the lab needs it for itself")

    def leave(self, installed: Iterable[str]) -> None:
        """Take away everything that the lab brought.

        Args:
            installed: kubectl's words for what was applied: `-f FILE` or `-k FOLDER`.
        """
        # What they made is in the emulated cloud, and gone with it: nobody has to clean up after them.
        listed = self.kubectl("get", "rconn", "-A", "-o", "json", check=False)
        for one in json.loads(listed.stdout)["items"] if listed.returncode == 0 else ():
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            self.kubectl("delete", "rconn", name, "-n", namespace, "--wait=false", "--ignore-not-found")
            patch = ("patch", "rconn", name, "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            self.kubectl(*patch, check=False)  # one without a finalizer is gone by now
        for words in installed:
            self.kubectl("delete", *words.split(" ", 1), "--ignore-not-found", "--wait=false")
        self.kubectl("delete", "namespace", "-l", _MINE, "--wait=false")

    # --- insides

    def _copy_kubeconfig(self) -> None:
        chosen = [f"--context={self._context}"] if self._context else []
        command = [str(self._kubectl), f"--kubeconfig={self._given}", *chosen]
        done = subprocess.run(
            [*command, "config", "view", "--raw", "--minify", "--flatten"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ControlPlaneError(f"kubeconfig {self._given}: {done.stderr.strip().removeprefix('error: ')}")
        credentials.write_private(self.folder / "admin.kubeconfig", done.stdout)
        (entry,) = yaml.safe_load(done.stdout)["clusters"]
        self._cluster = dict(entry["cluster"])

    def _start_proxy(self, stack: ExitStack) -> None:
        command = [
            str(self._kubectl),
            f"--kubeconfig={self.kubeconfig}",
            "proxy",
            f"--unix-socket={self.folder}/api.sock",
        ]
        # It refuses to be used for a few paths unless it is told otherwise; its socket is this user's alone.
        self._proxy = ServerProcess("kubectl proxy", [*command, "--reject-paths=^$"], self.folder / "proxy.log")
        stack.callback(self._proxy.stop)
        wait_until(self._answers, deadline=_DEADLINE, describe=lambda: f"{self.url} to answer; {self._said()}")

    def _answers(self) -> bool:
        if self._proxy is not None and self._proxy.exited.is_set():
            raise ControlPlaneError(f"kubectl proxy ended: {self._said()}")
        try:
            return bool(self.client.call("GET", "/api/v1/namespaces/kube-system"))
        except ApiUnreachableError:
            return False
        except ApiError as error:
            raise ControlPlaneError(f"{self.url}: {error}") from error

    def _said(self) -> str:
        return self._proxy.log_tail() if self._proxy is not None else ""

    def _refuse_where_it_is_installed(self) -> None:
        crd = "customresourcedefinition/redisconnectivities.redisconnectivity.io"
        if not self.kubectl("get", crd, "--ignore-not-found", "-o", "name").stdout.strip():
            return
        if self.kubectl("get", "namespace", "-l", _MINE, "-o", "name").stdout.strip():
            return  # a killed lab has left it behind
        raise ControlPlaneError(
            f"redis-connectivity is installed in {self.url}: two operators would look after the same resources."
            " Give the lab a cluster of its own, or none (it brings one)."
        )
