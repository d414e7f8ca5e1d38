"""Why a probe failed: the closed vocabulary, and what each code proves about the path."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["MEANINGS", "FailureCode"]


class FailureCode(enum.StrEnum):
    """Why a probe failed: a closed vocabulary. `MEANINGS` says what each one proves."""

    RESOLVE_FAILED = "ResolveFailed"
    CONNECT_TIMEOUT = "ConnectTimeout"
    CONNECTION_REFUSED = "ConnectionRefused"
    NETWORK_UNREACHABLE = "NetworkUnreachable"
    CONNECTION_RESET = "ConnectionReset"
    READ_TIMEOUT = "ReadTimeout"
    TLS_REQUIRED = "TlsRequired"
    TLS_NOT_SPOKEN = "TlsNotSpoken"
    TLS_HANDSHAKE_FAILED = "TlsHandshakeFailed"
    CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_NAME_MISMATCH = "CertificateNameMismatch"
    CLIENT_CERTIFICATE_REQUIRED = "ClientCertificateRequired"
    NOT_REDIS = "NotRedis"
    AUTHENTICATION_REQUIRED = "AuthenticationRequired"
    WRONG_PASSWORD = "WrongPassword"  # noqa: S105 - a code, no secret
    NO_PERMISSION = "NoPermission"
    TOO_MANY_CLIENTS = "TooManyClients"
    LOADING = "Loading"
    MASTER_DOWN = "MasterDown"
    OUT_OF_MEMORY = "OutOfMemory"
    READ_ONLY = "ReadOnly"
    MOVED = "Moved"
    CLUSTER_DOWN = "ClusterDown"
    PROTECTED_MODE = "ProtectedMode"
    SERVER_ERROR = "ServerError"
    PROTOCOL_ERROR = "ProtocolError"
    READ_BACK_DIFFERS = "ReadBackDiffers"
    NOT_HTTP = "NotHttp"
    UNEXPECTED_STATUS = "UnexpectedStatus"
    UNEXPECTED_BODY = "UnexpectedBody"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a code, no secret
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105 - as above
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105 - as above
    CREDENTIALS_UNAVAILABLE = "CredentialsUnavailable"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    PROBER_UNAVAILABLE = "ProberUnavailable"
    PROBER_TIMEOUT = "ProberTimeout"
    PROBER_REFUSED = "ProberRefused"
    PROBER_INVALID_ANSWER = "ProberInvalidAnswer"
    PROBER_FAULT = "ProberFault"


#: What each failure code proves about the path, in one sentence for people.
MEANINGS: Final[Mapping[FailureCode, str]] = MappingProxyType(
    {
        FailureCode.RESOLVE_FAILED: "The name has no IPv4 address where the prober runs, or DNS is too slow.",
        FailureCode.CONNECT_TIMEOUT: "No answer to the TCP handshake: a firewall drops it, or no host is there.",
        FailureCode.CONNECTION_REFUSED: "Packets reach the host, and nothing listens on that port.",
        FailureCode.NETWORK_UNREACHABLE: "The prober has no route to the address, or a router said so.",
        FailureCode.CONNECTION_RESET: "The TCP connection was made, then broken off before PING's answer.",
        FailureCode.READ_TIMEOUT: "The TCP connection was made, then silence: the server hangs or is overloaded.",
        FailureCode.TLS_REQUIRED: "The server speaks TLS, and was spoken to in plain.",
        FailureCode.TLS_NOT_SPOKEN: "The server speaks plain Redis, and was spoken to in TLS.",
        FailureCode.TLS_HANDSHAKE_FAILED: "The server speaks TLS, and the handshake failed; the message says how.",
        FailureCode.CERTIFICATE_UNTRUSTED: "No trusted CA has signed the server's certificate.",
        FailureCode.CERTIFICATE_EXPIRED: "The server's certificate is expired, or not valid yet.",
        FailureCode.CERTIFICATE_NAME_MISMATCH: "The server's certificate is good, and for another name.",
        FailureCode.CLIENT_CERTIFICATE_REQUIRED: "The server wants a client's certificate, and a probe has none.",
        FailureCode.NOT_REDIS: "What listens there does not speak Redis' protocol.",
        FailureCode.AUTHENTICATION_REQUIRED: "Redis answered: the network is fine, a password is needed.",
        FailureCode.WRONG_PASSWORD: "Redis answered: the network is fine, the user's name or password is not.",
        FailureCode.NO_PERMISSION: "Redis answered: user and password are fine, the ACL forbids the command or key.",
        FailureCode.TOO_MANY_CLIENTS: "Redis answered that its maxclients limit is reached.",
        FailureCode.LOADING: "Redis answered that it is still loading its data set.",
        FailureCode.MASTER_DOWN: "A replica answered that its master is out of reach, and it serves no stale data.",
        FailureCode.OUT_OF_MEMORY: "Redis answered that it is full (maxmemory) and takes no writes.",
        FailureCode.READ_ONLY: "Redis answered that it is a read-only replica.",
        FailureCode.MOVED: "Redis answered that another node of a cluster has the key.",
        FailureCode.CLUSTER_DOWN: "A node answered that its cluster is down.",
        FailureCode.PROTECTED_MODE: "Redis answered that protected mode lets only its own host in.",
        FailureCode.SERVER_ERROR: "Redis answered with another error; the message carries it.",
        FailureCode.PROTOCOL_ERROR: "The answer was in Redis' protocol, but neither the right one nor an error.",
        FailureCode.READ_BACK_DIFFERS: "What was read back is not what had been written a moment before.",
        FailureCode.NOT_HTTP: "What listens there does not speak HTTP.",
        FailureCode.UNEXPECTED_STATUS: "The service answered with another status than the expected one.",
        FailureCode.UNEXPECTED_BODY: "The service answered without the text that was expected.",
        FailureCode.SECRET_NOT_FOUND: "The Secret is not there, so Redis was not asked.",
        FailureCode.SECRET_FORBIDDEN: "The operator may not read the Secret, so Redis was not asked.",
        FailureCode.SECRET_KEY_MISSING: "The Secret has no such key, or nothing usable in it; Redis was not asked.",
        FailureCode.CREDENTIALS_UNAVAILABLE: "The password could not be had just now, so Redis was not asked.",
        FailureCode.TARGET_NOT_ALLOWED: "The prober was not given this target: --allow, the operator's --prober-allow.",
        FailureCode.PROBER_UNAVAILABLE: "The prober is out of reach, overloaded or failing (HTTP 429, 5xx).",
        FailureCode.PROBER_TIMEOUT: "The prober did not answer in time, so nothing is known about Redis.",
        FailureCode.PROBER_REFUSED: "The prober's HTTP endpoint turned the request down (HTTP 3xx or 4xx).",
        FailureCode.PROBER_INVALID_ANSWER: "What answered at the prober's URL is no prober of this version.",
        FailureCode.PROBER_FAULT: "The prober itself could not open a connection (no free descriptor, say).",
    }
)
