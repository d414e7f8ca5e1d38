"""What a report tells: one path's story in sections, from its status and, for the plot, the page's last samples.

Nothing is estimated: where no figure is known, there is none. Impact is the user's own numbers times measured minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

__all__ = ["Change", "Direction", "Impact", "Outage", "Rates", "Report", "make_report"]

#: kubectl's own copy of what was applied; no part of what a person wrote.
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of the firewall, before the operator's first change and now."""

    name: str
    before: str
    before_by: str
    now: str
    now_by: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the operator made or keeps in Google Cloud, or that others changed and it put back."""

    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the path was broken; `minutes` is None while it lasts."""

    began: str
    ended: str
    minutes: float | None
    code: str
    cause: str
    repaired_by: str


@dataclass(frozen=True, slots=True)
class Rates:
    """The user's own numbers: what a minute without Redis costs. None: not given."""

    requests_per_minute: float | None = None
    cost_per_minute: float | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Impact:
    """Measured minutes of outage, and what they come to by the user's numbers."""

    minutes: float
    outages: int
    requests: float | None
    cost: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the templates show."""

    key: str
    at: str
    ready: str
    reason: str
    message: str
    environment: str
    project: str
    region: str
    baseline_taken: str
    connector_before: str
    directions: tuple[Direction, ...]
    hops: tuple[Mapping[str, Any], ...]
    diagnosis: Mapping[str, Any] | None
    changes: tuple[Change, ...]
    drift: tuple[Mapping[str, Any], ...]
    checks: tuple[Mapping[str, Any], ...]
    probe: Mapping[str, Any]
    conditions: tuple[Mapping[str, Any], ...]
    deletion_policy: str
    declared: Mapping[str, Any]
    windows: tuple[Mapping[str, Any], ...]
    #: Seconds since the epoch, and milliseconds or None for a failure, of the last probes; None where nobody gave them.
    samples: tuple[tuple[float, float | None], ...] | None
    outages: tuple[Outage, ...]
    impact: Impact


def make_report(
    body: Mapping[str, Any], at: str, page: Mapping[str, Any] | None = None, rates: Rates | None = None
) -> Report:
    """The report on a resource.

    Args:
        body: The resource as the API server holds it.
        at: Now, RFC 3339.
        page: The path as the operator's page serves it (`/api/paths`), with its last samples.
        rates: The user's own numbers.
    """
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    conditions = tuple(status.get("conditions", ()))
    ready: Mapping[str, Any] = next((one for one in conditions if one["type"] == "Ready"), {})
    outages = tuple(_outage(one) for one in status.get("outages", ()))
    probe = status.get("probe") or {}
    baseline = status.get("baseline") or {}
    return Report(
        key=f"{metadata['namespace']}/{metadata['name']}",
        at=at,
        ready=ready.get("status", "Unknown"),
        reason=ready.get("reason", "Pending"),
        message=ready.get("message", "The operator has not looked at it yet."),
        environment=spec.get("environment", ""),
        project=spec.get("projectId", ""),
        region=spec.get("region", ""),
        baseline_taken=baseline.get("taken") or "",
        connector_before=_connector_before(baseline),
        directions=_directions(baseline, status.get("path", ())),
        hops=tuple(status.get("path", ())),
        diagnosis=status.get("diagnosis"),
        changes=tuple(_changes(status, baseline)),
        drift=tuple(status.get("drift", ())),
        checks=tuple(probe.get("checks", ())),
        probe=probe,
        conditions=conditions,
        deletion_policy=spec.get("deletionPolicy", "Delete"),
        declared=_declared(body),
        windows=tuple(one for one in probe.get("windows", ()) if one.get("probes")),
        samples=_samples(page.get("samples", ())) if page is not None else None,
        outages=outages,
        impact=_impact(outages, rates or Rates()),
    )


def _connector_before(baseline: Mapping[str, Any]) -> str:
    connector = baseline.get("connector")
    if not connector:
        return ""
    place = f" ({connector['ipCidrRange']})" if connector.get("ipCidrRange") else ""
    return f"{connector['name']}{place}: {connector['state']}"


def _directions(baseline: Mapping[str, Any], path: Iterable[Mapping[str, Any]]) -> tuple[Direction, ...]:
    now = {hop["name"]: hop for hop in path}
    found = []
    for one in baseline.get("directions", ()):
        name = str(one["direction"]).capitalize()
        hop = now.get(name, {})
        found.append(
            Direction(
                name, one["answer"], one["by"], hop.get("verdict", "Unknown"), hop.get("by") or hop.get("message", "")
            )
        )
    return tuple(found)


def _changes(status: Mapping[str, Any], baseline: Mapping[str, Any]) -> Iterable[Change]:
    connector = status.get("connector") or {}
    if connector.get("owned"):
        adopted = (baseline.get("connector") or {}).get("adopted", False)
        did = "adopted" if adopted else "made"
        known = [connector.get("ipCidrRange"), connector.get("machineType")]
        if connector.get("minInstances") and connector.get("maxInstances"):
            known.append(f"{connector['minInstances']} to {connector['maxInstances']} machines")
        yield Change(f"connector {connector['name']} ({did})", ", ".join(str(one) for one in known if one))
    adopted_rules = {one["name"] for one in baseline.get("adoptedRules", ())}
    for rule in status.get("firewallRules", ()):
        did = "adopted" if rule["name"] in adopted_rules else "made"
        ranges = ", ".join([*rule.get("sourceRanges", ()), *rule.get("destinationRanges", ())])
        targets = ", ".join([*rule.get("targetTags", ()), *rule.get("targetServiceAccounts", ())])
        known = [f"{rule['direction']} {rule['allowed']}", f"priority {rule['priority']}", ranges]
        known += [f"on {targets}"] if targets else []
        yield Change(f"firewall rule {rule['name']} ({did})", ", ".join(one for one in known if one))


def _declared(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The resource as one would write it."""
    metadata = {key: value for key, value in body["metadata"].items() if key in ("name", "namespace", "labels")}
    annotations = {
        key: value
        for key, value in body["metadata"].get("annotations", {}).items()
        if key != _LAST_APPLIED and not key.startswith("redisconnectivity.io/")
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "spec": body["spec"]}


def _outage(one: Mapping[str, Any]) -> Outage:
    ended = one.get("ended") or ""
    minutes = (_seconds(ended) - _seconds(one["began"])) / 60 if ended else None
    repaired_by = one.get("repairedBy") or "" if ended else ""
    return Outage(one["began"], ended, minutes, one.get("code", ""), one.get("cause", ""), repaired_by)


def _seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()


def _samples(samples: Sequence[Sequence[Any]]) -> tuple[tuple[float, float | None], ...]:
    return tuple((float(at), None if ms is None else float(ms)) for at, ms in samples)


def _impact(outages: Iterable[Outage], rates: Rates) -> Impact:
    over = [one.minutes for one in outages if one.minutes is not None]
    minutes = sum(over)
    return Impact(
        minutes=minutes,
        outages=len(over),
        requests=None if rates.requests_per_minute is None else rates.requests_per_minute * minutes,
        cost=None if rates.cost_per_minute is None else rates.cost_per_minute * minutes,
        currency=rates.currency,
    )
