"""A key of the probe's own, written, read back and deleted; in a cluster, wherever its slot is."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.commands import Moved
from redis_connectivity.probes.reach import CheckFailed, Deadline
from redis_connectivity.probes.redislink import RedisLink

__all__ = ["read_write"]

#: Seconds after which Redis drops the key by itself, should the probe never get to delete it.
_EXPIRY: Final = "60"
#: A cluster that is being rebalanced may point further once or twice.
_HOPS: Final = 3

#: Opens the way to another node of the cluster.
ToNode = Callable[[str, int], Awaitable[RedisLink]]


async def read_write(link: RedisLink, key_prefix: str, deadline: Deadline, to_node: ToNode | None) -> None:
    """Raise CheckFailed unless a value comes back as it was written.

    `to_node` is None where the target is no cluster: a MOVED is a failure then.
    """
    key, value = key_prefix + secrets.token_hex(16), secrets.token_hex(8)
    for _ in range(_HOPS):
        try:
            await _at(link, key, value, deadline)
        except Moved as moved:
            if to_node is None:
                message = f"{link.target} answered that {moved} has the key: it is a node of a cluster"
                raise CheckFailed(FailureCode.MOVED, message) from moved
            link = await to_node(moved.host or link.host, moved.port)
        else:
            return
    raise CheckFailed(FailureCode.MOVED, f"the cluster points from node to node, at last away from {link.target}")


async def _at(link: RedisLink, key: str, value: str, deadline: Deadline) -> None:
    talk = await link.ready(deadline)
    # NX: whatever bears this name already is not ours.
    written = await talk.keyed(deadline, "SET", key, value, "EX", _EXPIRY, "NX")
    if written not in (b"OK", "OK"):
        raise CheckFailed(FailureCode.PROTOCOL_ERROR, f"{link.target} answered SET with {written!r:.200}, not with OK")
    read = await talk.keyed(deadline, "GET", key)
    if read not in (value.encode(), value):
        message = f"{link.target} answered GET with another value than was written a moment before"
        raise CheckFailed(FailureCode.READ_BACK_DIFFERS, message)
    await talk.keyed(deadline, "DEL", key)
