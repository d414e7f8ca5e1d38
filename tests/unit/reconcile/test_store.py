"""The store of resources: what is news, and what is only our own echo."""

from typing import Any

from redis_connectivity.reconcile.store import Key, ResourceStore


def body(version: int, *, uid: str = "u1", generation: int = 1, **more: Any) -> dict[str, Any]:
    status = more.pop("status", None)
    made: dict[str, Any] = {
        "metadata": {
            "namespace": "ns",
            "name": "chat",
            "uid": uid,
            "resourceVersion": str(version),
            "generation": generation,
            **more,
        },
        "spec": {},
    }
    if status is not None:
        made["status"] = status
    return made


KEY = Key("ns", "chat")


def test_first_sight_is_news_and_the_same_again_is_not() -> None:
    store = ResourceStore()
    assert store.saw(body(1)) == KEY
    assert store.saw(body(1)) is None


def test_a_status_that_we_wrote_is_no_news_when_the_watch_brings_it() -> None:
    store = ResourceStore()
    store.saw(body(1))
    store.wrote(body(2, status={"x": 1}))
    assert store.saw(body(2, status={"x": 1})) is None
    assert store.saw(body(3, status={"x": 1})) is None


def test_a_status_that_somebody_else_wrote_over_ours_is_news() -> None:
    store = ResourceStore()
    store.saw(body(1))
    store.wrote(body(2, status={"x": 1}))
    assert store.saw(body(3, status={"x": 2})) == KEY


def test_generation_annotations_finalizers_and_deletion_are_news() -> None:
    for change in (
        {"generation": 2},
        {"annotations": {"redisconnectivity.io/reconcile-at": "now"}},
        {"finalizers": ["f"]},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ):
        store = ResourceStore()
        store.saw(body(1))
        assert store.saw(body(2, **change)) == KEY, change


def test_an_older_version_never_replaces_a_newer_one() -> None:
    store = ResourceStore()
    store.saw(body(5, generation=3))
    assert store.saw(body(4, generation=2)) is None
    known = store.get(KEY)
    assert known is not None
    assert known["metadata"]["generation"] == 3


def test_a_namesake_with_another_uid_is_a_new_resource() -> None:
    store = ResourceStore()
    store.saw(body(5))
    store.wrote(body(6, status={"x": 1}))
    assert store.saw(body(2, uid="u2")) == KEY
    store.wrote(body(7, status={"old": True}))
    known = store.get(KEY)
    assert known is not None
    assert known["metadata"]["uid"] == "u2"


def test_the_end_of_an_older_namesake_leaves_the_new_one() -> None:
    store = ResourceStore()
    store.saw(body(5))
    store.saw(body(9, uid="u2"))
    store.vanished(body(8, uid="u1"))
    assert store.get(KEY) is not None
    store.vanished(body(10, uid="u2"))
    assert store.get(KEY) is None


def test_an_answer_that_comes_after_the_end_revives_nothing() -> None:
    store = ResourceStore()
    store.saw(body(1))
    store.vanished(body(2))
    store.wrote(body(3, status={}))
    assert store.get(KEY) is None


def test_a_list_finds_what_the_watch_missed() -> None:
    store = ResourceStore()
    store.saw(body(1))
    known = tuple(store)
    assert store.missing_from([], known) == [KEY]
    assert store.missing_from([body(1)], known) == []
    assert store.missing_from([], ()) == []


def test_who_listens_hears_of_every_change_and_of_nothing_else() -> None:
    store, heard = ResourceStore(), list[Key]()
    store.listen(heard.append)
    store.saw(body(1))
    store.saw(body(1))
    store.wrote(body(2, status={"x": 1}))
    store.saw(body(3, status={"x": 1}))
    assert heard == [KEY] * 3
    store.vanished(body(3))
    store.forget(KEY)
    assert heard == [KEY] * 4
