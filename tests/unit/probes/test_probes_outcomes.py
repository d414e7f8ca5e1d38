"""Every way in which a real Redis can refuse or fail, told apart by its code."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from redis_connectivity.probes.check import check
from redis_connectivity.probes.model import (
    Credentials,
    FailureCode,
    PingCheck,
    ProbeAnswer,
    ProbeRequest,
    ReadWriteCheck,
    TcpCheck,
    TlsOptions,
)
from redis_connectivity_lab.certificates import Authority, ServerCertificate
from redis_connectivity_lab.dataplane import find_redis_server
from support.waiting import wait_until

PASSWORD = "correct-horse-battery"
PREFIX = "probe:"
WRITE = (TcpCheck(), PingCheck(), ReadWriteCheck(key_prefix=PREFIX))
Start = Callable[..., "object"]


def auth(password: str = PASSWORD, username: str | None = None) -> Credentials:
    return Credentials(username=SecretStr(username) if username else None, password=SecretStr(password))


async def probed(port: int, seconds: float = 5, **fields: object) -> ProbeAnswer:
    return await check(ProbeRequest(host="127.0.0.1", port=port, timeout_seconds=seconds, **fields))  # type: ignore[arg-type] - fields as a test names them


def user(rights: str) -> tuple[str, ...]:
    """Options that make an ACL user."""
    return ("--user", *rights.split())


def failure(answer: ProbeAnswer) -> tuple[str, FailureCode]:
    assert answer.failure, "it succeeded"
    assert PASSWORD not in answer.model_dump_json()
    return answer.failure.step, answer.failure.code


# --- AUTH


async def test_the_password_is_given(start_redis) -> None:
    port = start_redis("--requirepass", PASSWORD).port
    assert (await probed(port, auth=auth())).ok


async def test_a_wrong_password(start_redis) -> None:
    port = start_redis("--requirepass", "another").port
    assert failure(await probed(port, auth=auth())) == ("redisPing", FailureCode.WRONG_PASSWORD)


async def test_a_password_where_none_is_set(start_redis) -> None:
    assert failure(await probed(start_redis().port, auth=auth())) == ("redisPing", FailureCode.WRONG_PASSWORD)


async def test_an_acl_user(start_redis) -> None:
    port = start_redis(*user(f"app on >{PASSWORD} ~{PREFIX}* +ping +set +get +del")).port
    answer = await probed(port, auth=auth(username="app"), checks=WRITE)
    assert answer.ok, answer.failure


@pytest.mark.parametrize(
    ("rights", "step"),
    [
        (f"~{PREFIX}* +set +get +del", "redisPing"),
        (f"~{PREFIX}* +ping +get", "redisReadWrite"),
        ("~x:* +@all", "redisReadWrite"),
    ],
)
async def test_an_acl_user_without_the_right(start_redis, rights: str, step: str) -> None:
    port = start_redis(*user(f"app-user on >{PASSWORD} {rights}")).port
    answer = await probed(port, auth=auth(username="app-user"), checks=WRITE)
    assert failure(answer) == (step, FailureCode.NO_PERMISSION)
    assert "app-user" not in answer.model_dump_json(), "the user's name comes from a Secret, too"


async def test_the_default_user_is_off(start_redis) -> None:
    port = start_redis(*user("default off"), *user(f"app on >{PASSWORD} ~* +@all")).port
    assert failure(await probed(port)) == ("redisPing", FailureCode.AUTHENTICATION_REQUIRED)


# --- writing


async def test_nothing_is_left_and_nothing_else_is_touched(start_redis) -> None:
    port = start_redis().port
    with redis.Redis(port=port) as client:
        client.set("probe:", "theirs")
        for _ in range(20):
            assert (await probed(port, checks=WRITE)).ok
        assert client.keys() == [b"probe:"]
        assert client.get("probe:") == b"theirs"


async def test_a_key_that_a_probe_could_not_delete_goes_by_itself(start_redis) -> None:
    port = start_redis(*user(f"app on >{PASSWORD} ~* +ping +set +get")).port
    answer = await probed(port, auth=auth(username="app"), checks=WRITE)
    assert failure(answer) == ("redisReadWrite", FailureCode.NO_PERMISSION)
    with redis.Redis(port=port) as client:
        (key,) = client.keys()
        assert 0 < client.ttl(key) <= 60


async def test_out_of_memory_shows_at_the_write_only(start_redis) -> None:
    port = start_redis("--maxmemory", "1", "--maxmemory-policy", "noeviction").port
    answer = await probed(port, checks=WRITE)
    assert failure(answer) == ("redisReadWrite", FailureCode.OUT_OF_MEMORY)
    assert [(step.name, step.ok) for step in answer.steps] == [
        ("tcp", True),
        ("redisPing", True),
        ("redisReadWrite", False),
    ]


async def test_a_replica_is_read_only(start_redis) -> None:
    master = start_redis().port
    port = start_redis("--replicaof", "127.0.0.1", str(master)).port
    with redis.Redis(port=port) as client:
        wait_until(
            lambda: client.info("replication")["master_link_status"] == "up",
            deadline=20,
            describe=lambda: "it has synchronised",
        )
    assert failure(await probed(port, checks=WRITE)) == ("redisReadWrite", FailureCode.READ_ONLY)


async def test_a_replica_without_its_master(start_redis) -> None:
    port = start_redis("--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no").port
    _, code = failure(await probed(port, checks=WRITE))
    assert code is FailureCode.MASTER_DOWN


async def test_loading(start_redis) -> None:
    first = start_redis("--enable-debug-command", "yes", "--dbfilename", "slow.rdb")
    with redis.Redis(port=first.port) as client:
        client.execute_command("DEBUG", "POPULATE", "3000")
        client.save()
        folder = client.config_get("dir")["dir"]
    first.process.kill()
    first.process.wait()
    delays = ("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    port = start_redis("--dbfilename", "slow.rdb", "--dir", folder, *delays).port
    assert failure(await probed(port)) == ("redisPing", FailureCode.LOADING)


# --- TLS


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test CA")


@pytest.fixture
def start_tls(start_redis, tmp_path: Path, authority: Authority) -> Callable[..., object]:
    """Starts redis-servers that speak TLS alone, with a certificate for 127.0.0.1 unless given another."""
    if not find_redis_server().name.startswith("redis") and b"tls" not in _said_about_tls():
        pytest.skip("the server on this machine was built without TLS")

    def start(*options: str, certificate: ServerCertificate | None = None) -> object:
        pair = certificate or authority.issue(addresses=["127.0.0.1"])
        (tmp_path / "cert.pem").write_text(pair.certificate)
        (tmp_path / "key.pem").write_text(pair.key)
        (tmp_path / "ca.pem").write_text(authority.pem)
        files = ("cert", "key", "ca")
        names = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
        paths = [
            part for name, file in zip(names, files, strict=True) for part in (name, str(tmp_path / f"{file}.pem"))
        ]
        return start_redis(*paths, "--tls-auth-clients", "no", *options, tls=True)

    return start


def _said_about_tls() -> bytes:
    done = subprocess.run(
        [find_redis_server(), "--port", "0", "--tls-port", "1"], capture_output=True, check=False, timeout=10
    )
    return done.stdout


def trusting(authority: Authority, **more: object) -> TlsOptions:
    return TlsOptions(ca_certificates=authority.pem, **more)  # type: ignore[arg-type] - fields as a test names them


async def test_tls_with_everything(start_tls, authority: Authority) -> None:
    port = start_tls("--requirepass", PASSWORD).port
    answer = await probed(port, tls=trusting(authority), auth=auth(), checks=WRITE)
    assert answer.ok, answer.failure


async def test_tls_was_not_spoken(start_tls) -> None:
    assert failure(await probed(start_tls().port)) == ("redisPing", FailureCode.TLS_REQUIRED)


async def test_the_password_is_not_sent_in_plain_to_find_out(start_tls) -> None:
    assert failure(await probed(start_tls().port, auth=auth())) == ("redisPing", FailureCode.TLS_REQUIRED)


@pytest.mark.parametrize("options", [(), ("--requirepass", PASSWORD)])
async def test_tls_where_the_server_speaks_plain(start_redis, authority: Authority, options: tuple[str, ...]) -> None:
    """Five times: whether a ClientHello looks like a whole line to Redis is chance."""
    port = start_redis(*options).port
    for _ in range(5):
        answer = await probed(port, 4, tls=trusting(authority))
        assert failure(answer) == ("redisPing", FailureCode.TLS_NOT_SPOKEN)


async def test_an_unknown_ca(start_tls) -> None:
    answer = await probed(start_tls().port, tls=trusting(Authority("somebody else")))
    assert failure(answer) == ("redisPing", FailureCode.CERTIFICATE_UNTRUSTED)


async def test_the_systems_cas_know_nothing_of_it(start_tls) -> None:
    answer = await probed(start_tls().port, tls=TlsOptions())
    assert failure(answer) == ("redisPing", FailureCode.CERTIFICATE_UNTRUSTED)


async def test_an_expired_certificate(start_tls, authority: Authority) -> None:
    port = start_tls(certificate=authority.issue(addresses=["127.0.0.1"], days=-1)).port
    assert failure(await probed(port, tls=trusting(authority))) == ("redisPing", FailureCode.CERTIFICATE_EXPIRED)


async def test_a_certificate_for_another_name(start_tls, authority: Authority) -> None:
    port = start_tls(certificate=authority.issue(names=["redis.internal"], addresses=["10.0.0.1"])).port
    answer = await probed(port, tls=trusting(authority))
    assert failure(answer) == ("redisPing", FailureCode.CERTIFICATE_NAME_MISMATCH)
    assert (await probed(port, tls=trusting(authority, server_name="redis.internal"))).ok
    assert (await probed(port, tls=trusting(authority, verify_name=False))).ok


async def test_a_client_certificate_is_wanted(start_tls, authority: Authority) -> None:
    port = start_tls("--tls-auth-clients", "yes").port
    answer = await probed(port, tls=trusting(authority))
    assert failure(answer) == ("redisPing", FailureCode.CLIENT_CERTIFICATE_REQUIRED)


async def test_ca_certificates_that_are_none(start_tls) -> None:
    answer = await probed(start_tls().port, tls=TlsOptions(ca_certificates="hello"))
    assert failure(answer) == ("redisPing", FailureCode.CERTIFICATE_UNTRUSTED)
    assert answer.failure
    assert "PEM" in answer.failure.message


async def test_a_frozen_tls_server(start_tls, authority: Authority) -> None:
    server = start_tls()
    server.process.send_signal(signal.SIGSTOP)
    answer = await probed(server.port, 0.5, tls=trusting(authority))
    assert failure(answer) == ("redisPing", FailureCode.READ_TIMEOUT)
    assert answer.latency_seconds < 2


# --- a cluster


@pytest.fixture
def two_nodes(start_redis) -> tuple[object, object]:
    """A real cluster of two primaries with half of the slots each."""
    return _cluster(start_redis)


def _cluster(start_redis) -> tuple[object, object]:
    nodes = [
        start_redis("--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{number}.conf", cluster=True)
        for number in range(2)
    ]
    for node, (first, last) in zip(nodes, ((0, 8191), (8192, 16383)), strict=True):
        with redis.Redis(port=node.port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
    with redis.Redis(port=nodes[0].port) as client:
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
    return nodes[0], nodes[1]


async def _joined(*nodes) -> None:
    for node in nodes:
        with redis.Redis(port=node.port) as client:
            wait_until(
                lambda client=client: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")),
                deadline=30,
                describe=lambda: "the cluster is whole",
            )


async def test_every_node_of_a_cluster_answers_and_keys_are_followed(two_nodes) -> None:
    await _joined(*two_nodes)
    for _ in range(10):  # random keys: both nodes' slots are met
        answer = await probed(two_nodes[0].port, cluster=True, checks=WRITE)
        assert answer.ok, answer.failure


async def test_a_node_that_does_not_answer_is_named(two_nodes) -> None:
    await _joined(*two_nodes)
    two_nodes[1].process.send_signal(signal.SIGSTOP)
    answer = await probed(two_nodes[0].port, 0.5, cluster=True)
    assert failure(answer) == ("redisPing", FailureCode.READ_TIMEOUT)
    assert answer.failure
    assert f"node 127.0.0.1:{two_nodes[1].port}" in answer.failure.message


async def test_a_cluster_that_was_taken_for_a_single_server(two_nodes) -> None:
    await _joined(*two_nodes)
    codes = set()
    for _ in range(40):
        answer = await probed(two_nodes[0].port, checks=WRITE)
        codes.add(answer.failure.code if answer.failure else None)
    assert codes == {None, FailureCode.MOVED}


async def test_a_cluster_without_slots_is_down(start_redis) -> None:
    port = start_redis("--cluster-enabled", "yes", cluster=True).port
    assert failure(await probed(port, cluster=True)) == ("redisPing", FailureCode.CLUSTER_DOWN)
    assert failure(await probed(port, checks=WRITE)) == ("redisReadWrite", FailureCode.CLUSTER_DOWN)
