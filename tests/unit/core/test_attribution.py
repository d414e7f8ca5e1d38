"""Who made a change, by the audit log; and when nobody can be named."""

import pytest
from test_convergence import desired

from redis_connectivity.cloud.auditlog import audit_entry
from redis_connectivity.core.attribution import Actor, AuditEntry, question_about, who, with_actors
from redis_connectivity.core.ledger import DriftRecord

RULE = "allow-vpc-connector-to-redis"
PATCH, DELETE = "v1.compute.firewalls.patch", "v1.compute.firewalls.delete"


def record(field: str = "priority", **more: object) -> DriftRecord:
    given = {
        "kind": "FirewallRule",
        "name": RULE,
        "field": field,
        "before": "1",
        "after": "2",
        "seen": 100.0,
        "written": 50.0,
    }
    return DriftRecord.model_validate({**given, **more})


def test_the_last_to_write_before_it_was_seen() -> None:
    entries = [AuditEntry(60, "eve@x", PATCH), AuditEntry(90, "mallory@x", PATCH), AuditEntry(95, "bob@x", DELETE)]
    assert who(record(), entries) == Actor("mallory@x", 90)
    assert who(record("exists"), entries) == Actor("bob@x", 95)


def test_nothing_from_before_our_own_last_write() -> None:
    """Our own write is in the log too, and is never taken for theirs."""
    assert who(record(), [AuditEntry(50, "operator@x", PATCH), AuditEntry(20, "eve@x", PATCH)]) is None


def test_nothing_from_after_it_was_seen() -> None:
    """Our own repair follows at once."""
    entries = [AuditEntry(100.2, "operator@x", PATCH), AuditEntry(90, "eve@x", PATCH)]
    assert who(record(), entries) == Actor("eve@x", 90)


def test_what_is_asked() -> None:
    question = question_about(desired(), record())
    assert question is not None
    assert question.resource == f"projects/acme-staging/global/firewalls/{RULE}"
    assert (question.since, question.until) == (50.0, 100.0)
    assert question_about(desired(), record(written=0.0)) is None
    connector = question_about(desired(), record("exists", kind="Connector", name="staging-connector", written=0.0))
    assert connector is not None
    assert connector.resource == "projects/acme-staging/locations/us-central1/connectors/staging-connector"


def test_what_was_found_goes_to_the_record_it_was_asked_for_though_it_is_repaired_by_now() -> None:
    repaired = record(repaired=120.0)
    other = record("disabled")
    found = with_actors((repaired, other), {record(): Actor("eve@x", 90.0)})
    assert (found[0].actor, found[0].changed, found[0].repaired) == ("eve@x", 90.0, 120.0)
    assert found[1] == other


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, True),
        ({"timestamp": "2026-11-25T10:00:00.123456789Z"}, True),
        ({"timestamp": "yesterday"}, False),
        ({"protoPayload": {"methodName": PATCH}}, False),
        ({"protoPayload": {"authenticationInfo": {"principalEmail": "a@x"}, "status": {"code": 7}}}, False),
        ({"textPayload": "no audit log", "protoPayload": None}, False),
    ],
)
def test_entries_as_google_writes_them(change: dict[str, object], told: bool) -> None:
    entry = {
        "timestamp": "2026-11-25T10:00:00Z",
        "protoPayload": {"status": {}, "authenticationInfo": {"principalEmail": "a@x"}, "methodName": PATCH},
    }
    assert (audit_entry({**entry, **change}) is not None) is told
