"""How scenes use what others keep: a host project, a cluster's slots, a tool, a policy, a machine's own firewall."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from redis_connectivity_lab.dataplane.protocol import HostFirewall, Paths
from redis_connectivity_lab.emulator.control_client import ControlError
from redis_connectivity_lab.emulator.psc import NODE_PORT
from redis_connectivity_lab.redis_talk import RedisTalk
from redis_connectivity_lab.scene_redis_acts import READ_WRITE
from redis_connectivity_lab.site import Body, Site
from redis_connectivity_lab.worlds import REGION, SOMEBODY
from redis_connectivity_lab.wound import Wound

__all__ = ["cluster_slots_lost", "contended", "host_firewall", "rule_uncertain", "service_rules_missing"]

#: Between two looks of the other tool at the rule.
_OPPONENT_LOOKS: Final = 0.1
_CLUSTER: Final = "chat-cluster"
_POLICY: Final = "org-names"
_OTHER_RANGE: Final = "192.168.77.7/32"


def service_rules_missing(site: Site) -> Wound:
    """The path is declared on a host project's network, where nobody has made the rules that a connector needs."""
    env, host = site.env, f"{site.env.project}-host"
    control = site.control
    control.project(host)
    control.put("networks", host, env.network)
    for name, direction, field in (("in", "INGRESS", "sourceRanges"), ("out", "EGRESS", "destinationRanges")):
        deny: Body = {"direction": direction, "priority": 900, "denied": [{"IPProtocol": "all"}], field: ["0.0.0.0/0"]}
        control.put("firewalls", host, f"security-deny-all-{name}", network=env.network, **deny)
    control.put("subnetworks", host, REGION, "connectors", network=env.network, ipCidrRange="10.8.0.0/28")
    site.redeclare(
        network={"name": env.network, "hostProjectId": host},
        connector={"name": "shared-conn", "subnet": {"name": "connectors"}},
    )

    def undo() -> None:
        site.redeclare()
        control.remove_project(host)
        site.cloud.settle()

    return Wound(
        f"declared a connector in {env.project} on the network of host project {host}",
        "ConnectorReady names the rules that are missing there; no connector is made that would end in ERROR",
        lambda: site.declared().get("network", {}).get("hostProjectId") == host,
        undo,
    )


def cluster_slots_lost(site: Site) -> Wound:
    """The path is declared to a Redis Cluster whose node has lost its slots: nobody has them now."""
    key = ("clusters", site.env.project, REGION, _CLUSTER)
    site.control.put(*key, network=site.env.network, addresses=["10.129.1.2", "10.129.1.3"])
    site.cloud.settle()
    (made,) = site.control.list("clusters", site.env.project)
    with RedisTalk(Paths(site.cloud.state_dir).redis_socket(f"{made['name']}/nodes:{NODE_PORT}")) as node:
        node.ask("CLUSTER", "FLUSHSLOTS")
    # In place: the connector is the operator's own, and would be made anew with the resource.
    site.patch(redis={"memorystore": None, "cluster": {"name": _CLUSTER}}, probe={"checks": READ_WRITE})

    def undo() -> None:
        site.patch(redis={"cluster": None, **site.env.redis}, probe={"checks": None})
        site.control.delete(*key)
        site.cloud.settle()

    return Wound(
        f"declared cluster {_CLUSTER}, whose node has lost its slots; the probe writes",
        "Reachable turns False: Redis answers CLUSTERDOWN, so the network is fine",
        lambda: "cluster" in site.declared()["redis"],
        undo,
    )


def contended(site: Site) -> Wound:
    """Another tool knows better: it puts its own value back as soon as it sees another."""
    name, field = site.opening_rule()["name"], site.env.ranges_field
    stop = threading.Event()

    def differs() -> bool:
        rule = site.rule(name)
        return rule is not None and rule.get(field) != [_OTHER_RANGE]

    def insist() -> None:
        while not stop.is_set():
            try:
                if differs():
                    site.control.patch("firewalls", site.env.project, name, actor=SOMEBODY, **{field: [_OTHER_RANGE]})
            except (ControlError, OSError):
                return  # the cloud is gone, and with it what this is about
            stop.wait(_OPPONENT_LOOKS)

    tool = threading.Thread(target=insist, name="another-tool", daemon=True)
    tool.start()

    def undo() -> None:
        stop.set()
        tool.join()
        # Any change of the spec ends the wait for the next repair, also one that is taken back at once.
        site.patch(firewall={"logging": "DISABLED"})
        site.patch(firewall=None)

    return Wound(
        f"another tool sets {field} of firewall rule {name} to {_OTHER_RANGE}, again and again",
        "InSync turns False (DriftContended) after some rounds: repairs go on, ever more rarely",
        lambda: tool.is_alive() and not stop.is_set(),
        undo,
    )


def rule_uncertain(site: Site) -> Wound:
    """A policy denies by a name, which cannot be judged from outside, and no prober can tell."""
    env = site.env
    rule = {
        "priority": 10,
        "action": "deny",
        "direction": "EGRESS",
        "match": {"layer4Configs": [{"ipProtocol": "all"}], "destFqdns": ["cache.example.com"]},
    }
    site.control.put("policies", env.project, _POLICY, type="HIERARCHY", shortName=_POLICY, rules=[rule])
    site.cloud.settle()
    nobody = f"{site.cloud.url}/_run/{env.project}/{REGION}/no-prober"
    site.redeclare(probe=env.manifest(site.cloud.url)["spec"]["probe"] | {"proberUrl": nobody})

    def undo() -> None:
        site.control.delete("policies", env.project, _POLICY)
        site.cloud.settle()
        site.redeclare()

    return Wound(
        f"policy {_POLICY} of the organisation denies what cache.example.com resolves to; no prober is there to tell",
        "FirewallReady and Ready turn Unknown and name the rule",
        lambda: any(one["name"] == _POLICY for one in site.control.list("policies", env.project)),
        undo,
    )


def host_firewall(done: str, watch: str, state: HostFirewall) -> Callable[[Site], Wound]:
    """The machine's own firewall turns connections away, which Google's rules do not show."""

    def act(site: Site) -> Wound:
        site.cloud.host_firewall(site.env.host_id, state)
        broken = [True]

        def undo() -> None:
            site.cloud.host_firewall(site.env.host_id, HostFirewall.OPEN)
            broken.clear()

        return Wound(done, watch, lambda: bool(broken), undo)

    return act
