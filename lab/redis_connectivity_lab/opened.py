"""The lab with the demo's cloud in it, and the operator running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from redis_connectivity_lab.controlplane import GuestCluster, find
from redis_connectivity_lab.controlplane.progress import Progress
from redis_connectivity_lab.dataplane.launch import Kind
from redis_connectivity_lab.dataplane.redis_binary import find_redis_server
from redis_connectivity_lab.speeds import Speed, timings_of
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import ENVIRONMENTS, seed

__all__ = ["opened_lab"]

#: Of the operator. A person watches: foreign changes shall be seen within a second.
_SETTINGS: Final = {"POLL_INTERVAL": "1", "LOG_FORMAT": "json"}
_KINDS: Final[dict[str, Kind | Literal["auto"]]] = {"auto": "auto", "namespaces": "namespaces", "relay": "relay"}


@contextmanager
def opened_lab(
    speed: Speed, data_plane: str, say: Callable[[str], None], guest_of: GuestCluster | None = None
) -> Iterator[Lab]:
    """Start everything, and stop it at the end. `data_plane` is auto, namespaces or relay."""
    progress = Progress()
    find_redis_server()  # what is missing shall be told before the minutes that making a control plane may take
    binaries = find(progress=progress) if guest_of is None else None
    kind = _KINDS[data_plane]
    with Lab(timings_of(speed), kind=kind, settings=_SETTINGS, say=say, binaries=binaries, guest_of=guest_of) as lab:
        seed(lab.cloud.control)
        lab.cloud.settle()
        for env in ENVIRONMENTS:
            lab.cluster.create_namespace(env.namespace)
        with progress.step("Starting the operator"):
            lab.operator.start()
        say("The operator runs, under its own service account, with the rights that manifests/ ships.")
        yield lab
