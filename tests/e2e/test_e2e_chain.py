"""The founding outage's validation chain, end to end against real processes: rules, PING, login, a whole chat."""

import time
from typing import Any

import pytest

from support.hardened import REGION
from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

CHAT = "10.128.0.9"
CONNECTOR_RANGE = "10.2.0.0/28"
#: What the chat team has opened for itself, in front of the network's denies.
TEAM_RULES: dict[str, dict[str, Any]] = {
    "chat-from-connector": {
        "direction": "INGRESS",
        "sourceRanges": [CONNECTOR_RANGE],
        "targetTags": ["chat-backend"],
        "ports": ["8080"],
    },
    "connector-to-chat": {
        "direction": "EGRESS",
        "destinationRanges": [f"{CHAT}/32"],
        "targetTags": ["vpc-connector"],
        "ports": ["8080"],
    },
    "chat-to-redis": {
        "direction": "EGRESS",
        "destinationRanges": ["10.128.0.5/32"],
        "targetTags": ["chat-backend"],
        "ports": ["6379"],
    },
    "redis-from-chat": {
        "direction": "INGRESS",
        "sourceRanges": [f"{CHAT}/32"],
        "targetTags": ["redis-instance"],
        "ports": ["6379"],
    },
}


def put_rule(place: Place, name: str) -> None:
    fields = dict(TEAM_RULES[name])
    allowed = [{"IPProtocol": "tcp", "ports": fields.pop("ports")}]
    world = place.world
    world.control.put("firewalls", world.project, name, network=world.network, priority=800, allowed=allowed, **fields)


def put_chat(place: Place, *, app: bool = True) -> None:
    """The machine of the chat application; without `app` nothing listens on it."""
    running = {"app": {"port": 8080, "redisHost": place.world.host, "redisPort": 6379}} if app else {}
    place.world.control.put(
        "instances",
        place.world.project,
        f"{REGION}-a",
        "chat-vm",
        network=place.world.network,
        address=CHAT,
        tags=["chat-backend"],
        **running,
    )


def chain(*, expect: str = "hello from the probe") -> list[dict[str, Any]]:
    return [
        {"tcp": {}, "timeout": "1s"},
        {"redisPing": {}},
        {"redisReadWrite": {}},
        {"http": {"name": "auth", "url": f"http://{CHAT}:8080/auth/healthz"}, "timeout": "2s"},
        {
            "http": {
                "name": "chat",
                "url": f"http://{CHAT}:8080/chat/workflow",
                "method": "POST",
                "body": '{"message": "hello from the probe"}',
                "expectBody": expect,
            }
        },
    ]


def probe(place: Place, **more: Any) -> dict[str, Any]:
    return {"proberUrl": place.world.prober_url, "interval": "4s", "timeout": "3s", "checks": chain(), **more}


def checks(place: Place) -> dict[str, tuple[str, str | None]]:
    found = place.status().get("probe", {}).get("checks", [])
    return {one["name"]: (one["status"], one.get("code")) for one in found}


GOOD = dict.fromkeys(("tcp", "redisPing", "redisReadWrite", "auth", "chat"), ("Succeeded", None))


def broken_at(name: str, code: str) -> dict[str, tuple[str, str | None]]:
    """The chain up to the check that failed, and what is behind it."""
    names = list(GOOD)
    at = names.index(name)
    return {
        one: ("Succeeded", None) if number < at else ("Failed", code) if number == at else ("Skipped", None)
        for number, one in enumerate(names)
    }


@pytest.fixture
def team(place: Place) -> Place:
    """The place with the chat team's application in it."""
    for name in TEAM_RULES:
        put_rule(place, name)
    put_chat(place)
    return place


