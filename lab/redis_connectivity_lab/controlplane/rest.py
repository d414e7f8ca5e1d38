"""The few plain calls that the lab itself makes to the API server; the operator uses a real client."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

__all__ = ["ApiError", "ApiUnreachableError", "RestClient"]

_TIMEOUT: Final = 15.0
_FIRST_ERROR: Final = 400

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
    """JSON over HTTPS with a bearer token, one connection a call.

    Args:
        host: Where the server listens.
        port: Where the server listens.
        ca_file: The certificate to trust.
        token: Sent as `Authorization: Bearer`.
    """

    def __init__(self, host: str, port: int, ca_file: Path, token: str) -> None:
        self._host = host
        self._port = port
        self._ca_file = ca_file
        self._token = token

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
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = content_type
        status, answer = self._exchange(method, path, data, headers)
        if status >= _FIRST_ERROR:
            raise ApiError(method, path, status, answer)
        return answer

    def call(self, method: str, path: str, body: object = None, **options: str) -> JsonObject:
        """The answer as a JSON object; `options` as for `text`."""
        return cast("JsonObject", json.loads(self.text(method, path, body, **options)))

    def _exchange(self, method: str, path: str, data: str | None, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file))
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT, context=context)
            try:
                connection.request(method, path, body=data, headers=dict(headers))
                response = connection.getresponse()
                return response.status, response.read().decode()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnreachableError(f"{method} {path}: {error!r}") from error
