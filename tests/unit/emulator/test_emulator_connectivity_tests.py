"""Connectivity Tests through Google's own client, as the command asks them: made, analysed, read, removed."""

from ipaddress import IPv4Address

import google.api_core.exceptions as errors
import pytest
from emulator_support import PROJECT, REGION
from google.auth.credentials import AnonymousCredentials
from google.cloud import network_management_v1 as nm

from redis_connectivity.cloud.connectivity_tests import ask_google
from redis_connectivity.cloud.connectivity_tests import test_for as google_form
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.errors import Forbidden
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.core.second_opinion import Opinion, Question, Result
from redis_connectivity_lab.dataplane.verdict import judge
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread

REDIS = "10.128.0.5"
REVISION = f"projects/{PROJECT}/locations/{REGION}/revisions/chat"
NETWORK = f"projects/{PROJECT}/global/networks/staging-vpc"
QUESTION = Question(PROJECT, REVISION, 6379, address=IPv4Address(REDIS), network=NETWORK)


@pytest.fixture(autouse=True)
def place(emulator: EmulatorThread, control: ControlClient) -> None:
    control.put("connectors", PROJECT, REGION, "staging-connector", network="staging-vpc", ipCidrRange="10.2.0.0/28")
    control.put("services", PROJECT, REGION, "chat", connector="staging-connector")
    control.put("instances", PROJECT, f"{REGION}-a", "redis", network="staging-vpc", address=REDIS)
    emulator.call(lambda one: one.set_judge(lambda *asked: judge(one.topology(), *asked)))


def ask(emulator: EmulatorThread, asked: Question = QUESTION) -> Opinion:
    credentials = CredentialSource(CredentialsConfig(mode="anonymous"))
    opinion, left = ask_google(asked, credentials, endpoint=f"{emulator.url}/networkmanagement", seconds=60)
    assert left == ""
    return opinion


def test_what_google_s_own_rules_let_through_is_reachable(emulator: EmulatorThread) -> None:
    opinion = ask(emulator)
    assert opinion.result is Result.REACHABLE
    assert [one.state for one in opinion.findings] == [
        "START_FROM_CLOUD_RUN_REVISION",
        "ARRIVE_AT_VPC_CONNECTOR",
        "APPLY_INGRESS_FIREWALL_RULE",
        "APPLY_ROUTE",
        "DELIVER",
    ]
    assert "SERVERLESS_VPC_ACCESS_MANAGED_FIREWALL_RULE" in opinion.findings[2].rule
    assert opinion.verified


@pytest.mark.parametrize("direction", ["INGRESS", "EGRESS"])
def test_a_deny_is_named(emulator: EmulatorThread, control: ControlClient, direction: str) -> None:
    denied = [{"IPProtocol": "all"}]
    control.put("firewalls", PROJECT, "lockdown", network="staging-vpc", priority=5, denied=denied, direction=direction)
    opinion = ask(emulator)
    assert opinion.result is Result.UNREACHABLE
    *_, rule, drop = opinion.findings
    assert rule.state == f"APPLY_{direction}_FIREWALL_RULE"
    assert rule.rule == "lockdown (DENY at priority 5, VPC_FIREWALL_RULE)"
    assert (drop.state, drop.cause, drop.drops) == ("DROP", "FIREWALL_RULE", True)


def test_what_is_not_there_is_told(emulator: EmulatorThread, control: ControlClient) -> None:
    nobody = Question(PROJECT, REVISION, 6379, address=IPv4Address("10.128.0.77"), network=NETWORK)
    assert ask(emulator, nobody).findings[-1].cause == "UNKNOWN_INTERNAL_ADDRESS"
    stranger = Question(PROJECT, f"{REVISION}-9", 6379, address=IPv4Address(REDIS), network=NETWORK)
    opinion = ask(emulator, stranger)
    assert (opinion.result, [one.cause for one in opinion.stopped]) == (
        Result.UNDETERMINED,
        ["RESOURCE_CONFIG_NOT_FOUND"],
    )
    absent = Question(PROJECT, REVISION, 6379, resource=f"projects/{PROJECT}/locations/{REGION}/instances/none")
    assert ask(emulator, absent).result is Result.UNDETERMINED
    control.put("services", PROJECT, REGION, "chat")
    assert ask(emulator).findings[-1].cause == "VPC_CONNECTOR_NOT_SET"


def test_a_missing_permission_is_told_and_nothing_is_left(emulator: EmulatorThread, control: ControlClient) -> None:
    control.allow(PROJECT, {"*": ["networkmanagement.connectivitytests.get"]})
    with pytest.raises(Forbidden, match=r"networkmanagement\.connectivitytests\.create"):
        ask(emulator)
    control.allow(PROJECT, {"*": ["networkmanagement.connectivitytests.create", "networkmanagement.operations.get"]})
    # It could be made, and neither read nor removed: whoever asked must know.
    with pytest.raises(Forbidden, match=r"The test projects/.*/connectivityTests/rconn-[0-9a-f]+ is still there"):
        ask(emulator)


def test_google_refuses_bad_tests(emulator: EmulatorThread) -> None:
    client = nm.ReachabilityServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": f"{emulator.url}/networkmanagement"},
    )
    parent = f"projects/{PROJECT}/locations/global"
    with pytest.raises(errors.BadRequest, match="test_id"):
        client.create_connectivity_test(parent=parent, test_id="Bad", resource=google_form(QUESTION))
    with pytest.raises(errors.BadRequest, match="source must be specified"):
        client.create_connectivity_test(parent=parent, test_id="good", resource=nm.ConnectivityTest())
    client.create_connectivity_test(parent=parent, test_id="good", resource=google_form(QUESTION)).result(timeout=30)
    with pytest.raises(errors.Conflict):
        client.create_connectivity_test(parent=parent, test_id="good", resource=google_form(QUESTION))
    client.delete_connectivity_test(name=f"{parent}/connectivityTests/good").result(timeout=30)
    with pytest.raises(errors.NotFound):
        client.get_connectivity_test(name=f"{parent}/connectivityTests/good")
