"""How the target is to be spoken to: from the spec and what was observed, still without any secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from redis_connectivity.api.spec_redis import RedisTarget
from redis_connectivity.core.cloudvalues import RedisInstance
from redis_connectivity.core.desired import ClusterWant, Desired
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.pscvalues import RedisCluster, ValkeyInstance
from redis_connectivity.core.targets import look_at

__all__ = [
    "NO_ACCESS",
    "AccessWant",
    "AuthStringOf",
    "AuthorityOf",
    "PasswordIn",
    "SecretKeyOf",
    "TlsWant",
    "TokenOf",
    "access_want",
]


@dataclass(frozen=True, slots=True)
class SecretKeyOf:
    """One key of a Secret of the resource's namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class PasswordIn:
    """The password is in a Secret, and the user's name too, unless it is the default user."""

    secret: str
    password_key: str
    username_key: str | None


@dataclass(frozen=True, slots=True)
class AuthStringOf:
    """The password is a Memorystore instance's AUTH string."""

    project: str
    region: str
    instance: str


@dataclass(frozen=True, slots=True)
class TokenOf:
    """The password is an access token of a service account. `project` is the resource's, whose quota counts here."""

    project: str
    account: str


@dataclass(frozen=True, slots=True)
class AuthorityOf:
    """The CA of a Redis Cluster or a Valkey instance."""

    kind: Literal["cluster", "valkey"]
    project: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class TlsWant:
    """TLS is spoken. Trusted are the CAs in a Secret, else `certificates` (PEM) or an `authority`'s, else the system's.

    Without `verify_name` any certificate that they have signed will do.
    """

    ca_secret: SecretKeyOf | None = None
    certificates: str | None = None
    authority: AuthorityOf | None = None
    server_name: str | None = None
    verify_name: bool = True

    @property
    def reads_ca(self) -> bool:
        """Whether the CA has to be read first, and may be another the next time."""
        return self.ca_secret is not None or self.authority is not None


@dataclass(frozen=True, slots=True)
class AccessWant:
    """Whose password or token to give, and whether to speak TLS."""

    auth: PasswordIn | AuthStringOf | TokenOf | None = None
    tls: TlsWant | None = None
    #: Whether the target is a cluster, whose nodes are to be asked, too.
    cluster: bool = False


#: Nobody's password, no TLS.
NO_ACCESS: Final = AccessWant()


def access_want(target: RedisTarget, desired: Desired, observed: Observed) -> AccessWant:
    """What the spec says, with what it leaves open taken from the observed target."""
    seen = observed.redis if not isinstance(observed.redis, Unseen) else None
    cluster = isinstance(desired.target, ClusterWant) or (isinstance(seen, ValkeyInstance) and seen.cluster_mode)
    found = look_at(desired.target, seen, desired.network)
    return AccessWant(
        _auth(target, desired), _tls(target, seen, observed=found.tls if found else None), cluster=cluster
    )


def _auth(target: RedisTarget, desired: Desired) -> PasswordIn | AuthStringOf | TokenOf | None:
    if target.auth is None:
        return None
    if target.auth.iam is not None:
        return TokenOf(desired.project, target.auth.iam.service_account)
    reference = target.auth.secret_ref
    if reference is not None:
        return PasswordIn(reference.name, reference.password_key, reference.username_key)
    if target.memorystore is None:
        return None  # refused by the spec's own rule
    return AuthStringOf(desired.project, desired.region, target.memorystore.instance)


def _tls(target: RedisTarget, seen: object, *, observed: bool | None) -> TlsWant | None:
    given = target.tls
    enabled = given.enabled if given is not None else None
    if enabled is None:
        enabled = observed if observed is not None else given is not None
    if not enabled:
        return None
    reference = given.ca_secret_ref if given is not None else None
    name = given.server_name if given is not None else None
    if reference is not None:
        return TlsWant(SecretKeyOf(reference.name, reference.key), server_name=name)
    # An instance's CA signs for that instance and no other: it proves whose certificate it is, whatever name it has.
    if isinstance(seen, RedisInstance) and seen.server_ca_certificates:
        own = "\n".join(seen.server_ca_certificates)
        return TlsWant(certificates=own, server_name=name, verify_name=name is not None)
    if isinstance(seen, RedisCluster | ValkeyInstance) and seen.own_ca:
        authority = AuthorityOf(
            "cluster" if isinstance(seen, RedisCluster) else "valkey", seen.project, seen.region, seen.name
        )
        return TlsWant(authority=authority, server_name=name, verify_name=name is not None)
    return TlsWant(server_name=name)
