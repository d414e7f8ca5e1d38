"""How scenes make a Redis refuse, by its own commands at its own host; `scenes` gives them names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from redis_connectivity_lab.certificates import Authority
from redis_connectivity_lab.dataplane.protocol import Paths
from redis_connectivity_lab.redis_talk import RedisTalk, RedisTalkError
from redis_connectivity_lab.site import Site
from redis_connectivity_lab.worlds import REGION
from redis_connectivity_lab.wound import Wound

__all__ = [
    "READ_WRITE",
    "Refusal",
    "certificate_untrusted",
    "http_check_fails",
    "max_clients",
    "not_redis",
    "redis_loading",
    "refuses",
    "secret_missing",
    "wrong_password",
]

#: A chain that writes, too: what takes no writes answers PING as ever.
READ_WRITE: Final[list[dict[str, Any]]] = [{"tcp": {}}, {"redisPing": {}}, {"redisReadWrite": {}}]
_PASSWORD: Final = "the-right-one"  # noqa: S105 - of a Redis that lives for a moment
_SECRET: Final = "redis-password"  # noqa: S105 - a name
#: Keys, and microseconds that loading each of them takes. Redis answers others after each kilobyte of a hundred keys.
_KEYS: Final = "60000"
_KEY_DELAY: Final = "1000"

Refusal = tuple[tuple[str, ...], ...]


def talk(site: Site) -> RedisTalk:
    """A connection to the environment's Redis, from its own host."""
    return RedisTalk(Paths(site.cloud.state_dir).redis_socket(site.env.host_id))


def refuses(
    done: str, watch: str, break_: Refusal, mend: Refusal, *, checks: list[dict[str, Any]] | None = None
) -> Callable[[Site], Wound]:
    """Redis is told to refuse, by commands; with `checks` the probe's chain is changed as well."""

    def act(site: Site) -> Wound:
        if checks is not None:
            site.patch(probe={"checks": checks})
        # Held open: whoever is let in stays in, also where the next one would need a password.
        connection = talk(site)
        for command in break_:
            connection.ask(*command)
        broken = [True]

        def undo() -> None:
            with connection:
                for command in mend:
                    connection.ask(*command)
            broken.clear()
            if checks is not None:
                site.patch(probe={"checks": None})

        return Wound(done, watch, lambda: bool(broken), undo)

    return act


def redis_loading(site: Site) -> Wound:
    """Redis is restarted with so much data that loading it takes a while."""
    with talk(site) as connection:
        connection.ask("DEBUG", "POPULATE", _KEYS, "lab", "8")
        connection.ask("CONFIG", "SET", "key-load-delay", _KEY_DELAY)
        connection.ask("CONFIG", "SET", "loading-process-events-interval-bytes", "1024")
    loader = talk(site)
    loader.send("DEBUG", "RELOAD")

    def still() -> bool:
        with talk(site) as asking:
            return "loading:1" in asking.ask("INFO", "persistence")

    def undo() -> None:
        with talk(site) as asking:
            asking.ask("CONFIG", "SET", "key-load-delay", "0")
        with loader, contextlib.suppress(RedisTalkError):
            loader.answer()
        with talk(site) as asking:
            asking.ask("FLUSHALL")

    return Wound("Redis loads its data set anew", "Reachable turns False: Redis answers LOADING", still, undo)


def wrong_password(site: Site) -> Wound:
    """Redis has a password, and the Secret that the path names holds another one."""
    kubectl = site.cluster
    namespace = site.env.namespace
    kubectl("apply", "-f", "-", stdin=json.dumps(_secret(namespace, "the-wrong-one")))
    for one in _right_to_read(namespace, _SECRET):
        kubectl("apply", "-f", "-", stdin=json.dumps(one))
    connection = talk(site)
    connection.ask("CONFIG", "SET", "requirepass", _PASSWORD)
    site.patch(redis={"auth": {"secretRef": {"name": _SECRET}}})
    broken = [True]

    def undo() -> None:
        with connection:
            connection.ask("CONFIG", "SET", "requirepass", "")
        site.patch(redis={"auth": None})
        kubectl("delete", "secret,role,rolebinding", _SECRET, "-n", namespace)
        broken.clear()

    return Wound(
        f"Redis has a password, and Secret {_SECRET} holds another one",
        "Reachable turns False: Redis answers WRONGPASS, so the network is fine",
        lambda: bool(broken),
        undo,
    )


