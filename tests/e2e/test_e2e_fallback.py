"""Redis is gone for long: what probes cost it meanwhile and when it is back, and what is told of it afterwards.

Attempts are counted where packets are filtered, and by Redis itself.
"""

import itertools
import json
import time
import urllib.request
from datetime import datetime
from typing import Any

import pytest

from support.hardened import REGION
from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NAMES = [f"path-{number}" for number in range(10)]
INTERVAL, TIMEOUT = 4.0, 1.0
#: The shortest that jitter makes an interval or a wait, and the longest between two trials (docs/probing.md).
SHORTEST, LONGEST = 0.9, 4 * INTERVAL
BUSY = 15.0


def statuses(place: Place) -> list[dict[str, Any]]:
    listed = json.loads(place.lab.kubectl("get", "rconn", "-n", place.namespace, "-o", "json"))
    return [one.get("status", {}) for one in listed["items"]]


def versions(place: Place) -> list[str]:
    listed = json.loads(place.lab.kubectl("get", "rconn", "-n", place.namespace, "-o", "json"))
    return [one["metadata"]["resourceVersion"] for one in listed["items"]]


def circuits(place: Place) -> list[str]:
    return [one.get("probe", {}).get("circuit", {}).get("state", "") for one in statuses(place)]


def on_page(place: Place) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{place.operators[0].page}api/paths", timeout=30) as answer:
        paths = json.load(answer)["paths"]
    return [one for one in paths if one["key"].startswith(f"{place.namespace}/")]


def chains(place: Place, since: int) -> list[float]:
    """When each chain of checks was asked for, in seconds since the epoch."""
    calls = place.world.calls("run.services.request", since=since)
    return [datetime.fromisoformat(one["time"]).timestamp() for one in calls]


def attempts(place: Place) -> int:
    """Connections towards Redis that the packet filter let through."""
    mine = {name for name, rule in place.world.own_rules().items() if rule["direction"] == "INGRESS"}
    counted = [one for one in place.lab.cloud.counters() if one["project"] == place.world.project]
    return sum(int(one["count"]) for one in counted if one["rule"] in mine)


def received(place: Place) -> int:
    """Connections that Redis has taken since it started."""
    source = f"projects/{place.world.project}/locations/{REGION}/connectors/{place.world.connector}"
    stats = place.lab.cloud.command_from(source, place.world.host, 6379, "INFO", "stats", seconds=10)
    (line,) = [one for one in str(stats).splitlines() if one.startswith("total_connections_received:")]
    return int(line.split(":")[1])


