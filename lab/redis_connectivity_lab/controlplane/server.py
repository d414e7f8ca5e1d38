"""A control plane for one lab or one test session: etcd and kube-apiserver on loopback, with RBAC and audit."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from redis_connectivity_lab.controlplane import audit, commands, credentials, namespaces, state
from redis_connectivity_lab.controlplane.binaries import Binaries
from redis_connectivity_lab.controlplane.cluster import Cluster, ControlPlaneError
from redis_connectivity_lab.controlplane.process import ServerProcess
from redis_connectivity_lab.controlplane.rest import ApiError, ApiUnreachableError, RestClient
from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError, wait_until

__all__ = ["ControlPlane", "ControlPlaneError"]

_HOST = "127.0.0.1"
_NOT_FOUND = 404
_SERVER_ERROR = 500
#: A free port can be taken between our look and the server's bind.
_ATTEMPTS = 3


class _PortTakenError(ControlPlaneError):
    """Somebody was faster."""


class ControlPlane(Cluster):
    """etcd and kube-apiserver, started and stopped as one.

    There is no controller manager, scheduler or kubelet: see `namespaces` for what that means.

    Args:
        binaries: The programs.
        parent: Where the state folder is made; the system's temporary folder by default. `stop` removes it.
        ready_deadline: Seconds that start may take (2.5 is usual; a busy machine takes longer).
    """

    def __init__(self, binaries: Binaries, *, parent: Path | None = None, ready_deadline: float = 60.0) -> None:
        self.binaries = binaries
        self._parent = parent
        self._deadline = ready_deadline
        self._token = secrets.token_urlsafe(32)
        self._etcd: ServerProcess | None = None
        self._server: ServerProcess | None = None
        self._folder: Path | None = None
        self._client: RestClient | None = None
        self._cleanup = ExitStack()
        self._etcd_port = 0
        self._port = 0

    # --- life ---

    def start(self) -> None:
        """Starts both and returns when the API server is ready and has made its own namespaces.

        Raises:
            ControlPlaneError: It did not become ready; the message has the end of the log.
        """
        if self._folder is not None:
            raise ControlPlaneError("already started")
        try:
            self._make_folder()
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._start_etcd()
                    self._start_server()
                    break
                except _PortTakenError:
                    self._stop_processes()
                    if attempt == _ATTEMPTS:
                        raise
            self._write_admin_kubeconfig()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops both and removes the state folder; fine when nothing runs."""
        try:
            self._stop_processes()
        finally:
            self._cleanup.close()
            self._folder = None

    def restart_apiserver(self, *, crash: bool = False) -> None:
        """Stops kube-apiserver (`crash`: with SIGKILL) and starts it on the same port with the same data."""
        if self._server is None:
            raise ControlPlaneError("not started")
        self._server.stop(grace=0.0 if crash else 10.0)
        self._launch_server()
        self._await_ready()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- what one needs of it ---

    @property
    def folder(self) -> Path:
        """The state folder: certificates, kubeconfigs, logs, data."""
        if self._folder is None:
            raise ControlPlaneError("not started")
        return self._folder

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://{_HOST}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The certificate to trust."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def kubeconfig(self) -> Path:
        """For user `lab-admin` in group system:masters."""
        return self.folder / "admin.kubeconfig"

    @property
    def kubectl_program(self) -> Path:
        """Of the same version as the server."""
        return self.binaries.kubectl

    @property
    def authority(self) -> str:
        """The server's own certificate."""
        return base64.b64encode(self.ca_file.read_bytes()).decode()

    @property
    def audit(self) -> audit.AuditLog:
        """Every request, by whom and with what outcome."""
        return audit.AuditLog(self.folder / "audit.log")

    @property
    def client(self) -> RestClient:
        """A plain client with the administrator's rights."""
        if self._client is None:
            self._client = RestClient(self.url, ca_file=self.ca_file, token=self._token)
        return self._client

    @property
    def cluster_uid(self) -> str:
        """The uid of kube-system: the cluster's identity."""
        return str(self.client.call("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def purge_namespace(self, name: str) -> None:
        """Removes a namespace and all in it, finalizers or not."""
        namespaces.purge(self.client, name)

    # --- insides ---

    def _make_folder(self) -> None:
        folder = state.make(self._parent or Path(tempfile.gettempdir()), self._cleanup)
        self._folder = folder
        credentials.write_service_account_key(folder / "service-account.key")
        credentials.write_private(folder / "tokens.csv", f'{self._token},lab-admin,lab-admin,"system:masters"\n')
        (folder / "audit-policy.yaml").write_text(audit.POLICY, encoding="utf-8")

    def _start_etcd(self) -> None:
        self._etcd_port, peer = _free_ports(2)
        data = self.folder / "etcd"
        shutil.rmtree(data, ignore_errors=True)  # of an attempt that lost its port
        command = commands.etcd(self.binaries.etcd, _HOST, self._etcd_port, peer, data)
        self._etcd = ServerProcess("etcd", command, self.folder / "etcd.log")

    def _start_server(self) -> None:
        (self._port,) = _free_ports(1)
        self._launch_server()
        self._await_ready()

    def _launch_server(self) -> None:
        command = commands.kube_apiserver(self.binaries.kube_apiserver, _HOST, self._port, self._etcd_port, self.folder)
        self._server = ServerProcess("kube-apiserver", command, self.folder / "kube-apiserver.log")

    def _await_ready(self) -> None:
        if self._server is None:
            raise ControlPlaneError("not started")
        try:
            wait_until(
                self._is_ready,
                deadline=self._deadline,
                describe=lambda: f"kube-apiserver to be ready; its log ends:\n{self._server_log()}",
                wake=self._server.exited,
            )
        except DeadlineExceededError as error:
            raise ControlPlaneError(str(error)) from error

    def _is_ready(self) -> bool:
        for process in (self._etcd, self._server):
            if process is not None and process.exited.is_set():
                tail = process.log_tail()
                taken = "address already in use" in tail
                kind = _PortTakenError if taken else ControlPlaneError
                raise kind(f"{process.name} ended with {process.returncode}; its log ends:\n{tail}")
        if not credentials.is_certificate(self.ca_file):
            return False
        try:
            # The order matters: what makes kube-system runs after the server calls itself ready.
            ready = self.client.text("GET", "/readyz", accept="*/*") == "ok"
            return ready and bool(self.client.call("GET", "/api/v1/namespaces/kube-system"))
        except ApiUnreachableError:
            return False
        except ApiError as error:
            if error.status == _NOT_FOUND or error.status >= _SERVER_ERROR:  # not yet
                return False
            raise

    def _server_log(self) -> str:
        return self._server.log_tail() if self._server is not None else ""

    def _write_admin_kubeconfig(self) -> None:
        credentials.write_kubeconfig(
            self.kubeconfig,
            url=self.url,
            authority=self.authority,
            user="lab-admin",
            token=self._token,
            namespace="default",
        )

    def _stop_processes(self) -> None:
        """The API server first: without etcd it would spend its grace period on retries."""
        with ExitStack() as order:
            if self._etcd is not None:
                order.callback(self._etcd.stop)
            if self._server is not None:
                order.callback(self._server.stop)
        self._server = self._etcd = None
        if self._client is not None:  # the next server has another address
            self._client.close()
            self._client = None


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
