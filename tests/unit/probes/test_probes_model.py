"""What a request may say, and what an answer may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from redis_connectivity.probes.model import ProbeAnswer, ProbeRequest

GOOD: dict[str, Any] = {
    "ok": True,
    "steps": [{"name": "tcp", "ok": True, "seconds": 0.001}, {"name": "redisPing", "ok": True, "seconds": 0.001}],
    "latencySeconds": 0.002,
    "failure": None,
    "observedAt": "2026-11-25T04:00:00.123Z",
    "prober": {"version": "0.1.0", "via": "here"},
}
FAILURE = {"step": "tcp", "code": "ConnectTimeout", "message": "silence"}


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("10.0.0.3", "10.0.0.3"),
        ("Redis.Example.COM.", "redis.example.com"),
        ("redis", "redis"),
        ("1.redis", "1.redis"),
        ("_redis._tcp.example", "_redis._tcp.example"),
    ],
)
def test_hosts(host: str, plain: str) -> None:
    assert ProbeRequest(host=host, port=1).host == plain


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("host", "", "at least 1 character"),
        ("host", "10.0.0", "no IPv4 address"),
        ("host", "10.0.0.256", "no IPv4 address"),
        ("host", "010.0.0.1", "no IPv4 address"),
        ("host", "2130706433", "no IPv4 address"),
        ("host", "::1", "neither IPv6"),
        ("host", "redis:6379", "neither IPv6"),
        ("host", "http://redis", "neither IPv6"),
        ("host", "redis/..", "neither an IPv4 address nor a DNS name"),
        ("host", "-redis", "neither an IPv4 address nor a DNS name"),
        ("host", "a..b", "neither an IPv4 address nor a DNS name"),
        ("host", "re dis", "neither an IPv4 address nor a DNS name"),
        ("host", "redis\r\n", "neither an IPv4 address nor a DNS name"),
        ("host", "x" * 64, "neither an IPv4 address nor a DNS name"),
        ("host", "x." * 200, "at most 254 characters"),
        ("host", 7, "valid string"),
        ("port", 0, "greater than or equal to 1"),
        ("port", 65536, "less than or equal to 65535"),
        ("port", "6379", "valid integer"),
        ("port", 6379.5, "valid integer"),
        ("port", True, "valid integer"),
        ("port", None, "valid integer"),
        ("timeoutSeconds", 0, "greater than or equal to 0.1"),
        ("timeoutSeconds", 31, "less than or equal to 30"),
        ("timeoutSeconds", "5", "valid number"),
        ("timeoutSeconds", float("nan"), "finite number"),
        ("timeoutSeconds", float("inf"), "finite number"),
        ("password", "secret", "Extra inputs are not permitted"),
    ],
)
def test_bad_requests(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ProbeRequest.model_validate({"host": "redis", "port": 6379, field: value})
    (error,) = refused.value.errors()
    assert error["loc"] == (field,)
    assert said in error["msg"]


def test_a_good_answer_survives_the_wire() -> None:
    answer = ProbeAnswer.model_validate(GOOD)
    assert answer.model_dump(mode="json") == GOOD


@pytest.mark.parametrize(
    "wrong",
    [
        {"failure": FAILURE},
        {"ok": False},
        {"steps": []},
        {"steps": [GOOD["steps"][0]] * 2},
        {"steps": [GOOD["steps"][0], {**GOOD["steps"][1], "ok": False}]},
        {"latencySeconds": -1},
        {"latencySeconds": None},
        {"observedAt": "2026-11-25T04:00:00"},
        {"ok": False, "failure": {**FAILURE, "code": "Broken"}},
        {"ok": False, "failure": {**FAILURE, "message": ""}},
        {"more": 1},
    ],
)
def test_an_answer_that_contradicts_itself_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProbeAnswer.model_validate({**GOOD, **wrong})
