"""Passwords, access tokens and CAs, read when a probe needs them; kept in memory for a short while and nowhere else."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from pydantic import SecretStr

from redis_connectivity.cloud.doors import AccessToken
from redis_connectivity.cloud.errors import CloudError, NotFound
from redis_connectivity.cloud.lanes import AnyLane, Lane
from redis_connectivity.core.access import AccessWant, AuthorityOf, AuthStringOf, SecretKeyOf, TokenOf
from redis_connectivity.kube.errors import Gone, KubeError, KubeForbidden
from redis_connectivity.probes.model import (
    MAX_CERTIFICATES,
    MAX_PASSWORD,
    MAX_USERNAME,
    Credentials,
    FailureCode,
    TlsOptions,
)
from redis_connectivity.reconcile.explain import explain
from redis_connectivity.reconcile.keeping import Keeper

__all__ = ["CredentialReader", "CredentialTrouble"]

#: Seconds for which what was read is used again: a probe each second must not ask Google for its AUTH string each
#: second. What Redis refuses is read anew at once, so a rotated password costs no failed probe.
_KEPT: Final = 60.0
#: The same for a CA: it is good for years, a new one is there years before it counts (Google's pages on in-transit
#: encryption), and the APIs that give it grant few calls.
_AUTHORITY_KEPT: Final = 3600.0
#: Seconds for which a token that Redis does not take is given to it again, and a refusal of Google's is believed.
_REST: Final = 10.0
#: An access token is used until so many seconds before its end.
_TOKEN_MARGIN: Final = 120.0
#: Seconds that a probe waits for what it needs: Google's quota may be short, and who waits holds a place among the
#: probes in flight.
_PATIENCE: Final = 10.0
_MOUNT_EXAMPLE: Final = "manifests/samples/redis-auth.yaml has a Role and a RoleBinding for it"


class CredentialTrouble(Exception):
    """A password or certificate could not be had; Redis was not asked. The message names no secret."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Secrets(Protocol):
    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]: ...


class _AuthStrings(Protocol):
    async def get_auth_string(self, project: str, region: str, name: str, lane: AnyLane) -> SecretStr: ...


class _Authorities(Protocol):
    async def get_certificate_authority(
        self, project: str, region: str, name: str, lane: AnyLane
    ) -> tuple[str, ...]: ...


class _Tokens(Protocol):
    async def access_token(self, project: str, account: str, lane: AnyLane) -> AccessToken: ...
    def is_own(self, account: str) -> bool: ...


class _Cloud(Protocol):
    """The part of `GoogleCloud` that is read here."""

    @property
    def redis(self) -> _AuthStrings: ...
    @property
    def redis_cluster(self) -> _Authorities: ...
    @property
    def memorystore(self) -> _Authorities: ...
    @property
    def iam_credentials(self) -> _Tokens: ...


#: What was read, and for how many seconds it is good.
_Read = tuple[Mapping[str, SecretStr], float]
_Source = tuple[str, ...]


