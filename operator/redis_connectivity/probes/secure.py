"""TLS over a stream that is already open, and what a failing handshake means."""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Final

from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.model import TlsOptions
from redis_connectivity.probes.reach import CheckFailed, Deadline, Stream

__all__ = ["alert_heard", "context_for", "secure", "speaks_tls", "trusting_nobody"]

#: Contexts that are kept; each with the system's CA certificates holds about a MiB.
_CONTEXTS: Final = 64
#: OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h).
_EXPIRED: Final = frozenset({9, 10})  # not yet valid, has expired
_WRONG_NAME: Final = frozenset({62, 63, 64})  # hostname, email, IP address mismatch
#: What OpenSSL calls an answer that is not TLS at all.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_TOO_SMALL"})


@functools.lru_cache(maxsize=_CONTEXTS)
def context_for(options: TlsOptions) -> ssl.SSLContext:
    """A client's context: TLS 1.2 or newer, certificates always verified. Made once for the same options.

    To read the system's CA certificates takes 30 ms of CPU, which a probe would spend out of its own timeout.

    Raises:
        CheckFailed: The CA certificates cannot be read.
    """
    try:
        context = ssl.create_default_context(cadata=options.ca_certificates)
    except (ssl.SSLError, ValueError) as error:
        told = error.reason if isinstance(error, ssl.SSLError) else str(error)
        message = f"the CA certificates cannot be read as PEM: {told}"
        raise CheckFailed(FailureCode.CERTIFICATE_UNTRUSTED, message) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = options.verify_name
    return context


def trusting_nobody() -> ssl.SSLContext:
    """A context that only finds out whether TLS is spoken: nothing is ever sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def secure(stream: Stream, context: ssl.SSLContext, *, server_name: str, target: str, deadline: Deadline) -> None:
    """Put a stream into TLS.

    Raises:
        CheckFailed: It cannot be; the code says why.
    """
    _, writer = stream
    try:
        async with asyncio.timeout_at(deadline.when):
            await writer.start_tls(context, server_hostname=server_name, ssl_handshake_timeout=deadline.left + 1)
    except TimeoutError as error:
        message = f"{target} took the connection and left the TLS handshake without an answer"
        raise CheckFailed(FailureCode.READ_TIMEOUT, message) from error
    except ssl.SSLError as error:
        code, message = _failure(error, target, server_name)
        raise CheckFailed(code, message) from error
    except OSError as error:
        message = f"{target} closed the connection during the TLS handshake: {error.strerror or error}"
        raise CheckFailed(FailureCode.TLS_HANDSHAKE_FAILED, message) from error


def _failure(error: ssl.SSLError, target: str, server_name: str) -> tuple[FailureCode, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        told = error.verify_message or "it cannot be verified"
        if error.verify_code in _EXPIRED:
            return FailureCode.CERTIFICATE_EXPIRED, f"the certificate of {target} is out of its time: {told}"
        if error.verify_code in _WRONG_NAME:
            return (
                FailureCode.CERTIFICATE_NAME_MISMATCH,
                f"the certificate of {target} is not for {server_name}: {told}",
            )
        return FailureCode.CERTIFICATE_UNTRUSTED, f"the certificate of {target} is not trusted: {told}"
    if error.reason in _NO_TLS:
        return FailureCode.TLS_NOT_SPOKEN, f"{target} answered the TLS handshake with something else than TLS"
    code = _alert_code(error) or FailureCode.TLS_HANDSHAKE_FAILED
    return code, f"the TLS handshake with {target} failed: {error.reason or error}"


def _alert_code(error: ssl.SSLError) -> FailureCode | None:
    # TLS 1.3 has an alert for it; before, a server that wants a certificate says that the handshake failed.
    return FailureCode.CLIENT_CERTIFICATE_REQUIRED if "CERTIFICATE_REQUIRED" in (error.reason or "") else None


async def alert_heard(stream: Stream, deadline: Deadline) -> FailureCode | None:
    """What the server says when it ends a TLS connection on which nothing was sent; None when it says nothing more."""
    try:
        async with asyncio.timeout_at(deadline.when):
            await stream[0].read(1)
    except ssl.SSLError as error:
        return _alert_code(error)
    except OSError:
        return None
    return None


async def speaks_tls(stream: Stream, deadline: Deadline) -> bool:
    """Whether the other end speaks TLS, whoever it is; the stream is of no use afterwards."""
    _, writer = stream
    try:
        async with asyncio.timeout_at(deadline.when):
            await writer.start_tls(trusting_nobody(), ssl_handshake_timeout=deadline.left + 1)
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # refused, in TLS
    except OSError:
        return False
    return True
