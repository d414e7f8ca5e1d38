"""What the lab asks the API server is asked again while the server is too busy, as every Kubernetes client does."""

import json
from collections.abc import Callable

import httpx2
import pytest

from redis_connectivity_lab.controlplane import rest
from redis_connectivity_lab.controlplane.rest import ApiError, ApiUnreachableError, RestClient


class Answers:
    """Stands where the server is: what it answers, one after the other; the last one for ever."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(status, text=text)


def client(answers: Callable[[httpx2.Request], httpx2.Response]) -> RestClient:
    return RestClient("http://api", token="secret", transport=httpx2.MockTransport(answers))


@pytest.mark.parametrize(
    "refusal",
    [
        (429, "storage is (re)initializing"),
        (422, "failed to configure policy: failed to find resource referenced by paramKind: 'x, Kind=Y'"),
    ],
)
def test_too_busy_or_hardly_started_is_asked_again(refusal: tuple[int, str]) -> None:
    answers = Answers(refusal, (200, "{}"))
    assert client(answers).call("GET", "/x") == {}
    assert answers.asked == 2


@pytest.mark.parametrize("refusal", [(409, "conflict"), (422, "spec.region: Invalid value")])
def test_any_other_refusal_is_the_answer(refusal: tuple[int, str]) -> None:
    answers = Answers(refusal, (200, "{}"))
    with pytest.raises(ApiError, match=refusal[1]) as refused:
        client(answers).call("GET", "/x")
    assert refused.value.status == refusal[0]
    assert answers.asked == 1


def test_too_busy_for_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "BUSY_DEADLINE", 0.3)
    with pytest.raises(ApiError, match="too busy"):
        client(Answers((429, "too busy"))).call("GET", "/x")


def test_what_is_asked() -> None:
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.path, request.headers["Authorization"], request.headers["Accept"]))
        asked.append((request.headers["Content-Type"], json.loads(request.content)))
        return httpx2.Response(200, json={})

    client(answer).call("PATCH", "/x", {"a": 1}, content_type="application/merge-patch+json")
    assert asked == [
        ("PATCH", "/x", "Bearer secret", "application/json"),
        ("application/merge-patch+json", {"a": 1}),
    ]


def test_nobody_there_is_told() -> None:
    with pytest.raises(ApiUnreachableError, match=r"GET http://127\.0\.0\.1:1/x"):
        RestClient("http://127.0.0.1:1").call("GET", "/x")