def test_the_whole_chain(team: Place) -> None:
    """Broken before, proven after; each link cut alone is named, and what is behind it says Skipped."""
    place = team
    place.apply(probe=probe(place))
    place.ready(deadline=90)
    assert checks(place) == GOOD
    assert "passes redisReadWrite, auth, chat," in place.says("Reachable", "True", "ProbeSucceeded")
    assert all(one["latencyMilliseconds"] >= 0 for one in place.status()["probe"]["checks"])

    # The application lost its own Redis: not the operator's path, and so it stays as it is.
    place.world.control.delete("firewalls", place.world.project, "redis-from-chat")
    said = place.says("Reachable", "False", "CheckFailed")
    assert "Redis at 10.128.0.5:6379 answers through the connector" in said
    assert "answered HTTP 503, expected was 200" in said
    assert checks(place) == broken_at("auth", "UnexpectedStatus")
    put_rule(place, "redis-from-chat")
    place.ready()

    # Nothing leads to the application.
    place.world.control.delete("firewalls", place.world.project, "connector-to-chat")
    place.until(lambda: checks(place) == broken_at("auth", "ConnectTimeout"), "the cut to be named")
    place.says("Ready", "False", "CheckFailed")
    put_rule(place, "connector-to-chat")
    place.ready()

    # The application is gone from its machine.
    put_chat(place, app=False)
    place.until(lambda: checks(place) == broken_at("auth", "ConnectionRefused"), "the refusal to be named")
    put_chat(place)
    place.ready(deadline=90)  # it has to start first

    # Redis is gone: the first link of the chain, though the application fails as well.
    place.lab.cloud.stop_redis(place.world.host_id)
    place.until(lambda: checks(place) == broken_at("tcp", "ConnectionRefused"), "Redis to be named")
    place.says("Reachable", "False", "ProbeFailed")
    place.lab.cloud.start_redis(place.world.host_id)
    place.ready()

    # The outage itself: the rule is gone, comes back, and the whole chain is proven again.
    place.world.control.delete("firewalls", place.world.project, INGRESS)
    place.until(lambda: INGRESS in place.world.own_rules(), "the rule to come back")
    place.ready()
    assert checks(place) == GOOD


def test_what_is_said_instead_is_not_told(team: Place) -> None:
    """An answer may hold anything; that the expected text is not in it is all that is said."""
    place = team
    place.apply(probe=probe(place, checks=chain(expect="farewell")))
    said = place.says("Reachable", "False", "CheckFailed", deadline=90)
    assert checks(place) == broken_at("chat", "UnexpectedBody")
    assert "without the expected text" in said
    assert "hello" not in str(place.status())


def test_a_chain_at_rest_writes_nothing(team: Place) -> None:
    place = team
    place.apply(probe=probe(place, interval="1s", timeout="1s", checks=[{**one, "timeout": "1s"} for one in chain()]))
    place.ready(deadline=90)
    before = place.body()["metadata"]["resourceVersion"]
    probes = place.world.control.audit_summary()["last"]
    place.until(
        lambda: len(place.world.calls("run.services.request", since=probes)) >= 6, "six more probes to go by", 30
    )
    assert place.body()["metadata"]["resourceVersion"] == before


def test_a_cut_path_is_noticed_in_time(team: Place) -> None:
    """Within interval + timeout + 1 s for each failure that the threshold asks for; here it is one."""
    place = team
    interval, timeout = 2.0, 1.0
    place.apply(
        probe={
            "proberUrl": place.world.prober_url,
            "interval": f"{interval:g}s",
            "timeout": f"{timeout:g}s",
            "failureThreshold": 1,
            "checks": [{"tcp": {}}, {"redisPing": {}}],
        }
    )
    place.ready(deadline=90)
    place.lab.cloud.pause_redis(place.world.host_id)
    began = time.monotonic()
    place.says("Reachable", "False", "ProbeFailed")
    noticed = time.monotonic() - began
    place.lab.cloud.start_redis(place.world.host_id)
    place.ready()
    # A tenth of jitter on the interval, and what this test's own looking takes.
    assert noticed <= interval * 1.1 + timeout + 1.0, f"it took {noticed:.2f} s"
