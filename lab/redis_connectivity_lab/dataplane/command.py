"""One command to a Redis from a host's place: what tests ask where a PING is not enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import Connection
from redis.exceptions import MovedError, RedisError, ResponseError

from redis_connectivity.probes.check import Dial

__all__ = ["send_command"]


class _Dialled(Connection):
    """The package's connection over a given dial; it shakes no hands, so what is asked is all that is asked."""

    def __init__(self, dial: Dial, host: str, port: int) -> None:
        super().__init__(host=host, port=port, protocol=2, lib_name=None, lib_version=None)
        self._dial = dial

    async def _connect(self) -> None:
        self._reader, self._writer = await self._dial(self.host, self.port)
        self._parser.on_connect(self)  # type: ignore[no-untyped-call]


async def send_command(dial: Dial, host: str, port: int, words: Sequence[str], *, seconds: float) -> Any:  # noqa: ANN401 - a reply
    """The reply as JSON values; an error of Redis' own as `{"error": text}`.

    Raises:
        TimeoutError: There was no connection, or no answer, in that time.
        OSError: The connection was refused, or ended before the answer.
    """
    connection = _Dialled(dial, host, port)
    try:
        async with asyncio.timeout(seconds):
            await connection._connect()  # noqa: SLF001 - `connect` would add the package's own commands
            await connection.send_packed_command(cast("Any", connection.pack_command(*words)), check_health=False)
            return _plain(await connection.read_response())
    except MovedError as error:
        return {"error": f"MOVED {error}"}  # the package takes the word off
    except ResponseError as error:
        return {"error": str(error)}
    except TimeoutError:
        raise
    except RedisError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await connection.disconnect(nowait=True)


def _plain(reply: Any) -> Any:  # noqa: ANN401 - a reply
    if isinstance(reply, bytes):
        return reply.decode(errors="replace")
    if isinstance(reply, list):
        return [_plain(each) for each in reply]
    return reply