def test_a_redis_that_is_gone_is_spared_and_its_coming_back_is_seen(place: Place) -> None:
    probe = {
        "proberUrl": place.world.prober_url,
        "interval": f"{INTERVAL:g}s",
        "timeout": f"{TIMEOUT:g}s",
        "failureThreshold": 1,
    }
    for name in NAMES:
        place.apply(name, probe=probe)
    place.until(
        lambda: circuits(place) == ["Closed"] * len(NAMES) and all(ready(one) == "True" for one in statuses(place)),
        "all to be ready, with closed circuits",
        180,
    )

    # Gone: everybody finds out for themselves, and then nobody asks at the interval any more.
    before, mark = attempts(place), place.mark()
    place.lab.cloud.stop_redis(place.world.host_id)
    place.until(lambda: circuits(place) == ["Open"] * len(NAMES), "all circuits to open", 120)
    opened = len(chains(place, mark))
    assert opened <= len(NAMES) * (4 * 1 + 1 + 1)  # and one each that was on its way, or due, when Redis stopped
    assert attempts(place) - before <= opened + len(NAMES)
    for status in statuses(place):
        assert status["diagnosis"]["code"] == "RedisStopped"
        assert status["outages"][0]["code"] == "RedisStopped"
        assert "ended" not in status["outages"][0]

    # Status, page and metric say the same.
    assert [one["circuit"]["state"] for one in on_page(place)] == ["Open"] * len(NAMES)
    metrics = place.operators[0].metrics()
    for name in NAMES:
        labels = f'name="{name}",namespace="{place.namespace}"'
        assert f'redis_connectivity_probe_circuit_state{{{labels},state="Open"}} 1.0' in metrics
        assert f'redis_connectivity_probe_circuit_state{{{labels},state="Closed"}} 0.0' in metrics

    # While it is open, one chain at a time tries for all, ever more rarely; and nothing is written for it.
    mark, before, versions_before = place.mark(), attempts(place), versions(place)
    tries = place.until(lambda: (seen := chains(place, mark)) and len(seen) >= 4 and seen, "four trials", 180)
    pauses = [after - one for one, after in itertools.pairwise(tries)]
    print(f"trials were {', '.join(f'{pause:.1f} s' for pause in pauses)} apart")
    assert min(pauses) >= SHORTEST * 2 * INTERVAL - 0.5
    assert max(pauses) <= LONGEST + TIMEOUT + BUSY
    assert attempts(place) - before <= len(chains(place, mark)) + 1
    assert versions(place) == versions_before

    # Back: found within the bound, by one; then the others ask once each, and go on at the interval.
    mark, started = place.mark(), time.time()
    place.lab.cloud.start_redis(place.world.host_id)
    place.until(lambda: all(ready(one) == "True" for one in statuses(place)), "all to be ready again", 180)
    place.until(lambda: circuits(place) == ["Closed"] * len(NAMES), "all circuits to close", 60)
    taken, asked = received(place), chains(place, mark)
    first, lasted = asked[0] - started, asked[-1] - asked[0]
    print(f"found after {first:.1f} s; {taken} connections in the {lasted:.1f} s since")
    assert first <= LONGEST + TIMEOUT + BUSY
    assert len(asked) <= 1 + len(NAMES) * (1 + lasted / (SHORTEST * INTERVAL))
    # Redis itself saw no more than that; the lab's own looks (its start, this INFO) may be among them.
    assert taken <= len(asked) + len(NAMES) + 5

    # What happened stands in status, and outlives the operator.
    log = [one["outages"] for one in statuses(place)]
    for (outage,) in log:
        assert outage["repairedBy"] == "Elsewhere"
        assert outage["cause"].startswith(f"Nothing listens at {place.world.host}:6379")
        assert datetime.fromisoformat(outage["began"]) < datetime.fromisoformat(outage["ended"])
    place.stop_operator()
    place.start_operator()
    place.until(lambda: all(ready(one) == "True" for one in statuses(place)), "all to be ready after a restart", 120)
    assert [one["outages"] for one in statuses(place)] == log


def ready(status: dict[str, Any]) -> str:
    return next((str(one["status"]) for one in status.get("conditions", ()) if one["type"] == "Ready"), "")


def test_what_the_operator_repairs_is_its_own(place: Place) -> None:
    place.apply()
    place.ready()
    place.break_rule(disabled=True)
    place.until(lambda: [one for one in place.status().get("outages", ()) if "ended" in one], "an outage that ended")
    (outage,) = place.status()["outages"]
    assert outage["repairedBy"].startswith(f"Operator: update firewall rule {INGRESS}")


def test_a_slow_redis_shows_in_the_percentiles(place: Place) -> None:
    place.apply(probe={"proberUrl": place.world.prober_url, "interval": "1s", "timeout": "1s"})
    place.ready()

    def last_five_minutes() -> dict[str, Any]:
        (path,) = on_page(place)
        return dict(path["windows"][0])

    quick = place.until(lambda: (one := last_five_minutes())["probes"] >= 5 and one, "five probes")
    assert quick["successRate"] == 1.0
    place.lab.cloud.slow_redis(place.world.host_id, 0.4)
    slow = place.until(
        lambda: (one := last_five_minutes())["p99Milliseconds"] >= 100 and one["probes"] > quick["probes"] and one,
        "p99 to rise",
    )
    assert slow["p50Milliseconds"] <= slow["p95Milliseconds"] <= slow["p99Milliseconds"]
    # In status they stand as of the last write; whoever asks for a look gets one.
    place.lab.kubectl(
        "annotate", "rconn", "path", "-n", place.namespace, "--overwrite", "redisconnectivity.io/reconcile-at=now"
    )
    place.until(
        lambda: place.status()["probe"]["windows"][0].get("p99Milliseconds", 0) >= 100, "status to have the figures"
    )