def _secret(namespace: str, password: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _SECRET, "namespace": namespace},
        "stringData": {"password": password},
    }


def _right_to_read(namespace: str, secret: str) -> list[dict[str, Any]]:
    """What a namespace's owner grants the operator for this one Secret."""
    metadata = {"name": secret, "namespace": namespace}
    rights = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}
    account = {"kind": "ServiceAccount", "name": "redis-connectivity", "namespace": "redis-connectivity-system"}
    role = {"apiVersion": f"{rights}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    return [
        role,
        {
            "apiVersion": f"{rights}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rights, "kind": "Role", "name": secret},
            "subjects": [account],
        },
    ]


def secret_missing(site: Site) -> Wound:
    """The path names a Secret that is not there, though the operator might read it."""
    name, namespace = "redis-auth", site.env.namespace
    for one in _right_to_read(namespace, name):
        site.cluster("apply", "-f", "-", stdin=json.dumps(one))
    wound = _patched(
        site,
        f"declared the password of Secret {name}, which is not there",
        "Reachable turns Unknown: Redis is not asked without the password",
        {"redis": {"auth": {"secretRef": {"name": name}}}},
        {"redis": {"auth": None}},
    )

    def undo() -> None:
        if wound.undo is not None:
            wound.undo()
        site.cluster("delete", "role,rolebinding", name, "-n", namespace)

    return replace(wound, undo=undo)


def http_check_fails(site: Site) -> Wound:
    """The chain asks a service that does not answer as expected."""
    http = {"name": "chat", "url": f"http://{site.env.target}:6379/"}
    return _patched(
        site,
        "declared an http check of what is no web server",
        "Reachable turns False and names the check; Redis is fine",
        {"probe": {"checks": [{"tcp": {}}, {"redisPing": {}}, {"http": http}]}},
        {"probe": {"checks": None}},
    )


def max_clients(site: Site) -> Wound:
    """Somebody holds every connection that Redis has."""
    connection = talk(site)
    connection.ask("CONFIG", "SET", "maxclients", "1")
    broken = [True]

    def undo() -> None:
        with connection:
            connection.ask("CONFIG", "SET", "maxclients", "10000")
        broken.clear()

    return Wound(
        "Redis lets one client in, and somebody is it",
        "Reachable turns False: Redis answers that it has too many clients",
        lambda: bool(broken),
        undo,
    )


def _patched(site: Site, done: str, watch: str, spec: dict[str, Any], back: dict[str, Any]) -> Wound:
    site.patch(**spec)
    broken = [True]

    def undo() -> None:
        site.patch(**back)
        broken.clear()

    return Wound(done, watch, lambda: bool(broken), undo)


def certificate_untrusted(site: Site) -> Wound:
    """The path is declared to a Redis whose certificate nobody here trusts."""
    host = "10.128.0.6"
    made = Authority("somebody's own CA").issue(addresses=[host])
    settings = {"redisPort": 6379, "redisTls": {"certificate": made.certificate, "key": made.key}}
    done = f"declared Redis at {host}, whose certificate is signed by somebody's own CA"
    watch = "Reachable turns False: the handshake ends with the certificate"
    return _another_machine(site, host, settings, {"tls": {"enabled": True}}, done, watch)


def not_redis(site: Site) -> Wound:
    """The path is declared to a machine where a web application listens on Redis' port."""
    host = "10.128.0.7"
    settings = {"app": {"port": 6379, "redisHost": site.env.target, "redisPort": 6379}}
    done = f"declared Redis at {host}, where a web application listens"
    return _another_machine(site, host, settings, {}, done, "Reachable turns False: what answers is no Redis")


def _another_machine(
    site: Site, host: str, settings: dict[str, Any], redis: dict[str, Any], done: str, watch: str
) -> Wound:
    key = (site.env.project, f"{REGION}-a", "another-vm")
    tags = ["redis-instance"]
    site.control.put("instances", *key, network=site.env.network, address=host, tags=tags, **settings)
    site.cloud.settle()
    site.redeclare(redis={"vm": {"host": host, "port": 6379, "targetTags": tags}, **redis})

    def still() -> bool:
        return bool(site.declared()["redis"]["vm"]["host"] == host)

    def undo() -> None:
        site.redeclare()
        site.control.delete("instances", *key)
        site.cloud.settle()

    return Wound(done, watch, still, undo)
