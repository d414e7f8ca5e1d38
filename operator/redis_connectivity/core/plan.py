"""The plan: from what should be, what is and what was done, to what to do next and how each hop stands.

One function, called as often as one likes: the same input gives the same plan, and a plan whose actions all happened
leads to a plan without actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.limits import CONNECTOR_PREFIX_LENGTH
from redis_connectivity.api.spec import ConnectorManagement, DeletionPolicy, DriftPolicy
from redis_connectivity.core.actions import CloudAction, DeleteConnector, DeleteRule, InsertRule, UpdateRule
from redis_connectivity.core.cloudvalues import Connector, ConnectorState, RedisInstance, RedisInstanceState
from redis_connectivity.core.desired import Desired, MemorystoreWant, VmWant
from redis_connectivity.core.drift import Difference, applied_form, remember
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.core.plan_connector import (
    ConnectorPlan,
    absorb_operation,
    owns,
    plan_connector,
    rework_wait,
)
from redis_connectivity.core.plan_firewall import FirewallPlan, RuleView, own_rules, plan_firewall
from redis_connectivity.core.timing import operation_poll_delay
from redis_connectivity.core.verdict import Verdict, bad, good, unknown, unseen

__all__ = ["DeletionPlan", "Plan", "RedisPlan", "make_deletion_plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class RedisPlan:
    """How the target stands; `destinations` are the (address, port) pairs that traffic must reach, main one first."""

    verdict: Verdict
    destinations: tuple[tuple[IPv4Address, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and how each hop stands as observed."""

    network: Verdict
    connector: Verdict
    redis: Verdict
    firewall: Verdict
    in_sync: Verdict
    actions: tuple[CloudAction, ...]
    ledger: Ledger
    rules: tuple[RuleView, ...] = ()
    destination: tuple[str, int] | None = None
    due_in: float | None = None
    differences: tuple[Difference, ...] = field(default=())

    @property
    def hops(self) -> tuple[Verdict, ...]:
        """The verdicts along the path, in its order."""
        return (self.network, self.connector, self.redis, self.firewall)

    def with_failure(self, action: CloudAction, verdict: Verdict) -> Plan:
        """The plan after an action failed: the hop that the action was for carries the failure."""
        if isinstance(action, InsertRule | UpdateRule | DeleteRule):
            return replace(self, firewall=verdict, in_sync=bad(verdict.reason, verdict.message))
        return replace(self, connector=verdict, in_sync=bad(verdict.reason, verdict.message))


