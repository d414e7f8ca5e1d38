"""Passwords, ACL users and TLS, on the whole path; and that nothing secret is ever told."""

import base64
import json
import re
import secrets as random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.shipped import MANIFESTS, google_role
from support.hardened import REGION
from support.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

#: Passwords that were in use while these tests ran: nobody may ever have told one.
SECRETS: set[str] = set()


def password() -> str:
    made = f"pw-{random.token_hex(12)}"
    SECRETS.add(made)
    return made


@dataclass
class Vault:
    """Secrets of the place's namespace, and the right to read them, as the sample in manifests/ has it."""

    place: Place
    names: set[str] = field(default_factory=set)

    def put(self, name: str, **data: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.place.namespace},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }
        self.place.lab.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def delete(self, name: str) -> None:
        self.place.lab.kubectl("delete", "secret", name, "-n", self.place.namespace)

    def allow(self, *names: str) -> None:
        sample = (MANIFESTS / "samples" / "redis-auth.yaml").read_text(encoding="utf-8")
        _, role, binding = sample.split("\n---\n")
        role = role.replace("[redis-auth]", f"[{', '.join(names)}]")
        for part in (role, binding):
            self.place.lab.kubectl("apply", "-n", self.place.namespace, "-f", "-", stdin=part)


@pytest.fixture
def vault(place: Place) -> Vault:
    return Vault(place)


def change_redis(place: Place, **settings: Any) -> None:
    """Change the Redis on the VM; its server starts anew."""
    place.world.control.patch("instances", place.world.project, f"{REGION}-a", "redis-vm", **settings)


def auth(name: str = "redis-auth", **keys: str) -> dict[str, Any]:
    return {"secretRef": {"name": name, **keys}}


def vm(place: Place, **more: Any) -> dict[str, Any]:
    return {"vm": {"host": place.world.host}, **more}


def test_a_password_from_a_secret(place: Place, vault: Vault) -> None:
    """Without one the path is proven all the same; a wrong one is told, a changed one taken up, a lost one told."""
    first, second = password(), password()
    change_redis(place, redisPassword=first)
    place.apply()
    place.ready()

    vault.allow("redis-auth")
    vault.put("redis-auth", password=second)
    place.apply(redis=vm(place, auth=auth()))
    assert "refuses what spec.redis.auth gives" in place.says("Reachable", "False", "AuthenticationFailed")
    place.says("Ready", "False", "AuthenticationFailed")

    vault.put("redis-auth", password=first)
    place.ready()

    # Both ends change: no probe fails for it, for what is refused is read anew.
    vault.put("redis-auth", password=second)
    change_redis(place, redisPassword=second)
    place.says("Reachable", "True", "ProbeSucceeded")

    vault.delete("redis-auth")
    place.lab.kubectl(
        "annotate", "rconn", "path", "-n", place.namespace, "--overwrite", "redisconnectivity.io/reconcile-at=now"
    )
    assert f"there is no Secret redis-auth in namespace {place.namespace}: create it" in place.says(
        "Reachable", "Unknown", "SecretNotFound", deadline=90
    )
    place.says("Ready", "Unknown", "SecretNotFound")


def test_a_secret_that_the_operator_may_not_read(place: Place, vault: Vault) -> None:
    secret = password()
    change_redis(place, redisPassword=secret)
    vault.put("redis-auth", password=secret)
    place.apply(redis=vm(place, auth=auth()))
    said = place.says("Reachable", "Unknown", "SecretForbidden")
    assert "manifests/samples/redis-auth.yaml has a Role and a RoleBinding" in said

    vault.allow("redis-auth")
    place.ready()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"pass": "x"}, "there is no key password of Secret redis-auth"),
        ({"password": ""}, "key password of Secret redis-auth in namespace"),
        ({"password": "\n"}, "is empty: fill it in"),
    ],
)
def test_a_secret_without_a_password(place: Place, vault: Vault, data: dict[str, str], words: str) -> None:
    vault.allow("redis-auth")
    vault.put("redis-auth", **data)
    place.apply(redis=vm(place, auth=auth()))
    assert words in place.says("Reachable", "Unknown", "SecretKeyMissing")


def test_an_acl_user_who_may_do_too_little(place: Place, vault: Vault) -> None:
    secret, name = password(), password()
    change_redis(place, redisConfig=[f"user {name} on >{secret} ~probe:* +ping +set +get"])
    vault.allow("redis-auth")
    vault.put("redis-auth", password=secret, user=name)
    write = [{"tcp": {}}, {"redisPing": {}}, {"redisReadWrite": {"keyPrefix": "probe:"}}]
    probe = {"proberUrl": place.world.prober_url, "interval": "2s", "timeout": "1s", "checks": write}
    place.apply(redis=vm(place, auth=auth(usernameKey="user")), probe=probe)
    place.says("Reachable", "False", "AuthenticationFailed")
    checks = {one["name"]: one for one in place.status()["probe"]["checks"]}
    assert [(one["name"], one["status"]) for one in checks.values()] == [
        ("tcp", "Succeeded"),
        ("redisPing", "Succeeded"),
        ("redisReadWrite", "Failed"),
    ]
    assert checks["redisReadWrite"]["code"] == "NoPermission"

    change_redis(place, redisConfig=[f"user {name} on >{secret} ~probe:* +ping +set +get +del"])
    place.ready()


