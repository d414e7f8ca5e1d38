"""The analyser against the kernel: random firewalls, real packets, no disagreement on the answer or on the rule.

Both start from the same JSON, as Google's API has it. The analyser reads it through the product's own translation; the
lab's data plane compiles it to nftables by code of its own. A seed makes one firewall and its machines:

    REACHABILITY_SEED=123     the first seed (default: a random one); each round's is one more than the last's
    REACHABILITY_SECONDS=600  how long to go on (default: 45)
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Network

import pytest
from google.cloud import compute_v1

from redis_connectivity.cloud.translate import firewall_from_google
from redis_connectivity.cloud.translate_policies import policies_from_google
from redis_connectivity.core.cloudvalues import Direction, FirewallPolicy, NetworkRef
from redis_connectivity.core.reachability import (
    Answer,
    DeciderKind,
    Firewall,
    Flow,
    Judgement,
    Receiver,
    Sender,
    Side,
    Unread,
)
from redis_connectivity.probes.model import FailureCode
from redis_connectivity_lab.dataplane import DataPlane, open_dataplane
from redis_connectivity_lab.emulator.effective import effective_answer
from redis_connectivity_lab.emulator.firewall_validation import normalise
from redis_connectivity_lab.emulator.ids import Ids
from redis_connectivity_lab.emulator.lab_policies import put_policy
from redis_connectivity_lab.emulator.store import Project, Store
from redis_connectivity_lab.emulator.topology_view import topology_of
from redis_connectivity_lab.topology import Host, HostKind, NetworkId, Topology
from support.rule_sets import ACCOUNTS, CONNECTOR_TAGS, NETWORK, PROJECT, REGIONS, VM_TAGS, RuleSet, random_rule_set
from unit.dataplane.dataplane_values import host, skip_where_impossible

SECONDS = float(os.environ.get("REACHABILITY_SECONDS", "45"))
pytestmark = [pytest.mark.lab, pytest.mark.timeout(2 * SECONDS + 240)]

LEAST_ROUNDS = 5
PORTS = (22, 80, 6379, 6380)
HERE = NetworkId(PROJECT, NETWORK)
REF = NetworkRef(PROJECT, NETWORK)
#: Of each connector, its range and the addresses of the machines that send.
CONNECTORS = {
    "10.2.0.0/28": ("10.2.0.2", "10.2.0.5", "10.2.0.9", "10.2.0.13"),
    "10.3.0.0/28": ("10.3.0.2", "10.3.0.12"),
}
#: Revisions with Direct VPC egress: their subnet, and the addresses of two of them.
DIRECT = ("10.4.0.0/26", ("10.4.0.5", "10.4.0.40"))
VMS = {"10.0.0.2": REGIONS[0], "10.0.0.3": REGIONS[0], "10.0.1.130": REGIONS[1]}
MANAGED = "10.9.0.3"
#: A connection that is let through is answered or refused at once; only what is dropped gives no sign.
DROPPED = FailureCode.CONNECT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Round:
    """A firewall with its machines, as the lab and as the analyser see it."""

    seed: int
    rule_set: RuleSet
    topology: Topology
    #: The firewall by the receiver's region; all senders are in the first.
    firewalls: dict[str, Firewall]
    blinded: Firewall

    def explain(self) -> str:
        """What to look at when it goes wrong."""
        rules = "\n".join(json.dumps(rule) for rule in self.rule_set.rules)
        policies = "\n".join(f"{name}: {json.dumps(body)}" for name, body in self.rule_set.policies)
        hosts = "\n".join(
            f"{one.address} {one.kind} tags={one.tags} account={one.service_account} region={one.region}"
            for one in sorted(self.topology.hosts)
        )
        order = self.rule_set.enforcement_order
        return f"replay with REACHABILITY_SEED={self.seed}\n{hosts}\n{order}\n{rules}\n{policies}"


def machines(seed: int) -> tuple[Host, ...]:
    """Both connectors' machines, revisions, VMs with random tags and accounts, and a managed Redis."""
    chance = random.Random(f"machines {seed}")
    found = [
        dataclasses.replace(host(f"c{address}", address, HostKind.CONNECTOR, tags=tags), region=REGIONS[0])
        for tags, addresses in zip(CONNECTOR_TAGS, CONNECTORS.values(), strict=True)
        for address in addresses
    ]
    found += [
        dataclasses.replace(
            host(f"d{address}", address, HostKind.DIRECT, tags=("a",)), range=IPv4Network(DIRECT[0]), region=REGIONS[0]
        )
        for address in DIRECT[1]
    ]
    found += [
        dataclasses.replace(
            host(
                f"v{address}",
                address,
                tags=tuple(chance.sample(VM_TAGS, chance.randint(0, 2))),
                account=chance.choice((None, *ACCOUNTS)),
            ),
            region=region,
        )
        for address, region in VMS.items()
    ]
    found.append(host("m", MANAGED, HostKind.MANAGED))
    return tuple(dataclasses.replace(one, network=HERE) for one in found)


