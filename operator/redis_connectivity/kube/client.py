"""The door to the Kubernetes API: read the resources, write status and finalizer, each write tested against races."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError
from lightkube.resources.core_v1 import Namespace, Secret
from lightkube.types import PatchType

from redis_connectivity.api.base import API_VERSION, FINALIZER, KIND, RECONCILE_AT
from redis_connectivity.kube.errors import Gone, KubeConflict, KubeUnavailable, translate
from redis_connectivity.kube.resources import FIELD_MANAGER, Body, Connectivity, ConnectivityPolicy

__all__ = ["KubeClient"]

#: Seconds for one request; the API server answers these in milliseconds.
_TIMEOUT = httpx2.Timeout(10.0, read=30.0)


class KubeClient:
    """Typed access to what the operator needs and nothing else.

    Every method raises KubeUnavailable when the API server cannot be asked or answers 5xx/429, KubeForbidden when RBAC
    refuses, KubeConflict when the object moved on, Gone when it is no more.
    """

    def __init__(self, config: SingleConfig) -> None:
        self.config = config
        self.api = AsyncClient(config=config, field_manager=FIELD_MANAGER, timeout=_TIMEOUT, lazy=True)

    async def close(self) -> None:
        """Close idle connections."""
        await self.api.close()

    async def cluster_uid(self) -> str:
        """The uid of kube-system: the customary identity of a cluster."""
        with translate("get namespace kube-system"):
            namespace = await self.api.get(Namespace, "kube-system")
        uid = namespace.metadata.uid if namespace.metadata else None
        if not uid:
            raise KubeUnavailable("namespace kube-system has no uid")
        return uid

    async def list_resources(self, namespaces: Sequence[str]) -> list[Body]:
        """Every RedisConnectivity in the namespaces, or in all of them when none is named."""
        found: list[Body] = []
        for namespace in namespaces or ("*",):
            with translate(f"list redisconnectivities in {namespace}"):
                async for item in self.api.list(Connectivity, namespace=namespace):
                    body = dict(item)
                    # Items of a list come without these two.
                    found.append({"apiVersion": API_VERSION, "kind": KIND, **body})
        return found

    async def list_policies(self) -> list[Body]:
        """Every RedisConnectivityPolicy; none where the kind is not installed."""
        with translate("list redisconnectivitypolicies"):
            try:
                return [dict(item) async for item in self.api.list(ConnectivityPolicy)]
            except httpx2.HTTPStatusError as error:
                # To a path that it does not serve the API server answers without a Status.
                if error.response.status_code == httpx2.codes.NOT_FOUND:
                    return []
                raise

    async def get_resource(self, namespace: str, name: str) -> Body:
        """One RedisConnectivity."""
        with translate(f"get redisconnectivity {namespace}/{name}"):
            return dict(await self.api.get(Connectivity, name, namespace=namespace))

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """A Secret's data, base64 as Kubernetes has it. The operator has the right only where it was given one."""
        with translate(f"get secret {namespace}/{name}"):
            secret = await self.api.get(Secret, name, namespace=namespace)
        return secret.data or {}

    async def ask_for_reconcile(self, namespace: str, name: str, value: str) -> None:
        """Set the annotation that asks for a reconcile with fresh reads, to a value that it has not had."""
        patch = {"metadata": {"annotations": {RECONCILE_AT: value}}}
        with translate(f"annotate redisconnectivity {namespace}/{name}"):
            await self.api.patch(Connectivity, name, patch, namespace=namespace, patch_type=PatchType.MERGE)

    async def add_finalizer(self, body: Body) -> Body:
        """Add our finalizer. Conflict when the object changed since `body`."""
        metadata = body["metadata"]
        finalizers = [*metadata.get("finalizers", []), FINALIZER]
        return await self._patch_finalizers(metadata, finalizers)

    async def remove_finalizer(self, body: Body) -> Body | None:
        """Remove our finalizer; None when that ended the object."""
        metadata = body["metadata"]
        finalizers = [one for one in metadata.get("finalizers", []) if one != FINALIZER]
        try:
            return await self._patch_finalizers(metadata, finalizers)
        except Gone:
            return None

    async def _patch_finalizers(self, metadata: Body, finalizers: list[str]) -> Body:
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]
        with translate(f"patch finalizers of {metadata['namespace']}/{metadata['name']}"):
            try:
                return dict(
                    await self.api.patch(
                        Connectivity,
                        metadata["name"],
                        patch,
                        namespace=metadata["namespace"],
                        patch_type=PatchType.JSON,
                    )
                )
            except ApiError as error:
                # A failed "test" is answered 422 Invalid, not 409.
                if error.status.code == httpx2.codes.UNPROCESSABLE_ENTITY:
                    raise KubeConflict(str(error)) from error
                raise

    async def apply_status(self, metadata: Body, status: Body) -> Body:
        """Server-side apply of the whole status; fields that we no longer set go away, others' stay."""
        applied = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            # The uid makes the apply fail instead of writing to a namesake made after a deletion.
            "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
            "status": status,
        }
        with translate(f"apply status of {metadata['namespace']}/{metadata['name']}"):
            return dict(
                await self.api.patch(
                    Connectivity.Status,
                    metadata["name"],
                    applied,
                    namespace=metadata["namespace"],
                    patch_type=PatchType.APPLY,
                    force=True,
                )
            )

    async def check(self) -> None:
        """Ask the API server for something small, to know that it is there and knows us.

        Raises:
            KubeError: it is not.
        """
        try:
            await self.cluster_uid()
        except ConfigError as error:
            raise KubeUnavailable(str(error)) from error
