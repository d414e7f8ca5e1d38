"""ID tokens for calls to Cloud Run services of the operator's own, each for one service and kept in memory alone.

They come from where the operator's credentials come from: the metadata server (Workload Identity), a service account's
key, or the account that is impersonated. A token is good for an hour, and used until shortly before its end.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import google.auth.exceptions
import google.auth.impersonated_credentials
import google.oauth2.id_token
from google.auth import environment_vars
from google.auth.transport.requests import Request

from redis_connectivity.cloud.adapters import from_exception
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.errors import Retryable, Unauthenticated
from redis_connectivity.cloud.options import CredentialsConfig

__all__ = ["IdTokens"]

#: How long before its end a token is no longer used.
_MARGIN: Final = timedelta(minutes=5)
_CONTEXT: Final = CallContext("", "auth", "idToken")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    expiry: datetime


class IdTokens:
    """The source of ID tokens. Methods are documented in `doors.TokenDoor`."""

    def __init__(self, source: CredentialSource, config: CredentialsConfig) -> None:
        self._source = source
        self._config = config
        self._kept: dict[str, _Token] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def bearer(self, audience: str) -> str:
        """A token for one service's URL."""
        async with self._locks.setdefault(audience, asyncio.Lock()):
            kept = self._kept.get(audience)
            if kept is None or kept.expiry - _MARGIN <= datetime.now(UTC):
                kept = self._kept[audience] = await asyncio.to_thread(self._fetch, audience)
            return kept.text

    def forget(self, audience: str) -> None:
        """Get a new one next time."""
        self._kept.pop(audience, None)

    def _fetch(self, audience: str) -> _Token:
        try:
            credentials = self._credentials(audience)
            credentials.refresh(Request())  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as error:
            translated = from_exception(error, _CONTEXT)
            raise translated or Unauthenticated(str(error), service="auth") from error
        if not credentials.token or credentials.expiry is None:
            raise Retryable("no ID token was given", service="auth", reason="badAnswer")
        # google-auth gives UTC without saying so.
        return _Token(str(credentials.token), credentials.expiry.replace(tzinfo=UTC))

    def _credentials(self, audience: str) -> google.auth.credentials.Credentials:
        if self._config.mode == "anonymous" and not os.environ.get(environment_vars.GCE_METADATA_HOST):
            raise Unauthenticated(
                "without credentials there is no ID token; set GCE_METADATA_HOST to a metadata server", service="auth"
            )
        if self._config.mode == "adc" and self._config.impersonate:
            return google.auth.impersonated_credentials.IDTokenCredentials(  # type: ignore[no-untyped-call]
                target_credentials=self._source.get(), target_audience=audience, include_email=True
            )
        found: google.auth.credentials.Credentials = google.oauth2.id_token.fetch_id_token_credentials(  # type: ignore[no-untyped-call]
            audience, request=Request()
        )
        return found
