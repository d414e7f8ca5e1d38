"""Credentials: Application Default Credentials, optionally impersonating, or none for emulators.

Loaded on first use and in a worker thread, because finding them may ask the metadata server; a failure is
remembered for half a minute so that a missing key does not cost every caller the same long search.
"""

from __future__ import annotations

import threading
import time

import google.auth
import google.auth.exceptions
import google.auth.impersonated_credentials
from google.auth.credentials import AnonymousCredentials
from google.auth.credentials import Credentials as GoogleCredentials

from redis_connectivity.cloud.errors import Unauthenticated
from redis_connectivity.cloud.options import CredentialsConfig

__all__ = ["SCOPE", "CredentialSource"]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: How long a failed search is remembered: seconds.
FAILURE_TTL = 30.0
#: Life of an impersonated token, Google's default and ordinary maximum: seconds.
IMPERSONATION_LIFETIME = 3600

REMEDY = (
    "Run the operator under Workload Identity (bind its Kubernetes service account to a Google service "
    "account), or set GOOGLE_APPLICATION_CREDENTIALS; for an emulator use the credentials mode `anonymous`."
)


class CredentialSource:
    """The one set of credentials all clients share; safe to ask from any thread."""

    def __init__(self, config: CredentialsConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._found: GoogleCredentials | None = None
        self._failure: tuple[float, Unauthenticated] | None = None

    def get(self) -> GoogleCredentials:
        """The credentials.

        Raises:
            Unauthenticated: None could be found, with what to do about it.
        """
        with self._lock:
            if self._found is not None:
                return self._found
            if self._failure is not None and time.monotonic() - self._failure[0] < FAILURE_TTL:
                raise self._failure[1].with_traceback(None)
            try:
                self._found = self._load()
            except google.auth.exceptions.GoogleAuthError as error:
                failure = Unauthenticated(f"{error} {REMEDY}", service="auth", reason=type(error).__name__)
                self._failure = (time.monotonic(), failure)
                raise failure from error
            return self._found

    def account(self) -> str:
        """E-mail of the service account that they are for; empty where they do not tell, or are not there yet."""
        with self._lock:
            return str(getattr(self._found, "service_account_email", "") or "")

    def _load(self) -> GoogleCredentials:
        if self._config.mode == "anonymous":
            return _Nobody()  # type: ignore[no-untyped-call]
        source, _ = google.auth.default(scopes=[SCOPE])
        if not self._config.impersonate:
            return source
        return google.auth.impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
            source_credentials=source,
            target_principal=self._config.impersonate,
            target_scopes=[SCOPE],
            lifetime=IMPERSONATION_LIFETIME,
        )


class _Nobody(AnonymousCredentials):
    """Anonymous credentials that survive a 401: Google's words about it are worth more than "cannot be refreshed"."""

    def refresh(self, request: object) -> None:
        """Nothing to refresh; the request is sent again and its 401 is told."""
