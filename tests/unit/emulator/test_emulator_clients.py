"""Every method through Google's own Python clients."""

from __future__ import annotations

import uuid

import pytest
from emulator_support import PARENT, PROJECT, REGION, Clients
from google.api_core import exceptions
from google.cloud import compute_v1, redis_v1, vpcaccess_v1

from redis_connectivity_lab.emulator import ControlClient, schema

NETWORK = f"projects/{PROJECT}/global/networks/staging-vpc"


def _rule(**changes: object) -> compute_v1.Firewall:
    fields: dict[str, object] = {
        "name": "allow-redis",
        "network": NETWORK,
        "direction": "INGRESS",
        "priority": 900,
        "allowed": [compute_v1.Allowed(I_p_protocol="tcp", ports=["6379"])],
        "source_ranges": ["10.2.0.0/28"],
        "target_tags": ["redis-instance"],
        "log_config": compute_v1.FirewallLogConfig(enable=True, metadata="INCLUDE_ALL_METADATA"),
    } | changes
    return compute_v1.Firewall(**fields)


def _wait(clients: Clients, operation: compute_v1.Operation) -> compute_v1.Operation:
    finished = clients.operations.wait(project=PROJECT, operation=operation.name)
    assert finished.status == compute_v1.Operation.Status.DONE
    return finished


def test_firewalls(clients: Clients) -> None:
    firewalls = clients.firewalls
    request = compute_v1.InsertFirewallRequest(project=PROJECT, firewall_resource=_rule(), request_id=str(uuid.uuid4()))
    operation = firewalls.insert_unary(request)
    assert operation.operation_type == "insert"
    assert not _wait(clients, operation).error.errors
    found = firewalls.get(project=PROJECT, firewall="allow-redis")
    assert found.priority == 900
    assert found.log_config.metadata == "INCLUDE_ALL_METADATA"
    assert found.network == f"https://www.googleapis.com/compute/v1/{NETWORK}"
    assert [each.name for each in firewalls.list(project=PROJECT)] == ["allow-redis"]

    # The client leaves empty lists out, so a patch cannot clear the tags; an update can.
    _wait(
        clients, firewalls.patch_unary(project=PROJECT, firewall="allow-redis", firewall_resource=_rule(target_tags=[]))
    )
    assert list(firewalls.get(project=PROJECT, firewall="allow-redis").target_tags) == ["redis-instance"]
    _wait(
        clients,
        firewalls.update_unary(project=PROJECT, firewall="allow-redis", firewall_resource=_rule(target_tags=[])),
    )
    assert list(firewalls.get(project=PROJECT, firewall="allow-redis").target_tags) == []
    _wait(clients, firewalls.patch_unary(project=PROJECT, firewall="allow-redis", firewall_resource=_rule(priority=0)))
    assert firewalls.get(project=PROJECT, firewall="allow-redis").priority == 0

    _wait(clients, firewalls.delete_unary(project=PROJECT, firewall="allow-redis"))
    with pytest.raises(exceptions.NotFound, match="was not found"):
        firewalls.get(project=PROJECT, firewall="allow-redis")
    assert list(firewalls.list(project=PROJECT)) == []


def test_networks_and_subnetworks(clients: Clients) -> None:
    network = compute_v1.Network(name="other", auto_create_subnetworks=False)
    _wait(clients, clients.networks.insert_unary(project=PROJECT, network_resource=network))
    assert clients.networks.get(project=PROJECT, network="other").network_firewall_policy_enforcement_order
    assert sorted(each.name for each in clients.networks.list(project=PROJECT)) == ["other", "staging-vpc"]
    patch = compute_v1.Network(network_firewall_policy_enforcement_order="BEFORE_CLASSIC_FIREWALL")
    _wait(clients, clients.networks.patch_unary(project=PROJECT, network="other", network_resource=patch))
    found = clients.networks.get(project=PROJECT, network="other")
    assert found.network_firewall_policy_enforcement_order == "BEFORE_CLASSIC_FIREWALL"

    subnetwork = compute_v1.Subnetwork(
        name="connectors", network=f"projects/{PROJECT}/global/networks/other", ip_cidr_range="10.8.0.0/28"
    )
    operation = clients.subnetworks.insert_unary(project=PROJECT, region=REGION, subnetwork_resource=subnetwork)
    finished = clients.region_operations.wait(project=PROJECT, region=REGION, operation=operation.name)
    assert finished.status == compute_v1.Operation.Status.DONE
    found = clients.subnetworks.get(project=PROJECT, region=REGION, subnetwork="connectors")
    assert found.purpose == "PRIVATE"
    assert found.fingerprint
    assert [each.name for each in clients.subnetworks.list(project=PROJECT, region=REGION)] == ["connectors"]
    scopes = dict(clients.subnetworks.aggregated_list(project=PROJECT))
    assert [each.name for each in scopes[f"regions/{REGION}"].subnetworks] == ["connectors"]

    with pytest.raises(exceptions.BadRequest, match="already being used by"):
        clients.networks.delete_unary(project=PROJECT, network="other")
    operation = clients.subnetworks.delete_unary(project=PROJECT, region=REGION, subnetwork="connectors")
    clients.region_operations.wait(project=PROJECT, region=REGION, operation=operation.name)
    _wait(clients, clients.networks.delete_unary(project=PROJECT, network="other"))
    with pytest.raises(exceptions.NotFound):
        clients.networks.get(project=PROJECT, network="other")


