"""Whether policies allow what a resource declares. The admission policy in manifests/ says the same, word for word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from pydantic import ValidationError

from redis_connectivity.api.base import problems
from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.policy import RedisConnectivityPolicySpec
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.verdict import Verdict, bad

__all__ = ["Policy", "Violation", "policy_of", "verdict_on", "violations"]

_ACCOUNT: Final = "spec.redis.auth.iam.serviceAccount"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy by name. `spec` is None, and `problem` says why, when it cannot be read: then nothing is allowed."""

    name: str
    spec: RedisConnectivityPolicySpec | None
    problem: str = ""

    def selects(self, namespace: str) -> bool:
        """Whether it is about a namespace."""
        if self.spec is None:
            return True
        return _matches(namespace, self.spec.namespaces) and not _matches(namespace, self.spec.except_namespaces)


def policy_of(name: str, body: Mapping[str, object]) -> Policy:
    """The policy that an object of the cluster or a file is."""
    try:
        return Policy(name, RedisConnectivityPolicySpec.model_validate(body.get("spec") or {}))
    except ValidationError as error:
        return Policy(name, None, "; ".join(problems(error)))


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that one policy does not allow."""

    policy: str
    message: str


def violations(policies: Iterable[Policy], namespace: str, spec: RedisConnectivitySpec) -> tuple[Violation, ...]:
    """All that is not allowed, by policy name and then in the spec's order."""
    return tuple(
        Violation(policy.name, message)
        for policy in sorted(policies, key=lambda one: one.name)
        if policy.selects(namespace)
        for message in _refusals(policy, namespace, spec)
    )


def verdict_on(found: Iterable[Violation]) -> Verdict | None:
    """What that means for the resource; None when there is none."""
    told = " ".join(one.message for one in found)
    if not told:
        return None
    message = f"{told} Nothing is changed in the cloud until then; what was made stays."
    return bad(Reason.NOT_ALLOWED_BY_POLICY, message, stalled=True)


def _refusals(policy: Policy, namespace: str, spec: RedisConnectivitySpec) -> Iterator[str]:
    allowed = policy.spec
    if allowed is None:
        yield f"RedisConnectivityPolicy {policy.name} cannot be read: {policy.problem}. Have it mended."
        return

    def refuse(what: str, value: str, field: str, listed: Sequence[str]) -> str:
        return (
            f"RedisConnectivityPolicy {policy.name} does not allow {what} {value} ({field}) in namespace {namespace};"
            f" allowed: {', '.join(listed) or 'none'}. Choose what is allowed, or have the policy changed."
        )

    network = spec.network.name if spec.network is not None else f"{spec.environment}-vpc"
    host_project = spec.network.host_project_id if spec.network is not None else None
    iam = spec.redis.auth.iam if spec.redis.auth is not None else None
    # connector.projectId is one of the first two: the spec takes no other.
    names = (
        ("environment", spec.environment, "spec.environment", allowed.environments),
        ("project", spec.project_id, "spec.projectId", allowed.projects),
        ("project", host_project, "spec.network.hostProjectId", allowed.projects),
        ("network", network, "spec.network.name", allowed.networks),
        ("project", _project_of(iam.service_account) if iam else None, _ACCOUNT, allowed.projects),
    )
    for what, value, field, globs in names:
        # None of these names has a dot in it; the domain of a default account has, and a glob's '*' would take it.
        if globs is not None and value is not None and ("." in value or not _matches(value, globs)):
            yield refuse(what, value, field, globs)
    if allowed.sources is not None:
        cidr, subnet, subnet_field = _sources(spec)
        ranges, subnets = allowed.sources.ranges or (), allowed.sources.subnets or ()
        if cidr is not None and not _within(IPv4Network(cidr).subnet_of, ranges):
            yield refuse("range", cidr, "spec.connector.ipCidrRange", ranges)
        if subnet is not None and not _matches(subnet, subnets):
            yield refuse("subnet", subnet, subnet_field, subnets)
    if allowed.targets is not None:
        for host, field in _addresses(spec):
            if not _within(_inside(host), allowed.targets.ranges):
                yield refuse("address", host, field, allowed.targets.ranges)


def _project_of(account: str) -> str:
    """A service account's project by its e-mail; of one of Google's default accounts what stands there, no project."""
    return account.partition("@")[2].removesuffix(".iam.gserviceaccount.com")


def _sources(spec: RedisConnectivitySpec) -> tuple[str | None, str | None, str]:
    """The range and the subnet that traffic comes from, and the subnet's field."""
    if spec.direct_vpc_egress is not None:
        return None, spec.direct_vpc_egress.subnet, "spec.directVpcEgress.subnet"
    if spec.connector is None:
        return None, None, ""
    subnet = spec.connector.subnet
    return spec.connector.ip_cidr_range, subnet.name if subnet else None, "spec.connector.subnet.name"


def _addresses(spec: RedisConnectivitySpec) -> Iterator[tuple[str, str]]:
    """Addresses of Redis that the spec names, and where."""
    if spec.redis.vm is not None:
        yield spec.redis.vm.host, "spec.redis.vm.host"
    if spec.redis.endpoint is not None:
        yield spec.redis.endpoint.host, "spec.redis.endpoint.host"


def _inside(host: str) -> Callable[[IPv4Network], bool]:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        return lambda _: False  # a DNS name: nobody knows where it leads, or will lead tomorrow
    return lambda network: address in network


def _within(inside: Callable[[IPv4Network], bool], ranges: Iterable[str]) -> bool:
    return any(inside(IPv4Network(one)) for one in ranges)


def _matches(name: str, globs: Iterable[str]) -> bool:
    # The same as the admission policy does: nothing in a glob but '*' means anything to a regular expression.
    return any(re.fullmatch(glob.replace("*", ".*"), name) is not None for glob in globs)
