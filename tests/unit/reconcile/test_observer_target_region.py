"""A machine in another region than the path's: the policies there are read, kept fresh, and missed aloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cloud import keys
from redis_connectivity.cloud.facade import GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.core.desired import Desired, resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.observed import Observed, Unseen
from redis_connectivity.reconcile.observer import Observer
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings

PROJECT, REGION, FAR = "acme-staging", "us-central1", "europe-west1"
METHOD = "compute.regionNetworkFirewallPolicies.getEffectiveFirewalls"


@pytest.fixture
def google() -> Iterator[ControlClient]:
    with EmulatorThread(Timings.instant()) as running:
        control = running.control
        control.project(PROJECT)
        control.put("networks", PROJECT, "staging-vpc")
        control.put("subnetworks", PROJECT, FAR, "redis", network="staging-vpc", ipCidrRange="10.128.0.0/20")
        control.put("subnetworks", PROJECT, REGION, "near", network="staging-vpc", ipCidrRange="10.64.0.0/20")
        for name, region in (("here", REGION), ("there", FAR)):
            match = {"srcIpRanges": ["0.0.0.0/0"], "layer4Configs": [{"ipProtocol": "tcp"}]}
            rules = [{"priority": 10, "action": "deny", "direction": "INGRESS", "match": match}]
            control.put("policies", PROJECT, name, type="SYSTEM", region=region, shortName=name, rules=rules)
        yield control


def desired(host: str) -> Desired:
    spec: dict[str, Any] = {"environment": "staging", "projectId": PROJECT, "region": REGION}
    spec |= {"connector": {"ipCidrRange": "10.2.0.0/28"}, "redis": {"vm": {"host": host}}}
    return resolve(ResourceId("cluster", "ns", "path", "uid"), RedisConnectivitySpec.model_validate(spec))


async def look(cloud: GoogleCloud, host: str, *, fresh: bool = False) -> Observed:
    return await Observer(cloud, Pace()).observe(desired(host), Ledger(), fresh=fresh, lane=Lane.REPAIR)


def names(policies: object) -> list[str]:
    assert isinstance(policies, tuple)
    return [one.short_name for one in policies]


async def test_the_policies_where_the_machine_stands_are_read_besides(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    seen = await look(cloud, "10.128.0.5")
    assert names(seen.regional_policies) == ["here"]
    assert names(seen.target_region_policies) == ["there"]
    regions = [str(one["resource"]).split("/")[3] for one in google.audit(method=METHOD)]
    assert sorted(regions) == [FAR, REGION]


@pytest.mark.parametrize("host", ["10.64.0.5", "10.200.0.5"])
async def test_nothing_more_is_read_for_a_machine_here_or_nowhere(
    google: ControlClient, cloud: GoogleCloud, host: str
) -> None:
    seen = await look(cloud, host)
    assert seen.target_region_policies is None
    assert len(google.audit(method=METHOD)) == 1


async def test_they_are_among_the_views_that_are_kept_fresh_once_the_subnet_is_known(cloud: GoogleCloud) -> None:
    want, observer = desired("10.128.0.5"), Observer(cloud, Pace())
    there = keys.region_policies(want.network, FAR)
    assert there not in observer.views(want)
    await look(cloud, "10.128.0.5")
    assert there in observer.views(want)


async def test_what_may_not_be_read_there_is_told(google: ControlClient, cloud: GoogleCloud) -> None:
    google.fault(METHOD, status=403, reason="forbidden", message="No.", project=PROJECT, resource=f"*/{FAR}/*")
    seen = await look(cloud, "10.128.0.5")
    assert names(seen.regional_policies) == ["here"]
    assert isinstance(seen.target_region_policies, Unseen)
    assert seen.unread_policies == seen.target_region_policies
    assert seen.target_region_policies.reason is Reason.PERMISSION_DENIED


async def test_where_it_stands_is_not_known_while_subnets_cannot_be_read(
    google: ControlClient, cloud: GoogleCloud
) -> None:
    google.fault("compute.subnetworks.aggregatedList", status=403, reason="forbidden", message="No.", project=PROJECT)
    seen = await look(cloud, "10.128.0.5")
    assert isinstance(seen.subnetworks, Unseen)
    assert seen.target_region_policies == seen.subnetworks
