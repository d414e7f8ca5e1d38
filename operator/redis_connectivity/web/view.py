"""From a resource as the API server holds it to what the page and the terminal show. Pure.

A path is four hops, in the order that traffic takes: Cloud Run, the connector (with its network), the firewall, Redis.
Each has a state, and the first broken one is where the path ends.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from redis_connectivity.api.conditions import ConditionType, Reason
from redis_connectivity.core.probing import NO_CREDENTIALS
from redis_connectivity.core.verdict import UNDER_WAY

__all__ = ["Hop", "HopState", "PathView", "path_view", "summary"]


class HopState(enum.StrEnum):
    """How a hop, or a whole path, stands."""

    OK = "ok"
    BROKEN = "broken"
    #: Being made or repaired right now.
    WORKING = "working"
    #: Not judged: an earlier hop is not ready, or nobody has looked yet.
    WAITING = "waiting"
    #: Looked at, and it could not be told.
    UNKNOWN = "unknown"
    #: `spec.suspend`, or being deleted: nobody looks after it.
    IDLE = "idle"


_NOT_JUDGED: Final = frozenset({Reason.EARLIER_HOP_NOT_READY, Reason.PENDING})
#: What Reachable says while a policy forbids the path: nobody probes it, so there is nothing to blame Redis for.
_HELD_BACK: Final = ("Unknown", Reason.NOT_ALLOWED_BY_POLICY)
_IDLE: Final = frozenset({Reason.SUSPENDED, Reason.DELETING})


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop. `reason` is the condition's, `text` its message, `subject` what stands there (a name, an address)."""

    name: str
    subject: str
    state: HopState
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class PathView:
    """One path, ready to be shown. Times are RFC 3339 as status has them."""

    key: str
    environment: str
    project: str
    region: str
    state: HopState
    reason: str
    message: str
    since: str
    hops: tuple[Hop, ...]
    diagnosis: dict[str, Any] | None
    latency_milliseconds: float | None
    last_probe_time: str
    drift: tuple[dict[str, Any], ...]
    #: As status has it, and the times at which the path did not work, the newest first.
    circuit: dict[str, Any] | None
    windows: tuple[dict[str, Any], ...]
    outages: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Condition:
    status: str = "Unknown"
    reason: str = Reason.PENDING.value
    message: str = "Not looked at yet."
    since: str = ""
    #: Whether the connector is the operator's own. Another one that goes away is nothing that the operator does.
    ours: bool = True

    @property
    def state(self) -> HopState:
        if self.reason in _IDLE:
            return HopState.IDLE
        if self.status == "True":
            return HopState.OK
        if self.reason in UNDER_WAY and (self.ours or self.reason != Reason.CONNECTOR_DELETING):
            return HopState.WORKING
        if self.reason in _NOT_JUDGED or (self.status, self.reason) == _HELD_BACK:
            return HopState.WAITING
        return HopState.BROKEN if self.status == "False" else HopState.UNKNOWN


