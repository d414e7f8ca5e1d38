"""The few plain calls that the lab itself makes to the API server; the operator uses a real client."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import httpx2

from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError, wait_until

__all__ = ["NOT_STARTED", "ApiError", "ApiUnreachableError", "RestClient", "until_admitted"]

_TIMEOUT: Final = 15.0
#: Seconds for which a server that is too busy, or has only just started, is asked again. It learns what kinds there are
#: for its policies every half minute.
BUSY_DEADLINE: Final = 90.0
#: How a server that has just started refuses what a policy with parameters looks at: it does not know the kind yet.
NOT_STARTED: Final = "failed to find resource referenced by paramKind"

T = TypeVar("T")

#: A JSON object as it came; its shape is the API server's affair.
JsonObject = dict[str, Any]


class ApiError(Exception):
    """The API server refused: its status code and its own words."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path}: {status}: {body[:500]}")
        self.status = status
        self.body = body


class ApiUnreachableError(Exception):
    """No API server answered."""


class RestClient:
    """JSON over HTTP. Connections stay open between calls; threads may share a client. Close it after use.

    Args:
        url: Where the server listens.
        ca_file: The certificate to trust, for https.
        token: Sent as `Authorization: Bearer`, unless empty.
        transport: Another way to the server: a unix socket, or a test's answers.
    """

    def __init__(
        self, url: str, *, ca_file: Path | None = None, token: str = "", transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._http = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=False,  # it never leaves the machine: no proxy may come in between
        )

    @classmethod
    def through_socket(cls, path: Path) -> RestClient:
        """Through a unix socket, behind which `kubectl proxy` knows how to sign in."""
        return cls("http://localhost", transport=httpx2.HTTPTransport(uds=str(path)))

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def text(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> str:
        """The answer as text.

        Raises:
            ApiError: The server answered with an error.
            ApiUnreachableError: It did not answer.
        """
        headers = {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type}
        request = self._http.build_request(method, path, json=body, headers=headers)
        answer = self._admitted(request)
        if answer.is_error:
            raise ApiError(method, path, answer.status_code, answer.text)
        return answer.text

    def call(self, method: str, path: str, body: object = None, **options: str) -> JsonObject:
        """The answer as a JSON object; `options` as for `text`."""
        return cast("JsonObject", json.loads(self.text(method, path, body, **options)))

    def _admitted(self, request: httpx2.Request) -> httpx2.Response:
        """The answer; a server that is too busy is asked again for a while, as every Kubernetes client does.

        A resource whose definition was changed a moment ago answers so, too ("storage is (re)initializing").
        """
        return until_admitted(lambda: self._exchange(request), _comes_later)

    def _exchange(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._http.send(request)
        except httpx2.TransportError as error:
            raise ApiUnreachableError(f"{request.method} {request.url}: {error!r}") from error


def _comes_later(answer: httpx2.Response) -> bool:
    if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        return NOT_STARTED in answer.text
    return answer.status_code == HTTPStatus.TOO_MANY_REQUESTS


def until_admitted(ask: Callable[[], T], comes_later: Callable[[T], bool]) -> T:
    """What `ask` answers, asked again for a while as long as the answer is one that passes by itself; then that one."""
    last: list[T] = []

    def admitted() -> bool:
        last[:] = [ask()]
        return not comes_later(last[0])

    with contextlib.suppress(DeadlineExceededError):  # then the refusal itself is the answer
        wait_until(admitted, deadline=BUSY_DEADLINE, describe="an answer that stands", interval=0.25)
    return last[0]