def test_operations(clients: Clients) -> None:
    operation = clients.firewalls.insert_unary(project=PROJECT, firewall_resource=_rule())
    assert clients.operations.get(project=PROJECT, operation=operation.name).target_id == operation.target_id
    _wait(clients, operation)
    assert [each.name for each in clients.operations.list(project=PROJECT)] == [operation.name]
    assert list(clients.region_operations.list(project=PROJECT, region=REGION)) == []
    clients.operations.delete(project=PROJECT, operation=operation.name)
    with pytest.raises(exceptions.NotFound):
        clients.operations.get(project=PROJECT, operation=operation.name)


def test_instances(clients: Clients, control: ControlClient) -> None:
    control.put(
        "instances",
        PROJECT,
        "us-central1-a",
        "redis-vm",
        network="staging-vpc",
        address="10.1.0.5",
        tags=["redis-instance"],
        serviceAccount="redis@acme-staging.iam.gserviceaccount.com",
        redisPort=6379,
    )
    found = clients.instances.get(project=PROJECT, zone="us-central1-a", instance="redis-vm")
    assert found.network_interfaces[0].network_i_p == "10.1.0.5"
    assert list(found.tags.items) == ["redis-instance"]
    assert [each.name for each in clients.instances.list(project=PROJECT, zone="us-central1-a")] == ["redis-vm"]
    scopes = dict(clients.instances.aggregated_list(project=PROJECT))
    assert [each.name for each in scopes["zones/us-central1-a"].instances] == ["redis-vm"]


def test_connectors(clients: Clients) -> None:
    api = clients.vpcaccess
    resource = vpcaccess_v1.Connector(
        network="staging-vpc", ip_cidr_range="10.2.0.0/28", min_instances=2, max_instances=3
    )
    operation = api.create_connector(parent=PARENT, connector_id="staging-connector", connector=resource)
    made = operation.result(timeout=30)
    assert made.state == vpcaccess_v1.Connector.State.READY
    assert operation.metadata.target == f"{PARENT}/connectors/staging-connector"
    assert api.get_connector(name=made.name) == made
    assert list(api.list_connectors(parent=PARENT)) == [made]
    assert list(api.list_connectors(parent=f"projects/{PROJECT}/locations/-")) == [made]
    operations = api.list_operations({"name": PARENT}).operations
    assert [each.name for each in operations] == [operation.operation.name]
    assert REGION in [each.location_id for each in api.list_locations({"name": f"projects/{PROJECT}"}).locations]
    api.delete_connector(name=made.name).result(timeout=30)
    with pytest.raises(exceptions.NotFound, match=r"The connector is not found\."):
        api.get_connector(name=made.name)


def test_redis(clients: Clients) -> None:
    api = clients.redis
    resource = redis_v1.Instance(
        tier=redis_v1.Instance.Tier.STANDARD_HA, memory_size_gb=1, authorized_network=NETWORK, auth_enabled=True
    )
    made = api.create_instance(parent=PARENT, instance_id="chat-cache", instance=resource).result(timeout=30)
    assert made.state == redis_v1.Instance.State.READY
    assert made.tier == redis_v1.Instance.Tier.STANDARD_HA
    assert api.get_instance(name=made.name) == made
    assert list(api.list_instances(parent=f"projects/{PROJECT}/locations/-")) == [made]
    assert api.get_instance_auth_string(name=made.name).auth_string
    update = redis_v1.Instance(name=made.name, display_name="Chat")
    changed = api.update_instance(instance=update, update_mask={"paths": ["display_name"]}).result(timeout=30)
    assert changed.display_name == "Chat"
    api.delete_instance(name=made.name).result(timeout=30)
    with pytest.raises(exceptions.NotFound):
        api.get_instance(name=made.name)


def test_schemas_know_every_field_of_the_clients() -> None:
    """A field that Google's clients can send must not be refused as unknown."""
    pairs = [
        (compute_v1.Firewall, schema.FIREWALL),
        (compute_v1.Network, schema.NETWORK),
        (compute_v1.Subnetwork, schema.SUBNETWORK),
        (vpcaccess_v1.Connector, schema.CONNECTOR),
        (redis_v1.Instance, schema.REDIS_INSTANCE),
    ]
    for message, known in pairs:
        fields = {field.json_name for field in message.pb(message()).DESCRIPTOR.fields}
        assert fields - set(known) == set(), message.__name__
