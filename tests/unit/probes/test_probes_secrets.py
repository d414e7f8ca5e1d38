"""What goes over the wire and what does not; nothing made of a request shows a password but its wire form."""

import json

import aiohttp
import pytest
from pydantic import SecretStr, ValidationError

from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import (
    Credentials,
    FailureCode,
    HttpCheck,
    PingCheck,
    ProbeRequest,
    ReadWriteCheck,
    TcpCheck,
    TlsOptions,
)

SECRET = "correct-horse-battery"
FULL = ProbeRequest(
    host="10.0.0.3",
    port=6378,
    auth=Credentials(username=SecretStr("user-of-a-secret"), password=SecretStr(SECRET)),
    tls=TlsOptions(ca_certificates="PEM"),
    cluster=True,
    checks=(
        TcpCheck(timeout_seconds=1.0),
        PingCheck(),
        ReadWriteCheck(key_prefix="p:"),
        HttpCheck(name="chat", url="http://10.0.0.4/", expect_body="ok"),
    ),
)


def test_the_wire_form_is_read_back_as_it_was() -> None:
    again = ProbeRequest.model_validate_json(FULL.wire())
    assert again == FULL
    assert again.auth is not None
    assert again.auth.password.get_secret_value() == SECRET


def test_no_other_form_shows_a_secret() -> None:
    for text in (
        repr(FULL),
        str(FULL),
        FULL.model_dump_json(),
        str(FULL.model_dump()),
        str(FULL.model_dump(mode="json")),
    ):
        assert SECRET not in text
        assert "user-of-a-secret" not in text


def test_what_is_not_asked_for_is_left_out() -> None:
    """An older prober refuses fields that it does not know; to a plain request it must have nothing to refuse."""
    plain = json.loads(ProbeRequest(host="10.0.0.3", port=6379).wire())
    assert plain == {"host": "10.0.0.3", "port": 6379, "timeoutSeconds": 5.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth": {}},
        {"auth": {"password": ""}},
        {"auth": {"password": "x" * 8193}},
        {"auth": {"password": "x", "username": ""}},
        {"tls": {"insecure": True}},
        {"checks": []},
        {"checks": [{"kind": "ftp"}]},
        {"checks": [{"kind": "redisPing", "timeoutSeconds": 31}]},
        {"checks": [{"kind": "redisReadWrite"}]},
        {"checks": [{"kind": "redisReadWrite", "keyPrefix": "a b"}]},
        {"checks": [{"kind": "http", "name": "chat", "url": "file:///etc/passwd"}]},
        {"checks": [{"kind": "http", "name": "Chat!", "url": "http://10.0.0.1/"}]},
        {"checks": [{"kind": "http", "name": "chat", "url": "http://10.0.0.1/", "method": "DELETE"}]},
    ],
)
def test_a_prober_takes_nothing_else(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        ProbeRequest.model_validate({"host": "10.0.0.3", "port": 6379, **wrong})
    told = str(refused.value.errors(include_url=False, include_context=False, include_input=False))
    assert "x" * 100 not in told, "the prober tells what is wrong, not what was sent"


@pytest.mark.parametrize("url", ["http://prober.example.com", "http://8.8.8.8:8080", "http://172.32.0.1"])
async def test_a_password_is_not_sent_where_others_may_listen(url: str) -> None:
    """The spec refuses it as well; this is the last door."""
    async with aiohttp.ClientSession() as session:
        answer = await ask(url, FULL, session=session, timeout=1)
    assert answer.failure
    assert answer.failure.code is FailureCode.PROBER_UNAVAILABLE
    assert "must be https, or http to a loopback or private address" in answer.failure.message
