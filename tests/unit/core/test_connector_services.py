"""Which Cloud Run services still use a connector is named where people have to move them."""

import pytest
from connector_values import connector, desired, observed

from redis_connectivity.api.conditions import Reason
from redis_connectivity.core.consent import services_on
from redis_connectivity.core.ledger import ClaimState, ConnectorClaim, Ledger
from redis_connectivity.core.plan_deletion import make_deletion_plan
from redis_connectivity.core.prober import labels_of
from redis_connectivity.core.runvalues import RunService, WayOut

PLACE = "locations/us-central1/connectors/staging-connector"


def service(name: str, way: str, **labels: str) -> RunService:
    return RunService(
        "acme-staging", "us-central1", name, "image", (), WayOut(connector=way), frozenset(labels.items())
    )


def test_services_are_known_by_the_connectors_full_name() -> None:
    want, one = desired({"ipCidrRange": "10.2.0.0/28"}), connector()
    mine = want.owner.cluster
    services = (
        service("web", f"projects/acme-staging/{PLACE}"),
        # Google may write the number of a project where people write its id.
        service("chat", f"projects/123456789/{PLACE}"),
        service("elsewhere", f"projects/acme-other/{PLACE}"),
        service("another", f"projects/acme-staging/{PLACE}-2"),
        service("direct", ""),
        RunService(
            "acme-staging",
            "us-central1",
            "prober",
            "image",
            (),
            WayOut(connector=f"projects/acme-staging/{PLACE}"),
            frozenset(labels_of(mine).items()),
        ),
    )
    assert services_on(want, one, observed(one, run_services=services)) == ("chat", "web")
    assert services_on(want, one, observed(one)) == ()


@pytest.mark.parametrize("names", [(), ("chat",), ("web", "chat")])
def test_who_would_be_cut_off_by_a_deletion_is_named(names: tuple[str, ...]) -> None:
    want = desired({"ipCidrRange": "10.2.0.0/28"})
    one = connector(connected_projects=frozenset({"acme-other"}))
    ledger = Ledger(claim=ConnectorClaim(connector=want.connector_path, state=ClaimState.CONFIRMED))
    services = tuple(service(name, f"projects/acme-staging/{PLACE}") for name in names)
    plan = make_deletion_plan(want, observed(one, run_services=services), ledger, 0.0)
    assert (plan.actions, plan.verdict.reason) == ((), Reason.CONSENT_REQUIRED)
    assert "acme-other" in plan.verdict.message
    told = f"In project acme-staging it carries {', '.join(sorted(names))}."
    assert (told in plan.verdict.message) is bool(names)
