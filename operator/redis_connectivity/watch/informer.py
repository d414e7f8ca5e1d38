"""kopf as an informer: one LIST and one WATCH for any number of resources, and no write of its own.

It runs in a thread and loop of its own, because in a shared loop kopf cancels every task that was created after it
started and takes over SIGTERM. Its handler translates an event into a note; notes reach the main loop in batches, as
one hop per event would keep that loop busy for a second when 10,000 resources arrive at once.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import kopf
import structlog
from lightkube.config.kubeconfig import SingleConfig

from redis_connectivity.api.base import GROUP, PLURAL, POLICY_PLURAL, VERSION

__all__ = ["Informer", "WatchNote"]

_log = structlog.get_logger(__name__)

#: Seconds to wait for kopf's thread at the end; it stops in hundredths of one.
_STOP_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class WatchNote:
    """One event of the watch, of a resource or of a policy. `kind` is None for objects of the initial list."""

    kind: Literal["ADDED", "MODIFIED", "DELETED"] | None
    body: dict[str, Any]
    policy: bool = False


class Informer:
    """Watches RedisConnectivity resources and policies, and hands batches of notes to the main loop.

    `deliver` is called in the loop that called `start`. `failed` tells why the watch ended when nobody stopped it.
    """

    def __init__(
        self,
        config: SingleConfig,
        namespaces: Sequence[str],
        deliver: Callable[[list[WatchNote]], None],
        on_failure: Callable[[BaseException | None], None],
    ) -> None:
        self._config = config
        self._namespaces = tuple(namespaces)
        self._deliver = deliver
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._notes: list[WatchNote] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop kopf and wait for its thread."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _STOP_TIMEOUT)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(),
                    settings=_settings(),
                    standalone=True,
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    stop_flag=self._stop,
                )
            )
        except BaseException as caught:  # noqa: BLE001 - whatever ends the thread must reach the main loop
            error = caught
        if not self._stop.is_set() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_failure, error)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        def login(**_: object) -> kopf.ConnectionInfo:
            return connection_info(self._config)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def noted(event: kopf.RawEvent, **_: object) -> None:
            self._note(WatchNote(event["type"], dict(event["object"])))  # type: ignore[arg-type]  # kopf types bookmarks and errors too, which no handler gets

        # Where the kind is not installed, kopf says so and watches the other one.
        @kopf.on.event(GROUP, VERSION, POLICY_PLURAL, registry=registry)
        async def noted_policy(event: kopf.RawEvent, **_: object) -> None:
            self._note(WatchNote(event["type"], dict(event["object"]), policy=True))  # type: ignore[arg-type]  # as above

        return registry

    def _note(self, note: WatchNote) -> None:
        with self._lock:
            first = not self._notes
            self._notes.append(note)
        if first and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        self._deliver(notes)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # With scanning off, list and watch on the resource are all the rights the watch needs.
    settings.scanning.disabled = True
    # kopf keeps a worker per object for so long after its last event; most objects rest.
    settings.queueing.idle_timeout = 1.0
    return settings


def connection_info(config: SingleConfig) -> kopf.ConnectionInfo:
    """The same credentials that the rest of the operator uses, in kopf's words.

    kopf asks again when the API server refuses them, so a rotated token file is read anew.
    """
    cluster, user = config.cluster, config.user
    token = user.token if user else None
    if user is not None and user.token_file:
        token = Path(user.token_file).read_text(encoding="utf-8").strip()

    def data(encoded: str | None) -> bytes | None:
        return base64.b64decode(encoded) if encoded else None

    def path(name: str | None) -> str | None:
        return str(config.abs_file(name)) if name else None

    return kopf.ConnectionInfo(
        server=cluster.server,
        ca_path=None if cluster.certificate_auth_data else path(cluster.certificate_auth),
        ca_data=data(cluster.certificate_auth_data),
        insecure=cluster.insecure or None,
        username=user.username if user else None,
        password=user.password if user else None,
        token=token,
        certificate_path=path(user.client_cert) if user and not user.client_cert_data else None,
        certificate_data=data(user.client_cert_data) if user else None,
        private_key_path=path(user.client_key) if user and not user.client_key_data else None,
        private_key_data=data(user.client_key_data) if user else None,
        default_namespace=config.namespace,
    )