def make_plan(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> Plan:
    """The plan for a resource that is not being deleted. `now` is in seconds since the epoch."""
    ledger = absorb_operation(desired, observed, ledger, now)
    ledger = ledger.model_copy(update={"project": desired.project})
    network = _network(desired, observed)
    connector = (
        plan_connector(desired, observed, ledger, now)
        if network.ok
        else ConnectorPlan(unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for the network."))
    )
    redis = (
        _redis(desired, observed)
        if network.ok
        else RedisPlan(unknown(Reason.EARLIER_HOP_NOT_READY, "Waits for the network."))
    )
    firewall = _firewall(desired, observed, ledger, connector, redis)
    differences = (*connector.differences, *firewall.differences)
    actions = (*connector.actions, *firewall.actions)
    if not isinstance(observed.rules, Unseen):
        ledger = _learn_applied(observed, ledger, firewall)
    if network.ok and not isinstance(observed.rules, Unseen) and not isinstance(observed.connector, Unseen):
        ledger = ledger.model_copy(update={"drift": remember(ledger.drift, differences, now)})
    return Plan(
        network=network,
        connector=connector.verdict,
        redis=redis.verdict,
        firewall=firewall.verdict,
        in_sync=_in_sync(
            desired,
            (network, connector.verdict, redis.verdict, firewall.verdict),
            actions,
            differences,
            connector.blocked,
        ),
        actions=actions,
        ledger=ledger,
        rules=firewall.rules,
        destination=_destination(redis),
        due_in=connector.due_in,
        differences=differences,
    )


def _destination(redis: RedisPlan) -> tuple[str, int] | None:
    if not redis.destinations:
        return None
    host, port = redis.destinations[0]
    return str(host), port


def _network(desired: Desired, observed: Observed) -> Verdict:
    network = observed.network
    if isinstance(network, Unseen):
        return unseen(network)
    if network is None:
        return bad(
            Reason.NETWORK_NOT_FOUND,
            f"Project {desired.project} has no network {desired.network.name}. Create it, or name the right one in"
            " spec.network.name; the connector and the rules wait for it.",
        )
    wanted = desired.connector.subnet
    if wanted is None:
        return good(Reason.NETWORK_FOUND, f"Network {desired.network.name} exists.")
    if isinstance(observed.subnetworks, Unseen):
        return unseen(observed.subnetworks)
    subnet = next((s for s in observed.subnetworks if (s.name, s.region) == (wanted, desired.region)), None)
    if subnet is None:
        return bad(
            Reason.SUBNET_NOT_FOUND,
            f"There is no subnet {wanted} in {desired.project}/{desired.region}. Create it as a /28 with purpose"
            " PRIVATE, or name the right one in spec.connector.subnet.",
        )
    problems = [
        problem
        for wrong, problem in (
            (
                subnet.network != desired.network,
                f"is on network {subnet.network.name}, not {desired.network.name}",
            ),
            (
                subnet.ip_cidr_range.prefixlen != CONNECTOR_PREFIX_LENGTH,
                f"has range {subnet.ip_cidr_range}, and a connector needs a /28",
            ),
            (subnet.purpose != "PRIVATE", f"has purpose {subnet.purpose}, and a connector needs PRIVATE"),
        )
        if wrong
    ]
    if problems:
        return bad(
            Reason.SUBNET_UNSUITABLE,
            f"Subnet {wanted} {'; it '.join(problems)}. Name a subnet made for the connector in spec.connector.subnet.",
        )
    return good(Reason.NETWORK_FOUND, f"Network {desired.network.name} and subnet {wanted} exist.")


#: States in which an instance answers as ever.
_SERVING = frozenset({RedisInstanceState.READY, RedisInstanceState.UPDATING})


def _redis(desired: Desired, observed: Observed) -> RedisPlan:
    target = desired.target
    if isinstance(target, VmWant):
        message = f"Redis is declared at {target.host}:{target.port}."
        return RedisPlan(good(Reason.REDIS_DECLARED, message), ((target.host, target.port),))
    instance = observed.redis
    if isinstance(instance, Unseen):
        return RedisPlan(unseen(instance))
    if instance is None:
        return RedisPlan(
            bad(
                Reason.REDIS_NOT_FOUND,
                f"There is no Memorystore instance {target.instance} in {desired.project}/{desired.region}. Create it,"
                " or name the right one in spec.redis.memorystore.instance.",
            )
        )
    return _memorystore(desired, target, instance)


def _memorystore(desired: Desired, target: MemorystoreWant, instance: RedisInstance) -> RedisPlan:
    destinations = _destinations(instance)
    authorized = instance.authorized_network
    if authorized is not None and authorized != desired.network:
        return RedisPlan(
            bad(
                Reason.REDIS_WRONG_NETWORK,
                f"Memorystore instance {target.instance} is authorised for network {authorized}, the connector is on"
                f" {desired.network}: no firewall rule can bridge that. Attach the connector to {authorized.name}, or"
                " use an instance of this network.",
                stalled=True,
            )
        )
    if instance.state not in _SERVING or not destinations:
        return RedisPlan(
            bad(
                Reason.REDIS_NOT_READY,
                f"Memorystore instance {target.instance} is {instance.state}; wait until it is READY. The firewall is"
                " not the cause.",
            ),
            destinations,
        )
    host, port = destinations[0]
    return RedisPlan(
        good(
            Reason.REDIS_FOUND,
            f"Memorystore instance {target.instance} is {instance.state} at {host}:{port}.",
        ),
        destinations,
    )


def _destinations(instance: RedisInstance) -> tuple[tuple[IPv4Address, int], ...]:
    pairs: list[tuple[IPv4Address, int]] = []
    for host, port in ((instance.host, instance.port), (instance.read_endpoint, instance.read_endpoint_port)):
        if not host or not port:
            continue
        try:
            pairs.append((IPv4Address(host), port))
        except AddressValueError:
            continue  # an IPv6 or named endpoint: no IPv4 rule is about it
    return tuple(pairs)


def _firewall(
    desired: Desired, observed: Observed, ledger: Ledger, connector: ConnectorPlan, redis: RedisPlan
) -> FirewallPlan:
    waits_for = ""
    if not redis.destinations:
        waits_for = "Redis"
    if not connector.usable or connector.source is None:
        waits_for = "the connector" if not waits_for else "the connector and Redis"
    if waits_for or connector.source is None:
        return FirewallPlan(unknown(Reason.EARLIER_HOP_NOT_READY, f"Waits for {waits_for}."))
    return plan_firewall(desired, observed, ledger, connector.source, redis.destinations)


def _learn_applied(observed: Observed, ledger: Ledger, firewall: FirewallPlan) -> Ledger:
    """Rules that are as wanted are remembered as applied; finished writes and rules that are no more are forgotten."""
    if isinstance(observed.rules, Unseen):
        return ledger
    applied = dict(ledger.applied)
    pending = dict(ledger.pending)
    for view in firewall.rules:
        if view.state == "InSync":
            form = applied_form(view.rule)
            if applied.get(view.rule.name) != form:
                applied[view.rule.name] = form
            pending.pop(view.rule.name, None)
    if firewall.rules and not firewall.actions and not firewall.differences:
        kept = {view.rule.name for view in firewall.rules}
        applied = {name: form for name, form in applied.items() if name in kept}
        pending = {}
    if applied == ledger.applied and pending == ledger.pending:
        return ledger
    return ledger.model_copy(update={"applied": applied, "pending": pending})


def _in_sync(
    desired: Desired,
    hops: tuple[Verdict, ...],
    actions: tuple[CloudAction, ...],
    differences: tuple[Difference, ...],
    blocked: str,
) -> Verdict:
    if differences:
        text = "; ".join(
            f"{one.kind} {one.name}: {one.field} was {one.before or 'empty'}, found {one.after or 'empty'}"
            for one in differences
        )
        if desired.drift_policy is DriftPolicy.REPORT:
            return bad(Reason.DRIFT_REPORTED, f"{text}. Left so, because driftPolicy is Report.", stalled=True)
        return bad(Reason.REPAIRING, f"{text}. Being repaired.")
    if actions:
        return bad(Reason.PROGRESSING, "; ".join(action.summary for action in actions))
    if blocked:
        return bad(Reason.DRIFT_BLOCKED, blocked)
    if any(hop.reason is Reason.EARLIER_HOP_NOT_READY or hop.status == "Unknown" for hop in hops):
        return unknown(Reason.EARLIER_HOP_NOT_READY, "Not everything could be looked at yet.")
    waiting = next((hop for hop in hops if not hop.ok), None)
    if waiting is not None:
        return bad(waiting.reason, waiting.message, stalled=waiting.stalled)
    return good(Reason.IN_SYNC, "Google Cloud holds what the resource declares.")


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What is left to do before the finalizer may go; `done` when nothing is."""

    actions: tuple[CloudAction, ...]
    ledger: Ledger
    done: bool
    verdict: Verdict
    due_in: float | None = None
    #: Key of the resource that takes over the connector, because it uses it too.
    heir: str | None = None


def make_deletion_plan(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> DeletionPlan:
    """The plan for a resource that is being deleted: rules first, then the connector, each only if it is ours."""
    if desired.deletion_policy is DeletionPolicy.RETAIN:
        return DeletionPlan((), ledger, done=True, verdict=bad(Reason.DELETING, "Retained as deletionPolicy says."))
    ledger = absorb_operation(desired, observed, ledger, now)
    if isinstance(observed.rules, Unseen):
        return DeletionPlan((), ledger, done=False, verdict=unseen(observed.rules))
    rules = own_rules(desired.owner.uid, desired.owner.cluster, observed.rules, ledger)
    if rules:
        return DeletionPlan(
            tuple(DeleteRule(rule, "the resource is being deleted") for rule in rules),
            ledger,
            done=False,
            verdict=bad(Reason.DELETING, f"Removing firewall rules {', '.join(rule.name for rule in rules)}."),
        )
    ledger = ledger.model_copy(update={"applied": {}, "pending": {}})
    managed = desired.connector.management is ConnectorManagement.MANAGED
    if not owns(desired, ledger) or not managed:
        return DeletionPlan((), ledger, done=True, verdict=bad(Reason.DELETING, "Nothing of ours is left."))
    return _delete_connector(desired, observed, ledger, now)


def _delete_connector(desired: Desired, observed: Observed, ledger: Ledger, now: float) -> DeletionPlan:
    connector = observed.connector
    if isinstance(connector, Unseen):
        return DeletionPlan((), ledger, done=False, verdict=unseen(connector))
    if connector is None and ledger.operation is None:
        cleared = ledger.model_copy(update={"claim": None})
        return DeletionPlan((), cleared, done=True, verdict=bad(Reason.DELETING, "Nothing of ours is left."))
    if observed.connector_users:
        heir = observed.connector_users[0]
        message = f"Connector {desired.connector.name} stays: {heir} uses it too, and takes it over."
        return DeletionPlan((), ledger, done=True, verdict=bad(Reason.DELETING, message), heir=heir)
    waiting = connector is None or connector.state in (
        ConnectorState.CREATING,
        ConnectorState.DELETING,
        ConnectorState.UPDATING,
    )
    if waiting or ledger.operation is not None or not isinstance(connector, Connector):
        message = f"Waiting for Google to finish with connector {desired.connector.name}."
        due = operation_poll_delay(now - ledger.operation.started) if ledger.operation else None
        return DeletionPlan((), ledger, done=False, verdict=bad(Reason.DELETING, message), due_in=due)
    retry = rework_wait(desired, ledger, "delete", now)
    if retry is not None:
        message = f"{retry[0]} To give it up, set spec.deletionPolicy to Retain."
        return DeletionPlan((), ledger, done=False, verdict=bad(Reason.REJECTED_BY_GOOGLE, message), due_in=retry[1])
    return DeletionPlan(
        (DeleteConnector(connector, "the resource is being deleted"),),
        ledger,
        done=False,
        verdict=bad(Reason.DELETING, f"Removing connector {desired.connector.name}."),
    )
