"""What a cluster's nodes are told before they start."""

from __future__ import annotations

import dataclasses

import pytest

from redis_connectivity_lab.dataplane.cluster import SLOTS, nodes_conf, nodes_of, slot_ranges
from redis_connectivity_lab.topology import HostKind
from unit.dataplane.dataplane_values import CONNECTOR, VM, host

NODES = dataclasses.replace(host("nodes", "10.9.0.5", HostKind.MANAGED), cluster_ports=(11000, 11001, 11002))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 250])
def test_shares_are_even_and_leave_no_slot_out(count: int) -> None:
    shares = list(slot_ranges(count))
    assert [slot for share in shares for slot in share] == list(range(SLOTS))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_host_has_its_one_server_or_its_nodes_or_none() -> None:
    assert [(node.id, node.port, node.clustered) for node in nodes_of(VM)] == [("vm", 6379, False)]
    assert nodes_of(CONNECTOR) == ()
    nodes = nodes_of(NODES)
    assert [node.port for node in nodes] == [11000, 11001, 11002]
    assert len({node.cluster_id for node in nodes}) == 3
    (alone,) = nodes_of(NODES, most=1)
    assert (alone.port, len(alone.slots)) == (11000, SLOTS)


def test_each_node_knows_all_and_which_one_it_is() -> None:
    nodes = nodes_of(NODES)
    lines = nodes_conf(NODES, nodes, nodes[1]).splitlines()
    assert len(lines) == 4
    assert [("myself," in line) for line in lines[:3]] == [False, True, False]
    assert lines[1].split()[:2] == [nodes[1].cluster_id, "10.9.0.5:11001@21001"]
    assert lines[1].endswith(f"{nodes[1].slots.start}-{nodes[1].slots.stop - 1}")
    assert lines[3].startswith("vars currentEpoch 3")
