"""What the operator shows of one path, surface by surface: status, page, printer columns, metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client.parser import text_string_to_metric_families

from redis_connectivity.api.base import API_VERSION, PLURAL
from redis_connectivity_lab.controlplane.rest import RestClient
from redis_connectivity_lab.resource import condition
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["Look", "Surfaces", "codes_of", "series_of"]

#: What `kubectl get` asks for: a table that the API server makes from the CRD's printer columns.
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
_STATUSES: Final = ("True", "False", "Unknown")
_SHOWN: Final = ("Ready", "Reachable")

#: A series: its name and its labels, in order.
Series = tuple[str, tuple[tuple[str, str], ...]]


def series_of(metrics: str) -> dict[Series, float]:
    """Every series of what /metrics says, with its value."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(metrics)
        for one in family.samples
    }


@dataclass(frozen=True, slots=True)
class Look:
    """All surfaces, read one right after the other.

    Attributes:
        at: When, in seconds since the epoch.
        namespace: The resource's.
        name: The resource's.
        status: `.status` as the API server holds it.
        page: The path's entry in the page's data; empty where it has none.
        columns: What `kubectl get -o wide` prints, by the column's name.
        metrics: The text of /metrics.
    """

    at: float
    namespace: str
    name: str
    status: dict[str, Any]
    page: dict[str, Any]
    columns: dict[str, str]
    metrics: str

    @property
    def code(self) -> str | None:
        """The code of the status' diagnosis, None where it has none."""
        found = self.status.get("diagnosis")
        return str(found["code"]) if found else None

    @property
    def page_code(self) -> str | None:
        """The code of the diagnosis that the page shows."""
        found = self.page.get("diagnosis")
        return str(found["code"]) if found else None

    @property
    def metric_codes(self) -> frozenset[str]:
        """The codes that the metric of diagnoses has at 1."""
        return frozenset(labels["code"] for labels, value in self._mine("redis_connectivity_diagnosis") if value == 1.0)

    @property
    def hop(self) -> str | None:
        """Where the page shows the path to end: the first broken hop, else one that cannot be told.

        Of several that cannot be told it is the one that the path's own reason is about.
        """
        hops = self.page.get("hops", ())
        unknown = [one for one in hops if one["state"] == "unknown"]
        about = [one for one in unknown if one["reason"] == self.page.get("reason")]
        ends = [*(one for one in hops if one["state"] == "broken"), *about, *unknown]
        return str(ends[0]["name"]) if ends else None

    def is_cut(self) -> bool:
        """Whether probes from behind the connector fail, by the status."""
        return bool(condition(self.status, "Reachable").get("status") == "False")

    def is_ready(self) -> bool:
        """Whether the status says Ready."""
        return bool(condition(self.status, "Ready").get("status") == "True")

    def disagreements(self) -> list[str]:
        """Where a surface tells another story than the status, in words; empty where all tell the same."""
        ready = condition(self.status, "Ready")
        found = [
            _differ("the page's cause", self.page_code, self.code),
            _differ("the page's reason", self.page.get("reason"), ready.get("reason")),
            _differ("the page's words", self.page.get("message"), ready.get("message")),
            _differ("the page's state is ok", self.page.get("state") == "ok", self.is_ready()),
            _differ("kubectl's REASON", self.columns.get("Reason"), ready.get("reason")),
            _differ("the metric's causes", sorted(self.metric_codes), [self.code] if self.code else []),
        ]
        for kind in _SHOWN:
            status = condition(self.status, kind).get("status")
            found.append(_differ(f"kubectl's {kind.upper()}", self.columns.get(kind), status))
            measured = {
                labels["status"]: value
                for labels, value in self._mine("redis_connectivity_condition")
                if labels["type"] == kind
            }
            wanted = {one: 1.0 if one == status else 0.0 for one in _STATUSES}
            found.append(_differ(f"the metric of {kind}", measured, wanted))
        return [one for one in found if one]

    def told(self) -> str:
        """The surfaces in one line."""
        word = self.page.get("state", "nothing")
        where = f" at {self.hop}" if self.hop else ""
        return (
            f"page: {word}{where} ({self.page_code or 'no cause'});"
            f" kubectl: Reachable={self.columns.get('Reachable')}, Ready={self.columns.get('Ready')}"
            f" ({self.columns.get('Reason')}); metric: {', '.join(sorted(self.metric_codes)) or 'no cause'}"
        )

    def _mine(self, name: str) -> list[tuple[Mapping[str, str], float]]:
        return _of_path(self.metrics, name, self.namespace, self.name)


def codes_of(metrics: str, namespace: str, name: str) -> frozenset[str]:
    """The codes that the metric of diagnoses has at 1 for a path."""
    mine = _of_path(metrics, "redis_connectivity_diagnosis", namespace, name)
    return frozenset(labels["code"] for labels, value in mine if value == 1.0)


def _of_path(metrics: str, series: str, namespace: str, name: str) -> list[tuple[Mapping[str, str], float]]:
    """A path's series of a name: labels and value."""
    return [
        (labels, value)
        for (found, pairs), value in series_of(metrics).items()
        if found == series and ((labels := dict(pairs)).get("namespace"), labels.get("name")) == (namespace, name)
    ]


def _differ(what: str, shown: object, status: object) -> str:
    return "" if shown == status else f"{what}: {shown!r}, where the status says {status!r}"


class Surfaces:
    """Reads the surfaces of an environment's resource over connections that stay open. A context manager."""

    def __init__(self, lab: Lab, env: Environment) -> None:
        self._namespace, self._name = env.namespace, env.resource
        self._cluster = lab.cluster.client
        self._page = RestClient(lab.operator.page)
        self._health = RestClient(lab.operator.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._page.close()
        self._health.close()

    def look(self) -> Look:
        """All of them; the status is read last, for it is what the others are held against."""
        metrics, page, columns = self.metrics(), self.page(), self.columns()
        body = self._cluster.call("GET", self._path)
        return Look(time.time(), self._namespace, self._name, body.get("status", {}), page, columns, metrics)

    def metrics(self) -> str:
        """The text of /metrics."""
        return self._health.text("GET", "/metrics", accept="text/plain")

    def metric_codes(self) -> frozenset[str]:
        """The codes that the metric of diagnoses has at 1."""
        return codes_of(self.metrics(), self._namespace, self._name)

    def page(self) -> dict[str, Any]:
        """The path's entry in what the page is drawn from; empty where there is none."""
        paths = json.loads(self._page.text("GET", "/api/paths"))["paths"]
        key = f"{self._namespace}/{self._name}"
        return next((dict(one) for one in paths if one["key"] == key), {})

    def columns(self) -> dict[str, str]:
        """What `kubectl get -o wide` prints of the resource, by the column's name."""
        table = self._cluster.call("GET", self._path, accept=_TABLE)
        names = [one["name"] for one in table["columnDefinitions"]]
        (row,) = table["rows"]
        return dict(zip(names, map(str, row["cells"]), strict=True))

    @property
    def _path(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self._namespace}/{PLURAL}/{self._name}"
