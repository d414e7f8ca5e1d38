"""Reading a resource, and asking the operator to look at it now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from redis_connectivity.api.base import KIND
from redis_connectivity.cli.errors import fail

if TYPE_CHECKING:
    from redis_connectivity.kube.client import KubeClient

__all__ = ["ask_afresh", "read_resource"]

#: Seconds between two looks at whether the operator has answered.
_LOOK: Final = 0.25


async def read_resource(kube: KubeClient, namespace: str, name: str) -> dict[str, Any]:  # noqa: RET503 - `fail` does not return
    """One resource; ends the command, naming what there is, where it does not exist."""
    from redis_connectivity.kube.errors import Gone  # noqa: PLC0415 - late, for --help

    try:
        return await kube.get_resource(namespace, name)
    except Gone:
        pass
    # The API server answers the same where the kind itself is unknown; a list tells the two apart.
    there = sorted(body["metadata"]["name"] for body in await kube.list_resources([namespace]))
    also = f"; there are {', '.join(there)}" if there else ", nor any other"
    fail(f"there is no {KIND} {name} in namespace {namespace}{also}")


async def ask_afresh(kube: KubeClient, namespace: str, name: str, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - a deadline for people
    """Ask the operator for a fresh look and a probe, and wait until it has told what it saw."""
    from rich.console import Console  # noqa: PLC0415 - late, for --help

    if (await read_resource(kube, namespace, name))["spec"].get("suspend"):
        fail(f"{namespace}/{name} is suspended: the operator looks at nothing until spec.suspend is false")
    asked = datetime.now(UTC).isoformat(timespec="milliseconds")
    await kube.ask_for_reconcile(namespace, name, asked)
    waiting = f"Waiting for the operator to look at {namespace}/{name} …"
    try:
        with Console(stderr=True).status(waiting):
            async with asyncio.timeout(timeout):
                while True:
                    body = await read_resource(kube, namespace, name)
                    if body.get("status", {}).get("lastHandledReconcileAt") == asked:
                        return body
                    await asyncio.sleep(_LOOK)
    except TimeoutError:
        fail(
            f"the operator has not looked at {namespace}/{name} within {timeout:g} s. Does it run, and does it watch"
            f" namespace {namespace}? What it wrote last: redis-connectivity diagnose {name} -n {namespace}"
        )
