"""The page's server: who may look, what is answered, and how news arrive."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from redis_connectivity.kube.errors import KubeUnavailable
from redis_connectivity.web.auth import Access
from redis_connectivity.web.feed import Feed
from redis_connectivity.web.server import PageServer, is_loopback


def resource(name: str, status: str = "True", reason: str = "PathProven") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "reason": reason, "message": "m", "lastTransitionTime": "t"}
    return {
        "metadata": {"namespace": "ns", "name": name},
        "spec": {"environment": "staging"},
        "status": {"conditions": [condition]},
    }


class World:
    """Resources, and the feed that shows them."""

    def __init__(self, *names: str) -> None:
        self.bodies = {f"ns/{name}": resource(name) for name in names}
        self.feed = Feed(self.bodies.values, self.bodies.get, lambda: True, lambda: 1000.0)


async def nobody(_token: str) -> Access:
    raise AssertionError("on loopback the cluster is not asked")


@asynccontextmanager
async def served(
    world: World, host: str = "127.0.0.1", access: Callable[[str], Awaitable[Access]] = nobody, *, exposed: bool = False
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    server = PageServer(host, 0, world.feed, access)
    if exposed:  # as it behaves on an address that others reach, without being one
        server._open = False
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def next_event(stream: aiohttp.StreamReader) -> tuple[str, Any]:
    event = (await stream.readline()).decode().removeprefix("event: ").strip()
    data = json.loads((await stream.readline()).decode().removeprefix("data: "))
    assert await stream.readline() == b"\n"
    return event, data


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js"])
async def test_the_page_comes_whole_from_here_and_allows_nothing_from_elsewhere(path: str) -> None:
    async with served(World()) as (session, url), session.get(url + path) as answer:
        assert answer.status == 200
        text = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "//cdn" not in text
        assert "https://" not in text


async def test_data_has_every_path_in_order_with_a_summary() -> None:
    async with served(World("b", "a")) as (session, url), session.get(f"{url}/api/paths") as answer:
        data = await answer.json()
    assert [one["key"] for one in data["paths"]] == ["ns/a", "ns/b"]
    assert data["summary"]["ok"] == 2
    assert data["leader"] is True


async def test_nothing_can_be_changed_through_it() -> None:
    async with served(World("a")) as (session, url):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            async with session.request(method, f"{url}/api/paths") as answer:
                assert answer.status == 405


async def test_news_arrive_as_they_happen() -> None:
    world = World("a")
    async with served(world) as (session, url), session.get(f"{url}/api/events") as answer:
        event, data = await next_event(answer.content)
        assert (event, [one["key"] for one in data["paths"]]) == ("all", ["ns/a"])
        world.bodies["ns/a"] = resource("a", "False", "FirewallDenyUnbeatable")
        world.feed.changed("ns/a")
        event, data = await next_event(answer.content)
        assert (event, data["state"], data["reason"]) == ("path", "broken", "FirewallDenyUnbeatable")
        world.feed.probed("ns/a", 0.0025)
        event, data = await next_event(answer.content)
        assert (event, data["samples"]) == ("path", [[1000.0, 2.5]])
        del world.bodies["ns/a"]
        world.feed.changed("ns/a")
        assert await next_event(answer.content) == ("gone", {"key": "ns/a"})


async def test_figures_are_live_where_this_process_probes_and_else_what_status_has() -> None:
    world = World("a", "b")
    for one in world.bodies.values():
        one["status"]["probe"] = {"windows": [{"name": "5m", "probes": 1}]}
    live = {"ns/a": [{"name": "5m", "probes": 9}]}
    feed = Feed(world.bodies.values, world.bodies.get, lambda: True, lambda: 1000.0, lambda key: live.get(key, []))
    assert [one["windows"][0]["probes"] for one in feed.everything()["paths"]] == [9, 1]


async def test_a_name_of_somebody_elses_is_refused_on_loopback() -> None:
    async with (
        served(World()) as (session, url),
        session.get(f"{url}/api/paths", headers={"Host": "evil.example"}) as answer,
    ):
        assert answer.status == 403
        assert "evil.example" in await answer.text()


@pytest.mark.parametrize(
    ("headers", "access", "status"),
    [
        ({}, Access.ALLOWED, 401),
        ({"Authorization": "Basic eDp5"}, Access.ALLOWED, 401),
        ({"Authorization": "Bearer t"}, Access.UNKNOWN_CALLER, 401),
        ({"Authorization": "Bearer t"}, Access.FORBIDDEN, 403),
        ({"Authorization": "Bearer t"}, Access.ALLOWED, 200),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/paths"])
async def test_exposed_it_asks_the_cluster_about_everybody(
    path: str, headers: dict[str, str], access: Access, status: int
) -> None:
    async def cluster(_token: str) -> Access:
        return access

    async with (
        served(World("a"), access=cluster, exposed=True) as (session, url),
        session.get(url + path, headers=headers) as answer,
    ):
        assert answer.status == status
        assert ("ns/a" in await answer.text()) == (status == 200 and path == "/api/paths")


async def test_exposed_and_the_cluster_silent_nobody_gets_in() -> None:
    async def silent(_token: str) -> Access:
        raise KubeUnavailable("no answer")

    async with (
        served(World("a"), access=silent, exposed=True) as (session, url),
        session.get(f"{url}/api/paths", headers={"Authorization": "Bearer t"}) as answer,
    ):
        assert answer.status == 503


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("10.0.0.1", False)],
)
def test_what_counts_as_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
