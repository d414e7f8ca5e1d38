"""The target's part of a plan: whether it is there, serves, and is reached from the connector's network."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.cloudvalues import Network, Peering
from redis_connectivity.core.desired import ClusterWant, Desired, EndpointWant, MemorystoreWant, ValkeyWant, VmWant
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.pscvalues import Authorization, ConnectionStatus
from redis_connectivity.core.reachability.routes import DIRECT_PEERING, PSA_PEERING
from redis_connectivity.core.targets import (
    Destination,
    Profile,
    Reach,
    Target,
    look_at,
    profile_of,
    same_network,
)
from redis_connectivity.core.verdict import Verdict, bad, good, unseen

__all__ = ["RedisPlan", "plan_redis"]

_ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class RedisPlan:
    """How the target stands. `target` is None when it is not known, or no traffic can get there anyway."""

    verdict: Verdict
    target: Target | None = None

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The (address, ports) that traffic must reach, main one first."""
        return self.target.destinations if self.target else ()

    @property
    def main(self) -> tuple[str, int] | None:
        """Host and port to probe."""
        return self.target.main if self.target else None


def plan_redis(desired: Desired, observed: Observed) -> RedisPlan:
    """Small checks in order; the first that fails is the verdict."""
    seen = observed.redis
    profile = profile_of(desired.target)
    if profile.managed and isinstance(seen, Unseen):
        return RedisPlan(unseen(seen))
    target = look_at(desired.target, None if isinstance(seen, Unseen) else seen, desired.network)
    if target is None:
        return RedisPlan(_not_found(desired, profile))
    if not profile.managed:
        host = target.endpoints[0].host
        return RedisPlan(
            good(Reason.REDIS_DECLARED, f"Redis is declared at {host}:{target.endpoints[0].ports[0][0]}."), target
        )
    wrong = _wrong_network(desired, target)
    if wrong is not None:
        return RedisPlan(wrong)
    verdict = _state(target) or _peering(desired, observed, target) or _connections(desired, target)
    return RedisPlan(verdict or _found(target), target)


def _wanted_name(desired: Desired) -> str:
    match desired.target:
        case MemorystoreWant(instance=name) | ValkeyWant(instance=name) | ClusterWant(name=name):
            return name
        case VmWant(host=host) | EndpointWant(host=host):
            return str(host)


def _not_found(desired: Desired, profile: Profile) -> Verdict:
    return bad(
        Reason.REDIS_NOT_FOUND,
        f"There is no {profile.noun} {_wanted_name(desired)} in {desired.project}/{desired.region}. Create it, or name"
        f" the right one in {profile.field}.",
    )


def _wrong_network(desired: Desired, target: Target) -> Verdict | None:
    if not target.networks or any(same_network(one, desired.network) for one in target.networks):
        return None
    where = ", ".join(str(one) for one in target.networks)
    how = (
        f"is authorised for network {where}"
        if target.profile.reach is Reach.PEERING
        else f"has its endpoints in network {where}"
    )
    names = " or ".join(one.name for one in target.networks)
    return bad(
        Reason.REDIS_WRONG_NETWORK,
        f"{target.title} {how}, the connector is on {desired.network}: no firewall rule can bridge that. Attach the"
        f" connector to {names}, or use an instance of this network.",
        stalled=True,
    )


def _state(target: Target) -> Verdict | None:
    if target.serving and target.main is not None:
        return None
    ready = target.profile.serving[0]
    if not target.serving:
        text = f"{target.title} is {target.state}; wait until it is {ready}. The firewall is not the cause."
        return bad(Reason.REDIS_NOT_READY, text)
    if target.profile.reach is Reach.PEERING:
        text = f"{target.title} is {target.state} but has no address yet; wait. The firewall is not the cause."
        return bad(Reason.REDIS_NOT_READY, text)
    return bad(
        Reason.REDIS_CONNECTION_LOST,
        f"{target.title} is {target.state} but has no endpoint in any network. Make one: a service connection policy"
        " for the network makes them by itself, or register your own. The firewall is not the cause.",
    )


def _peering(desired: Desired, observed: Observed, target: Target) -> Verdict | None:
    network = observed.network
    if target.profile.reach is not Reach.PEERING or not isinstance(network, Network):
        return None
    found = [one for one in network.peerings if _is_ours(one, direct=target.direct_peering)]
    if any(one.state == _ACTIVE for one in found):
        return None
    if target.direct_peering:
        kind, cure = "redis-peer-*", "If somebody deleted it, only re-creating the instance brings it back."
    else:
        kind, cure = PSA_PEERING, "Connect the network to Google's services again (private services access)."
    if not found:
        return bad(
            Reason.REDIS_PEERING_MISSING,
            f"Network {desired.network.name} has no peering {kind}, through which {target.title} is reached: no"
            f" firewall rule can help. {cure}",
            stalled=True,
        )
    states = ", ".join(f"{one.name} is {one.state}" for one in found)
    return bad(
        Reason.REDIS_PEERING_INACTIVE,
        f"{target.title} is reached through a peering of network {desired.network.name} that must be {_ACTIVE}, but"
        f" {states}. {cure}",
        stalled=True,
    )


def _is_ours(peering: Peering, *, direct: bool) -> bool:
    return DIRECT_PEERING.fullmatch(peering.name) is not None if direct else peering.name == PSA_PEERING


def _connections(desired: Desired, target: Target) -> Verdict | None:
    lost = [one for one in target.endpoints if one.status is ConnectionStatus.NOT_FOUND]
    if not lost:
        return None
    which = ", ".join(f"{one.host} ({one.role})" for one in lost)
    return bad(
        Reason.REDIS_CONNECTION_LOST,
        f"{target.title} has lost Private Service Connect endpoints in network {desired.network.name}: {which} is"
        f" {ConnectionStatus.NOT_FOUND}. Somebody deleted the forwarding rule; create the endpoint anew. The firewall"
        " is not the cause.",
        stalled=True,
    )


def _found(target: Target) -> Verdict:
    host, port = target.main or ("", 0)
    needs = " ".join(f"{sentence}." for sentence in _needs(target))
    text = f"{target.title} is {target.state} at {host}:{port}."
    return good(Reason.REDIS_FOUND, f"{text} {needs}".rstrip())


_CLIENTS_MUST = {
    Authorization.AUTH_STRING: "Clients must give its AUTH string",
    Authorization.IAM_AUTH: "Clients must give an access token of an account that may connect to it (IAM)",
    Authorization.TOKEN_AUTH: "Clients must give one of its tokens",
}


def _needs(target: Target) -> list[str]:
    """What a client has to bring, in sentences."""
    tls = ["Connections must be TLS"] if target.tls else []
    return tls + [text for what, text in _CLIENTS_MUST.items() if what is target.authorization]