def test_tls_with_a_ca_of_ones_own(place: Place, vault: Vault) -> None:
    authority = Authority("the team's CA")
    pair = authority.issue(names=["redis.internal"])
    change_redis(place, redisTls={"certificate": pair.certificate, "key": pair.key})
    place.apply()
    place.says("Reachable", "False", "ProbeFailed")
    place.until(lambda: place.status()["probe"]["lastFailure"]["code"] == "TlsRequired", "TLS to be found missing")

    vault.allow("redis-ca", "redis-auth")
    vault.put("redis-ca", **{"ca.crt": Authority("somebody else").pem})
    tls = {"caSecretRef": {"name": "redis-ca"}, "serverName": "redis.internal"}
    place.apply(redis=vm(place, tls=tls))
    place.until(lambda: place.status()["probe"]["lastFailure"]["code"] == "CertificateUntrusted", "the CA to be told")

    vault.put("redis-ca-2", **{"ca.crt": authority.pem})
    vault.allow("redis-ca-2", "redis-auth")
    tls = {"caSecretRef": {"name": "redis-ca-2"}}
    place.apply(redis=vm(place, tls=tls))
    place.until(
        lambda: place.status()["probe"]["lastFailure"]["code"] == "CertificateNameMismatch", "the name to be told"
    )

    secret = password()
    change_redis(place, redisPassword=secret)
    vault.put("redis-auth", password=secret)
    place.apply(redis=vm(place, tls={**tls, "serverName": "redis.internal"}, auth=auth()))
    place.ready()


@pytest.mark.parametrize("place", ["memorystore"], indirect=True)
def test_memorystore_with_auth_and_transit_encryption(place: Place) -> None:
    """Port, CA and AUTH string come from Google; the last only with a permission of its own."""
    world, secret = place.world, password()
    encrypted = {"network": world.network, "host": world.host, "transitEncryptionMode": "SERVER_AUTHENTICATION"}
    world.control.put("redis", world.project, REGION, "cache", **encrypted, authString=secret)
    place.apply()
    place.ready()
    assert place.status()["redis"]["port"] == 6378

    world.control.allow(world.project, {ANONYMOUS: sorted(google_role("role"))})
    place.apply(redis={"memorystore": {"instance": "cache"}, "auth": {"memorystoreAuth": True}})
    said = place.says("Reachable", "Unknown", "CredentialsUnavailable")
    assert "Grant redis.instances.getAuthString" in said

    world.control.allow(world.project, {ANONYMOUS: sorted(google_role("role") | google_role("role-auth-string"))})
    place.ready()

    another = password()
    world.control.patch("redis", world.project, REGION, "cache", authString=another)
    place.lab.cloud.settle()
    place.says("Reachable", "True", "ProbeSucceeded")

    place.apply(redis={"memorystore": {"instance": "cache"}, "tls": {"enabled": False}})
    place.says("Reachable", "False", "ProbeFailed")
    place.until(lambda: place.status()["probe"]["lastFailure"]["code"] == "TlsRequired", "TLS to be found missing")


def test_nothing_secret_was_ever_told(place: Place, vault: Vault) -> None:
    """Everything the operator has written in this run, anywhere, is looked through; it runs last in this file."""
    secret, name = password(), password()
    change_redis(place, redisConfig=[f"user {name} on >{secret} ~* +ping"])
    vault.allow("redis-auth")
    vault.put("redis-auth", password=secret, user=name)
    place.apply(redis=vm(place, auth=auth(usernameKey="user")))
    place.ready()
    change_redis(place, redisConfig=[f"user {name} on >{secret} ~* -@all"])
    place.says("Reachable", "False", "AuthenticationFailed")

    kinds = "rconn,events,events.events.k8s.io,configmaps,leases"
    told = {"kubernetes": place.lab.kubectl("get", kinds, "-A", "-o", "yaml", "--show-managed-fields")}
    told["metrics"] = place.operators[0].metrics()
    told |= {str(path): path.read_text(errors="replace") for path in _logs(place)}
    assert "AuthenticationFailed" in told["kubernetes"]
    assert "redis_connectivity_probes" in told["metrics"]
    assert len(SECRETS) > 2
    for where, text in told.items():
        for one in SECRETS:
            for form in (one, base64.b64encode(one.encode()).decode()):
                assert form not in text, f"{where} tells a secret: {_around(text, form)}"


def _logs(place: Place) -> list[Path]:
    """What the operator and the probers have written."""
    found = [place.operators[0].log]
    found += sorted(place.lab.cloud.state_dir.glob("services/*.log"))
    return [path for path in found if path.exists()]


def _around(text: str, needle: str) -> str:
    match = re.search(rf".{{0,100}}{re.escape(needle)}", text)
    return match.group(0).replace(needle, "…") if match else ""
