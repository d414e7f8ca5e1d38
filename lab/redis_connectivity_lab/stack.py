"""The whole lab: control plane, cloud and operator, as tests, the demo and `lab up` use it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from redis_connectivity.api.base import API_VERSION, PLURAL
from redis_connectivity_lab.cloudside import CloudSide
from redis_connectivity_lab.controlplane import Binaries, Cluster, ControlPlane, GuestCluster, find
from redis_connectivity_lab.controlplane.rest import ApiError
from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.dataplane.launch import Kind
from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.operator_process import OperatorProcess

__all__ = ["OPERATOR_NAMESPACE", "PROJECT_ROOT", "Lab", "install_manifests"]

#: The clone: crds/ and manifests/ are there.
PROJECT_ROOT = Path(__file__).resolve().parents[2]

OPERATOR_NAMESPACE: Final = "redis-connectivity-system"
_SERVICE_ACCOUNT = "redis-connectivity"


#: kubectl's words for what is installed, in this order; these very files are what the project ships.
_INSTALLED: Final = (
    f"-k {PROJECT_ROOT / 'crds'}",
    *(
        f"-f {PROJECT_ROOT / 'manifests' / 'base' / name}.yaml"
        for name in ("namespace", "serviceaccount", "rbac", "guardrails")
    ),
)


def install_manifests(cluster: Cluster) -> None:
    """Apply CRDs, namespace, account, rights and guardrails."""
    crds, *others = _INSTALLED
    cluster.kubectl("apply", *crds.split(" ", 1))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/redisconnectivities.redisconnectivity.io", "--timeout=30s"
    )
    # Established comes a moment before the API server can store: until then it answers "storage is (re)initializing".
    wait_until(
        lambda: cluster.kubectl("get", "rconn", "-A", check=False).returncode == 0,
        deadline=30,
        describe="the API server to serve RedisConnectivity",
    )
    for words in others:
        cluster.kubectl("apply", *words.split(" ", 1))


class Lab:
    """Everything, started and stopped as one. A context manager.

    Args:
        timings: How long the emulated Google takes.
        kind: Which data plane.
        settings: Settings of the operator, as in OperatorProcess.
        say: Told what is being started.
        binaries: The control plane's programs, if they were found already.
        guest_of: A cluster that the user has, in place of a control plane of the lab's own.
    """

    def __init__(
        self,
        timings: Timings | None = None,
        *,
        kind: Kind | Literal["auto"] = "auto",
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
        binaries: Binaries | None = None,
        guest_of: GuestCluster | None = None,
    ) -> None:
        self._say = say
        self._stack = contextlib.ExitStack()
        self._binaries = binaries
        self._guest_of = guest_of
        self.cloud = CloudSide(timings, kind=kind)
        self._settings = dict(settings or {})
        self.cluster: Cluster
        self.operator: OperatorProcess
        self.folder: Path

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.cluster = self._open_cluster(stack)
            # In the cluster's own: the next one sweeps up what a killed lab leaves behind.
            self.folder = self.cluster.folder / "lab"
            self.folder.mkdir()
            install_manifests(self.cluster)
            self._say(f"Kubernetes API server at {self.cluster.url}, with the shipped CRD and rights.")
            stack.enter_context(self.cloud)
            self._say(f"Google Cloud emulator at {self.cloud.url}. {self.cloud.describe()}")
            self.operator = self.new_operator()
            stack.callback(self.operator.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open_cluster(self, stack: contextlib.ExitStack) -> Cluster:
        if self._guest_of is None:
            self._say("Starting etcd and kube-apiserver …")
            return stack.enter_context(ControlPlane(self._binaries or find()))
        self._say("Looking at your cluster …")
        guest = stack.enter_context(self._guest_of)
        # Before anything else, so that what a killed lab leaves behind is known as its own.
        guest.create_namespace(OPERATOR_NAMESPACE)
        stack.callback(guest.leave, _INSTALLED)
        return guest

    @property
    def control_plane(self) -> ControlPlane:
        """The lab's own cluster; there is none where it is a guest."""
        if not isinstance(self.cluster, ControlPlane):
            raise TypeError("the lab is a guest of somebody's cluster")
        return self.cluster

    def new_operator(self, identity: str | None = None, **settings: str) -> OperatorProcess:
        """An operator that is not started yet; the caller stops it."""
        kubeconfig = self.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, _SERVICE_ACCOUNT)
        return OperatorProcess(
            kubeconfig, self.cloud.url, self.folder, settings={**self._settings, **settings}, identity=identity
        )

    def start_operator(self) -> None:
        """Start the operator and wait until it is ready."""
        self._say("Starting the operator, under its own service account …")
        self.operator.start()

    # --- the resource, as a user sees it

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as administrator; its standard output, with standard error behind it when `check` is off."""
        done = self.cluster.kubectl(*arguments, stdin=stdin, check=check)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, resource: Mapping[str, Any]) -> None:
        """`kubectl apply -f -` of one resource."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(resource))

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The resource, or None."""
        # Not by kubectl: this is asked many times a second, and a kubectl costs more than the whole answer.
        try:
            return self.cluster.client.call("GET", f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def config_maps(self, namespace: str) -> list[dict[str, Any]]:
        """The ConfigMaps of a namespace."""
        return list(self.cluster.client.call("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"])

    def condition(self, namespace: str, name: str, kind: str) -> dict[str, Any]:
        """One condition of the resource; empty where it has none yet."""
        body = self.get(namespace, name) or {}
        for one in body.get("status", {}).get("conditions", []):
            if one["type"] == kind:
                return dict(one)
        return {}

    def wait_condition(
        self,
        namespace: str,
        name: str,
        kind: str,
        status: str = "True",
        reason: str | None = None,
        deadline: float = 90.0,
    ) -> dict[str, Any]:
        """Wait until a condition has a status (and reason); the message of a failure has the whole status."""

        def seen() -> dict[str, Any] | None:
            one = self.condition(namespace, name, kind)
            fits = one.get("status") == status and (reason is None or one.get("reason") == reason)
            return one if fits else None

        def told() -> str:
            body = self.get(namespace, name) or {}
            wanted = f"{kind}={status}" + (f" ({reason})" if reason else "")
            log = self.operator.log_tail(30) if self.operator.alive else "(not running)"
            return (
                f"{namespace}/{name} to be {wanted}; status: {json.dumps(body.get('status', {}), indent=1)}\n"
                f"operator: {log}"
            )

        return wait_until(seen, deadline=deadline, describe=told)
