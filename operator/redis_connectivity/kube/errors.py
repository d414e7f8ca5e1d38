"""What can go wrong at the Kubernetes API, in the few words that callers act upon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from lightkube import ApiError

__all__ = [
    "Exists",
    "Gone",
    "KubeConflict",
    "KubeError",
    "KubeForbidden",
    "KubeInvalid",
    "KubeUnavailable",
    "translate",
]


class KubeError(Exception):
    """Something went wrong at the Kubernetes API; the message names the call."""


class KubeUnavailable(KubeError):
    """The API server cannot be asked, is overloaded, or failed; trying again may help."""


class KubeForbidden(KubeError):
    """RBAC refuses, or the credentials are not known."""


class KubeConflict(KubeError):
    """The object moved on since it was read; read again."""


class KubeInvalid(KubeError):
    """The API server refuses the content."""


class Gone(KubeError):
    """The object is no more."""


class Exists(KubeError):
    """The object exists already."""


_BY_CODE: dict[int, type[KubeError]] = {
    401: KubeForbidden,
    403: KubeForbidden,
    404: Gone,
    409: KubeConflict,
    410: KubeConflict,
    400: KubeInvalid,
    413: KubeInvalid,
    415: KubeInvalid,
    422: KubeInvalid,
}


@contextmanager
def translate(call: str) -> Iterator[None]:
    """Turn the client's exceptions into ours, naming the call."""
    try:
        yield
    except ApiError as error:
        code = error.status.code or 0
        kind = _BY_CODE.get(code, KubeUnavailable)
        if error.status.reason == "AlreadyExists":
            kind = Exists
        raise kind(f"{call}: {error}") from error
    except httpx2.HTTPError as error:
        raise KubeUnavailable(f"{call}: {str(error) or type(error).__name__}") from error
