"""The way to one Redis, made as far as it is asked for: TCP, then TLS, then AUTH; then commands on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.commands import Conversation
from redis_connectivity.probes.model import Credentials, TlsOptions
from redis_connectivity.probes.reach import CheckFailed, Deadline, Reach, Stream
from redis_connectivity.probes.secure import alert_heard, context_for, secure, speaks_tls

__all__ = ["RedisLink"]

#: How much of the time left a TLS handshake may take; the rest is for finding out why it failed.
_HANDSHAKE_SHARE: Final = 0.7
#: How long to wait for what a server says when it ends a TLS connection.
_LAST_WORDS_SECONDS: Final = 0.5
#: Failures that may mean that the other end speaks TLS and was spoken to in plain.
_MAY_BE_TLS: Final = frozenset({FailureCode.NOT_REDIS, FailureCode.CONNECTION_RESET})
#: Failures that may mean that the other end speaks plain and was spoken to in TLS.
_MAY_BE_PLAIN: Final = frozenset(
    {FailureCode.READ_TIMEOUT, FailureCode.TLS_NOT_SPOKEN, FailureCode.TLS_HANDSHAKE_FAILED}
)
#: What only a Redis that speaks plain says to a PING in plain.
_PLAIN_REDIS: Final = frozenset(
    {
        FailureCode.AUTHENTICATION_REQUIRED,
        FailureCode.NO_PERMISSION,
        FailureCode.TOO_MANY_CLIENTS,
        FailureCode.LOADING,
        FailureCode.MASTER_DOWN,
        FailureCode.PROTECTED_MODE,
        FailureCode.SERVER_ERROR,
    }
)


@dataclass(slots=True)
class RedisLink:
    """One connection to `host`, whose address is known. Methods raise CheckFailed (commands Moved, too)."""

    reach: Reach
    host: str
    address: IPv4Address
    port: int
    tls: TlsOptions | None = None
    auth: Credentials | None = None
    _stream: Stream | None = None
    _talk: Conversation | None = None
    _spare: list[Stream] = field(default_factory=list)

    @property
    def target(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    async def open(self, deadline: Deadline) -> None:
        """TCP."""
        if self._stream is None:
            self._stream = await self.reach.connect(self.address, self.port, deadline)

    async def ready(self, deadline: Deadline) -> Conversation:
        """TCP, TLS and AUTH."""
        if self._talk is None:
            await self.open(deadline)
            assert self._stream is not None  # noqa: S101 - `open` has just made it
            if self.tls is not None:
                await self._secure(self._stream, self.tls, deadline)
            talk = Conversation(self._stream, self.target)
            if self.auth is not None:
                user = self.auth.username.get_secret_value() if self.auth.username else None
                try:
                    await talk.auth(user, self.auth.password.get_secret_value(), deadline)
                except CheckFailed as failed:
                    raise await self._explained(failed, deadline) from failed
            self._talk = talk
        return self._talk

    async def ping(self, deadline: Deadline) -> None:
        """PONG comes back."""
        talk = await self.ready(deadline)
        try:
            await talk.ping(deadline)
        except CheckFailed as failed:
            raise await self._explained(failed, deadline) from failed

    def close(self) -> None:
        """Let go at once: the verdict is out, and a hanging peer must not hold the socket."""
        for _, writer in (*self._spare, *((self._stream,) if self._stream else ())):
            writer.transport.abort()

    async def _secure(self, stream: Stream, tls: TlsOptions, deadline: Deadline) -> None:
        try:
            await self._handshake(stream, tls, deadline.within(deadline.left * _HANDSHAKE_SHARE))
        except CheckFailed as failed:
            if failed.code in _MAY_BE_PLAIN and await self._speaks_plain(deadline):
                message = f"{self.target} speaks plain Redis and does not know TLS: turn TLS off, or on at the server"
                raise CheckFailed(FailureCode.TLS_NOT_SPOKEN, message) from failed
            raise

    async def _handshake(self, stream: Stream, tls: TlsOptions, deadline: Deadline) -> None:
        name = tls.server_name or self.host
        await secure(stream, context_for(tls), server_name=name, target=self.target, deadline=deadline)

    async def _explained(self, failed: CheckFailed, deadline: Deadline) -> CheckFailed:
        """The failure, or what is behind it: a server that speaks TLS alone breaks off when spoken to in plain."""
        if failed.code not in _MAY_BE_TLS:
            return failed
        try:
            if self.tls is not None:
                return await self._last_words(failed, self.tls, deadline)
            if await speaks_tls(await self._another(deadline), deadline):
                message = f"{self.target} speaks TLS and was spoken to in plain: set spec.redis.tls"
                return CheckFailed(FailureCode.TLS_REQUIRED, message)
        except CheckFailed:
            pass  # it cannot be found out; the failure stands as it is
        return failed

    async def _last_words(self, failed: CheckFailed, tls: TlsOptions, deadline: Deadline) -> CheckFailed:
        """The failure, or why the server broke off after a handshake that had seemed to be over.

        In TLS 1.3 a server looks at the client's certificate after that; what it says then is lost when something was
        sent to it meanwhile. So nothing is sent.
        """
        stream = await self._another(deadline)
        await self._handshake(stream, tls, deadline)
        alert = await alert_heard(stream, deadline.within(_LAST_WORDS_SECONDS))
        if alert is None:
            return failed
        return CheckFailed(alert, f"{self.target} ended the TLS connection: it wants a client's certificate")

    async def _speaks_plain(self, deadline: Deadline) -> bool:
        try:
            await Conversation(await self._another(deadline), self.target).ping(deadline)
        except CheckFailed as failed:
            return failed.code in _PLAIN_REDIS
        return True

    async def _another(self, deadline: Deadline) -> Stream:
        stream = await self.reach.connect(self.address, self.port, deadline)
        self._spare.append(stream)
        return stream
