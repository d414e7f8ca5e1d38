"""Kubernetes Events about a resource: posted once for each piece of news, not once for each look."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final, Literal

from lightkube.models.core_v1 import ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.events_v1 import Event

from redis_connectivity.api.base import API_VERSION, KIND
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.kube.client import KubeClient
from redis_connectivity.kube.errors import Exists, translate

__all__ = ["EventPoster"]

#: events.k8s.io allows 1024 characters in a note.
_NOTE_MAX: Final = 1024
#: Seconds for which the same text about the same resource is not posted again.
_QUIET: Final = 600.0
_REMEMBERED: Final = 10_000


class EventPoster:
    """Posts Events under a reporting instance's name."""

    def __init__(self, kube: KubeClient, instance: str) -> None:
        self._kube = kube
        self._instance = instance[:128]
        self._posted: OrderedDict[str, float] = OrderedDict()

    async def post(
        self,
        about: ResourceId,
        kind: Literal["Normal", "Warning"],
        reason: str,
        action: str,
        note: str,
    ) -> None:
        """Post one Event, unless the same was posted in the last ten minutes.

        Raises:
            KubeError: the API server did not take it.
        """
        now = datetime.now(UTC)
        digest = hashlib.sha256(f"{about.uid}|{kind}|{reason}|{note}".encode()).hexdigest()[:16]
        if now.timestamp() - self._posted.get(digest, 0.0) < _QUIET:
            return
        event = Event(
            apiVersion="events.k8s.io/v1",
            kind="Event",
            metadata=ObjectMeta(name=f"{about.name[:200]}.{digest}{int(now.timestamp()):x}", namespace=about.namespace),
            eventTime=now,
            reportingController="redisconnectivity.io/operator",
            reportingInstance=self._instance,
            action=action[:128],
            reason=reason[:128],
            type=kind,
            note=note if len(note) <= _NOTE_MAX else note[: _NOTE_MAX - 1] + "…",
            regarding=ObjectReference(
                apiVersion=API_VERSION, kind=KIND, name=about.name, namespace=about.namespace, uid=about.uid
            ),
        )
        try:
            with translate(f"post event about {about.key}"):
                await self._kube.api.create(event)
        except Exists:
            pass  # another attempt within the same second got through: that is what we want
        self._posted[digest] = now.timestamp()
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