class CredentialReader:
    """Reads what probes need. `clock` gives monotonic seconds."""

    def __init__(self, kube: _Secrets, cloud: _Cloud, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._cloud = cloud
        self._kept: Keeper[Mapping[str, SecretStr]] = Keeper(clock)

    async def credentials(self, namespace: str, want: AccessWant, *, fresh: bool = False) -> Credentials | None:
        """Whom to AUTH as; None where nobody is wanted. `fresh` reads anew.

        Raises:
            CredentialTrouble: It cannot be had, with a remedy.
        """
        auth = want.auth
        if auth is None:
            return None
        if isinstance(auth, AuthStringOf):
            return Credentials(password=await self._auth_string(auth, fresh=fresh))
        if isinstance(auth, TokenOf):
            return Credentials(password=await self._token(auth, fresh=fresh))
        secret = await self._secret(namespace, auth.secret, fresh=fresh)
        password = self._text(secret, namespace, SecretKeyOf(auth.secret, auth.password_key), longest=MAX_PASSWORD)
        username = (
            self._text(secret, namespace, SecretKeyOf(auth.secret, auth.username_key), longest=MAX_USERNAME)
            if auth.username_key
            else None
        )
        return Credentials(username=username, password=password)

    async def tls(self, namespace: str, want: AccessWant, *, fresh: bool = False) -> TlsOptions | None:
        """How to speak TLS; None where it is not spoken. `fresh` reads anew.

        Raises:
            CredentialTrouble: The CA certificates cannot be had, with a remedy.
        """
        tls = want.tls
        if tls is None:
            return None
        certificates = tls.certificates
        if tls.ca_secret is not None:
            secret = await self._secret(namespace, tls.ca_secret.name, fresh=fresh)
            certificates = self._text(secret, namespace, tls.ca_secret, longest=MAX_CERTIFICATES).get_secret_value()
        elif tls.authority is not None:
            certificates = await self._authority(tls.authority, fresh=fresh)
        return TlsOptions(ca_certificates=certificates, server_name=tls.server_name, verify_name=tls.verify_name)

    async def _auth_string(self, source: AuthStringOf, *, fresh: bool) -> SecretStr:
        where = f"instance {source.instance}"

        async def read() -> _Read:
            text = await self._cloud.redis.get_auth_string(source.project, source.region, source.instance, Lane.POLL)
            return {"": text}, _KEPT

        key = ("instance", source.project, source.region, source.instance)
        found = await self._read(f"the AUTH string of {where}", key, read, fresh=fresh, failure=_REST)
        if not found[""].get_secret_value():
            message = f"AUTH is off on {where}: turn it on there, or remove spec.redis.auth"
            raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message)
        return found[""]

    async def _token(self, source: TokenOf, *, fresh: bool) -> SecretStr:
        async def read() -> _Read:
            if self._cloud.iam_credentials.is_own(source.account):
                message = (
                    f"service account {source.account} is the operator's own, whose token is given to nobody: name"
                    " another in spec.redis.auth.iam.serviceAccount"
                )
                raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message)
            try:
                made = await self._cloud.iam_credentials.access_token(source.project, source.account, Lane.POLL)
            except NotFound as error:
                message = (
                    f"there is no service account {source.account}: name the right one in"
                    " spec.redis.auth.iam.serviceAccount"
                )
                raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message) from error
            except CloudError as error:
                message = f"no access token of {source.account} can be had: {explain(error).message}"
                raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message) from error
            return {"": made.text}, made.seconds - _TOKEN_MARGIN

        what = f"an access token of {source.account}"
        key = ("account", source.project, source.account)
        return (await self._read(what, key, read, fresh=fresh, rest=_REST, failure=_REST))[""]

    async def _authority(self, source: AuthorityOf, *, fresh: bool) -> str:
        door = self._cloud.redis_cluster if source.kind == "cluster" else self._cloud.memorystore
        where = f"{'Redis Cluster' if source.kind == 'cluster' else 'Valkey instance'} {source.name}"

        async def read() -> _Read:
            found = await door.get_certificate_authority(source.project, source.region, source.name, Lane.POLL)
            return {"": SecretStr("".join(found))}, _AUTHORITY_KEPT if found else _KEPT

        key = ("authority", source.kind, source.project, source.region, source.name)
        found = await self._read(f"the CA of {where}", key, read, fresh=fresh, rest=_KEPT, failure=_REST)
        certificates = found[""].get_secret_value()
        if not certificates:
            message = (
                f"Google tells no CA of {where}: put its certificates into a Secret for spec.redis.tls.caSecretRef"
            )
            raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message)
        return certificates

    async def _secret(self, namespace: str, name: str, *, fresh: bool) -> Mapping[str, SecretStr]:
        where = f"Secret {name} in namespace {namespace}"

        async def read() -> _Read:
            try:
                data = await self._kube.get_secret(namespace, name)
            except Gone as error:
                message = f"there is no {where}: create it, or name the right one in spec.redis"
                raise CredentialTrouble(FailureCode.SECRET_NOT_FOUND, message) from error
            except KubeForbidden as error:
                message = f"the operator may not get {where}: allow its service account to; {_MOUNT_EXAMPLE}"
                raise CredentialTrouble(FailureCode.SECRET_FORBIDDEN, message) from error
            except KubeError as error:
                message = f"{where} cannot be read now ({type(error).__name__}); it is tried again"
                raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message) from error
            return {key: SecretStr(value) for key, value in data.items()}, _KEPT

        return await self._read(where, ("secret", namespace, name), read, fresh=fresh)

    async def _read(
        self,
        what: str,
        source: _Source,
        read: Callable[[], Awaitable[_Read]],
        *,
        fresh: bool,
        rest: float = 0.0,
        failure: float = 0.0,
    ) -> Mapping[str, SecretStr]:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._kept.get(source, read, fresh=fresh, rest=rest, failure=failure)
        except CloudError as error:
            message = f"{what} cannot be read: {explain(error).message}"
            raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message) from error
        except TimeoutError:
            message = f"{what} could not be read within {_PATIENCE:g} s; it is tried again"
            raise CredentialTrouble(FailureCode.CREDENTIALS_UNAVAILABLE, message) from None

    @staticmethod
    def _text(secret: Mapping[str, SecretStr], namespace: str, of: SecretKeyOf, *, longest: int) -> SecretStr:
        where = f"key {of.key} of Secret {of.name} in namespace {namespace}"
        encoded = secret.get(of.key)
        if encoded is None:
            raise CredentialTrouble(FailureCode.SECRET_KEY_MISSING, f"there is no {where}: add it")
        try:
            # A file that became a Secret often ends with a newline that nobody meant.
            text = base64.b64decode(encoded.get_secret_value(), validate=True).decode().rstrip("\r\n")
        except (binascii.Error, UnicodeDecodeError):
            # `from None`: the error would carry the bytes along.
            raise CredentialTrouble(FailureCode.SECRET_KEY_MISSING, f"{where} is no UTF-8 text: mend it") from None
        if not text:
            raise CredentialTrouble(FailureCode.SECRET_KEY_MISSING, f"{where} is empty: fill it in")
        if len(text) > longest:
            message = f"{where} is longer than {longest} characters: mend it"
            raise CredentialTrouble(FailureCode.SECRET_KEY_MISSING, message)
        return SecretStr(text)
