"""Each permission of the shipped roles, taken away alone: what needs it is refused, and the refusal names it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network

import httpx2
import pytest
import yaml

from redis_connectivity.cloud import keys
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.errors import Forbidden
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.core.cloudvalues import (
    Action,
    Connector,
    ConnectorState,
    Direction,
    FirewallRule,
    Layer4,
    NetworkRef,
)
from redis_connectivity.core.runvalues import RunService, WayOut
from redis_connectivity_lab.emulator import Emulator, Timings
from redis_connectivity_lab.emulator.call import Method
from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.emulator.server import all_methods
from redis_connectivity_lab.shipped import MANIFESTS, google_role, operator_granted

PROJECT, REGION, LANE = "acme-staging", "us-central1", Lane.REPAIR
NETWORK = NetworkRef(PROJECT, "staging-vpc")
ACCOUNT = f"chat@{PROJECT}.iam.gserviceaccount.com"
ROLES = sorted(path.stem for path in (MANIFESTS / "gcp").glob("*.yaml"))


def rule(name: str) -> FirewallRule:
    return FirewallRule(
        network=NETWORK,
        name=name,
        direction=Direction.INGRESS,
        action=Action.ALLOW,
        priority=900,
        layer4=frozenset({Layer4("tcp", ((6379, 6379),))}),
        source_ranges=frozenset({"10.2.0.0/28"}),
        description="ours",
    )


def connector(name: str, cidr: str) -> Connector:
    return Connector(
        project=PROJECT,
        region=REGION,
        name=name,
        state=ConnectorState.READY,
        network=NETWORK.name,
        ip_cidr_range=IPv4Network(cidr),
        machine_type="e2-micro",
        min_instances=2,
        max_instances=3,
    )


@dataclass(frozen=True)
class World:
    """One project with a rule and connectors in it, and the operator's own way to Google."""

    cloud: GoogleCloud
    emulator: Emulator

    def grant(self, permissions: frozenset[str]) -> None:
        self.emulator.store.get(PROJECT).iam = {ANONYMOUS: permissions}


def service(name: str) -> RunService:
    way = WayOut(connector=f"projects/{PROJECT}/locations/{REGION}/connectors/looked-at")
    return RunService(PROJECT, REGION, name, "gcr.io/acme/operator", ("prober",), way)


async def emulator_service(url: str, name: str) -> None:
    """A service as somebody else deploys it."""
    body = {"template": {"containers": [{"image": "gcr.io/acme/operator", "args": ["prober"]}]}}
    async with httpx2.AsyncClient(base_url=url) as client:
        path = f"/v2/projects/{PROJECT}/locations/{REGION}/services?serviceId={name}"
        answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with Emulator(Timings.instant()) as emulator:
        emulator.lab.project(PROJECT)
        emulator.lab.put("networks", PROJECT, (NETWORK.name,), {"autoCreateSubnetworks": False})
        allow = {"network": NETWORK.name, "allowed": [{"IPProtocol": "tcp"}], "sourceRanges": ["10.0.0.0/8"]}
        for name in ("changed", "deleted", "read"):
            emulator.lab.put("firewalls", PROJECT, (name,), allow)
        for number, name in enumerate(("patched", "removed", "looked-at")):
            fields = {"network": NETWORK.name, "ipCidrRange": f"10.3.{number}.0/28"}
            emulator.lab.put("connectors", PROJECT, (REGION, name), fields)
        for name in ("updated", "unwanted", "seen"):
            await emulator_service(emulator.url, name)
        emulator.lab.put("redis", PROJECT, (REGION, "cache"), {"network": NETWORK.name, "authEnabled": True})
        for kind in ("clusters", "valkeys"):
            emulator.lab.put(kind, PROJECT, (REGION, "chat"), {"network": NETWORK.name})
        emulator.lab.put("accounts", PROJECT, (ACCOUNT,), {})
        config = CloudConfig(
            endpoints=Endpoints(
                compute=emulator.url,
                vpcaccess=emulator.url,
                redis=emulator.url,
                logging=emulator.url,
                redis_cluster=emulator.url,
                memorystore=f"{emulator.url}/memorystore",
                run=emulator.url,
                iam_credentials=emulator.url,
            ),
            credentials=CredentialsConfig(mode="anonymous"),
        )
        cloud = await GoogleCloud.open(config)
        try:
            yield World(cloud, emulator)
        finally:
            await cloud.close()


