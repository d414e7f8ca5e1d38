"""ID tokens: who a caller of a Cloud Run service is, for one audience.

Google signs them with RS256, here the key is made with the emulator. They are had where a workload on Google Cloud has
them: from the metadata server, which the operator's library finds by GCE_METADATA_HOST.
"""

from __future__ import annotations

import time
from typing import Final

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth import crypt, exceptions, jwt

from redis_connectivity_lab.emulator.iam import ANONYMOUS

__all__ = ["METADATA", "IdTokens", "metadata"]

#: Where the metadata server's paths begin.
METADATA: Final = "/computeMetadata/"
_ACCOUNT: Final = "/computeMetadata/v1/instance/service-accounts/default"
_IDENTITY: Final = f"{_ACCOUNT}/identity"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_FLAVOR: Final = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
#: Seconds that a token is good for, as Google's are.
_LIFE: Final = 3600


class IdTokens:
    """Issues tokens, and knows its own."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._signer = crypt.EsSigner(key)
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def issue(self, audience: str, principal: str) -> str:
        """A token that says to `audience` who calls."""
        now = int(time.time())
        claims = {"aud": audience, "email": principal, "sub": principal, "iat": now, "exp": now + _LIFE}
        token: bytes = jwt.encode(self._signer, claims | {"iss": "https://accounts.google.com"})  # type: ignore[no-untyped-call]
        return token.decode()

    def principal(self, authorization: str | None, audience: str) -> str | None:
        """Whose an Authorization header is; None where it is not a token of ours for this audience."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(token.strip(), certs=self._public, audience=audience)  # type: ignore[no-untyped-call]
        except (ValueError, exceptions.GoogleAuthError):
            return None
        return str(claims["email"])


def metadata(request: web.Request, tokens: IdTokens) -> web.Response:
    """The metadata server, as far as identities go; everybody is the one whose calls carry no credentials."""
    if request.headers.get("Metadata-Flavor") != "Google":
        # Google's page on querying metadata: the header shows that the request was meant.
        return web.Response(text="Missing Metadata-Flavor:Google header.", status=403, headers=_FLAVOR)
    if request.path == "/":
        return web.Response(text="computeMetadata/\n", headers=_FLAVOR)  # how libraries look whether it is there
    if request.path.rstrip("/") == _ACCOUNT and request.query.get("recursive"):
        account = {"aliases": ["default"], "email": ANONYMOUS, "scopes": [_SCOPE]}
        return web.json_response(account, headers=_FLAVOR)
    if request.path.rstrip("/") != _IDENTITY:
        return web.Response(text="Not found", status=404, headers=_FLAVOR)
    audience = request.query.get("audience", "")
    if not audience:
        return web.Response(text="non-empty audience parameter required", status=400, headers=_FLAVOR)
    return web.Response(text=tokens.issue(audience, ANONYMOUS), headers=_FLAVOR)
