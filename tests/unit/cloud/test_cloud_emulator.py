"""The whole package against the lab's emulator: Google's clients, real HTTP, operations that take time."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OperationFailed,
    QuotaExhausted,
    Retryable,
)
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.inventory import OnChange
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.cloud.translate import normalised
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    NetworkRef,
)
from redis_connectivity_lab.emulator import Emulator, Fault, FaultKind, Timings

POLL, REPAIR = Lane.POLL, Lane.REPAIR
NETWORK = NetworkRef("acme", "staging-vpc")
RULE = FirewallRule(
    network=NETWORK,
    name="allow-redis",
    direction=Direction.INGRESS,
    action=Action.ALLOW,
    priority=900,
    layer4=frozenset({Layer4("tcp", ((6379, 6379),))}),
    source_ranges=frozenset({"10.2.0.0/28"}),
    target_tags=frozenset({"redis-instance"}),
    logging="INCLUDE_ALL_METADATA",
    description="ours",
)
CONNECTOR = Connector(
    project="acme",
    region="us-central1",
    name="staging-connector",
    state=ConnectorState.READY,
    network="staging-vpc",
    ip_cidr_range=IPv4Network("10.2.0.0/28"),
    machine_type="e2-micro",
    min_instances=2,
    max_instances=3,
)


def rid() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def lab(on_change: OnChange | None = None, **settings: Any) -> AsyncIterator[tuple[GoogleCloud, Emulator]]:
    async with Emulator(Timings.instant()) as emulator:
        for project in ("acme", "other"):
            emulator.lab.project(project)
            emulator.lab.put("networks", project, ("staging-vpc",), {"autoCreateSubnetworks": False})
        config = CloudConfig(
            endpoints=Endpoints(
                compute=emulator.url,
                vpcaccess=emulator.url,
                redis=emulator.url,
                redis_cluster=emulator.url,
                memorystore=f"{emulator.url}/memorystore",
            ),
            credentials=CredentialsConfig(mode="anonymous"),
            **settings,
        )
        cloud = await GoogleCloud.open(config, on_change=on_change)
        try:
            yield cloud, emulator
        finally:
            await cloud.close()


async def finished(cloud: GoogleCloud, name: str) -> None:
    """Ask until the connector's operation has ended, and raise its error."""
    async with asyncio.timeout(20):
        while True:
            operation = await cloud.poll_vpcaccess_operation(name, REPAIR)
            if operation.failure is not None:
                raise operation.failure
            if operation.done:
                return


async def test_a_rule_s_whole_life() -> None:
    async with lab() as (cloud, emulator):
        emulator.timings.firewall = 0.2
        operation = await cloud.insert_firewall(RULE, request_id=rid(), lane=REPAIR)
        made = await cloud.settle_firewall("acme", operation, RULE.name, patience=20, lane=REPAIR)
        assert made == normalised(RULE)
        assert made is not None
        assert made.id
        # Clear the tags, change the direction of the source: what a PATCH of this client cannot do.
        changed = replace(RULE, target_tags=frozenset(), logging=None, priority=0)
        operation = await cloud.update_firewall(changed, request_id=rid(), lane=REPAIR)
        assert await cloud.settle_firewall("acme", operation, RULE.name, patience=20, lane=REPAIR) == changed
        view = await cloud.inventory.refresh(keys.firewalls("acme"))
        assert view.items[RULE.name] == changed
        operation = await cloud.delete_firewall("acme", RULE.name, request_id=rid(), lane=REPAIR)
        assert await cloud.settle_firewall("acme", operation, RULE.name, patience=20, lane=REPAIR) is None
        with pytest.raises(NotFound, match="was not found"):
            await cloud.delete_firewall("acme", RULE.name, request_id=rid(), lane=REPAIR)


async def test_a_repeated_request_id_repeats_nothing() -> None:
    async with lab() as (cloud, emulator):
        same = rid()
        emulator.faults.add(Fault(FaultKind.DROP_ANSWER, method="compute.firewalls.insert", count=1))
        with pytest.raises(Retryable):
            await cloud.insert_firewall(RULE, request_id=same, lane=REPAIR)
        operation = await cloud.insert_firewall(RULE, request_id=same, lane=REPAIR)
        assert await cloud.settle_firewall("acme", operation, RULE.name, patience=20, lane=REPAIR) == RULE
        with pytest.raises(Conflict, match="already exists"):
            await cloud.insert_firewall(RULE, request_id=rid(), lane=REPAIR)


async def test_refusals_come_with_google_s_words() -> None:
    async with lab() as (cloud, emulator):
        bad = replace(RULE, network=NetworkRef("acme", "no-such-net"))
        with pytest.raises((NotFound, Invalid), match="no-such-net"):
            await cloud.insert_firewall(bad, request_id=rid(), lane=REPAIR)
        with pytest.raises(Invalid):
            await cloud.insert_firewall(replace(RULE, priority=70000), request_id=rid(), lane=REPAIR)
        emulator.store.get("acme").iam = {"*": frozenset({"compute.firewalls.*"})}
        with pytest.raises(Forbidden) as caught:
            await cloud.insert_firewall(RULE, request_id=rid(), lane=REPAIR)
        assert caught.value.permission == "compute.networks.updatePolicy"