def request_id() -> str:
    return str(uuid.uuid4())


async def insert(cloud: GoogleCloud) -> None:
    made = rule("made")
    operation = await cloud.insert_firewall(made, request_id=request_id(), lane=LANE)
    await cloud.settle_firewall(PROJECT, operation, made.name, patience=20, lane=LANE)


async def create(cloud: GoogleCloud) -> None:
    operation = await cloud.create_connector(connector("made", "10.2.0.0/28"), lane=LANE)
    await cloud.poll_vpcaccess_operation(operation, LANE)


#: All that the operator does at Google, each on something of its own.
DEEDS: dict[str, Callable[[GoogleCloud], Awaitable[object]]] = {
    "insert a rule": insert,
    "update a rule": lambda cloud: cloud.update_firewall(rule("changed"), request_id=request_id(), lane=LANE),
    "delete a rule": lambda cloud: cloud.delete_firewall(PROJECT, "deleted", request_id=request_id(), lane=LANE),
    "read a rule": lambda cloud: cloud.fresh_firewall(PROJECT, "read", LANE),
    "create a connector": create,
    "patch a connector": lambda cloud: cloud.patch_connector(
        PROJECT, REGION, "patched", min_instances=2, max_instances=9, lane=LANE
    ),
    "delete a connector": lambda cloud: cloud.delete_connector(PROJECT, REGION, "removed", lane=LANE),
    "deploy a service": lambda cloud: cloud.create_run_service(service("made"), lane=LANE),
    "update a service": lambda cloud: cloud.update_run_service(service("updated"), lane=LANE),
    "delete a service": lambda cloud: cloud.delete_run_service(PROJECT, REGION, "unwanted", lane=LANE),
    "read a service": lambda cloud: cloud.fresh_run_service(PROJECT, REGION, "seen", LANE),
    "read the audit log": lambda cloud: cloud.audit_log.writes(PROJECT, "any", 0.0, 1.0, LANE),
    "read a connector": lambda cloud: cloud.fresh_connector(PROJECT, REGION, "looked-at", LANE),
    "make an access token": lambda cloud: cloud.iam_credentials.access_token(PROJECT, ACCOUNT, LANE),
    "read a cluster's CA": lambda cloud: cloud.redis_cluster.get_certificate_authority(PROJECT, REGION, "chat", LANE),
    "read Valkey's CA": lambda cloud: cloud.memorystore.get_certificate_authority(PROJECT, REGION, "chat", LANE),
    "read an AUTH string": lambda cloud: cloud.redis.get_auth_string(PROJECT, REGION, "cache", LANE),
    **{
        f"read {key.kind}": lambda cloud, key=key: cloud.inventory.refresh(key)
        for key in (
            keys.firewalls(PROJECT),
            keys.networks(PROJECT),
            keys.subnetworks(PROJECT),
            keys.connectors(PROJECT, REGION),
            keys.effective_policies(NETWORK),
            keys.region_policies(NETWORK, REGION),
            keys.redis_instances(PROJECT, REGION),
            keys.redis_clusters(PROJECT, REGION),
            keys.valkey_instances(PROJECT, REGION),
            keys.run_services(PROJECT, REGION),
        )
    },
}


async def tour(cloud: GoogleCloud) -> dict[str, Forbidden]:
    """Do all of it; gives what was refused. Anything else that goes wrong is a fault of the test."""

    async def one(deed: Callable[[GoogleCloud], Awaitable[object]]) -> Forbidden | None:
        try:
            await deed(cloud)
        except Forbidden as refusal:
            return refusal
        return None

    answers = await asyncio.gather(*(one(deed) for deed in DEEDS.values()))
    return {name: answer for name, answer in zip(DEEDS, answers, strict=True) if answer is not None}


