"""What a diagnosis looks at: one frozen observation of everything that is known about a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import EVIDENCE_MAX, DiagnosisCode
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    Direction,
    FirewallRule,
    Layer4,
)
from redis_connectivity.core.desired import ClusterWant, Desired, EndpointWant, MemorystoreWant, ValkeyWant, VmWant
from redis_connectivity.core.identity import read_marker
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan import Plan
from redis_connectivity.core.probing import ProbeMemory, ProbeResult
from redis_connectivity.core.questions import flows_of, question_of, rules_after, rules_in_force
from redis_connectivity.core.reachability import Decider, Firewall, Flow, Question, candidates
from redis_connectivity.core.reachability.values import IMPLIED_PRIORITY
from redis_connectivity.core.sources import Source, of_connector
from redis_connectivity.core.targets import Profile, Target, look_at, profile_of

__all__ = ["ACCESS_REASONS", "Case", "Finding", "owner_of"]

#: Longest piece of evidence; the rest is Google's talk.
_EVIDENCE_LENGTH: Final = 1024

#: Reasons of hops that could not be read, judged or changed, with the code that each stands for.
ACCESS_REASONS: Final[Mapping[Reason, DiagnosisCode]] = {
    Reason.PERMISSION_DENIED: DiagnosisCode.PERMISSION_MISSING,
    Reason.UNAUTHENTICATED: DiagnosisCode.CREDENTIALS_REFUSED,
    Reason.API_DISABLED: DiagnosisCode.API_DISABLED,
    Reason.PROJECT_NOT_FOUND: DiagnosisCode.PROJECT_MISSING,
    Reason.QUOTA_EXHAUSTED: DiagnosisCode.QUOTA_EXHAUSTED,
    Reason.CLOUD_UNAVAILABLE: DiagnosisCode.CLOUD_UNAVAILABLE,
    Reason.REJECTED_BY_GOOGLE: DiagnosisCode.OPERATION_FAILED,
    Reason.FIREWALL_UNCERTAIN: DiagnosisCode.RULE_UNCERTAIN,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause: its code, what proves it, and the facts that its texts in the catalogue want."""

    code: DiagnosisCode
    evidence: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Everything known about one path at one moment. No slots: what is derived from it is kept with it."""

    desired: Desired
    observed: Observed
    plan: Plan
    probe: ProbeMemory | None = None
    #: Whether anybody probes; without, nothing more is to come than what can be read.
    probed: bool = True

    #: Why the operator cannot deploy the prober, where it is to.
    prober: str = ""

    def finding(self, code: DiagnosisCode, *evidence: str, **facts: str) -> Finding:
        """A finding about this path, with the facts that all have."""
        told = dict.fromkeys(text[:_EVIDENCE_LENGTH] for text in evidence if text)  # each once, in order
        return Finding(code, tuple(told)[:EVIDENCE_MAX], {**self.facts, **facts})

    @cached_property
    def facts(self) -> dict[str, str]:
        """The facts that every text may use."""
        want = self.desired
        return {
            "name": want.owner.name,
            "namespace": want.owner.namespace,
            "environment": want.environment,
            "project": want.project,
            "region": want.region,
            "network": want.network.name,
            "host_project": want.network.project,
            "connector": want.entry_name,
            "entry": want.entry_name_with_kind,
            "target": self.target,
        }

    @cached_property
    def target(self) -> str:
        """host:port of Redis, or how the spec names it as long as the address is not known."""
        if self.plan.destination is not None:
            host, port = self.plan.destination
            return f"{host}:{port}"
        return self.instance

    @property
    def profile(self) -> Profile:
        """What kind of Redis the path leads to."""
        return profile_of(self.desired.target)

    @property
    def instance(self) -> str:
        """The target by the name that the spec gives it."""
        match self.desired.target:
            case MemorystoreWant(instance=name) | ValkeyWant(instance=name) | ClusterWant(name=name):
                return name
            case VmWant(host=host, port=port) | EndpointWant(host=host, port=port):
                return f"{host}:{port}"

    @property
    def seen(self) -> Target | None:
        """The target as observed; also one that no traffic can get to, which the plan leaves out."""
        seen = self.observed.redis
        return look_at(self.desired.target, None if isinstance(seen, Unseen) else seen, self.desired.network)

    # --- the way

    @cached_property
    def rules(self) -> tuple[FirewallRule, ...]:
        """The project's rules; none where they could not be read."""
        return () if isinstance(self.observed.rules, Unseen) else self.observed.rules

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The traffic that must pass, the main target's first; none as long as its ends are not known."""
        if not self.plan.sources or self.plan.target is None:
            return ()
        return flows_of(self.desired, self.plan.sources, self.plan.target.destinations)

    @cached_property
    def question(self) -> Question | None:
        """What the reachability analyser can be asked now; None as long as rules or the traffic's ends are unknown."""
        return self._question(planned=False)

    def _question(self, *, planned: bool) -> Question | None:
        sources, target = self.plan.sources, self.plan.target
        if not sources or target is None or not self.flows:
            return None
        rules = rules_in_force(self.desired, self.observed, sources)
        if isinstance(rules, Unseen):
            return None
        needed = candidates(rules_after(rules, self.plan.actions) if planned else rules, self.flows)
        return question_of(self.desired, self.observed, needed, sources[0], target.destinations)

    def blocker(self, direction: Direction, *, planned: bool = False) -> Decider | None:
        """What denies one direction, by the rules that are there; None where nothing does, or it cannot be said.

        With `planned` by the rules that there will be once the plan's actions are done.
        """
        question = self._question(planned=True) if planned else self.question
        if question is None:
            return None
        judged = (question.firewall.judge(direction, flow) for flow in self.flows)
        return next((one.blocker for one in judged if one.blocker is not None), None)

    def rule(self, name: str) -> FirewallRule | None:
        """A rule by its name."""
        return next((one for one in self.rules if one.name == name), None)

    def covers(self, rule: FirewallRule) -> bool:
        """Whether an allow is for all of the traffic, whatever stands in front of it."""
        everything = frozenset({Layer4("all")})
        last = FirewallRule(rule.network, "last", rule.direction, Action.DENY, IMPLIED_PRIORITY, everything)
        alone = Firewall((replace(rule, priority=0), last))
        return all(alone.judge(rule.direction, flow).allowed for flow in self.flows)

    # --- the probe

    @property
    def failure(self) -> ProbeResult | None:
        """The last failure of a probe that says the path does not work; None while it works or nothing is known."""
        memory = self.probe
        if memory is None or memory.reachable is not False or memory.origin != "Prober":
            return None
        return memory.last_failure

    @property
    def awaits_probe(self) -> bool:
        """Whether a probe that is still to come may settle what cannot be read: none yet, or none that counts yet."""
        memory = self.probe
        if not self.probed or memory is None or memory.last is None:
            return self.probed
        return memory.origin == "Prober" and memory.reachable is False and not memory.confirmed

    @property
    def machines(self) -> Source | None:
        """Where the connector's machines are, or will be: known earlier than `plan.sources`, which are for traffic."""
        if self.plan.sources or self.desired.direct is not None:
            return next(iter(self.plan.sources), None)
        seen, want = self.observed.connector, self.desired.connector
        actual = seen.ip_cidr_range if isinstance(seen, Connector) else None
        found = actual or want.ip_cidr_range
        name = seen.name if isinstance(seen, Connector) else want.name
        return of_connector(self.desired.region, name, found) if found is not None else None

    @property
    def source_text(self) -> str:
        """The connector's range in words."""
        return str(self.plan.source) if self.plan.source is not None else "(unknown)"


def owner_of(rule: FirewallRule) -> str:
    """Whose a firewall rule is, in words."""
    marker = read_marker(rule.description)
    if marker is not None and marker.rule == rule.name:
        return f"kept by redis-connectivity for {marker.owner.key}"
    if rule.name.startswith("aet-"):
        return "Google's own, for a connector"
    said = " ".join(rule.description.split())
    return f"somebody else's ({said[:200]})" if said else "somebody else's"
