"""The zero-noise contract: a hundred resources at rest cost list calls of their projects, and no write at all."""

import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import Lab
from support.hardened import Hardened
from support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

POLL = 1.0
#: Polls of every shared view that the test watches go by; the slowest view is polled twenty times slower.
POLLS = 25
PROJECTS = 2
READS = {
    "compute.firewalls.list",
    "compute.networks.list",
    "compute.networks.getEffectiveFirewalls",
    "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls",
    "compute.subnetworks.aggregatedList",
    "vpcaccess.connectors.list",
    "redis.instances.list",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    budgets = {"COMPUTE_WRITE_BUDGET": "6000", "COMPUTE_READ_BUDGET": "6000"}
    with Lab(Timings.instant(), settings={"POLL_INTERVAL": str(POLL), **budgets}) as running:
        yield running


def declare(lab: Lab, namespace: str, worlds: list[Hardened], first: int, last: int) -> None:
    """Resources number `first` to `last`, spread over the projects; all of a project share its connector."""
    items = []
    for number in range(first, last):
        world = worlds[number % len(worlds)]
        connector = {"name": "staging-connector", "ipCidrRange": "10.2.0.0/28"}
        probe = {"proberUrl": world.prober_url, "interval": "10s", "timeout": "5s"}
        items.append(world.resource(namespace, f"path-{number}", connector=connector, probe=probe))
    lab.apply({"apiVersion": "v1", "kind": "List", "items": items})


def all_ready(lab: Lab, namespace: str, count: int) -> bool:
    text = lab.kubectl(
        "get",
        "rconn",
        "-n",
        namespace,
        "-o",
        "jsonpath={range .items[*]}"
        '{.status.conditions[?(@.type=="Ready")].status}{.status.conditions[?(@.type=="InSync")].status}'
        '{"\\n"}{end}',
    )
    return text.split() == ["TrueTrue"] * count


def at_rest(lab: Lab) -> tuple[Counter[str], list[Any]]:
    """What was called at Google's and written at Kubernetes' while the polls went by."""
    control = lab.cloud.control
    mark = max((int(one["seq"]) for one in control.audit()), default=0)
    kube = lab.control_plane.audit.mark()

    def polls() -> int:
        return len(control.audit(since=mark, method="compute.firewalls.list"))

    wait_until(lambda: polls() >= POLLS * PROJECTS, deadline=120, describe=lambda: f"the polls to go by, {polls()} did")
    calls = Counter(one["method"] for one in control.audit(since=mark) if one["kind"] in ("read", "write"))
    writes = [one for one in lab.control_plane.audit.writes(kube) if one.resource != "leases"]
    return calls, writes


def quiet(lab: Lab) -> bool:
    """Whether nothing but the Lease was written during two polls."""
    control = lab.cloud.control
    mark = max((int(one["seq"]) for one in control.audit()), default=0)
    kube = lab.control_plane.audit.mark()
    wait_until(
        lambda: len(control.audit(since=mark, method="compute.firewalls.list")) >= 2 * PROJECTS,
        deadline=60,
        describe="two polls",
    )
    return not [one for one in lab.control_plane.audit.writes(kube) if one.resource != "leases"]


def test_resources_at_rest_cost_list_calls_only_and_not_more_of_them_when_there_are_more(lab: Lab) -> None:
    namespace = f"rest-{secrets.token_hex(3)}"
    lab.control_plane.create_namespace(namespace)
    worlds = [
        Hardened(lab.cloud.control, lab.cloud.url, memorystore=number % 2 == 1).build() for number in range(PROJECTS)
    ]
    lab.operator.start()
    seen = {}
    try:
        before = 0
        for count in (10, 100):
            declare(lab, namespace, worlds, before, count)
            before = count
            wait_until(
                lambda count=count: all_ready(lab, namespace, count),
                deadline=240,
                interval=1.0,
                describe=lambda: f"all to be ready; {lab.operator.log_tail(20)}",
            )
            wait_until(lambda: quiet(lab), deadline=60, describe="the last news to be told")
            calls, writes = at_rest(lab)
            assert writes == []
            assert set(calls) <= READS
            seen[count] = calls
        print(f"calls in {POLLS} polls of {PROJECTS} projects: {dict(seen)}")
        for method, number in seen[100].items():
            assert number <= seen[10][method] * 1.5 + 3, (method, seen)
        events = lab.kubectl("get", "events.v1.events.k8s.io", "-n", namespace, "-o", "name")
        assert events  # they were posted when there was news, and none of them in the quiet time: `writes` has none
    finally:
        lab.operator.stop()
        lab.control_plane.purge_namespace(namespace)
