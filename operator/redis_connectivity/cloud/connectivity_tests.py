"""Google's Connectivity Tests, asked once: a test is made, analysed, read, and removed again.

For people at a command line, with their own credentials: the operator itself never asks. Google charges for tests
beyond a free number, and takes from half a minute to ten (its page on Connectivity Tests).
"""

from __future__ import annotations

import secrets
from typing import Final

from google.api_core import exceptions as api_exceptions
from google.cloud import network_management_v1 as nm

from redis_connectivity.cloud.adapters import from_exception
from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import rest_client
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.core.second_opinion import Finding, Opinion, Question, Result

__all__ = ["ask_google", "opinion_from_google", "test_for"]

#: Seconds for one request, and for a test's removal.
_TIMEOUT: Final = 30.0
_DROPPED: Final = "DROP"


def ask_google(
    asked: Question, credentials: CredentialSource, *, endpoint: str | None, seconds: float
) -> tuple[Opinion, str]:
    """Google's opinion, and the full name of a test that could not be removed (empty: it is gone).

    Blocks for up to `seconds` for the analysis.

    Raises:
        CloudError: Google refused, or did not answer in time.
    """
    client = rest_client(nm.ReachabilityServiceClient, credentials, endpoint)
    parent = f"projects/{asked.project}/locations/global"
    test_id = f"rconn-{secrets.token_hex(6)}"
    name = f"{parent}/connectivityTests/{test_id}"
    context = CallContext(asked.project, "networkmanagement", "connectivitytests.create", name)
    made = False
    try:
        operation = client.create_connectivity_test(
            parent=parent, test_id=test_id, resource=test_for(asked), retry=None, timeout=_TIMEOUT
        )
        made = True
        operation.result(timeout=seconds)  # type: ignore[no-untyped-call]  # google.api_core has no types here
        opinion = opinion_from_google(client.get_connectivity_test(name=name, retry=None, timeout=_TIMEOUT))
    except Exception as raised:
        error = from_exception(raised, context)
        if error is None:
            raise
        if made and not _removed(client, name):
            error.message += f" The test {name} is still there: delete it"
        raise error from raised
    return opinion, "" if _removed(client, name) else name


def _removed(client: nm.ReachabilityServiceClient, name: str) -> bool:
    try:
        client.delete_connectivity_test(name=name, retry=None, timeout=_TIMEOUT).result(timeout=_TIMEOUT)  # type: ignore[no-untyped-call]  # as above
    except (api_exceptions.GoogleAPICallError, TimeoutError):
        return False
    return True


def test_for(asked: Question) -> nm.ConnectivityTest:
    """The question in Google's form."""
    destination = nm.Endpoint(port=asked.port)
    if asked.address is not None:
        destination.ip_address = str(asked.address)
        destination.network = asked.network
        destination.project_id = asked.network.split("/")[1]
    elif asked.is_cluster:
        destination.redis_cluster = asked.resource
    else:
        destination.redis_instance = asked.resource
    return nm.ConnectivityTest(
        description="Made by redis-connectivity, and removed by it after use",
        source=nm.Endpoint(cloud_run_revision=nm.Endpoint.CloudRunRevisionEndpoint(uri=asked.revision)),
        destination=destination,
        protocol="TCP",
        related_projects=[f"projects/{project}" for project in asked.related_projects],
        labels={"managed-by": "redis-connectivity"},
    )


def opinion_from_google(test: nm.ConnectivityTest) -> Opinion:
    """The answer in our form. Of several traces, the one that is not delivered is told."""
    details = test.reachability_details
    name = nm.ReachabilityDetails.Result(details.result).name
    result = Result(name) if name in Result.__members__ else Result.UNDETERMINED
    traces = [tuple(_finding(step) for step in trace.steps) for trace in details.traces]
    broken = next((trace for trace in traces if any(one.drops for one in trace)), None)
    findings = broken or (traces[0] if traces else ())
    verified = details.verify_time.rfc3339() if details.verify_time else ""
    return Opinion(result, findings, verified, details.error.message if details.error else "")


def _finding(step: nm.Step) -> Finding:
    state = nm.Step.State(step.state).name
    cause, rule = "", ""
    if "drop" in step:
        cause = nm.DropInfo.Cause(step.drop.cause).name
    elif "abort" in step:
        cause = nm.AbortInfo.Cause(step.abort.cause).name
    if "firewall" in step:
        kind = nm.FirewallInfo.FirewallRuleType(step.firewall.firewall_rule_type).name
        known = step.firewall.display_name or step.firewall.uri.rpartition("/")[2]
        rule = f"{known} ({step.firewall.action} at priority {step.firewall.priority}, {kind})"
    return Finding(state, step.description, step.causes_drop or state == _DROPPED, cause, rule)
