"""Clients to borrow: as many of a kind as calls are in progress, never one in two threads.

Google's clients share a `requests.Session` among their calls, and requests does not promise that a session
may be used from several threads at once (cookies and adapters are shared without locks). A thread-local
client per service would be safe too, but keeps one connection per thread and service; a stack keeps only as
many as were ever needed at once, and taking the last one given back finds a connection that is still open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.api_core.client_options import ClientOptions

from redis_connectivity.cloud.caller import Caller, Timeouts
from redis_connectivity.cloud.credentials import CredentialSource

__all__ = ["Lending", "Means", "rest_client", "rest_clients"]

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Means:
    """What every door calls Google by: how a call is made, as whom, and how long it may take."""

    caller: Caller
    credentials: CredentialSource
    timeouts: Timeouts


class Lending(Generic[C]):
    """A stack of interchangeable clients. Safe from any thread: list.append and list.pop are atomic."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._idle: list[C] = []

    @contextmanager
    def borrow(self) -> Iterator[C]:
        """A client for the length of the block; a new one when all are lent."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._make()
        try:
            yield client
        finally:
            self._idle.append(client)


def rest_clients(kind: Callable[..., C], credentials: CredentialSource, endpoint: str | None) -> Lending[C]:
    """Google's clients of one service, as many as are borrowed at a time; see `rest_client`."""
    return Lending(lambda: rest_client(kind, credentials, endpoint))


def rest_client(kind: Callable[..., C], credentials: CredentialSource, endpoint: str | None) -> C:
    """Google's client of a service, over REST, at `endpoint` or else at the service's public host."""
    options = ClientOptions(api_endpoint=endpoint) if endpoint else None
    return kind(credentials=credentials.get(), transport="rest", client_options=options)
