"""The same path where packets cannot be filtered: the relay asks the same rules for each connection."""

from collections.abc import Iterator

import pytest

from redis_connectivity_lab.emulator.timings import Timings
from redis_connectivity_lab.stack import Lab
from support.place import INGRESS, Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def relay_lab() -> Iterator[Lab]:
    timings = Timings(firewall=0.1, connector_create=0.5, connector_update=0.4, connector_delete=0.4)
    with Lab(timings, kind="relay", settings={"POLL_INTERVAL": "0.5"}) as running:
        running.operator.start()
        yield running


@pytest.mark.parametrize("memorystore", [False, True], ids=["vm", "memorystore"])
def test_a_path_is_opened_cut_healed_and_closed_over_the_relay(relay_lab: Lab, memorystore: bool) -> None:
    place = Place.make(relay_lab, (relay_lab.operator,), memorystore=memorystore)
    try:
        assert relay_lab.cloud.kind == "relay"
        place.apply()
        place.ready()
        assert place.status()["probe"]["crossesConnector"] is True
        place.world.deny("deny-egress-more", "EGRESS", priority=0)
        place.says("Reachable", "False", "ProbeFailed")
        place.world.control.delete("firewalls", place.world.project, "deny-egress-more")
        place.says("Reachable", "True", "ProbeSucceeded")
        if not memorystore:
            place.break_rule(sourceRanges=["192.0.2.1/32"])
            place.until(
                lambda: place.world.rules()[INGRESS]["sourceRanges"] == ["10.2.0.0/28"], "the rule to be repaired"
            )
            place.ready()
        place.delete()
        place.until(place.is_clean, "nothing to be left")
        place.assert_unhurt()
    finally:
        place.clear()