#: What the lab grants, and so what all of its tests run under.
ALL = operator_granted()[ANONYMOUS]


async def test_the_roles_suffice_for_all_of_it() -> None:
    async with world() as here:
        here.grant(ALL)
        assert await tour(here.cloud) == {}


#: Asked for by a service itself and by no API: see unit/emulator/test_emulator_run.py and e2e/test_e2e_cloudrun.py.
AT_THE_FRONT = {"run.routes.invoke"}


@pytest.mark.parametrize("permission", sorted(ALL - AT_THE_FRONT))
async def test_without_one_permission_something_is_refused_and_names_it(permission: str) -> None:
    async with world() as here:
        here.grant(ALL - {permission})
        refused = await tour(here.cloud)
    assert refused, f"nothing needs {permission}: take it out of manifests/gcp/, or add what needs it to DEEDS"
    assert {one.permission for one in refused.values()} == {permission}


async def test_auth_strings_need_the_role_of_their_own() -> None:
    async with world() as here:
        here.emulator.lab.put("redis", PROJECT, (REGION, "cache"), {"network": NETWORK.name, "authString": "s3cret"})
        here.grant(google_role("role"))
        with pytest.raises(Forbidden) as refused:
            await here.cloud.redis.get_auth_string(PROJECT, REGION, "cache", LANE)
        assert refused.value.permission == "redis.instances.getAuthString"
        here.grant(google_role("role-auth-string"))
        found = await here.cloud.redis.get_auth_string(PROJECT, REGION, "cache", LANE)
    assert found.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found)


async def test_audit_logs_need_the_role_of_their_own() -> None:
    resource = f"projects/{PROJECT}/global/firewalls/changed"
    async with world() as here:
        here.emulator.lab.patch("firewalls", PROJECT, ("changed",), {"priority": 7}, actor="eve@example.com")
        here.grant(google_role("role"))
        with pytest.raises(Forbidden) as refused:
            await here.cloud.audit_log.writes(PROJECT, resource, 0.0, 4e9, LANE)
        assert refused.value.permission == "logging.logEntries.list"
        here.grant(google_role("role-audit-log"))
        found = await here.cloud.audit_log.writes(PROJECT, resource, 0.0, 4e9, LANE)
    assert next((one.principal, one.method) for one in found) == ("eve@example.com", "v1.compute.firewalls.patch")


UNLISTED = [one for one in all_methods() if one.permission and one.permission not in ALL]


@pytest.mark.parametrize("method", UNLISTED, ids=lambda method: method.id)
async def test_what_is_not_listed_is_refused(method: Method) -> None:
    path = method.path.replace("{project}", PROJECT)
    async with world() as here, httpx2.AsyncClient(base_url=here.emulator.url) as client:
        here.grant(ALL)
        body = {} if method.project is None else {"resourceNames": [f"projects/{PROJECT}"]}
        answer = await client.request(method.http, path, json=body)
    assert answer.status_code == 403
    assert method.permission in answer.text


@pytest.mark.parametrize("name", ROLES)
def test_every_role_is_in_the_form_that_gcloud_takes(name: str) -> None:

    role = yaml.safe_load((MANIFESTS / "gcp" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert role.keys() == {"title", "description", "stage", "includedPermissions"}
    # IAM's own bounds: 100 characters of title, 300 of description.
    assert (len(role["title"]) <= 100, len(role["description"]) <= 300, role["stage"]) == (True, True, "GA")
    listed = role["includedPermissions"]
    assert len(set(listed)) == len(listed)
    assert all(len(one.split(".")) == 3 for one in listed)


def test_the_smaller_roles_are_parts_of_the_whole_one() -> None:
    assert google_role("role-host-project") | google_role("role-service-project") == google_role("role")
    assert not google_role("role-host-project") & google_role("role-service-project")
    writes = ("create", "delete", "update", "updatePolicy")
    assert google_role("role-read-only") < {one for one in google_role("role") if one.split(".")[-1] not in writes}
