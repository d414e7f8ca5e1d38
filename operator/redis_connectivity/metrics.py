"""Prometheus metrics of the operator: names, units and labels, all in one place.

Labels are bounded: by resources that exist, by projects in use, and by closed vocabularies.
"""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from redis_connectivity.api.status import CircuitState

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
            "redis_connectivity_reconcile_duration_seconds",
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
        self.contended = Gauge(
            "redis_connectivity_drift_contended",
            "1 while somebody else keeps undoing a repair, and it waits.",
            ["namespace", "name"],
            registry=one,
        )
        self.status_writes = Counter("redis_connectivity_status_writes", "Status writes.", registry=one)
        self.poll_factor = Gauge(
            "redis_connectivity_poll_slowdown_ratio",
            "How much slower a project is polled than set: 1 is as set.",
            ["project"],
            registry=one,
        )
        self.policy_violations = Gauge(
            "redis_connectivity_policy_violations", "Resources that a policy holds back.", ["policy"], registry=one
        )
        self.queue_length = Gauge("redis_connectivity_queue_length", "Resources waiting to be due.", registry=one)
        self.resources = Gauge("redis_connectivity_resources", "Resources known.", registry=one)
        self.leader = Gauge("redis_connectivity_leader", "1 when this process holds the Lease.", registry=one)
        self.probes = Counter(
            "redis_connectivity_probes", "Probes by result.", ["namespace", "name", "code"], registry=one
        )
        self.probe_seconds = Histogram(
            "redis_connectivity_probe_duration_seconds",
            "Latency of successful probes, connecting included.",
            ["namespace", "name"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=one,
        )
        self.probe_lateness = Histogram(
            "redis_connectivity_probe_lateness_seconds",
            "How long after it was due a probe began.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=one,
        )
        self.probe_last_success = Gauge(
            "redis_connectivity_probe_last_success_timestamp_seconds",
            "When a probe last got an answer, in seconds since the epoch.",
            ["namespace", "name"],
            registry=one,
        )
        self.probe_circuit = Gauge(
            "redis_connectivity_probe_circuit_state",
            "1 for the state of the circuit that holds probes back, 0 for the others; none while nobody probes.",
            ["namespace", "name", "state"],
            registry=one,
        )
        self.diagnosis = Gauge(
            "redis_connectivity_diagnosis",
            "1 for the first cause of a path that is not Ready; no series where there is none.",
            ["namespace", "name", "code"],
            registry=one,
        )
        Gauge("redis_connectivity_build_info", "1, with the version that runs.", ["version"], registry=one).labels(
            version("redis-connectivity")
        ).set(1)

    def diagnosed(self, namespace: str, name: str, code: str | None) -> None:
        """Show this cause and no other."""
        self.diagnosis.remove_by_labels({"namespace": namespace, "name": name})
        if code is not None:
            self.diagnosis.labels(namespace, name, code).set(1)

    def circuit(self, namespace: str, name: str, state: CircuitState | None) -> None:
        """Show this state, or that there is none."""
        if state is None:
            self.probe_circuit.remove_by_labels({"namespace": namespace, "name": name})
            return
        for one in CircuitState:
            self.probe_circuit.labels(namespace, name, one.value).set(1 if one is state else 0)

    def forget(self, namespace: str, name: str) -> None:
        """Drop the series of a resource that is gone."""
        labels = {"namespace": namespace, "name": name}
        per_resource = (
            self.condition,
            self.drift,
            self.contended,
            self.probes,
            self.probe_seconds,
            self.probe_last_success,
            self.probe_circuit,
            self.diagnosis,
        )
        for metric in per_resource:
            metric.remove_by_labels(labels)
