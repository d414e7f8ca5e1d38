"""Whose conflicts change when a resource comes, changes or goes."""

from collections.abc import Iterable
from typing import Any

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.prober import prober_path
from redis_connectivity.reconcile.contenders import Contenders
from redis_connectivity.reconcile.store import Key, ResourceStore


class Place:
    """A store, and who was woken."""

    def __init__(self) -> None:
        self.store = ResourceStore()
        self.woken: list[Key] = []
        self.forbidden: set[str] = set()
        self.version = 0
        self.probes_from = ""
        self.bodies: dict[str, dict[str, Any]] = {}
        self.contenders = Contenders("cluster", self.store, self.allowed, self.wake)

    def allowed(self, namespace: str, spec: RedisConnectivitySpec) -> bool:
        del spec
        return namespace not in self.forbidden

    def wake(self, keys: Iterable[Key]) -> None:
        self.woken += sorted(keys)

    def put(self, resource: str, at: int, *, namespace: str = "ns", deleting: bool = False, **connector: str) -> Key:
        self.version += 1
        spec = {
            "environment": "staging",
            "projectId": "acme-staging",
            "region": "us-central1",
            "connector": {"ipCidrRange": "10.2.0.0/28", **connector},
            "redis": {"vm": {"host": "10.128.0.5"}},
            **({"probe": {"from": self.probes_from}} if self.probes_from else {}),
        }
        metadata = {
            "namespace": namespace,
            "name": resource,
            "uid": f"uid-{resource}",
            "generation": self.version,
            "resourceVersion": str(self.version),
            "creationTimestamp": f"2026-01-01T00:00:{at:02}Z",
            **({"deletionTimestamp": "2026-01-02T00:00:00Z"} if deleting else {}),
        }
        self.bodies[resource] = {"metadata": metadata, "spec": spec}
        self.store.saw(self.bodies[resource])
        return Key(namespace, resource)

    def take_woken(self) -> list[str]:
        woken, self.woken = self.woken, []
        return sorted({key.name for key in woken})


def test_the_younger_proceeds_when_the_older_goes() -> None:
    place = Place()
    older = place.put("older", 1)
    younger = place.put("younger", 2, ipCidrRange="10.3.0.0/28")
    assert place.contenders.conflict(older) is None
    conflict = place.contenders.conflict(younger)
    assert conflict is not None
    assert conflict.rival == "ns/older"
    place.take_woken()
    place.put("older", 1, deleting=True)
    assert place.contenders.conflict(younger) is not None, "what it made is still there"
    assert place.take_woken() == []
    place.store.forget(older)
    assert place.take_woken() == ["younger"]
    assert place.contenders.conflict(younger) is None


def test_the_younger_proceeds_when_the_older_changes_its_mind() -> None:
    place = Place()
    place.put("older", 1, name="one")
    younger = place.put("younger", 2, name="two")
    assert place.contenders.conflict(younger) is not None
    place.take_woken()
    place.put("older", 1, name="one", ipCidrRange="10.9.0.0/28")
    assert place.take_woken() == ["younger"]
    assert place.contenders.conflict(younger) is None


def test_an_older_one_that_comes_later_wakes_the_younger() -> None:
    place = Place()
    place.put("younger", 2, name="two")
    place.put("older", 1, name="one")
    assert place.take_woken() == ["younger"]


def test_who_is_two_steps_away_is_woken_too() -> None:
    """When a goes, b has its way, and c must give way to b."""
    place = Place()
    a = place.put("a", 1, name="xx", ipCidrRange="10.2.0.0/28")
    place.put("b", 2, name="xx", ipCidrRange="10.3.0.0/28")
    c = place.put("c", 3, name="yy", ipCidrRange="10.3.0.0/28")
    assert place.contenders.conflict(c) is None
    place.take_woken()
    place.store.forget(a)
    assert place.take_woken() == ["b", "c"]
    assert place.contenders.conflict(c) is not None


def test_those_that_agree_wake_nobody_and_inherit_by_age() -> None:
    place = Place()
    keys = [place.put(f"r{number}", 60 - number) for number in range(1, 40)]
    assert place.take_woken() == []
    assert all(place.contenders.conflict(key) is None for key in keys)
    assert [one.name for one in place.contenders.sharing(keys[0])][:2] == ["r39", "r38"]
    place.put("r39", 21, deleting=True)
    assert place.contenders.sharing(keys[0])[0].name == "r38"


def test_who_declares_another_range_does_not_inherit() -> None:
    place = Place()
    older = place.put("older", 1)
    place.put("younger", 2, ipCidrRange="10.3.0.0/28")
    assert place.contenders.sharing(older) == ()


def test_what_a_policy_forbids_blocks_nobody() -> None:
    place = Place()
    place.put("older", 1, namespace="evil")
    younger = place.put("younger", 2, ipCidrRange="10.3.0.0/28")
    assert place.contenders.conflict(younger) is not None
    place.forbidden.add("evil")
    assert place.contenders.conflict(younger) is None


def test_those_that_scale_one_connector_otherwise_are_woken_and_told_of_each_other() -> None:
    place = Place()
    older = place.put("older", 1, machineType="e2-micro")
    same = place.put("same", 2, machineType="e2-micro")
    younger = place.put("younger", 3, machineType="f1-micro")
    assert place.take_woken() == ["older", "same"]
    assert [(one.key, one.older) for one in place.contenders.on_connector(same)] == [
        ("ns/older", True),
        ("ns/younger", False),
    ]
    place.put("younger", 3, machineType="e2-micro")
    assert place.take_woken() == ["older", "same"]
    place.put("older", 1, machineType="f1-micro")
    assert place.take_woken() == ["same", "younger"]
    place.put("older", 1, machineType="f1-micro", deleting=True)
    assert place.take_woken() == ["same", "younger"]
    assert [one.key for one in place.contenders.on_connector(younger)] == ["ns/same"]
    assert {one.want.name for one in place.contenders.on_connector(older)} == {"staging-connector"}


def test_a_prober_is_needed_by_all_that_leave_by_its_way_and_stay() -> None:
    place = Place()
    place.probes_from = "CloudRun"
    first = place.put("first", 1)
    service = prober_path(resolve(ResourceId("cluster", "ns", "first", "uid-first"), spec_of(place, "first")))
    needing = place.contenders.needing_prober
    assert needing(service, first) == ()
    place.put("second", 2)
    place.put("elsewhere", 3, name="other-connector")
    assert needing(service, first) == ("ns/second",)
    place.probes_from = "Operator"
    place.put("third", 4)
    assert needing(service, first) == ("ns/second",)
    # Who is on its way out, or content with other probes, needs it no more.
    place.put("second", 2)
    assert needing(service, first) == ()
    place.probes_from = "CloudRun"
    place.put("second", 2)
    assert needing(service, first) == ("ns/second",)
    place.put("second", 2, deleting=True)
    assert needing(service, first) == ()


def spec_of(place: Place, name: str) -> RedisConnectivitySpec:
    return RedisConnectivitySpec.model_validate(place.bodies[name]["spec"])