def path_view(body: Mapping[str, Any]) -> PathView:
    """The view of one resource, however little of a status it has."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    ours = bool((status.get("connector") or {}).get("owned"))
    conditions = {
        one["type"]: _Condition(
            one.get("status", "Unknown"),
            one.get("reason", ""),
            one.get("message", ""),
            one.get("lastTransitionTime", ""),
            ours,
        )
        for one in status.get("conditions", ())
    }

    def condition(kind: ConditionType) -> _Condition:
        return conditions.get(kind.value, _Condition())

    ready = condition(ConditionType.READY)
    probe = status.get("probe") or {}
    return PathView(
        key=f"{metadata['namespace']}/{metadata['name']}",
        environment=str(spec.get("environment", "")),
        project=str(spec.get("projectId", "")),
        region=str(spec.get("region", "")),
        state=_overall(ready, body),
        reason=ready.reason,
        message=ready.message,
        since=ready.since,
        hops=_hops(spec, status, probe, condition),
        diagnosis=status.get("diagnosis"),
        latency_milliseconds=probe.get("latencyMilliseconds"),
        last_probe_time=str(probe.get("lastProbeTime") or ""),
        drift=tuple(reversed(status.get("drift", ()))),
        circuit=probe.get("circuit"),
        windows=tuple(probe.get("windows", ())),
        outages=tuple(status.get("outages", ())),
    )


def _overall(ready: _Condition, body: Mapping[str, Any]) -> HopState:
    if body["metadata"].get("deletionTimestamp") or (body.get("spec") or {}).get("suspend"):
        return HopState.IDLE
    return ready.state


def _hops(
    spec: Mapping[str, Any],
    status: Mapping[str, Any],
    probe: Mapping[str, Any],
    condition: Callable[[ConditionType], _Condition],
) -> tuple[Hop, ...]:
    ready, reach = condition(ConditionType.READY), condition(ConditionType.REACHABLE)
    network = condition(ConditionType.NETWORK_READY)
    connector = condition(ConditionType.CONNECTOR_READY)
    firewall = condition(ConditionType.FIREWALL_READY)
    redis = condition(ConditionType.REDIS_READY)
    # A connector without its network is a connector that cannot be: one hop on the page, the earlier cause first.
    place = connector if network.state is HopState.OK else network
    rules = status.get("firewallRules", ())
    seen_connector, seen_redis = status.get("connector") or {}, status.get("redis") or {}
    address = f"{seen_redis['host']}:{seen_redis.get('port', '')}" if seen_redis.get("host") else ""
    hops = [
        _cloud_run(spec, probe, reach),
        Hop("Connector", str(seen_connector.get("name", "")), place.state, place.reason, place.message),
        Hop("Firewall", ", ".join(one["name"] for one in rules), firewall.state, firewall.reason, firewall.message),
        Hop("Redis", address, redis.state, redis.reason, redis.message),
    ]
    if hops[0].state is firewall.state is HopState.UNKNOWN and ready.reason == firewall.reason:
        # The path ends at what Ready names: the prober would only have told whether a rule in doubt lets it through.
        hops[0] = replace(hops[0], state=HopState.WAITING)
    # What rules alone cannot tell (a target by name, say) is not what is wrong as long as nothing else says so.
    none_wrong = all(hop.state in (HopState.OK, HopState.UNKNOWN) for hop in hops[1:])
    at_redis = reach.state is HopState.BROKEN or reach.reason in NO_CREDENTIALS
    if none_wrong and at_redis and hops[0].state is HopState.OK:
        # Everything looks right and still nothing answers, or can be asked: what is left is Redis itself.
        hops[3] = Hop("Redis", address, reach.state, reach.reason, reach.message)
    return tuple(hops)


def _cloud_run(spec: Mapping[str, Any], probe: Mapping[str, Any], reach: _Condition) -> Hop:
    region = str(spec.get("region", ""))
    if probe.get("origin") == "Prober":
        if reach.reason == Reason.PROBER_UNAVAILABLE:
            return Hop("Cloud Run", region, HopState.UNKNOWN, reach.reason, reach.message)
        return Hop("Cloud Run", region, HopState.OK, reach.reason, "The prober runs and sends through the connector.")
    if reach.state is HopState.IDLE:
        return Hop("Cloud Run", region, HopState.IDLE, reach.reason, reach.message)
    text = "No prober runs on Cloud Run for this path, so nothing proves it from there."
    state = HopState.WAITING if reach.reason in _NOT_JUDGED else HopState.UNKNOWN
    return Hop("Cloud Run", region, state, reach.reason, text)


def summary(views: Iterable[PathView]) -> dict[str, int]:
    """How many paths stand how; every state is a key."""
    counts = dict.fromkeys((state.value for state in HopState), 0)
    for one in views:
        counts[one.state.value] += 1
    return counts