def make_round(seed: int) -> Round:
    """The lab's project with the seed's firewall in it, read back as Google's API would give it."""
    rule_set = random_rule_set(seed)
    store = Store(Ids())
    project = store.add(PROJECT, "123456789")
    link = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/{NETWORK}"
    project.networks[NETWORK] = {"networkFirewallPolicyEnforcementOrder": rule_set.enforcement_order}
    for body in rule_set.rules:
        project.firewalls[body["name"]] = normalise(body) | {"network": link}
    for name, body in rule_set.policies:
        put_policy(None, project, (name,), body)
    topology = dataclasses.replace(topology_of(store), hosts=frozenset(machines(seed)))
    rules = [firewall_from_google(_message(compute_v1.Firewall, body), PROJECT) for body in project.firewalls.values()]
    everywhere = _policies(project, None)
    order = rule_set.enforcement_order
    here = _policies(project, REGIONS[0])
    firewalls = {one: Firewall(rules, everywhere, order, here, _policies(project, one)) for one in REGIONS}
    blinded = Firewall(rules, everywhere, order, Unread("compute.networks.getRegionEffectiveFirewalls"))
    return Round(seed, rule_set, topology, firewalls, blinded)


def _message(kind: type, body: object) -> object:
    return kind.pb(kind.from_json(json.dumps(body), ignore_unknown_fields=True))


def _policies(project: Project, region: str | None) -> tuple[FirewallPolicy, ...]:
    kind = (
        compute_v1.NetworksGetEffectiveFirewallsResponse
        if region is None
        else compute_v1.RegionNetworkFirewallPoliciesGetEffectiveFirewallsResponse
    )
    answer = {"firewallPolicys": effective_answer(project, NETWORK, region).get("firewallPolicys", [])}
    return policies_from_google(_message(kind, answer).firewall_policys, PROJECT)


@dataclass(frozen=True, slots=True)
class Told:
    """What the analyser says about one connection, and what it says when it knows less."""

    egress: Judgement
    ingress: Judgement
    blind: tuple[Judgement, ...]


def judge(this: Round, sender: Host, receiver: Host, port: int) -> Told:
    """Both directions, with the sender's whole range as the source."""
    vpc = receiver.kind is HostKind.VM
    accounts = frozenset({receiver.service_account} - {None})
    target = Receiver(
        IPv4Network(receiver.address),
        (port, port),
        Side.VPC if vpc else Side.MANAGED,
        frozenset(receiver.tags),
        accounts,
        frozenset(),
    )
    connector = sender.kind is HostKind.CONNECTOR
    source = Sender(
        sender.range,
        frozenset(sender.tags),
        service_accounts=frozenset() if connector else None,  # a revision's identity is not known
        tags_as_source=connector,
    )
    flow = Flow(REF, source, target)
    unsure = dataclasses.replace(flow, receiver=dataclasses.replace(target, service_accounts=None, secure_tags=None))
    there = this.firewalls[receiver.region or REGIONS[0]]
    return Told(
        there.judge(Direction.EGRESS, flow),
        there.judge(Direction.INGRESS, flow),
        (this.blinded.judge(Direction.EGRESS, flow), there.judge(Direction.INGRESS, unsure)),
    )


def fate(judgement: Judgement, sender: Host, receiver: Host, port: int) -> tuple[Answer, Answer, str | None]:
    """For the one packet: the answer, the answer but for doubts, and the name under which the lab counts the rule."""
    if judgement.exempt:
        return judgement.answer, judgement.answer, None
    point = (int(sender.address), int(receiver.address), port)
    (part,) = [
        part
        for part in judgement.parts
        if any(all(box[2 * axis] <= point[axis] <= box[2 * axis + 1] for axis in range(3)) for box in part.boxes)
    ]
    names = {DeciderKind.IMPLIED: part.by.name.replace(" ", "-"), DeciderKind.VPC_RULE: part.by.name}
    return part.answer, part.otherwise, names.get(part.by.kind, f"{part.by.name}.{part.by.priority}")


