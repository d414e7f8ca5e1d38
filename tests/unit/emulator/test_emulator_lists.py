"""Compute's lists: pages, order, filters, and what is cached."""

from __future__ import annotations

import pytest
from emulator_support import COMPUTE, PROJECT, Clients, Http, rule
from google.cloud import compute_v1

from redis_connectivity_lab.emulator import ControlClient, EmulatorThread
from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.filters import compile_filter

RULES = f"{COMPUTE}/global/firewalls"
ITEM = {
    "name": "allow-redis",
    "priority": 900,
    "disabled": False,
    "network": "https://x/networks/staging-vpc",
    "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
    "logConfig": {"enable": True},
}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('name eq "allow-.*"', True),
        ("name eq allow", False),  # a regular expression has to match the whole value
        ('name ne "allow-.*"', False),
        ('(name eq "a.*") (priority eq "9..")', True),
        ("name = allow-redis", True),
        ('name="allow-redis"', True),
        ("name = allow-*", False),
        ("name != allow-redis", False),
        ("name:redis", True),
        ("description:*", False),
        ("name:*", True),
        ("priority > 100", True),
        ("priority <= 899", False),
        ("priority >= 900 AND disabled = false", True),
        ("priority < 100 OR name = allow-redis", True),
        ("NOT name = allow-redis", False),
        ("NOT (name = other OR priority = 1)", True),
        ("logConfig.enable = true", True),
        ("allowed.IPProtocol = tcp", True),
        ("allowed.ports = 6380", False),
        ("direction = INGRESS", False),
    ],
)
def test_filters(text: str, passes: bool) -> None:
    assert compile_filter(text)(ITEM) is passes


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name =",
        "= x",
        "name eq",
        "name eq [",
        "name = a b",
        "(name = a",
        "name = a)",
        "name = a AND",
        'name eq "x" AND name = y',
        '"',
    ],
)
def test_bad_filters(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid list filter expression"):
        compile_filter(text)


def _fill(control: ControlClient, count: int) -> list[str]:
    names = [f"rule-{index:04}" for index in range(count)]
    for name in reversed(names):
        control.put("firewalls", PROJECT, name, network="staging-vpc", allowed=[{"IPProtocol": "tcp"}])
    return names


def test_pages(http: Http, control: ControlClient) -> None:
    names = _fill(control, 7)
    seen: list[str] = []
    token = ""
    while True:
        page = http("GET", f"{RULES}?maxResults=3&pageToken={token}")[1]
        seen += [each["name"] for each in page["items"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
        # What vanishes from pages seen already makes the next ones skip nothing.
        control.delete("firewalls", PROJECT, seen[-1])
    assert seen == names
    newest_first: list[str] = []
    names = [each["name"] for each in http("GET", RULES)[1]["items"]]
    while True:
        page = http("GET", f"{RULES}?orderBy=creationTimestamp%20desc&maxResults=2&pageToken={token}")[1]
        newest_first += [each["name"] for each in page["items"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert newest_first == names  # they were put in from the last to the first
    assert "items" not in http("GET", f"{RULES}?maxResults=0")[1]


@pytest.mark.parametrize(
    "query",
    [
        "maxResults=501",
        "maxResults=-1",
        "maxResults=many",
        "orderBy=priority",
        "orderBy=name%20desc",
        "pageToken=nonsense",
        "pageToken=WzEsMl0",
        "filter=name",
    ],
)
def test_refused(http: Http, query: str) -> None:
    assert http("GET", f"{RULES}?{query}")[0] == 400


def test_client_pages_and_filters(clients: Clients, control: ControlClient) -> None:
    names = _fill(control, 12)
    request = compute_v1.ListFirewallsRequest(project=PROJECT, max_results=5)
    assert [each.name for each in clients.firewalls.list(request)] == names
    request = compute_v1.ListFirewallsRequest(project=PROJECT, filter='name eq "^rule-000.*"', max_results=4)
    assert [each.name for each in clients.firewalls.list(request)] == names[:10]


def test_every_change_shows_in_the_next_list(http: Http, control: ControlClient) -> None:
    _fill(control, 2)
    assert len(http("GET", RULES)[1]["items"]) == 2
    http.done("POST", RULES, rule())
    assert len(http("GET", RULES)[1]["items"]) == 3
    http.done("PATCH", f"{RULES}/rule-0000", {"priority": 7})
    assert {each["priority"] for each in http("GET", RULES)[1]["items"]} == {7, 1000}
    http.done("DELETE", f"{RULES}/rule-0001")
    assert len(http("GET", RULES)[1]["items"]) == 2
    # The same question to another project has another answer.
    control.project("acme-other")
    assert "items" not in http("GET", "/compute/v1/projects/acme-other/global/firewalls")[1]


def test_an_unchanged_list_is_not_serialised_again(
    http: Http, control: ControlClient, emulator: EmulatorThread
) -> None:
    _fill(control, 3)
    http("GET", RULES)

    def cached(_running: object) -> list[bytes]:
        return emulator.call(lambda each: list(each.store.get(PROJECT).answers.values()))

    before = cached(emulator)
    http("GET", RULES)
    after = cached(emulator)
    assert len(after) == 1
    assert after[0] is before[0]


def test_subnetworks_in_many_regions(http: Http, control: ControlClient) -> None:
    control.project(PROJECT, defaultNetwork=True)
    everywhere = http("GET", f"{COMPUTE}/aggregated/subnetworks?maxResults=3")[1]
    filled = [scope for scope, value in everywhere["items"].items() if "subnetworks" in value]
    assert filled == ["regions/africa-south1", "regions/asia-east1", "regions/asia-east2"]
    warning = everywhere["items"]["regions/us-west4"]["warning"]
    assert warning["code"] == "NO_RESULTS_ON_PAGE"
    assert everywhere["nextPageToken"]
    kinds = {each["kind"] for value in everywhere["items"].values() for each in value.get("subnetworks", ())}
    assert kinds == {"compute#subnetwork"}
    assert "__scope" not in everywhere["items"]["regions/asia-east1"]["subnetworks"][0]
