"""A resource's whole surroundings for end-to-end tests: project, namespace, ledger, and what was written where."""

import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from redis_connectivity_lab.emulator import ControlError
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import OPERATOR_NAMESPACE, PROJECT_ROOT, Lab
from support.hardened import REGION, Hardened
from support.waiting import wait_until

__all__ = ["EGRESS", "INGRESS", "Place", "grant_operator_namespace"]

INGRESS = "allow-vpc-connector-to-redis"
EGRESS = "allow-vpc-connector-egress-to-redis"


def grant_operator_namespace(lab: Lab) -> str:
    """A fresh namespace for Lease and ledgers, with the rights that the project ships for its own one."""
    name = f"operator-{secrets.token_hex(3)}"
    lab.control_plane.create_namespace(name)
    shipped = yaml.safe_load_all((PROJECT_ROOT / "manifests" / "base" / "rbac.yaml").read_text(encoding="utf-8"))
    for one in shipped:
        if one["kind"] in ("Role", "RoleBinding"):
            one["metadata"]["namespace"] = name
            lab.kubectl("apply", "-f", "-", stdin=json.dumps(one))
    return name


@dataclass
class Place:
    """One project on a hardened network and one namespace; `operators` are those that look after it."""

    lab: Lab
    world: Hardened
    namespace: str
    operators: tuple[OperatorProcess, ...] = ()
    operator_namespace: str = OPERATOR_NAMESPACE
    #: Process ids that a test has ended or started itself; any other change is a crash.
    pids: list[int] = field(default_factory=list)

    # --- as a user

    def apply(self, name: str = "path", **spec: Any) -> None:
        self.lab.apply(self.world.resource(self.namespace, name, **spec))

    def delete(self, name: str = "path", *, wait: bool = True) -> None:
        self.lab.kubectl("delete", "rconn", name, "-n", self.namespace, "--wait=false")
        if wait:
            self.gone(name)

    def gone(self, name: str = "path", deadline: float = 120) -> None:
        self.until(lambda: self.lab.get(self.namespace, name) is None, f"{name} to go", deadline)

    def body(self, name: str = "path") -> dict[str, Any]:
        return self.lab.get(self.namespace, name) or {}

    def events(self, reason: str) -> list[str]:
        """The messages of this namespace's Events with a reason."""
        listed = json.loads(self.lab.kubectl("get", "events.events.k8s.io", "-n", self.namespace, "-o", "json"))
        return [str(one.get("note", "")) for one in listed["items"] if one.get("reason") == reason]

    def uid(self, name: str = "path") -> str:
        return str(self.body(name)["metadata"]["uid"])

    def status(self, name: str = "path") -> dict[str, Any]:
        return dict(self.body(name).get("status", {}))

    def ready(self, name: str = "path", deadline: float = 120) -> None:
        self.says("Ready", "True", name=name, deadline=deadline)
        self.says("InSync", "True", name=name, deadline=deadline)

    def says(
        self, kind: str, status: str, reason: str | None = None, *, name: str = "path", deadline: float = 90
    ) -> str:
        """The message of a condition, once it has this status and reason."""

        def seen() -> dict[str, Any] | None:
            one = self.lab.condition(self.namespace, name, kind)
            return one if one.get("status") == status and reason in (None, one.get("reason")) else None

        found = self.until(seen, f"{name} to be {kind}={status} ({reason})", deadline)
        return str(found["message"])

    def until(self, predicate: Callable[[], Any], what: str, deadline: float = 60) -> Any:
        return wait_until(predicate, deadline=deadline, describe=lambda: f"{what}\n{self.report()}")

    # --- the operator's life

    def stop_operator(self, number: int = 0) -> None:
        """Ask it to stop; it must do so in good order."""
        code = self.operators[number].stop()
        assert code == 0, f"it ended with {code}: {self.operators[number].log_tail()}"

    def start_operator(self, number: int = 0) -> None:
        self.operators[number].start()
        self.pids = [one.pid for one in self.operators if one.alive]

    def assert_unhurt(self) -> None:
        """Nothing crashed, and nothing went wrong inside."""
        for operator in self.operators:
            faults = [one for one in operator.records() if one.get("event") in ("fault", "probe.fault")]
            assert faults == []
        assert [one.pid for one in self.operators if one.alive] == self.pids

    # --- as somebody else

    def break_rule(self, name: str = INGRESS, **fields: Any) -> None:
        self.world.control.patch("firewalls", self.world.rules_project, name, **fields)

    def fault(self, method: str, kind: str, **fields: Any) -> str:
        return self.world.control.fault(method, kind, project=self.world.project, **fields)

    # --- as an auditor

    def mark(self) -> int:
        """The number of the newest call."""
        return int(self.world.control.audit_summary()["last"])

    def count(self, method: str, *, since: int = 0) -> int:
        """Calls of a method that took effect, or may have."""
        return len(self.world.calls(method, since=since))

    def refused(self, method: str, *, since: int = 0) -> int:
        """Calls of a method that Google refused."""
        calls = self.world.control.audit(project=self.world.project, method=method, since=since)
        return sum(1 for one in calls if one["status"] >= 400)

    def polls(self, number: int) -> None:
        """Wait until so many polls of the project's rules have gone by."""
        mark = self.mark()
        self.until(lambda: self.count("compute.firewalls.list", since=mark) >= number, f"{number} polls", 60)

    def written(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Every write to Google in this project, refused ones too."""
        return self.world.control.audit(project=self.world.project, kind="write", since=since)

    def connector(self) -> dict[str, Any]:
        (only,) = self.world.control.list("connectors", self.world.connector_project)
        return only

    def ledgers(self) -> dict[str, dict[str, Any]]:
        """The ledgers of this namespace's resources by name."""
        found = {}
        for one in self.lab.config_maps(self.operator_namespace):
            owner = one["metadata"].get("annotations", {}).get("redisconnectivity.io/resource", "")
            if owner.startswith(f"{self.namespace}/"):
                found[owner.split("/")[1]] = dict(json.loads(one["data"]["ledger.json"]))
        return found

    def ledger(self, name: str = "path") -> dict[str, Any]:
        return self.ledgers().get(name, {})

    def is_clean(self) -> bool:
        """Whether nothing of ours is left, here and at Google."""
        return not self.world.own_rules() and not self.world.connectors() and not self.ledgers()

    def report(self, lines: int = 40) -> str:
        """What one wants to see when a test fails."""
        listed = json.loads(self.lab.kubectl("get", "rconn", "-n", self.namespace, "-o", "json"))
        audit = self.world.control.audit(project=self.world.project)[-lines:]
        parts = [
            "resources:",
            *(
                json.dumps({"metadata": one["metadata"], "status": one.get("status")}, indent=1)
                for one in listed["items"]
            ),
            f"ledgers: {json.dumps(self.ledgers())}",
            "calls to Google (latest last):",
            *(f"  {one['time']} {one['status']} {one['method']} {one['resource']}" for one in audit),
        ]
        for operator in self.operators:
            state = "alive" if operator.alive else "ended"
            parts.append(f"operator {operator.identity} ({state}):\n{operator.log_tail(lines)}")
        return "\n".join(parts)

    # --- the end

    def clear(self) -> None:
        """Take everything away, whatever state it is in."""
        self.world.control.clear_faults()
        self.lab.control_plane.purge_namespace(self.namespace)
        for project in {self.world.project, self.world.rules_project}:
            with contextlib.suppress(ControlError):  # the test itself may have taken it away
                self.world.control.remove_project(project)

    @classmethod
    def make(
        cls,
        lab: Lab,
        operators: tuple[OperatorProcess, ...] = (),
        *,
        namespace: str | None = None,
        operator_namespace: str = OPERATOR_NAMESPACE,
        kind: type[Hardened] = Hardened,
        **world: Any,
    ) -> "Place":
        """A fresh one."""
        name = namespace or f"e2e-{secrets.token_hex(3)}"
        lab.control_plane.create_namespace(name)
        hardened = kind(lab.cloud.control, lab.cloud.url, **world).build()
        pids = [one.pid for one in operators if one.alive]
        return cls(lab, hardened, name, operators, operator_namespace, pids)

    @property
    def connector_key(self) -> tuple[str, str, str, str]:
        """How the lab names the connector."""
        return ("connectors", self.world.project, REGION, self.world.connector)
