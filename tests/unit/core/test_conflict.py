"""Who has what when two resources cannot both have it."""

from dataclasses import replace
from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st
from test_convergence import Cloud, connector, desired

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.status import RedisConnectivityStatus
from redis_connectivity.core.cloudvalues import NetworkRef
from redis_connectivity.core.conflict import Claim, Conflict, claim_of, losers
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.ledger import Ledger
from redis_connectivity.core.plan import make_plan
from redis_connectivity.core.statusbuild import StatusInput, build_status

NETWORK = NetworkRef("acme", "vpc")


def claim(
    name: str,
    at: int,
    *,
    connector_name: str = "c",
    cidr: str | None = "10.2.0.0/28",
    subnet: str | None = None,
    network: NetworkRef = NETWORK,
) -> Claim:
    return Claim(
        owner=ResourceId("cluster", "ns", name, f"uid-{name}"),
        created=f"2026-01-01T00:00:{at:02}Z",
        connector=f"projects/acme/locations/us-central1/connectors/{connector_name}",
        network=network,
        region="us-central1",
        ip_cidr_range=IPv4Network(cidr) if cidr else None,
        subnet=subnet,
    )


def test_those_that_agree_share() -> None:
    assert losers([claim("a", 1), claim("b", 2)]) == {}


def test_the_younger_gives_way_and_is_told_to_whom_and_what_to_do() -> None:
    found = losers([claim("b", 2, cidr="10.3.0.0/28"), claim("a", 1)])
    assert list(found) == ["uid-b"]
    assert found["uid-b"].rival == "ns/a"
    assert "10.3.0.0/28" in found["uid-b"].message
    assert "10.2.0.0/28" in found["uid-b"].message
    assert "ns/a" in found["uid-b"].message


def test_overlapping_ranges_of_two_connectors_of_one_network() -> None:
    one, two = claim("a", 1), claim("b", 2, connector_name="d")
    assert "free /28" in losers([two, one])["uid-b"].message
    assert losers([one, replace(two, network=NetworkRef("acme", "other"))]) == {}


def test_a_subnet_is_for_one_connector() -> None:
    one = claim("a", 1, cidr=None, subnet="s")
    assert (
        "Subnet s" in losers([one, replace(claim("b", 2, cidr=None, subnet="s", connector_name="d"))])["uid-b"].message
    )
    assert losers([one, claim("b", 2, cidr=None, subnet="t", connector_name="d")]) == {}


def test_made_in_the_same_second_the_uid_decides() -> None:
    assert list(losers([claim("b", 1, cidr="10.3.0.0/28"), claim("a", 1)])) == ["uid-b"]


def test_who_gives_way_blocks_nobody() -> None:
    """b disputes with a over the connector and with c over the range; b gives way, so c has its range."""
    a = claim("a", 1, connector_name="x", cidr="10.2.0.0/28")
    b = claim("b", 2, connector_name="x", cidr="10.3.0.0/28")
    c = claim("c", 3, connector_name="y", cidr="10.3.0.0/28")
    assert list(losers([a, b, c])) == ["uid-b"]
    assert list(losers([b, c])) == ["uid-c"]


def test_what_nobody_manages_is_claimed_by_nobody() -> None:
    assert claim_of(desired(connector={"ipCidrRange": "10.2.0.0/28", "management": "Observed"}), "") is None
    assert claim_of(desired(connector={"ipCidrRange": "10.2.0.0/28", "management": "None"}), "") is None
    assert claim_of(desired(), "2026") is not None


many = st.lists(
    st.builds(
        claim,
        st.sampled_from([f"r{number}" for number in range(8)]),
        st.integers(0, 3),
        connector_name=st.sampled_from(["x", "y", "z"]),
        cidr=st.sampled_from(["10.2.0.0/28", "10.2.0.16/28", "10.2.0.32/28"]),
    ),
    max_size=8,
    unique_by=lambda one: one.owner.uid,
)


@given(many, st.randoms())
def test_the_same_whoever_looks_and_no_two_winners_dispute(claims: list[Claim], rng: object) -> None:
    found = losers(claims)
    shuffled = list(claims)
    rng.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random
    assert losers(shuffled) == found
    winners = [one for one in claims if one.owner.uid not in found]
    assert not any(one.dispute(other) for one in winners for other in winners)
    by_key = {one.owner.key: one for one in claims}
    for one in claims:
        if one.owner.uid in found:
            rival = by_key[found[one.owner.uid].rival]
            assert rival.owner.uid not in found
            assert rival.age < one.age
            assert one.dispute(rival)


def test_nothing_is_made_against_the_older_one() -> None:
    seen = replace(Cloud({}, None).observed(Ledger()), conflict=Conflict("ns/a", "because of ns/a"))
    plan = make_plan(desired(), seen, Ledger(), 1.0)
    assert plan.actions == ()
    status = build_status(
        StatusInput(desired(), seen, plan, None, generation=1, previous=RedisConnectivityStatus(), now=1.0)
    )
    ready = next(one for one in status.conditions if one.type == "Ready")
    assert (ready.status, ready.reason, ready.message) == ("False", Reason.CONFLICT, "because of ns/a")


def test_rules_go_on_following_the_connector_that_is_there() -> None:
    seen = replace(Cloud({}, connector()).observed(Ledger()), conflict=Conflict("ns/a", "because of ns/a"))
    plan = make_plan(desired(), seen, Ledger(), 1.0)
    assert plan.connector.reason is Reason.CONFLICT
    assert [type(one).__name__ for one in plan.actions] == ["InsertRule"]
