"""The chain's links about what probes met: answers of Redis itself first, then silence and what may explain it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.core.cloudvalues import Connector
from redis_connectivity.core.desired import ClusterWant, ValkeyWant, VmWant
from redis_connectivity.core.diagnosis.case import Case, Finding
from redis_connectivity.core.diagnosis.infrastructure import shadowing_deny
from redis_connectivity.core.observed import Unseen
from redis_connectivity.core.pscvalues import Authorization

__all__ = [
    "ANSWERED",
    "NO_ANSWER",
    "PROBER_TROUBLE",
    "REPEATED",
    "answer",
    "explained",
    "prober",
    "silence",
]

#: Failure codes of probes that only Redis, or what stands in its place, can give: proof at the first time.
ANSWERED: Final[Mapping[str, Code]] = {
    "TlsRequired": Code.TLS_MISMATCH,
    "TlsNotSpoken": Code.TLS_MISMATCH,
    "TlsHandshakeFailed": Code.TLS_MISMATCH,
    "CertificateUntrusted": Code.CERTIFICATE_REJECTED,
    "CertificateExpired": Code.CERTIFICATE_REJECTED,
    "CertificateNameMismatch": Code.CERTIFICATE_REJECTED,
    "ClientCertificateRequired": Code.CERTIFICATE_REJECTED,
    "NotRedis": Code.NOT_REDIS,
    "AuthenticationRequired": Code.AUTH_MISSING,
    "WrongPassword": Code.AUTH_WRONG,
    "NoPermission": Code.ACL_DENIED,
    "SecretNotFound": Code.SECRET_UNUSABLE,
    "SecretForbidden": Code.SECRET_UNUSABLE,
    "SecretKeyMissing": Code.SECRET_UNUSABLE,
    "CredentialsUnavailable": Code.SECRET_UNUSABLE,
    "TooManyClients": Code.MAX_CLIENTS,
    "Loading": Code.REDIS_LOADING,
    "ProtectedMode": Code.PROTECTED_MODE,
    "MasterDown": Code.REDIS_ERROR,
    "OutOfMemory": Code.OUT_OF_MEMORY,
    "ReadOnly": Code.READ_ONLY,
    "Moved": Code.CLUSTER_TROUBLE,
    "ClusterDown": Code.CLUSTER_TROUBLE,
    "ServerError": Code.REDIS_ERROR,
    "ProtocolError": Code.NOT_REDIS,
    "ReadBackDiffers": Code.REDIS_ERROR,
    "NotHttp": Code.CHECK_FAILED,
    "UnexpectedStatus": Code.CHECK_FAILED,
    "UnexpectedBody": Code.CHECK_FAILED,
}
#: Failure codes that a path which was just changed may give once or twice: believed when they repeat.
REPEATED: Final[Mapping[str, Code]] = {
    "ResolveFailed": Code.DNS_FAILED,
    "ConnectionRefused": Code.REDIS_STOPPED,
    "ReadTimeout": Code.REDIS_FROZEN,
    "ConnectionReset": Code.CONNECTION_RESET,
}
#: Failure codes that say no more than that packets do not arrive.
NO_ANSWER: Final[Mapping[str, Code]] = {
    "ConnectTimeout": Code.PATH_TIMES_OUT,
    "NetworkUnreachable": Code.NO_ROUTE,
}
#: Failure codes that are about the prober and not about Redis.
PROBER_TROUBLE: Final = frozenset(
    {
        "TargetNotAllowed",
        "ProberUnavailable",
        "ProberTimeout",
        "ProberRefused",
        "ProberInvalidAnswer",
        "ProberFault",
    }
)

#: What Redis says to a client that it does not know.
_REFUSED: Final = frozenset({Code.AUTH_MISSING, Code.AUTH_WRONG})
#: The role that may connect, where IAM decides. Source: Google's pages on IAM authentication of both.
_CONNECTS: Final[Mapping[type, str]] = {
    ClusterWant: "roles/redis.dbConnectionUser",
    ValkeyWant: "roles/memorystore.dbConnectionUser",
}
#: Machine types that lose packets early under load. Source: Google's page on connectors, "Throughput and scaling".
_SMALL: Final = frozenset({"f1-micro", "e2-micro"})
#: Cloud Run keeps this range for itself (the bridge of its sandbox), so what lies in it cannot be reached from there.
_RESERVED: Final = IPv4Network("172.17.0.0/16")


def answer(case: Case) -> Finding | None:
    """What Redis, or its host, answered: the network is fine."""
    failure = case.failure
    if failure is None:
        return None
    if failure.kind == "http":
        # Whatever happened there happened after Redis had answered.
        return case.finding(Code.CHECK_FAILED, f"{failure.step}: {failure.message}") if _repeated(case) else None
    code = ANSWERED.get(failure.code)
    if code is None and _repeated(case):
        code = REPEATED.get(failure.code)
    if code is None:
        return None
    return case.finding(code, f"{failure.step}: {failure.message}", _iam(case, code))


def _iam(case: Case, code: Code) -> str:
    """Which role is missing, where Redis asks IAM."""
    seen = case.seen
    if code not in _REFUSED or seen is None or seen.authorization is not Authorization.IAM_AUTH:
        return ""
    role = _CONNECTS[type(case.desired.target)]
    return (
        f"{seen.title} authenticates by IAM: the service account that spec.redis.auth.iam names must have {role} in"
        f" project {case.desired.project}. A change of IAM takes minutes."
    )


def _repeated(case: Case) -> bool:
    return case.probe is not None and case.probe.confirmed


def explained(case: Case) -> Finding | None:
    """Silence that something visible explains, though it does not deny anything."""
    failure = case.failure
    silent = failure is not None and (failure.code in NO_ANSWER or failure.code in PROBER_TROUBLE)
    if failure is None or not silent or failure.kind == "http" or not _repeated(case):
        return None
    told = f"{failure.step}: {failure.message}"
    for link in (_shadowed, _elsewhere, _reserved):
        found = link(case, told)
        if found is not None:
            return found
    return None


def _shadowed(case: Case, told: str) -> Finding | None:
    deny = shadowing_deny(case)
    return case.finding(Code.CONNECTOR_RULES_SHADOWED, deny[1], told, deny=deny[0]) if deny else None


def _elsewhere(case: Case, told: str) -> Finding | None:
    """A machine whose address lies in a subnet of another network of the project."""
    subnets = case.observed.subnetworks
    if not isinstance(case.desired.target, VmWant) or isinstance(subnets, Unseen):
        return None
    host = case.desired.target.host
    holding = [one for one in subnets if host in one.ip_cidr_range]
    if not holding or any(one.network == case.desired.network for one in holding):
        return None
    other = holding[0]
    why = f"{host} lies in subnet {other.name} ({other.ip_cidr_range}) of network {other.network.name}, not in one of"
    facts = {"kind": case.profile.noun, "instance": case.instance, "found": other.network.name}
    return case.finding(Code.REDIS_WRONG_NETWORK, f"{why} {case.desired.network.name}.", told, **facts)


def _reserved(case: Case, told: str) -> Finding | None:
    source, destination = case.plan.source, case.plan.destination
    hit = [f"the connector's range {source}"] if source is not None and source.overlaps(_RESERVED) else []
    if destination is not None and _inside(destination[0], _RESERVED):
        hit.append(f"the target {destination[0]}")
    if not hit:
        return None
    why = f"{' and '.join(hit)} in {_RESERVED}, which Cloud Run keeps for itself."
    return case.finding(Code.RANGE_OVERLAP, f"{why[:1].upper()}{why[1:]}", told, range=case.source_text)


def _inside(host: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(host) in network
    except AddressValueError:
        return False  # a name: where it leads is not known here


def prober(case: Case) -> Finding | None:
    """The prober itself cannot be asked, though everything before it looks right."""
    if case.prober:
        return case.finding(Code.PROBER_UNAVAILABLE, case.prober)
    failure = case.failure
    if failure is None or failure.code not in PROBER_TROUBLE or not _repeated(case):
        return None
    return case.finding(Code.PROBER_UNAVAILABLE, failure.message)


def silence(case: Case) -> Finding | None:
    """Packets are lost, and nothing explains it."""
    failure = case.failure
    if failure is None or failure.kind == "http" or not _repeated(case):
        return None
    code = NO_ANSWER.get(failure.code)
    return case.finding(code, f"{failure.step}: {failure.message}", _saturated(case)) if code is not None else None


def _saturated(case: Case) -> str:
    """A hint and no more: Google does not tell how busy a connector is."""
    seen = case.observed.connector
    worked = case.probe is not None and case.probe.last_success is not None
    if not worked or not isinstance(seen, Connector) or seen.machine_type not in _SMALL:
        return ""
    return (
        f"It has worked before, and connector {seen.name} has at most {seen.max_instances} machines of type"
        f" {seen.machine_type}: if packets are lost under load only, it may be saturated. Use a larger machineType."
    )
