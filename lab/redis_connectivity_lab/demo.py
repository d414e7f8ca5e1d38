"""The demo: the founding outage, played on real parts, for a VM and for Memorystore."""

from __future__ import annotations

from typing import Final

from redis_connectivity.probes.model import FailureCode
from redis_connectivity_lab.acts import Acts
from redis_connectivity_lab.asking import REDIS_PORT
from redis_connectivity_lab.narrator import Narrator, StepFailedError
from redis_connectivity_lab.site import Body, told
from redis_connectivity_lab.stack import Lab
from redis_connectivity_lab.worlds import DENY_PRIORITY, FOREIGN_RULE, Environment

__all__ = ["play"]

#: What the monitoring team changes its own rule to.
_FOREIGN_PRIORITY: Final = 850
#: A range that nothing of the lab's is in.
_ELSEWHERE: Final = "192.168.77.7/32"


def play(lab: Lab, narrator: Narrator, env: Environment, patience: float) -> None:
    """Play the whole story for one environment."""
    _Outage(lab, narrator, env, patience).play()


class _Outage(Acts):
    def play(self) -> None:
        env = self.env
        self.narrator.chapter(env.title)
        self._set_the_scene()
        self.step("baseline", _BASELINE[env.ours], self._baseline)
        self.step("apply", "kubectl apply is accepted", self.apply)
        self.step("ready", f"{env.resource} turns Ready", self.ready, "apply")
        self.step("ping", "PING is answered from behind the connector", self._opened, "ready")
        self.step("deleted", "the rule deleted by hand is put back", self._delete_rule, "ready")
        self.step("narrowed", "the rule narrowed by hand is widened again", self._narrow_rule, "deleted")
        self.step("foreign", "a foreign rule that its owner changes is left alone", self._foreign_rule, "ready")
        self.step("delete", "kubectl delete removes what is ours, and nothing else", self._delete, "apply")
        self.step("closed", "the path is cut again", self._closed, "delete")

    # --- before

    def _set_the_scene(self) -> None:
        env, narrator = self.env, self.narrator
        narrator.say(
            f"Network {env.network} of project {env.project} is hardened: its security team denies all ingress and"
            f" egress at priority {DENY_PRIORITY}, which beats the allows that Google makes for a connector (1000)."
        )
        state = self.site.connectors().get(env.connector)
        narrator.say(f"Connector {env.connector}: {f'{state}, made by somebody else' if state else 'not there yet'}.")
        hosts = {one["id"]: one for one in self.lab.cloud.status()["hosts"]}
        redis = hosts.get(env.host_id, {}).get("redis")
        narrator.say(f"Redis at {env.target}:{REDIS_PORT}: {redis}. Firewall rules of the network, strongest first:")
        self._show_rules()

    def _show_rules(self) -> None:
        rules = sorted(self.site.rules().values(), key=lambda one: (one["priority"], one["direction"], one["name"]))
        self.narrator.show("\n".join(told(one) for one in rules))

    def _baseline(self) -> str:
        self.narrator.say(f"PING {self.env.target}:{REDIS_PORT}, asked of {self.site.prober_url} …")
        answer = self.site.ask()
        if answer.failure is None:
            raise StepFailedError("PING was answered, so there is nothing to repair")
        seen = self.failure_told(answer.failure)
        # Without its connector a Cloud Run service does not even start.
        expected = FailureCode.PROBER_UNAVAILABLE if self.env.ours else FailureCode.CONNECT_TIMEOUT
        if answer.failure.code is not expected:
            raise StepFailedError(seen)
        return seen

    # --- applied

    def _opened(self) -> str:
        self.narrator.say("What the operator made:")
        self.narrator.show("\n".join(told(one) for one in self.site.own_rules().values()))
        return self.ping()

    def _delete_rule(self) -> str:
        before = self.site.opening_rule()
        name = before["name"]
        return self.healed(
            f"Somebody deletes firewall rule {name}.",
            lambda: self.site.delete_rule(name),
            lambda: _same(self.site.rule(name), before),
        ).told()

    def _narrow_rule(self) -> str:
        before = self.site.opening_rule()
        name, field = before["name"], self.env.ranges_field
        narrowed: Body = {field: [_ELSEWHERE]}
        return self.healed(
            f"Somebody sets {field} of {name} to {_ELSEWHERE} (it was {', '.join(before[field])}).",
            lambda: self.site.change_rule(name, **narrowed),
            lambda: _same(self.site.rule(name), before),
        ).told()

    def _foreign_rule(self) -> str:
        env, control = self.env, self.site.control
        mark = self.site.mark()
        actor = "monitoring@example.com"
        self.narrator.say(f"{actor} sets the priority of its own rule {FOREIGN_RULE} to {_FOREIGN_PRIORITY}.")
        control.patch("firewalls", env.project, FOREIGN_RULE, actor=actor, priority=_FOREIGN_PRIORITY)

        def looked() -> bool:
            # The first list may have begun before the change; the second one has certainly seen it.
            return len(control.audit(since=mark, project=env.project, method="compute.firewalls.list")) > 1

        self.wait(looked, "the operator to list the firewall rules twice")
        writes = self.site.operator_writes(mark)
        if writes:
            raise StepFailedError(f"the operator wrote: {writes[0]['method']} {writes[0]['resource']}")
        rule = self.site.rule(FOREIGN_RULE)
        if rule is None or rule["priority"] != _FOREIGN_PRIORITY:
            raise StepFailedError(f"the rule is not as its owner left it: {rule and told(rule)}")
        return "listed again by the operator, and by the audit log no write followed"

    # --- deleted

    def _delete(self) -> str:
        env = self.env
        foreign = self.site.foreign_rules()
        gone = self.delete()
        if left := self.site.own_rules():
            raise StepFailedError(f"rules of the operator's are left: {', '.join(left)}")
        if (now := self.site.foreign_rules()) != foreign:
            raise StepFailedError(
                f"foreign rules have changed: {sorted(foreign)} became {sorted(now)}, or their fields"
            )
        connectors = sorted(self.site.connectors())
        if connectors != ([] if env.ours else [env.connector]):
            raise StepFailedError(f"connectors left: {', '.join(connectors) or 'none'}")
        self._only_own_writes()
        ours = "its rules and the connector it made" if env.ours else "its rules"
        stays = f"{len(foreign)} foreign rules" + ("" if env.ours else " and the foreign connector")
        return f"{ours} {gone}; {stays} as they were"

    def _only_own_writes(self) -> None:
        """By the audit log, whatever the operator ever wrote to in this project is its own."""
        own = {f"connectors/{self.env.connector}"} if self.env.ours else set()
        strangers = [
            f"{one['method']} {one['resource']}"
            for one in self.site.operator_writes(0)
            if "/firewalls/allow-vpc-connector-" not in one["resource"]
            and not any(one["resource"].endswith(name) for name in own)
        ]
        if strangers:
            raise StepFailedError(f"the operator wrote to what is not its own: {', '.join(strangers)}")

    def _closed(self) -> str:
        answer = self.wait(lambda: _failed(self), "PING not to be answered any more")
        self.narrator.say("What is left:")
        self._show_rules()
        return answer


_BASELINE: Final = {
    False: "baseline: PING times out, with connector READY and Redis running",
    True: "baseline: nobody can even ask, there is no connector",
}


def _failed(acts: Acts) -> str | None:
    failure = acts.site.ask().failure
    return acts.failure_told(failure) if failure else None


def _same(rule: Body | None, before: Body) -> bool:
    """Whether a rule does what it did; one that was made anew has another id and birthday."""
    given_by_google = {"id", "creationTimestamp", "selfLink"}
    return rule is not None and {name: rule[name] for name in rule if name not in given_by_google} == {
        name: before[name] for name in before if name not in given_by_google
    }
