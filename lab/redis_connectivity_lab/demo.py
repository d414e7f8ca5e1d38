"""The demo: the founding outage, played on real parts, for a VM and for Memorystore."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from redis_connectivity.probes.model import ProbeAnswer
from redis_connectivity_lab.asking import ask_prober
from redis_connectivity_lab.controlplane import ControlPlaneError
from redis_connectivity_lab.controlplane.waiting import DeadlineExceededError, wait_until
from redis_connectivity_lab.emulator.control_client import ControlError
from redis_connectivity_lab.narrator import Narrator, StepFailedError
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import Environment

__all__ = ["play"]

#: Seconds that a step may take beyond the emulated Google's own time.
_PATIENCE = 45.0
_CONDITIONS = ("NetworkReady", "ConnectorReady", "RedisReady", "FirewallReady", "InSync", "Reachable", "Ready")


def play(lab: Lab, narrator: Narrator, env: Environment) -> None:
    """Play all steps for one environment."""
    _Play(lab, narrator, env).all()


class _Play:
    def __init__(self, lab: Lab, narrator: Narrator, env: Environment) -> None:
        self.lab = lab
        self.narrator = narrator
        self.env = env
        self.control = lab.cloud.control
        self.told: dict[str, str] = {}

    def all(self) -> None:
        env, narrator = self.env, self.narrator
        kind = "a VM" if "vm" in env.redis else "Memorystore"
        narrator.chapter(f"{env.word}: Cloud Run → VPC connector → {kind}")
        narrator.say(f"Network {env.network} is hardened: its owners deny all ingress and all egress at priority 900.")
        self._step("baseline: PING does not get through", self.baseline)
        self._step(f"kubectl apply, then {env.resource} is Ready", self.apply)
        self._step("PING from behind the connector is answered", self.ping)
        self._step("a rule deleted by hand is noticed and put back", self.delete_rule)
        self._step("a rule narrowed by hand is widened again", self.narrow_rule)
        self._step("a foreign rule that somebody changes is left alone", self.foreign_rule)
        self._step("kubectl delete removes what is ours and nothing else", self.delete)
        self._step("the path is closed again", self.closed)

    def _step(self, expected: str, action: Callable[[], str]) -> None:
        def tried() -> str:
            try:
                return action()
            except (ControlPlaneError, ControlError) as error:
                raise StepFailedError(str(error)) from error

        self.narrator.step(expected, tried, self._evidence)

    def _evidence(self) -> str:
        body = self.lab.get(self.env.namespace, self.env.resource) or {}
        status = json.dumps(body.get("status", {}), indent=1)
        return f"status of {self.env.resource}: {status}\noperator's log ends:\n{self.lab.operator.log_tail(25)}"

    # --- the steps

    def baseline(self) -> str:
        answer = self._ask()
        if answer.failure is None:
            raise StepFailedError("PING was answered, so there is nothing to repair")
        return f"{answer.failure.code}: {answer.failure.message}"

    def apply(self) -> str:
        env = self.env
        file = self.lab.folder / f"{env.word}-redisconnectivity.yaml"
        file.write_text(env.manifest_yaml(self.lab.cloud.url), encoding="utf-8")
        self.narrator.show(file.read_text(encoding="utf-8"))
        self.narrator.say("$ kubectl apply -f redisconnectivity.yaml")
        begun = time.monotonic()
        self.narrator.say(self.lab.kubectl("apply", "-f", str(file)).strip())
        self._watch(lambda status: _status_of(status, "Ready") == "True", "Ready")
        seconds = time.monotonic() - begun
        self.narrator.show(self.lab.kubectl("get", "rconn", env.resource, "-n", env.namespace))
        return f"Ready after {seconds:.2f} s"

    def ping(self) -> str:
        answer = self._ask()
        if answer.failure is not None:
            raise StepFailedError(f"{answer.failure.code}: {answer.failure.message}")
        return f"PONG in {answer.latency_seconds * 1000:.1f} ms, through the connector's own network"

    def delete_rule(self) -> str:
        rule = self._own_rule()
        begun = time.monotonic()
        self.narrator.say(f"somebody@example.com deletes firewall rule {rule}")
        self.control.delete("firewalls", self.env.project, rule)
        return self._repaired(rule, begun, lambda found: found is not None)

    def narrow_rule(self) -> str:
        rule = self._own_rule()
        field = "sourceRanges" if "vm" in self.env.redis else "destinationRanges"
        before = self._rule(rule)[field]
        begun = time.monotonic()
        self.narrator.say(f"somebody@example.com sets {field} of {rule} to 192.168.77.7/32 (was {', '.join(before)})")
        narrowed: dict[str, Any] = {field: ["192.168.77.7/32"]}
        self.control.patch("firewalls", self.env.project, rule, **narrowed)
        return self._repaired(rule, begun, lambda found: found is not None and found[field] == before)

    def foreign_rule(self) -> str:
        env = self.env
        mark = max((int(one["seq"]) for one in self.control.audit()), default=0)
        self.narrator.say("monitoring@example.com sets the priority of monitoring-allow-ssh to 850")
        self.control.patch(
            "firewalls", env.project, "monitoring-allow-ssh", actor="monitoring@example.com", priority=850
        )

        def polled() -> bool:
            lists = self.control.audit(since=mark, project=env.project, method="compute.firewalls.list")
            return len([one for one in lists if one["seq"] > mark]) >= 2

        wait_until(polled, deadline=_PATIENCE, describe="the operator to list the firewall rules again")
        writes = [
            one
            for one in self.control.audit(since=mark, project=env.project, kind="write")
            if "monitoring-allow-ssh" in one["resource"]
        ]
        if writes:
            raise StepFailedError(f"the operator wrote to it: {writes[0]['method']}")
        if self._rule("monitoring-allow-ssh")["priority"] != 850:
            raise StepFailedError("its priority was changed back")
        return "seen, and not touched"

    def delete(self) -> str:
        env = self.env
        self.narrator.say(f"$ kubectl delete rconn {env.resource} -n {env.namespace}")
        begun = time.monotonic()
        done = self.lab.kubectl("delete", "rconn", env.resource, "-n", env.namespace, f"--timeout={_PATIENCE:.0f}s")
        seconds = time.monotonic() - begun
        self.narrator.say(done.strip())
        left = sorted(
            one["name"] for one in self.control.list("firewalls", env.project) if not one["name"].startswith("aet-")
        )
        expected = ["monitoring-allow-ssh", "security-deny-all-egress", "security-deny-all-ingress"]
        if left != expected:
            raise StepFailedError(f"rules left: {', '.join(left)}")
        connectors = [one["name"].rsplit("/", 1)[-1] for one in self.control.list("connectors", env.project)]
        if connectors != ([] if env.ours else [env.connector]):
            raise StepFailedError(f"connectors left: {connectors}")
        fate = "its own connector is gone" if env.ours else "the connector that somebody else made stays"
        return f"rules gone after {seconds:.2f} s, {fate}, foreign rules stay"

    def closed(self) -> str:
        def failing() -> ProbeAnswer | None:
            answer = self._ask()
            return answer if answer.failure is not None else None

        answer = self._wait(failing, "PING not to be answered any more")
        return str(answer.failure.code) if answer.failure else ""

    # --- what they are made of

    def _ask(self) -> ProbeAnswer:
        return ask_prober(self.env.prober_url(self.lab.cloud.url), self.env.target)

    def _rule(self, name: str) -> dict[str, Any]:
        found = next((one for one in self.control.list("firewalls", self.env.project) if one["name"] == name), None)
        if found is None:
            raise StepFailedError(f"there is no rule {name}")
        return found

    def _own_rule(self) -> str:
        """The rule without which the path is shut: ingress to the VM, egress to Memorystore."""
        body = self.lab.get(self.env.namespace, self.env.resource) or {}
        direction = "INGRESS" if "vm" in self.env.redis else "EGRESS"
        for rule in body.get("status", {}).get("firewallRules", []):
            if rule["direction"] == direction:
                return str(rule["name"])
        raise StepFailedError(f"status names no {direction} rule")

    def _repaired(self, rule: str, begun: float, whole: Callable[[dict[str, Any] | None], bool]) -> str:
        """Wait until the emulated cloud has the rule whole again, the status tells it, and PING is answered."""
        self.lab.cloud.settle()
        cut = self._ask()
        between = f"in between: {cut.failure.code}" if cut.failure else "repaired before a PING could fail"

        def as_before() -> bool:
            rules = {one["name"]: one for one in self.control.list("firewalls", self.env.project)}
            return whole(rules.get(rule))

        self._wait(as_before, f"{rule} to be repaired")
        seconds = time.monotonic() - begun

        def told() -> bool:
            drift = (self.lab.get(self.env.namespace, self.env.resource) or {}).get("status", {}).get("drift", [])
            return bool(drift) and drift[-1]["name"] == rule and "repaired" in drift[-1]

        self._wait(told, "status.drift to tell of the repair")

        def answered() -> ProbeAnswer | None:
            answer = self._ask()
            return answer if answer.ok else None

        answer = self._wait(answered, "PING to be answered again")
        self._watch(lambda status: _status_of(status, "Ready") == "True", "Ready")
        return f"repaired after {seconds:.2f} s ({between}), PONG in {answer.latency_seconds * 1000:.1f} ms"

    def _watch(self, done: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Tell each condition that turns, until `done`."""

        def look() -> bool:
            status = (self.lab.get(self.env.namespace, self.env.resource) or {}).get("status", {})
            for one in status.get("conditions", []):
                now = f"{one['status']} ({one['reason']})"
                if one["type"] in _CONDITIONS and self.told.get(one["type"]) != now:
                    self.told[one["type"]] = now
                    self.narrator.say(f"    {one['type']:15} {now}")
            return done(status)

        self._wait(look, f"{self.env.resource} to be {what}")

    def _wait(self, predicate: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - whatever the predicate answers
        try:
            return wait_until(predicate, deadline=_PATIENCE, describe=what)
        except DeadlineExceededError as error:
            raise StepFailedError(str(error)) from error


def _status_of(status: dict[str, Any], kind: str) -> str:
    return next((str(one["status"]) for one in status.get("conditions", []) if one["type"] == kind), "")
