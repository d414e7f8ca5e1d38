"""Where ledgers are kept: one ConfigMap a resource in the operator's own namespace, named by the resource's uid.

Not in the resource's status, which anybody with the right to write it can lose (a restore, a careless apply); and not
in the resource's namespace, where the operator would need rights over every ConfigMap.
"""

from __future__ import annotations

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType
from pydantic import ValidationError

from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import Gone, KubeError, translate

__all__ = ["LedgerStore", "LedgerUnreadable"]

_LABELS = {"app.kubernetes.io/managed-by": "redis-connectivity", "redisconnectivity.io/kind": "ledger"}
_KEY = "ledger.json"


class LedgerUnreadable(KubeError):
    """A ledger exists but cannot be read; nothing is changed in the cloud until a person looks at it."""


class LedgerStore:
    """Ledgers, read once and written through."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._cache: dict[str, Ledger] = {}

    @staticmethod
    def _name(uid: str) -> str:
        return f"rconn-ledger-{uid}"

    async def load(self, owner: ResourceId) -> Ledger:
        """The resource's ledger; an empty one where there is none yet.

        Raises:
            LedgerUnreadable: what is stored is not a ledger.
            KubeError: the API server could not be asked.
        """
        if owner.uid in self._cache:
            return self._cache[owner.uid]
        try:
            with translate(f"get ledger of {owner.key}"):
                stored = await self._kube.api.get(ConfigMap, self._name(owner.uid), namespace=self._namespace)
        except Gone:
            ledger = Ledger()
        else:
            text = (stored.data or {}).get(_KEY, "{}")
            try:
                ledger = Ledger.model_validate_json(text)
            except ValidationError as error:
                raise LedgerUnreadable(
                    f"ConfigMap {self._namespace}/{self._name(owner.uid)} does not hold a ledger: {error}."
                    " Mend it, or delete it: then firewall rules are still known by their marker, the connector is not."
                ) from error
        self._cache[owner.uid] = ledger
        return ledger

    async def save(self, owner: ResourceId, ledger: Ledger) -> None:
        """Write the ledger through; when this returns, a crash cannot lose it."""
        if self._cache.get(owner.uid) == ledger:
            return
        # `resource` is for people who look: the data is keyed by uid.
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self._name(owner.uid),
                "namespace": self._namespace,
                "labels": _LABELS,
                "annotations": {"redisconnectivity.io/resource": owner.key},
            },
            "data": {_KEY: ledger.model_dump_json(exclude_defaults=True)},
        }
        with translate(f"save ledger of {owner.key}"):
            await self._kube.api.patch(
                ConfigMap,
                self._name(owner.uid),
                body,
                namespace=self._namespace,
                patch_type=PatchType.APPLY,
                force=True,
            )
        self._cache[owner.uid] = ledger

    async def forget(self, owner: ResourceId) -> None:
        """Remove the ledger of a resource that is gone."""
        self._cache.pop(owner.uid, None)
        try:
            with translate(f"delete ledger of {owner.key}"):
                await self._kube.api.delete(ConfigMap, self._name(owner.uid), namespace=self._namespace)
        except Gone:
            return

    def drop_cache(self) -> None:
        """Forget what was read: another process may have written since (after a change of leader)."""
        self._cache.clear()

    async def stored(self) -> dict[str, str]:
        """Ledgers in store as {uid: namespace/name of the resource}, for the search of orphans."""
        found: dict[str, str] = {}
        with translate("list ledgers"):
            async for one in self._kube.api.list(ConfigMap, namespace=self._namespace, labels=dict(_LABELS)):
                meta = one.metadata or ObjectMeta()
                uid = (meta.name or "").removeprefix("rconn-ledger-")
                found[uid] = (meta.annotations or {}).get("redisconnectivity.io/resource", "")
        return found