async def test_a_connector_s_whole_life() -> None:
    async with lab() as (cloud, _):
        name = await cloud.create_connector(CONNECTOR, lane=REPAIR)
        await finished(cloud, name)
        made = await cloud.fresh_connector("acme", "us-central1", CONNECTOR.name, REPAIR)
        assert made == CONNECTOR
        listed = await cloud.vpcaccess.list_operations("acme", "us-central1", REPAIR)
        assert [operation.target for operation in listed] == [CONNECTOR.full_name]
        where = ("acme", "us-central1", CONNECTOR.name)
        await finished(cloud, await cloud.patch_connector(*where, min_instances=2, max_instances=5, lane=REPAIR))
        grown = await cloud.fresh_connector(*where, REPAIR)
        assert grown is not None
        assert (grown.min_instances, grown.max_instances) == (2, 5)
        with pytest.raises(Conflict):
            await cloud.create_connector(CONNECTOR, lane=REPAIR)
        await finished(cloud, await cloud.delete_connector(*where, lane=REPAIR))
        assert await cloud.fresh_connector(*where, REPAIR) is None


async def test_a_range_that_overlaps_fails_in_the_operation_and_leaves_an_error_behind() -> None:
    async with lab() as (cloud, emulator):
        subnet = {"network": "projects/acme/global/networks/staging-vpc", "ipCidrRange": "10.2.0.0/24"}
        emulator.lab.put("subnetworks", "acme", ("us-central1", "taken"), subnet)
        name = await cloud.create_connector(CONNECTOR, lane=REPAIR)
        with pytest.raises(OperationFailed, match="Invalid IP CIDR range") as caught:
            await finished(cloud, name)
        assert caught.value.number == 3
        left = await cloud.fresh_connector("acme", "us-central1", CONNECTOR.name, REPAIR)
        assert left is not None
        assert left.state is ConnectorState.ERROR


async def test_every_view_of_a_project() -> None:
    async with lab() as (cloud, emulator):
        subnet = {"network": "projects/acme/global/networks/staging-vpc", "ipCidrRange": "10.0.0.0/24"}
        emulator.lab.put("subnetworks", "acme", ("us-central1", "main"), subnet)
        need = cloud.inventory.need
        assert set((await need(keys.networks("acme"), 60)).items) == {"staging-vpc"}
        subnetworks = (await need(keys.subnetworks("acme"), 60)).items
        assert subnetworks[keys.subnetwork_item("us-central1", "main")].network == NETWORK
        assert (await need(keys.connectors("acme", "us-central1"), 60)).known
        assert (await need(keys.redis_instances("acme", "us-central1"), 60)).known
        policies = (await need(keys.effective_policies(NETWORK), 60)).items
        assert policies.keys() == {"staging-vpc"}
        with pytest.raises(NotFound):
            await need(keys.effective_policies(NetworkRef("acme", "none")), 60)


async def test_pages_of_hundreds() -> None:
    async with lab() as (cloud, emulator):
        body = {
            "network": "projects/acme/global/networks/staging-vpc",
            "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
            "sourceRanges": ["10.0.0.0/8"],
        }
        for number in range(1203):
            emulator.lab.put("firewalls", "acme", (f"rule-{number}",), body)
        view = await cloud.inventory.need(keys.firewalls("acme"), 60)
        assert len(view.items) == 1203
        assert len(emulator.audit.records(method="compute.firewalls.list")) == 3


async def test_a_foreign_change_is_noticed_by_polls_that_do_not_grow_with_resources() -> None:
    noticed = asyncio.Event()

    def on_change(key: keys.AnyKey, changed: frozenset[str], before: Any, after: Any) -> None:
        if before.known and "foreign" in changed:
            noticed.set()

    async with lab(on_change, pace=Pace(interval=0.05)) as (cloud, emulator):
        for number in range(200):
            cloud.poller.set_interest(f"resource-{number}", frozenset({keys.firewalls("acme")}))
        await cloud.inventory.need(keys.firewalls("acme"), 60)
        body = {
            "network": "projects/acme/global/networks/staging-vpc",
            "denied": [{"IPProtocol": "all"}],
            "direction": "EGRESS",
        }
        emulator.lab.put("firewalls", "acme", ("foreign",), body)
        await asyncio.wait_for(noticed.wait(), 10)
        methods = Counter(record.method for record in emulator.audit.records(kind="read"))
        assert set(methods) == {"compute.firewalls.list"}
        assert methods["compute.firewalls.list"] < 100


async def test_a_project_without_quota_slows_only_itself() -> None:
    async with lab() as (cloud, emulator):
        emulator.faults.add(
            Fault(
                FaultKind.STATUS,
                method="compute.firewalls.list",
                project="acme",
                status=403,
                reason="rateLimitExceeded",
                message="Quota exceeded",
            )
        )
        with pytest.raises(QuotaExhausted):
            await cloud.inventory.need(keys.firewalls("acme"), 60)
        await asyncio.wait_for(cloud.inventory.need(keys.firewalls("other"), 60), 10)
        assert cloud.governor.poll_factor("acme") == 2
        assert cloud.governor.poll_factor("other") == 1
