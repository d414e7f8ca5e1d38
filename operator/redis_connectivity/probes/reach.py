"""From a host to an open byte stream: resolving, asking the guard, connecting; with exact failures."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from redis_connectivity.probes.codes import FailureCode

__all__ = ["CheckFailed", "Deadline", "Dial", "Guard", "Reach", "Resolve", "Stream", "open_tcp", "resolve_ipv4"]

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
#: Opens a byte stream to an IPv4 address and port; raises OSError (its errno decides the failure code).
#: The caller owns the deadline: a dial waits for as long as it is let.
Dial = Callable[[str, int], Awaitable[Stream]]
#: Turns a DNS name into an IPv4 address; raises OSError.
Resolve = Callable[[str], Awaitable[IPv4Address]]
#: Says why an address may not be connected to, or None where it may.
Guard = Callable[[IPv4Address], str | None]

_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_RESET: Final = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
_STREAM_LIMIT: Final = 64 * 1024


class CheckFailed(Exception):
    """Ends a check, and with it the chain: what went wrong."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in the loop's time, and how many seconds it was away at first, for messages."""

    when: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds, seconds)

    def within(self, seconds: float | None) -> Deadline:
        """The earlier of this one and one so many seconds from now."""
        if seconds is None:
            return self
        other = Deadline.after(seconds)
        return other if other.when < self.when else self

    @property
    def left(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.when - asyncio.get_running_loop().time())

    def __str__(self) -> str:
        return f"{self.seconds:g} s"


async def open_tcp(address: str, port: int) -> Stream:
    """The usual dial: a TCP connection from this process' own network."""
    return await asyncio.open_connection(address, port, family=socket.AF_INET, limit=_STREAM_LIMIT)


async def resolve_ipv4(name: str) -> IPv4Address:
    """The first IPv4 address that this process' resolver has for a name; raises OSError when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no IPv4 address")
    return IPv4Address(found[0][4][0])


@dataclass(frozen=True, slots=True)
class Reach:
    """How this process gets to others. Every method raises CheckFailed alone.

    A name is resolved once, `guard` judges that very address, and that very address is dialled: a name that answers
    differently the second time gains nothing.
    """

    dial: Dial = open_tcp
    resolve: Resolve = resolve_ipv4
    guard: Guard | None = None

    async def address(self, host: str, deadline: Deadline) -> IPv4Address:
        """The address of a host; whether it may be connected to is for `refusal` to say."""
        try:
            return IPv4Address(host)
        except AddressValueError:
            pass
        try:
            async with asyncio.timeout_at(deadline.when):
                return await self.resolve(host)
        except TimeoutError:
            message = f"DNS gave no answer for {host} within {deadline}"
            raise CheckFailed(FailureCode.RESOLVE_FAILED, message) from None
        except OSError as error:
            message = f"cannot resolve {host}: {error.strerror or error}"
            raise CheckFailed(FailureCode.RESOLVE_FAILED, message) from error
        except UnicodeError as error:  # a label that is too long for DNS
            raise CheckFailed(FailureCode.RESOLVE_FAILED, f"cannot resolve {host}: {error}") from error

    def refusal(self, address: IPv4Address) -> str | None:
        """Why an address may not be connected to, or None where it may."""
        return self.guard(address) if self.guard else None

    async def connect(self, address: IPv4Address, port: int, deadline: Deadline) -> Stream:
        """An open connection."""
        try:
            async with asyncio.timeout_at(deadline.when):
                return await self.dial(str(address), port)
        except OSError as error:  # TimeoutError is one too: ours, or the kernel's own (ETIMEDOUT)
            raise _dial_failure(error, f"{address}:{port}", deadline) from error


def _dial_failure(error: OSError, target: str, deadline: Deadline) -> CheckFailed:
    if isinstance(error, TimeoutError):
        return CheckFailed(FailureCode.CONNECT_TIMEOUT, f"no answer from {target} within {deadline}")
    reason = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, ConnectionRefusedError):
        return CheckFailed(FailureCode.CONNECTION_REFUSED, f"{target} refused the connection: nothing listens there")
    if error.errno in _UNREACHABLE:
        return CheckFailed(FailureCode.NETWORK_UNREACHABLE, f"no way to {target}: {reason}")
    if error.errno in _RESET or isinstance(error, ConnectionError):
        return CheckFailed(FailureCode.CONNECTION_RESET, f"{target} broke the connection off: {reason}")
    return CheckFailed(FailureCode.PROBER_FAULT, f"cannot open a connection to {target}: {reason}")
