"""A real Prometheus scrapes the operator: the alert fires when the path is cut, and ends when it heals."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.place import Place
from support.prometheus import MONITORING, PROMETHEUS, Prometheus

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed: tools/bootstrap.sh monitoring"),
]


@pytest.fixture
def prometheus(place: Place, tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus(tmp_path, place.operators[0].url) as running:
        yield running


def test_a_cut_path_alerts_and_a_healed_one_does_not(place: Place, prometheus: Prometheus) -> None:
    labels = {"namespace": place.namespace, "name": "path"}

    def firing() -> list[dict[str, str]]:
        found = prometheus.alerts("RedisConnectivityPathBroken")
        return [one["annotations"] for one in found if one["labels"].items() >= labels.items()]

    place.apply()
    place.ready()
    mine = "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
    place.until(
        lambda: prometheus.query(f"redis_connectivity_probe_last_success_timestamp_seconds{mine}"), "a scrape", 30
    )
    assert firing() == []

    # No rule can beat it, so the operator cannot heal this by itself.
    place.world.deny("cut", "EGRESS", priority=0)
    (told,) = place.until(firing, "the alert to fire", 60)
    assert told["summary"].startswith(f"{place.namespace}/path")
    codes = {one["metric"]["code"] for one in prometheus.query(f"redis_connectivity_diagnosis{mine} == 1")}
    assert codes == {place.status()["diagnosis"]["code"]}
    assert f"First cause: {codes.pop()}." in told["description"]

    place.world.control.delete("firewalls", place.world.project, "cut")
    place.until(lambda: not firing(), "the alert to end", 60)
    assert prometheus.query(f"redis_connectivity_diagnosis{mine}") == []

    # Whatever the dashboard asks, Prometheus understands.
    board = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked = target["expr"].replace("$__rate_interval", "30s").replace("$namespace", ".*").replace("$name", ".*")
            prometheus.query(asked)

    place.delete()
    place.until(lambda: mine not in place.operators[0].metrics(), "the series to go", 30)
    left = [line for line in place.operators[0].metrics().splitlines() if f'namespace="{place.namespace}"' in line]
    assert left == []