async def passes(dataplane: DataPlane, sender: Host, receiver: Host, port: int, seconds: float) -> bool:
    """Whether the kernel lets a connection through."""
    answer = await dataplane.ping_from(sender.id, str(receiver.address), port, seconds)
    assert answer.failure, "nothing listens anywhere"
    assert answer.failure.code in {DROPPED, FailureCode.CONNECTION_REFUSED}, answer
    return answer.failure.code is not DROPPED


async def play(dataplane: DataPlane, this: Round, seen: Counter[str]) -> None:
    """One round: every sender to every receiver at every port."""
    await dataplane.apply(this.topology)
    hosts = sorted(this.topology.hosts)
    senders = [one for one in hosts if one.kind in (HostKind.CONNECTOR, HostKind.DIRECT)]
    receivers = [one for one in hosts if one not in senders]
    cases = [(sender, receiver, port) for sender in senders for receiver in receivers for port in PORTS]
    found = await asyncio.gather(*(passes(dataplane, *case, seconds=0.5) for case in cases))
    deciders: set[str] = set()
    for case, got in zip(cases, found, strict=True):
        sender, receiver, port = case
        told = judge(this, *case)
        out, out_otherwise, out_by = fate(told.egress, *case)
        into, into_otherwise, in_by = fate(told.ingress, *case)
        where = f"{sender.address} → {receiver.address}:{port}"
        seen["inspected"] += Answer.UNKNOWN in (out_otherwise, into_otherwise)
        wanted = Answer.DENIED not in (out_otherwise, into_otherwise)
        # A busy machine can be late with an answer: what seemed dropped is asked again, with patience.
        agreed = got == wanted or await passes(dataplane, *case, seconds=5) == wanted
        assert agreed, f"{where}: kernel {got}, analyser {told}\n{this.explain()}"
        # What is claimed for certain must hold with everything known, and when less is known.
        for certain, kernel_says in ((out, out_otherwise), (into, into_otherwise)):
            assert certain in (Answer.UNKNOWN, kernel_says), f"{where}: {told}\n{this.explain()}"
        for blind, truth in zip(told.blind, (out_otherwise, into_otherwise), strict=True):
            claim = fate(blind, *case)[0]
            assert claim in (Answer.UNKNOWN, truth), f"{where}: blind {blind}, truth {truth}\n{this.explain()}"
            seen["told though blind"] += claim is not Answer.UNKNOWN
        deciders |= {out_by} if out_by else set()
        if out_otherwise is not Answer.DENIED and in_by:
            deciders.add(in_by)
        seen["connections"] += 1
        seen["let through"] += wanted
        seen["in doubt"] += Answer.UNKNOWN in (out, into)
        seen["ranges taken apart"] += len(told.egress.parts) > 1 or len(told.ingress.parts) > 1
    await _same_rules(dataplane, this, deciders)


async def _same_rules(dataplane: DataPlane, this: Round, deciders: set[str]) -> None:
    """The rules that the analyser names are those that the kernel's own counters saw, no more and no less."""
    passed_on = {
        f"{name}.{rule['priority']}"
        for name, body in this.rule_set.policies
        for rule in body["rules"]
        if rule["action"] == "goto_next"
    }
    counted = {
        entry["rule"] for entry in await dataplane.counters() if entry["count"] and entry["rule"] not in passed_on
    }
    assert counted == deciders, f"kernel {sorted(counted)}, analyser {sorted(deciders)}\n{this.explain()}"


async def test_the_analyser_and_the_kernel_agree() -> None:
    skip_where_impossible("namespaces")
    first = int(os.environ.get("REACHABILITY_SEED", random.SystemRandom().randrange(2**32)))
    print(f"REACHABILITY_SEED={first}")
    seen: Counter[str] = Counter()
    async with await open_dataplane("namespaces") as dataplane:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or seen["rounds"] < LEAST_ROUNDS:
            await play(dataplane, make_round(first + seen["rounds"]), seen)
            seen["rounds"] += 1
    print(", ".join(f"{number} {what}" for what, number in seen.items()))
    assert 0 < seen["let through"] < seen["connections"]
