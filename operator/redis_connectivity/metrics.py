"""Prometheus metrics of the operator: names, units and labels, all in one place.

Labels are bounded: by resources that exist, by projects in use, and by closed vocabularies.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]


class Metrics:
    """All metrics, in a registry of their own, so that two operators in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self.condition = Gauge(
            "redis_connectivity_condition",
            "1 for the status that a condition has now.",
            ["namespace", "name", "type", "status"],
            registry=one,
        )
        self.reconciles = Counter("redis_connectivity_reconciles", "Reconciles by result.", ["result"], registry=one)
        self.reconcile_seconds = Histogram(
            "redis_connectivity_reconcile_seconds",
            "Time of one reconcile.",
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 120),
            registry=one,
        )
        self.cloud_calls = Counter(
            "redis_connectivity_cloud_calls",
            "Calls to Google Cloud.",
            ["project", "service", "method", "outcome"],
            registry=one,
        )
        self.cloud_writes = Counter(
            "redis_connectivity_cloud_actions", "Changes made in Google Cloud.", ["action", "result"], registry=one
        )
        self.drift = Counter(
            "redis_connectivity_drift", "Changes by others that were seen.", ["namespace", "name", "kind"], registry=one
        )
        self.status_writes = Counter("redis_connectivity_status_writes", "Status writes.", registry=one)
        self.poll_factor = Gauge(
            "redis_connectivity_poll_slowdown", "How much slower a project is polled.", ["project"], registry=one
        )
        self.queue_length = Gauge("redis_connectivity_queue_length", "Resources waiting to be due.", registry=one)
        self.resources = Gauge("redis_connectivity_resources", "Resources known.", registry=one)
        self.leader = Gauge("redis_connectivity_leader", "1 when this process holds the Lease.", registry=one)
        self.probes = Counter(
            "redis_connectivity_probes", "Probes by result.", ["namespace", "name", "code"], registry=one
        )
        self.probe_seconds = Histogram(
            "redis_connectivity_probe_seconds",
            "Latency of successful probes, connecting included.",
            ["namespace", "name"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=one,
        )

    def forget(self, namespace: str, name: str) -> None:
        """Drop the series of a resource that is gone."""
        labels = {"namespace": namespace, "name": name}
        for metric in (self.condition, self.drift, self.probes, self.probe_seconds):
            metric.remove_by_labels(labels)
